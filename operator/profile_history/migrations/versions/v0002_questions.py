"""The base model of a training; and, as views, what people ask: GPU use, verdicts over time, likeness by style."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

MODEL = "ALTER TABLE stages ADD COLUMN model text NOT NULL DEFAULT ''"

# Who used which GPU for how long.
GPU_USE = """
CREATE VIEW gpu_use AS
SELECT namespace, name, stage, gpu, date_trunc('day', started_at) AS day, sum(seconds * gpu_count) AS gpu_seconds
FROM stages WHERE gpu_count > 0
GROUP BY namespace, name, stage, gpu, day
"""

VERDICTS = """
CREATE VIEW verdicts_by_day AS
SELECT date_trunc('day', stages.finished_at) AS day, verdicts.namespace, verdicts.reason, count(*) AS photos
FROM verdicts JOIN stages USING (namespace, name, digest)
WHERE stages.stage = 'preprocess'
GROUP BY day, verdicts.namespace, verdicts.reason
"""

# A finished portrait's model is that of the last training that ended before it.
LIKENESS = """
CREATE VIEW likeness_by_style AS
SELECT likeness.style, coalesce(train.model, '') AS model, count(*) AS candidates,
    count(*) FILTER (WHERE likeness.delivered) AS delivered,
    avg(likeness.likeness) FILTER (WHERE likeness.delivered) AS mean_likeness,
    min(likeness.likeness) FILTER (WHERE likeness.delivered) AS lowest_likeness
FROM likeness
JOIN stages AS finish USING (namespace, name, digest)
LEFT JOIN LATERAL (
    SELECT model FROM stages
    WHERE stage = 'train' AND namespace = finish.namespace AND name = finish.name
        AND finished_at <= finish.finished_at
    ORDER BY finished_at DESC LIMIT 1) AS train ON true
WHERE finish.stage = 'finish'
GROUP BY likeness.style, coalesce(train.model, '')
"""


def upgrade() -> None:
    for statement in (MODEL, GPU_USE, VERDICTS, LIKENESS):
        op.execute(statement)

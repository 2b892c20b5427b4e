-- 0001 after None
CREATE TABLE requests (
    namespace text NOT NULL, name text NOT NULL, uid text NOT NULL DEFAULT '', noun text NOT NULL DEFAULT '',
    styles text[] NOT NULL DEFAULT '{}', ready text NOT NULL DEFAULT 'Unknown', reason text NOT NULL DEFAULT '',
    gpu_seconds integer NOT NULL DEFAULT 0, deletion_policy text NOT NULL DEFAULT 'Retain',
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace, name));
CREATE TABLE stages (
    namespace text NOT NULL, name text NOT NULL, stage text NOT NULL, digest text NOT NULL,
    style text NOT NULL DEFAULT '', outcome text NOT NULL, reason text NOT NULL, message text NOT NULL DEFAULT '',
    started_at timestamptz, finished_at timestamptz, seconds double precision NOT NULL DEFAULT 0,
    peak_memory_megabytes integer NOT NULL DEFAULT 0,
    gpu text NOT NULL DEFAULT '', gpu_count integer NOT NULL DEFAULT 0,
    PRIMARY KEY (namespace, name, stage, digest));
CREATE TABLE verdicts (
    namespace text NOT NULL, name text NOT NULL, digest text NOT NULL, photo text NOT NULL,
    accepted boolean NOT NULL, reason text NOT NULL, measures jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (namespace, name, digest, photo));
CREATE TABLE artifacts (
    namespace text NOT NULL, name text NOT NULL, stage text NOT NULL, digest text NOT NULL, key text PRIMARY KEY,
    sha256 text NOT NULL DEFAULT '', bytes bigint NOT NULL DEFAULT 0);
CREATE TABLE likeness (
    namespace text NOT NULL, name text NOT NULL, digest text NOT NULL, style text NOT NULL, seed integer NOT NULL,
    cosine double precision, likeness integer, delivered boolean NOT NULL, refusal text NOT NULL DEFAULT '',
    PRIMARY KEY (namespace, name, digest, style, seed));;

-- 0002 after 0001
ALTER TABLE stages ADD COLUMN model text NOT NULL DEFAULT '';

CREATE VIEW gpu_use AS
SELECT namespace, name, stage, gpu, date_trunc('day', started_at) AS day, sum(seconds * gpu_count) AS gpu_seconds
FROM stages WHERE gpu_count > 0
GROUP BY namespace, name, stage, gpu, day;

CREATE VIEW verdicts_by_day AS
SELECT date_trunc('day', stages.finished_at) AS day, verdicts.namespace, verdicts.reason, count(*) AS photos
FROM verdicts JOIN stages USING (namespace, name, digest)
WHERE stages.stage = 'preprocess'
GROUP BY day, verdicts.namespace, verdicts.reason;

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
GROUP BY likeness.style, coalesce(train.model, '');

-- 0003 after 0002
ALTER TABLE requests ADD COLUMN area text NOT NULL DEFAULT '';


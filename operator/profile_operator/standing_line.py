"""standing_line: who trains and who waits as the API server shows it, for an operator that has just begun."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from profile_contract.resource import Key
from profile_contract.stages.stage_text import StageText
from profile_runtime.kubernetes.resources import Document

from . import names
from .clients.entries import RequestEntry
from .clock import parsed
from .decide.turns import Claim
from .observe.jobs import job_view
from .observe.snapshot import JobState


def standing_line(
    requests: Iterable[RequestEntry], jobs: Sequence[Document]
) -> tuple[list[Claim], list[Key], list[tuple[str, float]]]:
    """The requests that were told that they wait; the request of each Job that holds a GPU; when Jobs began.

    A request may wait, by its status, and have a Job: the operator before was ended between the two.
    """
    listed = {request.key: request for request in requests}
    busy: list[Key] = []
    begun: list[tuple[str, float]] = []
    for document in jobs:
        metadata, job = document["metadata"], job_view(document)
        key = Key(metadata["namespace"], metadata["labels"].get(names.LABEL_REQUEST, ""))
        if job is None or key not in listed:
            continue
        if job.started is not None:
            begun.append((key.namespace, job.started.timestamp()))
        if job.state is JobState.ACTIVE:
            busy.append(key)
    training = set(busy)
    claims = [
        Claim(key, request.priority, parsed(request.created).timestamp() if request.created else 0.0)
        for key, request in listed.items()
        if request.stage_text == StageText.QUEUED and key not in training
    ]
    return claims, busy, begun

"""The one place that knows where an artifact lies in the store.

<namespace>/uploads/...                                raw photos
<namespace>/requests/<name>/dataset/<digest>/          crops, masks, pose maps
<namespace>/requests/<name>/adapter/<digest>/          adapter, its WebUI twin, checkpoints
<namespace>/requests/<name>/candidates/<digest>/       candidates of one style
<namespace>/requests/<name>/portraits/<digest>/        portraits, layouts, comparisons, contact sheet, print sheet
"""

from __future__ import annotations

from .names import Stage

REPORT = "report.json"
ORDER = "order.json"
ADAPTER = "adapter.safetensors"
ADAPTER_WEBUI = "adapter-webui.safetensors"
CONTACT_SHEET = "contact-sheet.jpg"
PRINT_SHEET = "print-sheet.pdf"
LIKENESS_REPORT = "likeness.json"

_STAGE_FOLDERS = {
    Stage.PREPROCESS: "dataset",
    Stage.TRAIN: "adapter",
    Stage.GENERATE: "candidates",
    Stage.FINISH: "portraits",
}


def uploads_prefix(namespace: str, prefix: str) -> str:
    """The key prefix of a request's photos. `prefix` is `spec.photos.prefix`, relative to the namespace's area.

    Raises ValueError if it leaves the namespace's own uploads: the CRD refuses such a request already, this is the
    second lock.
    """
    parts = prefix.split("/")
    if not prefix.endswith("/") or parts[0] != "uploads" or any(p in ("", ".", "..") for p in parts[:-1]):
        raise ValueError(f"photos.prefix {prefix!r} must begin with 'uploads/', end with '/' and hold no '..'")
    return f"{namespace}/{prefix}"


def request_prefix(namespace: str, name: str) -> str:
    """Everything that one request made."""
    return f"{namespace}/requests/{name}/"


def stage_prefix(namespace: str, name: str, stage: Stage, digest: str) -> str:
    """Where one run of a stage leaves what it makes."""
    return f"{request_prefix(namespace, name)}{_STAGE_FOLDERS[stage]}/{digest}/"


def candidate_key(prefix: str, seed: int, *, twin: bool = False) -> str:
    """A candidate of a style; `twin` is the neutral twin of the same seed, made to measure the tone against."""
    return f"{prefix}{seed:06d}{'-neutral' if twin else ''}.png"

"""The one place that knows where an artifact lies in the store, below its namespace's area (see `areas`).

<area>uploads/...                                raw photos
<area>clusters/<uid>                             whose namespace it is
<area>prior/<digest>/                            class pictures, which all trainings of the namespace share
<area>requests/<name>/resolved.json                   what the request was resolved to when its work began
<area>requests/<name>/dataset/<digest>/          crops, masks
<area>requests/<name>/adapter/<digest>/          adapter, its WebUI twin, checkpoints
<area>requests/<name>/candidates/<digest>/       candidates of one style
<area>requests/<name>/portraits/<digest>/        portraits, layouts, comparisons, contact sheet, print sheet
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from .areas import Area, area_in, namespace_of
from .keys import ForeignKey, check_below
from .layouts import LayoutName
from .stages.table import STAGES, Stage

REPORT = "report.json"
ORDER = "order.json"
RESOLVED = "resolved.json"
ADAPTER = "adapter.safetensors"
ADAPTER_WEBUI = "adapter-webui.safetensors"
CONTACT_SHEET = "contact-sheet.jpg"
PRINT_SHEET = "print-sheet.pdf"
LIKENESS_REPORT = "likeness.json"
# Beside the stages' folders: what lies there stays although its request is gone, as that said.
_KEPT_MARK = "kept"
# Without it nothing goes that a request left which is gone.
_PURGEABLE_MARK = "purgeable"
# Written when a sweep sees first that the request is gone: what it made goes so long after that.
_ORPHANED_MARK = "orphaned"

_UPLOADS, _REQUESTS, _CLUSTERS, _PRIOR = "uploads", "requests", "clusters", "prior"

# What no part of a prefix holds: separators, control characters, quotes, what a policy would read as a pattern. In the
# notation that Go's regular expressions share with Python's, since the CRD asks the same.
_FORBIDDEN = r"/\x00-\x1f\x7f-\x9f\x22\x27\x60\x5c*?$"
PHOTOS_PREFIX = rf"^{_UPLOADS}/([^.{_FORBIDDEN}][^{_FORBIDDEN}]*/)+$"
LONGEST_PREFIX = 256
_PHOTOS_PREFIX = re.compile(PHOTOS_PREFIX)
_UNSEEN = frozenset({"Cc", "Zl", "Zp", "Cs"})
# Names of Kubernetes' objects, and digests.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_DIGEST = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]*")
LONGEST_PART = 253


def uploads_prefix(area: Area, prefix: str) -> str:
    """The key prefix of a request's photos. `prefix` is `spec.photos.prefix`, relative to the namespace's area.

    Raises ForeignKey if it leaves the namespace's own uploads: the CRD refuses such a request already, this is the
    second lock.
    """
    namespace_of(area)
    sound = len(prefix) <= LONGEST_PREFIX and _PHOTOS_PREFIX.fullmatch(prefix) and ".." not in prefix
    if not sound or any(unicodedata.category(letter) in _UNSEEN for letter in prefix):
        raise ForeignKey(f"photos.prefix {prefix[:LONGEST_PREFIX]!a} {PHOTOS_PREFIX_RULE}")
    return f"{area}{prefix}"


PHOTOS_PREFIX_RULE = (
    "must begin with 'uploads/' and end with '/'; no part may begin with a dot, and quotes, control characters, "
    "'..' and any of * ? $ \\ may not stand in it"
)


def photos_prefix(*folders: str) -> str:
    """What `spec.photos.prefix` says of photos that lie in these folders; `uploads_prefix` asks whether it may."""
    return "/".join((_UPLOADS, *folders, ""))


def uploads_area(area: Area) -> str:
    """Everything that people sent in a namespace. Raises ForeignKey for what is no area."""
    namespace_of(area)
    return f"{area}{_UPLOADS}/"


def requests_area(area: Area) -> str:
    """Everything that the requests of a namespace made. Raises ForeignKey for what is no area."""
    namespace_of(area)
    return f"{area}{_REQUESTS}/"


def prior_area(area: Area) -> str:
    """The class pictures of all trainings of a namespace. Raises ForeignKey for what is no area."""
    namespace_of(area)
    return f"{area}{_PRIOR}/"


def class_pictures_prefix(area: Area, digest: str) -> str:
    """Where class pictures of that digest are kept. Raises ForeignKey for what is no area or no digest."""
    return f"{prior_area(area)}{_part('digest', digest, _DIGEST)}/"


def class_picture_key(prefix: str, number: int) -> str:
    """A class picture below the prefix of its digest; `number` counts from 0."""
    return f"{prefix}{number:03d}.png"


def request_prefix(area: Area, name: str) -> str:
    """Everything that one request made. Raises ForeignKey for what is no name of an object."""
    return f"{requests_area(area)}{_part('name', name, _NAME)}/"


def request_prefix_of(key: str) -> str:
    """The request's prefix that an artifact's key, or a stage's prefix, lies below. Raises ForeignKey for others."""
    area = area_in(key)
    folder, name, *_ = [*key.removeprefix(area or "").split("/"), ""]
    if area is None or folder != _REQUESTS:
        raise ForeignKey(f"{key[:LONGEST_PART]!a} lies below no request")
    return request_prefix(area, name)


def kept_mark(prefix: str) -> str:
    """The object that says that what lies below a request's prefix stays when the request is gone."""
    return prefix + _KEPT_MARK


def purgeable_mark(prefix: str) -> str:
    """The object that proves that what lies below a request's prefix may go with it, as its spec said."""
    return prefix + _PURGEABLE_MARK


def orphaned_mark(prefix: str) -> str:
    """The object whose age says since when no request is known for what lies below a request's prefix."""
    return prefix + _ORPHANED_MARK


def clusters_folder(area: Area) -> str:
    """Where the marks lie that say whose an area is. Raises ForeignKey for what is no area."""
    namespace_of(area)
    return f"{area}{_CLUSTERS}/"


def cluster_mark(area: Area, uid: str) -> str:
    """The object that says that an area is of a namespace of the cluster of this UID, which is that of its namespace
    kube-system. Raises ForeignKey for what is no area or no UID."""
    return clusters_folder(area) + _part("uid", uid, _DIGEST)


def resolved_key(area: Area, name: str) -> str:
    """What a request was resolved to. Raises ForeignKey for what is no name of an object."""
    return request_prefix(area, name) + RESOLVED


def stage_folder(area: Area, name: str, stage: Stage) -> str:
    """Where every run of a stage leaves what it makes. Raises ForeignKey for what is no name of an object."""
    return f"{request_prefix(area, name)}{STAGES[stage].folder}/"


def stage_prefix(area: Area, name: str, stage: Stage, digest: str) -> str:
    """Where one run of a stage leaves what it makes. Raises ForeignKey for what is no name or no digest."""
    return f"{stage_folder(area, name, stage)}{_part('digest', digest, _DIGEST)}/"


@dataclass(frozen=True)
class StageFile:
    """A file that a stage made: whose, by which run, and its path below that run's prefix."""

    area: Area
    request: str
    stage: Stage
    digest: str
    path: str

    @property
    def namespace(self) -> str:
        """The name of the request's namespace."""
        return namespace_of(self.area)

    @property
    def is_report(self) -> bool:
        """Whether it is the report of that run."""
        return self.path == REPORT


def stage_file(key: str) -> StageFile | None:
    """What an artifact's key says; None for one that no stage makes."""
    area = area_in(key)
    parts = key.removeprefix(area or "").split("/", 4)
    if area is None or len(parts) != 5 or parts[0] != _REQUESTS:
        return None
    _, request, folder, digest, path = parts
    stage = next((stage for stage, row in STAGES.items() if row.folder == folder), None)
    if stage is None:
        return None
    try:
        check_below(stage_prefix(area, request, stage, digest), key)
    except ForeignKey:
        return None
    return StageFile(area, request, stage, digest, path)


def folder_of(key: str) -> str:
    """The prefix, ending with '/', of the folder that a file lies in; empty for a key without one."""
    folder, separator, _ = key.rpartition("/")
    return folder + separator


def candidate_key(prefix: str, seed: int, *, twin: bool = False) -> str:
    """A candidate of a style; `twin` is the neutral twin of the same seed, made to measure the tone against."""
    return f"{prefix}{seed:06d}{'-neutral' if twin else ''}.png"


def portrait_key(prefix: str, style: str, rank: int, seed: int) -> str:
    """A delivered portrait in full size; `rank` counts from 1 within the style."""
    return f"{prefix}{style}/{rank:02d}-{seed:06d}.png"


def layout_key(portrait: str, layout: LayoutName) -> str:
    """A cut of the portrait whose key is given."""
    return f"{portrait.removesuffix('.png')}-{layout}.jpg"


def compared_key(prefix: str, style: str, seed: int) -> str:
    """A picture that stands beside a portrait to be compared, and was not delivered itself."""
    return f"{prefix}compared/{style}/{seed:06d}.png"


def thumbnail_key(picture: str) -> str:
    """The small picture, for pages, of the portrait or compared picture of that key."""
    return f"{picture.removesuffix('.png')}-thumbnail.webp"


def source_key(portrait: str) -> str:
    """The photo that the portrait of that key was drawn over, framed as it is."""
    return f"{portrait.removesuffix('.png')}-source.jpg"


def saved_name(portrait: str) -> str:
    """The name under which a portrait or a cut is saved: its style, then the file's own name."""
    return "-".join(portrait.split("/")[-2:])


def webui_twin(adapter: str) -> str:
    """The twin of the adapter whose key is given, for WebUI and its kin."""
    return folder_of(adapter) + ADAPTER_WEBUI


def _part(what: str, text: str, pattern: re.Pattern[str]) -> str:
    if len(text) <= LONGEST_PART and pattern.fullmatch(text) and ".." not in text:
        return text
    raise ForeignKey(f"{text[:LONGEST_PART]!a} is no {what}, and no part of a key")

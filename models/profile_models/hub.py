"""Hub: a model of a model hub, brought into the models folder: pinned by its commit, checked by its digests, resumed.

huggingface_hub asks and transfers; which hub that is, and by which token, it reads from the environment itself
(HF_ENDPOINT, HF_TOKEN). It begins a file that was cut anew in another process, so pieces are kept here.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profile_runtime.weights import write_sums

from .hub_files import HubFile, HubName, NoModel, model_files

# Beside a model that was brought: where from. Its name begins with a dot, so that no loader reads it.
ORIGIN = ".hub.json"
# What was begun lies below this folder of the models folder until it is whole.
UNFINISHED = ".unfinished"
SMALL = 1_000_000
_PIECE = 1 << 20

# Told of every piece that came: its bytes.
Came = Callable[[int], None]


class HubError(Exception):
    """A model could not be had; one sentence for people. What came so far is kept, and the next attempt goes on."""


@dataclass(frozen=True)
class Offer:
    """What a hub has under a name: `commit` says which version, `licence` as the hub's page does, or empty."""

    name: HubName
    commit: str
    licence: str
    files: tuple[HubFile, ...]

    @property
    def bytes(self) -> int:
        """Of everything that is taken."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True)
class Origin:
    """Which commit of which repository a model in the models folder is."""

    repository: str
    commit: str


def origin_of(model: Path) -> Origin | None:
    """Where a model's folder came from; None where it says nothing, as one that somebody put there."""
    try:
        document = json.loads((model / ORIGIN).read_text())
        return Origin(str(document["repository"]), str(document["commit"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def offer_of(name: HubName, endpoint: str | None = None) -> Offer:
    """Ask the hub; nothing is brought. Raises HubError."""
    from huggingface_hub import HfApi

    with _told(name):
        info = HfApi(endpoint=endpoint).model_info(
            name.repository, revision=name.revision, files_metadata=True, timeout=30
        )
        if not info.sha:
            raise HubError(f"the hub names no commit of {name.repository}, so it cannot be pinned")
        files = [
            HubFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else "", file.blob_id or "")
            for file in info.siblings or ()
        ]
        licences = [tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:")]
        return Offer(name, info.sha, ", ".join(licences), tuple(model_files(files)))


def begun(offer: Offer, models: Path) -> Path:
    """The folder in which an offer is gathered; it has the model's name, by which its recipe is found."""
    return models / UNFINISHED / offer.commit / offer.name.name


def left_to_bring(offer: Offer, models: Path) -> int:
    """Bytes of an offer that are not there yet."""
    folder = begun(offer, models)
    return offer.bytes - sum(_there(folder / file.path, file) for file in offer.files)


def _there(target: Path, file: HubFile) -> int:
    """How many bytes of a file came before."""
    part = _part(target)
    standing = target if target.is_file() else part
    return min(standing.stat().st_size, file.bytes) if standing.is_file() else 0


def bring_settings(offer: Offer, models: Path, endpoint: str | None = None) -> Path:
    """Bring the small files of an offer, which say what it is. Returns their folder. Raises HubError."""
    _bring(offer, [file for file in offer.files if file.bytes < SMALL], begun(offer, models), endpoint, lambda _: None)
    return begun(offer, models)


def bring(offer: Offer, models: Path, came: Came, endpoint: str | None = None) -> Path:
    """Bring all of an offer and put it into the models folder under its name, with its SHA256SUMS. Returns its folder.

    A file that was cut goes on where it was. Nothing stands under the model's name before everything is checked.
    Raises HubError.
    """
    folder, target = begun(offer, models), models / offer.name.name
    missing, free = left_to_bring(offer, models), shutil.disk_usage(_standing(models)).free
    if missing > free:
        raise HubError(f"{offer.name.repository} takes {size(missing)}, and {models} has {size(free)} left")
    _bring(offer, offer.files, folder, endpoint, came)
    try:
        (folder / ORIGIN).write_text(json.dumps({"repository": offer.name.repository, "commit": offer.commit}))
        write_sums(folder)
        folder.rename(target)
        shutil.rmtree(folder.parent, ignore_errors=True)
    except OSError as error:
        raise HubError(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def _standing(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return folder if folder.is_dir() else _standing(folder.parent)


def _bring(offer: Offer, files: Iterable[HubFile], folder: Path, endpoint: str | None, came: Came) -> None:
    """Bring the files that are not there, and check each. Raises HubError."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils._headers import build_hf_headers

    for file in files:
        target = folder / file.path
        if target.is_file():
            continue
        part = _part(target)
        url = hf_hub_url(offer.name.repository, file.path, revision=offer.commit, endpoint=endpoint)
        with _told(offer.name):
            target.parent.mkdir(parents=True, exist_ok=True)
            done = part.stat().st_size if part.is_file() else 0
            with part.open("ab") as piece:
                # Longer than it should be: it is none of this file.
                done = done if done <= file.bytes else piece.truncate(0)
                http_get(
                    url, piece, resume_size=done, headers=build_hf_headers(), expected_size=file.bytes,
                    tqdm_class=_meter(came), displayed_filename=file.path,
                )  # fmt: skip
            _check(part, file, offer)
            part.replace(target)


def _part(target: Path) -> Path:
    """Where a file lies until it is whole."""
    return target.with_name(f"{target.name}.part")


def _check(part: Path, file: HubFile, offer: Offer) -> None:
    """Delete a file that is not the one that the hub promised. Raises HubError."""
    digest = hashlib.sha256() if file.sha256 else hashlib.sha1(f"blob {file.bytes}\0".encode(), usedforsecurity=False)
    with part.open("rb") as content:
        while piece := content.read(_PIECE):
            digest.update(piece)
    if digest.hexdigest() != (file.sha256 or file.blob):
        part.unlink()
        raise HubError(
            f"{file.path} of {offer.name.repository} came damaged or changed (its digest is {digest.hexdigest()[:9]}…) "
            "and was deleted: the same command fetches it again"
        )


def _meter(came: Came) -> Any:
    """A progress bar, as the library wants one, that draws nothing and tells how many bytes came."""
    from huggingface_hub.utils.tqdm import tqdm

    class Meter(tqdm):
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **{**settings, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            came(int(n or 0))
            return None

    return Meter


@contextmanager
def _told(name: HubName) -> Iterator[None]:
    """Raises HubError, one sentence, for whatever the library and the disk raise."""
    import httpx2
    from huggingface_hub import errors

    repository = name.repository
    try:
        yield
    except HubError:
        raise
    except NoModel as error:
        raise HubError(f"{repository} cannot be used: {error}") from error
    except errors.OfflineModeIsEnabled as error:
        raise HubError(f"{repository} is not on this machine, and HF_HUB_OFFLINE forbids to fetch it") from error
    except errors.GatedRepoError as error:
        raise HubError(
            f"{repository} is given only to those who agreed to its licence: agree on its page, then `hf auth login`"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise HubError(f"{repository} has no revision {name.revision}") from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(f"the hub knows no model {repository}, or shows it to its owners alone") from error
    except errors.HfHubHTTPError as error:
        raise HubError(f"the hub answered {error.response.status_code} for {repository}: try again later") from error
    except httpx2.HTTPError as error:
        raise HubError(
            f"the hub cannot be reached ({type(error).__name__}): what came so far is kept, and the same command "
            "goes on"
        ) from error
    except (OSError, ValueError) as error:
        raise HubError(f"{repository} could not be fetched: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def size(count: int) -> str:
    """Bytes for people: 7.1 GB, 12 MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"

"""Written: the captioner that reads what somebody wrote in a text file beside each photo."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.photo_names import shown_name
from profile_contract.stages.preprocess import PhotoRef
from profile_runtime.store.port import Store

from .captions import SUBJECT, CaptionedCrop, Captioner, Remarks

# More than text encoders of 77 tokens would read.
MOST_BYTES, MOST_LETTERS = 4000, 500


@dataclass(frozen=True)
class WrittenCaptions:
    """What files say, by the photo's key without its ending, and who speaks where there is no file."""

    texts: Mapping[str, str]
    otherwise: Captioner

    def remarks(self, crop: CaptionedCrop) -> Remarks:
        """The words of the photo's file, in place of all that would be said otherwise."""
        text = self.texts.get(stem(crop.photo.key))
        return Remarks(written=text) if text else self.otherwise.remarks(crop)


def read_captions(files: list[PhotoRef], store: Store) -> dict[str, str]:
    """What each file says, by its key without its ending. Raises BadInput for one that is no caption, StoreError."""
    return {stem(file.key): _text(file, store) for file in files}


def stem(key: str) -> str:
    """What photo and caption have in common: the key without its ending."""
    return str(PurePosixPath(key).with_suffix(""))


def caption_text(data: bytes) -> str:
    """The caption in a file: one line, in which {subject} may stand for the person. Raises ValueError."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES} bytes")
    try:
        text = " ".join(data.decode("utf-8-sig").split()).strip(" ,.")
    except UnicodeDecodeError:
        raise ValueError("it is not written in UTF-8") from None
    if len(text) > MOST_LETTERS:
        raise ValueError(f"it has more than {MOST_LETTERS} letters")
    if re.search(r"[\x00-\x1f\x7f-\x9f{}]", text.replace(SUBJECT, "")):
        raise ValueError(f"it holds control characters, or braces other than {SUBJECT}")
    return text


def _text(file: PhotoRef, store: Store) -> str:
    try:
        if file.bytes > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES} bytes")
        return caption_text(store.read(file.key))
    except ValueError as error:
        text = (
            f"the caption {shown_name(file.name)} cannot be used: {error}. Write one line of plain text such as "
            "'smiling, wearing a red scarf, in a park', or delete the file; a photo of that name wants its own ending, "
            "such as .jpg"
        )
        raise BadInput(Reason.INVALID_CAPTION, text) from None

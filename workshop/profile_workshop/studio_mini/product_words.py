"""The words that the product says of a person, whatever the photos: captions of crops, and the trainer's own prompt."""

from __future__ import annotations

from profile_contract.stages.train import TrainParameters
from profile_preprocess.captions import CLOSE_UP, HALF_TURNED, TURNED, caption
from profile_train.prompt import PROMPT

# The rare token that stands for the person, where nobody chose another.
TOKEN: str = TrainParameters.model_fields["token"].default


def product_texts(subject: str) -> list[str]:
    """Every caption that a crop can have, and the prompt of the training's own portraits; `subject` is the person."""
    captions = [
        caption(yaw, share)
        for yaw in (0.0, TURNED, -TURNED, HALF_TURNED, -HALF_TURNED)
        for share in (CLOSE_UP, CLOSE_UP + 0.1)
    ]
    return [text.replace("{subject}", subject) for text in (*captions, PROMPT)]

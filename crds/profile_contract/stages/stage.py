"""The four stages by name, in the order that data flows. What else is known of each: `stages.table`."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """The four stages, in the order that data flows."""

    PREPROCESS = "preprocess"
    TRAIN = "train"
    GENERATE = "generate"
    FINISH = "finish"

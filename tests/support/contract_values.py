"""Objects of the contract's models for property tests: every field within its bounds."""

from __future__ import annotations

import enum
import types
import typing
from datetime import datetime
from typing import Any

import annotated_types
from hypothesis import reject
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from profile_contract.times import checked_time

Values = st.SearchStrategy[Any]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
# What a pattern or a validator takes, where it asks for nothing else.
NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
SHAPED: dict[str, Values] = {
    "output": st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/".join(parts) + "/"),
    "sha256": st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    "traceparent": st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True),
    "pose": st.just("frontal"),
    "background_colour": st.just("#aabbcc"),
    "reason": st.just("Succeeded"),
}
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2999, 12, 31)).map(  # noqa: DTZ001 - written as UTC
    lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ")
)
LARGEST = 2**31


def objects(model: type[BaseModel]) -> Values:
    """Objects of a model, those of its fields that have a default sometimes left out."""
    required: dict[str, Values] = {}
    optional: dict[str, Values] = {}
    for name, field in model.model_fields.items():
        values = values_of(field.annotation, list(field.metadata), name)
        (required if field.is_required() else optional)[name] = values
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: _built(model, fields))


def _built(model: type[BaseModel], fields: dict[str, Any]) -> BaseModel:
    """The object; other values are drawn where a rule between fields refuses these. Bounds of one field must hold."""
    try:
        return model(**fields)
    except ValidationError as error:
        if any(mistake["loc"] for mistake in error.errors()):
            raise
        reject()


def values_of(annotation: Any, bounds: list[Any], name: str) -> Values:
    """Values of a field's type within its bounds; some texts are shaped by the field's name."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        extra = [part for note in inner[1:] for part in (note.metadata if isinstance(note, FieldInfo) else [note])]
        return values_of(inner[0], [*bounds, *extra], name)
    if origin is not None:
        return _of_many(origin, inner, bounds, name)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return objects(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return st.sampled_from(list(annotation))
    return st.none() if annotation is types.NoneType else _plain(annotation, bounds, name)


def _of_many(origin: Any, inner: tuple[Any, ...], bounds: list[Any], name: str) -> Values:
    if origin is typing.Literal:
        return st.sampled_from(inner)
    inside = bounds if origin in (typing.Union, types.UnionType) else []
    parts = [values_of(part, inside, name) for part in inner if part is not Ellipsis]
    if origin is list:
        least, most = _length(bounds)
        return st.lists(parts[0], min_size=least, max_size=min(most, max(least, 2)))
    if origin is dict:
        return st.dictionaries(parts[0], parts[1], max_size=2)
    if origin is tuple and inner[-1] is Ellipsis:
        least, most = _length(bounds)
        return st.lists(parts[0], min_size=least, max_size=most).map(tuple)
    return st.tuples(*parts) if origin is tuple else st.one_of(*parts)


def _plain(annotation: Any, bounds: list[Any], name: str) -> Values:
    if annotation is bool:
        return st.booleans()
    if annotation is str:
        if any(getattr(bound, "func", None) is checked_time for bound in bounds):
            return TIMES
        least, most = _length(bounds)
        named = any(getattr(bound, "pattern", None) or hasattr(bound, "func") for bound in bounds)
        shaped = SHAPED.get(name) if bounds else None
        if shaped is not None:
            return shaped
        return (NAMES if named else TEXT).filter(lambda text: least <= len(text) <= most)
    low, high = _edge(bounds, "ge", "gt", 0), _edge(bounds, "le", "lt", LARGEST)
    if annotation is int:
        step = _edge(bounds, "multiple_of", "multiple_of", 1)
        return st.integers(-(-low // step), high // step).map(lambda number: number * step)
    assert annotation is float, annotation
    open_ends = [any(hasattr(bound, word) for bound in bounds) for word in ("gt", "lt")]
    return st.floats(low, high, exclude_min=open_ends[0], exclude_max=open_ends[1], allow_nan=False)


def _edge(bounds: list[Any], word: str, other: str, otherwise: int) -> int:
    """What the first bound says that has this word, or the other one."""
    said = (getattr(bound, w) for bound in bounds for w in (word, other) if getattr(bound, w, None) is not None)
    return next(said, otherwise)


def _length(bounds: list[Any]) -> tuple[int, int]:
    least = next((b.min_length for b in bounds if isinstance(b, annotated_types.MinLen)), 0)
    return least, next((b.max_length for b in bounds if isinstance(b, annotated_types.MaxLen)), LARGEST)

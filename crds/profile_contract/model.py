"""The base of everything that crosses a border: camelCase outside, snake_case inside, immutable, closed."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

# Python reads a file's name that is no UTF-8 with surrogates in it, and cannot write them as UTF-8.
_SURROGATE = re.compile("[\ud800-\udfff]")


class Contract(BaseModel):
    """A frozen pydantic model written in camelCase; unknown fields, infinity and NaN are errors."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
        protected_namespaces=(),
        # Neither is JSON: another reader, the API server among them, would refuse the whole document.
        allow_inf_nan=False,
    )

    def document(self) -> dict[str, Any]:
        """The JSON document of this object: camelCase, without fields that are None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def distinction(self) -> dict[str, Any]:
        """What differs from the defaults, in camelCase: what digests cover.

        So a field that is new and neutral changes nobody's digest. Whoever changes a default changes what equal digests
        mean, and raises the stage's version with it.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def to_json(self) -> str:
        """Canonical JSON text (sorted keys, no spaces), the same for equal objects."""
        return canonical_json(self.document())


class Tolerant(Contract):
    """A contract model read from where an older or newer writer may stand: unknown fields are dropped."""

    model_config = ConfigDict(extra="ignore")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no white space, so that equal values give equal text, which UTF-8 can always write."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def digest_of(value: Any) -> str:
    """The key of a stage: 16 hexadecimal digits of the sha256 of the value's canonical JSON.

    64 bits are plenty: a digest only has to tell apart the few artifacts of one request.
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]

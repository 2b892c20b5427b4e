"""What is counted at full size for the page."""

from __future__ import annotations

from typing import Any

from profile_train.memory import ROW_GIB

from .counting import GIB, CountedCall, autoencoder, drawing_call, training_step
from .networks import NetworkSize

# An adapter's gradients live while a step does, and are counted with the adapter.
RANK = 32


def counts(size: NetworkSize) -> dict[str, Any]:
    """Bytes and TFLOP by name, as JSON holds them; see `page.Counts`."""
    native = size.native
    wide, high = native * 7 // 8, native * 9 // 8
    rows: dict[tuple[bool, bool], tuple[CountedCall, CountedCall]] = {}
    for twice, half in ROW_GIB:
        rows[twice, half] = (
            training_step(size, rows=1, edge=native, checkpointing=twice, half=half, rank=RANK),
            training_step(size, rows=2, edge=native, checkpointing=twice, half=half, rank=RANK),
        )
    unet = drawing_call(size, rows=1, width=wide, height=high, control=False)
    control = drawing_call(size, rows=1, width=wide, height=high, control=True)
    encode = autoencoder(size, width=native, height=native, decode=False, half=False)
    decode = autoencoder(size, width=wide, height=high, decode=True, half=True)
    return {
        "rows_gib": [[twice, half, (pair.peak - single.peak) / GIB] for (twice, half), (single, pair) in rows.items()],
        "work": {
            "row": rows[False, True][0].flops / 1e12,
            "row_twice": rows[True, True][0].flops / 1e12,
            "encode": encode.flops / 1e12,
            "decode": decode.flops / 1e12,
            "unet": unet.flops / 1e12,
            "control": control.flops / 1e12,
        },
        "autoencoder_gib": {"encode": encode.peak / GIB, "decode": decode.peak / GIB},
    }

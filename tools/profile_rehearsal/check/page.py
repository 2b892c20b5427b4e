"""The page of a check: what was measured on a machine beside what was calculated. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from profile_rehearsal.gpus import GPUS, REACHED, Accelerator
from profile_rehearsal.page import table

Figures = Mapping[str, Any]
MISSING = "not measured yet"
GOALS = "Wanted: at least 1.35 times the pictures a second of diffusers' loop, and at most 5 % over the bare pipeline."


def card_of(name: str) -> Accelerator | None:
    """The card of the table that a device calls itself; None where the table has none."""
    words = name.upper().replace("-", " ").split()
    return next((gpu for gpu in GPUS if gpu.name.split()[0].upper() in words), None)


def page(results: Mapping[str, Figures]) -> str:
    """Everything that was measured so far, by piece."""
    parts = ["# SDXL on this machine", INTRODUCTION]
    if "machine" in results:
        parts.append(_machine(results["machine"]))
    parts += ["## The stages", _stages(results), "## Seconds", _seconds(results), GOALS]
    parts += ["## Memory of a training step", _memory(results)]
    for name, title in (("profile_training", "a training step"), ("profile_drawing", "two steps of drawing")):
        if results.get(name):
            heads = ["operation", "calls", "ms", "%"]
            parts += [f"## Where {title} spends its time", table(heads, _escaped(results[name]["rows"]))]
    return "\n\n".join(parts) + "\n"


def _machine(machine: Figures) -> str:
    return (
        f"{machine['name']}, {machine['gib']:.0f} GiB, {machine['cores']} CPU cores; PyTorch {machine['torch']}, CUDA "
        f"{machine['cuda']}, Python {machine['python']}. A plain product of matrices in bfloat16 reaches "
        f"{machine['product']:g} TFLOP/s."
    )


def _stages(results: Mapping[str, Figures]) -> str:
    names = ("weights", "preprocess", "train", "serve", "finish", "sheet")
    return table(["stage", ""], [[name, results.get(name, {}).get("note", MISSING)] for name in names])


def _seconds(results: Mapping[str, Figures]) -> str:
    """What was measured beside what was calculated, and the rate that it means."""
    work = results.get("count", {}).get("work")
    card = card_of(str(results.get("machine", {}).get("name", "")))
    rows = [_row(name, measured, flops, card) for name, measured, flops in _timed(results, work)]
    heads = ["", "measured, s", f"calculated at {REACHED:.0%}, s", "TFLOP/s", "of the data sheet"]
    return table(heads, [*rows, *_ratios(results)])


def _timed(results: Mapping[str, Figures], work: Mapping[str, float] | None) -> list[tuple[str, float, float | None]]:
    """What was timed: a name, its seconds, and its TFLOP if they were counted."""
    timed: list[tuple[str, float, float | None]] = []
    steps, script, pictures = (results.get(name, {}) for name in ("steps", "script", "pictures"))
    step = picture = by_script = None
    if work and steps:
        step = steps["rows"] * work["row_twice" if steps["twice"] else "row"]
    if work and script.get("rows"):
        by_script = script["rows"] * (work["row"] + work["encode"])
    if work and pictures:
        picture = pictures["rows"] * (2 * pictures["steps"] * work["unet"] + work["decode"])
    if steps:
        timed.append((f"our training step, {steps['rows']} pictures", steps["seconds"], step))
    if results.get("compiled_steps"):
        timed.append(("the same, compiled", results["compiled_steps"]["seconds"], step))
    if script.get("seconds"):
        timed.append((f"a step of diffusers' loop, {script['rows']} pictures", script["seconds"], by_script))
    if pictures:
        what = f"{pictures['rows']} portraits of {pictures['steps']} steps"
        timed.append((f"{what}, one person", pictures["one"], picture))
        timed.append((f"{what}, as many people", pictures["many"], picture))
        timed.append((f"{what}, bare pipeline, adapter in its weights", pictures["bare"], picture))
    if results.get("compiled_pictures"):
        timed.append(("one person, compiled", results["compiled_pictures"]["one"], picture))
    return timed


def _row(name: str, measured: float, flops: float | None, card: Accelerator | None) -> list[str]:
    """A line of the table."""
    calculated = f"{flops / (card.teraflops * REACHED):.2f}" if flops and card else ""
    rate = flops / measured if flops else None
    share = f"{rate / card.teraflops:.0%}" if rate and card else ""
    return [name, f"{measured:.2f}", calculated, f"{rate:.3g}" if rate else "", share]


def _ratios(results: Mapping[str, Figures]) -> list[list[str]]:
    """Ours beside diffusers' own."""
    rows = []
    steps, script, pictures = (results.get(name, {}) for name in ("steps", "script", "pictures"))
    if steps and script.get("seconds"):
        ratio = steps["rows"] / steps["seconds"] / (script["rows"] / script["seconds"])
        rows.append(["pictures a second over diffusers' loop", f"{ratio:.2f} ×", "", "", ""])
    if pictures:
        over = pictures["one"] / pictures["bare"] - 1
        rows.append(["one person's portraits over the bare pipeline", f"{over:+.0%}", "", "", ""])
    return rows


def _memory(results: Mapping[str, Figures]) -> str:
    steps = results.get("steps")
    if not steps:
        return MISSING
    way = "calculated twice" if steps["twice"] else "kept"
    taken = "not told by a CPU" if steps["gib"] is None else f"{steps['gib']:.1f}"
    heads = ["pictures at once", "activations", "GiB, calculated", "GiB of tensors, measured"]
    return table(heads, [[f"{steps['at_once']} of {steps['rows']}", way, f"{steps['calculated_gib']:.1f}", taken]])


def _escaped(rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    """Names of kernels hold what tables of Markdown are made of."""
    return [[f"`{str(row[0]).replace('|', '/')}`", *map(str, row[1:])] for row in rows]


INTRODUCTION = """`make gpu-check` writes this page: the stages at SDXL's full size on the machine where it runs, what \
they take beside what was calculated, and beside diffusers' own loops, written from their descriptions. Random weights \
cost what trained ones do."""

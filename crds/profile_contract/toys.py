"""What is said wherever a toy's portraits are shown. Pages have it in their own languages."""

from __future__ import annotations


def toy_notice(model: str) -> str:
    """One line for a terminal or a sheet."""
    return (
        f"{model} is a small demonstration model: it shows how portraits are made, and draws neither detail nor a good "
        "likeness."
    )

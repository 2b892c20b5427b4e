"""Runs inside an image: executes every import statement of the project's code there, also those inside functions.

Standard library alone; the image's Python runs it. Prints what cannot be imported, one statement a line.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(os.environ["PYTHONPATH"])
READER_OF_PEOPLE = "profile_vision.people"


def main() -> int:
    broken = sorted({f"{name}: {trouble}" for name in wanted() for trouble in troubles(name)})
    sys.stdout.write("".join(f"{line}\n" for line in broken))
    return 1 if broken else 0


def wanted() -> set[str]:
    """What the code imports, as dotted names; `from a import b` is `a.b`, a module or something in one.

    The reader of people does not count where nobody in the image asks for it: it alone of vision needs torch.
    """
    imports = {}
    for file in SOURCES.rglob("*.py"):
        parts = file.relative_to(SOURCES).with_suffix("").parts
        nodes = ast.walk(ast.parse(file.read_text()))
        imports[".".join(parts)] = {name for node in nodes for name in names(node, parts[:-1])}
    readers = {name for module, asked in imports.items() for name in asked if module != READER_OF_PEOPLE}
    if not any(name == READER_OF_PEOPLE or name.startswith(f"{READER_OF_PEOPLE}.") for name in readers):
        imports.pop(READER_OF_PEOPLE, None)
    return set().union(*imports.values())


def names(node: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        near = package[: len(package) - node.level + 1] if node.level else ()
        origin = ".".join((*near, *filter(None, [node.module])))
        yield from (f"{origin}.{alias.name}" for alias in node.names)


def troubles(name: str) -> Iterator[str]:
    """Why `name` is neither a module nor something in one."""
    try:
        importlib.import_module(name)
        return
    except ModuleNotFoundError as error:
        origin, _, last = name.rpartition(".")
        if not origin or error.name not in (name, origin):
            yield str(error)
            return
    except Exception as error:
        yield repr(error)
        return
    try:
        module = importlib.import_module(origin)
    except Exception as error:
        yield repr(error)
        return
    if not hasattr(module, last):
        yield f"there is no {last} in {origin}"


if __name__ == "__main__":
    sys.exit(main())

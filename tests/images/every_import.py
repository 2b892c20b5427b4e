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


def main() -> int:
    broken = sorted({f"{name}: {trouble}" for name in wanted() for trouble in troubles(name)})
    sys.stdout.write("".join(f"{line}\n" for line in broken))
    return 1 if broken else 0


def wanted() -> set[str]:
    """What the program can come to import, as dotted names; `from a import b` is `a.b`, a module or something in one.

    All of its own package, and of the shared ones what it leads to: not what others alone use, and bring libraries for.
    """
    imports: dict[str, set[str]] = {}
    for file in SOURCES.rglob("*.py"):
        parts = file.relative_to(SOURCES).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        nodes = ast.walk(ast.parse(file.read_text()))
        imports[module] = {name for node in nodes for name in names(node, parts[:-1])}
    programs = {module.split(".")[0] for module in imports if module.endswith(".__main__")}
    waiting, reached = [module for module in imports if module.split(".")[0] in programs], set()
    while waiting:
        module = waiting.pop()
        if module in imports and module not in reached:
            reached.add(module)
            # To import a.b.c is to import a and a.b.
            waiting += [name.rsplit(".", up)[0] for name in imports[module] for up in range(name.count(".") + 1)]
    return set().union(*(imports[module] for module in reached))


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

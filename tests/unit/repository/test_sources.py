"""What holds for all sources: a class name has one meaning, variables are nouns of the field, nothing lies unused."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PLACES = [
    *("crds", "runtime", "vision", "inference", "operator", "images", "cli", "sandbox"),
    *("models", "workshop", "tools", "constraints"),
]
# Words that say how a value came about and not what it is.
PROSE = {"found", "one", "made", "told"}
# The API's own field, which users read as .status.photos.found, and what is counted for it.
OF_THE_API = {
    "crds/profile_contract/request_status.py: found",
    "operator/profile_operator/decide/status.py: found",
}
# Any other decorator hands the function to somebody who calls it.
PLAIN_DECORATORS = {"property", "cached_property", "functools.cached_property", "staticmethod", "classmethod"}
# What a library calls by its name: argcomplete, and the server of Python's http.server.
CALLED_BY_NAME = {"_init_debug_stream", "do_GET", "do_POST", "do_PUT", "log_message"}


@functools.cache
def nodes() -> list[tuple[str, ast.AST]]:
    """Every node of every module, with the module's path."""
    files = [path for place in PLACES for path in sorted((ROOT / place).rglob("*.py"))]
    modules = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in files}
    return [(path, node) for path, module in modules.items() for node in ast.walk(module)]


def test_a_class_name_means_one_thing_in_the_whole_repository() -> None:
    places = defaultdict(list)
    for path, node in nodes():
        if isinstance(node, ast.ClassDef):
            places[node.name].append(path)
    assert len(places) > 300
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_variables_are_nouns_of_the_field() -> None:
    prose = set()
    for path, node in nodes():
        if isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        else:
            continue
        if name.strip("_") in PROSE:
            prose.add(f"{path}: {name}")
    assert prose - OF_THE_API == set()


def test_every_function_and_class_is_used_by_the_sources() -> None:
    """Tests do not count. What a decorator registers, and what Python itself calls, is used."""
    defined: dict[str, str] = {}
    mentions: Counter[str] = Counter()
    for path, node in nodes():
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                decorators = {ast.unparse(decorator) for decorator in node.decorator_list} - PLAIN_DECORATORS
                if not node.name.startswith("__") and (isinstance(node, ast.ClassDef) or not decorators):
                    defined[node.name] = f"{path}:{node.lineno}"
            case ast.Name():
                mentions[node.id] += 1
            case ast.Attribute():
                mentions[node.attr] += 1
            case ast.Constant(value=str(text)):
                # A name in quotes, alone or behind its module's: what is imported late, or asked for with `getattr`.
                if re.fullmatch(r"[\w.:]+", text):
                    mentions.update(re.split(r"[.:]", text))
    assert len(defined) > 1500
    unused = {name: place for name, place in defined.items() if not mentions[name] and name not in CALLED_BY_NAME}
    assert unused == {}

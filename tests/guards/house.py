"""The product as its guards meet it: the only file here that names the product's modules.

Sources that move change the import lines of this file, and nothing that is recorded.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import enum
import importlib
import io
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import time_machine
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel

import fake_api
import page_world
from operator_world import CONFIG, SPEC
from profile_cli import __main__ as runner_main
from profile_cli.plugin import __main__ as plugin_main
from profile_cli.plugin import commands as plugin_commands
from profile_cli.plugin import connection, doctor
from profile_cli.results import Results, files_of
from profile_cli.run import command as runner_command
from profile_cli.run import runner
from profile_contract import generation as calls
from profile_contract import progress
from profile_contract.ownership import OWNER_LABEL
from profile_contract.picture_size import PictureSize
from profile_contract.request import ProfileRequestSpec
from profile_contract.stages import finish as finish_stage
from profile_contract.stages import generate as generate_stage
from profile_contract.stages import preprocess as preprocess_stage
from profile_contract.stages import train as train_stage
from profile_contract.stages.chain import Platform, digests_of
from profile_contract.style import ProfileStyleSpec
from profile_contract.style_ref import StyleRef
from profile_history import migrations
from profile_runtime.store.folder import FolderStore
from profile_sandbox import values as sandbox_values
from profile_web import live
from profile_web.answers import STATIC
from profile_web.visitor import Visitor
from real_operator import RealOperator, real_operator

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "profile-studio"
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
METRICS = {
    "history": "profile_history.metrics",
    "operator": "profile_operator.metrics",
    "predictor": "profile_predictor.server.metrics",
    "page": "profile_web.metrics",
}
CROSSING: dict[str, type[BaseModel]] = {
    "preprocess order": preprocess_stage.PreprocessOrder,
    "preprocess report": preprocess_stage.PreprocessReport,
    "train order": train_stage.TrainOrder,
    "train report": train_stage.TrainReport,
    "generation order": calls.GenerationOrder,
    "generation result": calls.GenerationResult,
    "generate report": generate_stage.GenerateReport,
    "finish order": finish_stage.FinishOrder,
    "finish report": finish_stage.FinishReport,
    "eviction order": calls.EvictionOrder,
    "eviction result": calls.EvictionResult,
    "progress event": progress.ProgressEvent,
}

Document = dict[str, Any]


@contextmanager
def still_clock() -> Iterator[time_machine.Traveller]:
    """It is BEGIN until somebody shifts the clock, and what is random counts up."""
    numbers = itertools.count(1)
    with (
        time_machine.travel(BEGIN, tick=False) as traveller,
        mock.patch.object(uuid, "uuid4", side_effect=lambda: uuid.UUID(int=next(numbers) << 64)),
    ):
        yield traveller


def plain(value: Any) -> Any:
    """Dataclasses, models and enums as documents, whatever their classes are called."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(plain(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value


# --- the operator ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def operator() -> AsyncIterator[RealOperator]:
    """The operator's real parts before their first look at `hr/minji`, which wishes for one style."""
    spec = SPEC.model_copy(update={"styles": [StyleRef(name="warm")]})
    with mock.patch("real_operator.SPEC", spec):
        async with real_operator(CONFIG) as standing:
            yield standing


def viewed_generation(standing: RealOperator, *, done: int, remaining_seconds: int) -> None:
    """Generation is so far."""
    standing.beside.seen = dataclasses.replace(
        standing.beside.seen, done=done, remaining_seconds=remaining_seconds, running=True
    )


# --- digests -----------------------------------------------------------------------------------------------------


def stage_digests(
    spec: Document, styles: dict[str, Document], platform: dict[str, Document], photos: list[Document]
) -> Document:
    """The digests of all stages of a request; `platform` has preprocess, training and picture."""
    digests: Document = plain(
        digests_of(
            ProfileRequestSpec.model_validate(spec),
            preprocess_stage.photos_digest([preprocess_stage.PhotoRef.model_validate(photo) for photo in photos]),
            {name: ProfileStyleSpec.model_validate(style) for name, style in styles.items()},
            Platform(
                preprocess=preprocess_stage.PreprocessParameters.model_validate(platform["preprocess"]),
                training=train_stage.TrainParameters.model_validate(platform["training"]),
                picture=PictureSize(**platform["picture"]),
            ),
        )
    )
    return digests


# --- what crosses borders ----------------------------------------------------------------------------------------


def schemas() -> dict[str, Document]:
    """The JSON schema of all that crosses a border, without the names of classes."""
    return {name: _schema(model) for name, model in CROSSING.items()}


def written(kind: str, document: Document) -> str:
    """What is written of a document that was read: canonical JSON."""
    model: Any = CROSSING[kind].model_validate(document)
    text: str = model.to_json()
    return text


def stream_key(namespace: str, name: str) -> str:
    """The Redis stream of a request."""
    return progress.stream_key(namespace, name)


def _schema(model: type[BaseModel]) -> Document:
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})

    def inlined(node: Any, *, names: bool = False) -> Any:
        if isinstance(node, list):
            return [inlined(inner) for inner in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return inlined(
                {**definitions[node["$ref"].rpartition("/")[2]], **{k: v for k, v in node.items() if k != "$ref"}}
            )
        # Descriptions and titles come from classes; `properties` holds fields that may be called so.
        left_out = () if names else ("title", "description")
        return {key: inlined(inner, names=key == "properties") for key, inner in node.items() if key not in left_out}

    document: Document = inlined(schema)
    return document


# --- metrics and the database ------------------------------------------------------------------------------------


def metrics() -> dict[str, list[Document]]:
    """The metrics of each program: name, kind, help, labels and buckets."""
    return {program: _metrics(module) for program, module in METRICS.items()}


def _metrics(module: str) -> list[Document]:
    standing = [
        value for value in vars(importlib.import_module(module)).values() if isinstance(value, MetricWrapperBase)
    ]
    described = [
        {
            "name": metric._name,
            "type": metric._type,
            "help": metric._documentation,
            "labels": list(metric._labelnames),
            **({"buckets": [str(bound) for bound in metric._upper_bounds]} if hasattr(metric, "_upper_bounds") else {}),
        }
        for metric in standing
    ]
    return sorted(described, key=lambda one: str(one["name"]))


def database() -> str:
    """The SQL that makes the database of nothing."""
    text = io.StringIO()
    scripts = ScriptDirectory(str(migrations.FOLDER))
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": text})
    with Operations.context(context):
        for script in reversed(list(scripts.walk_revisions())):
            text.write(f"-- {script.revision} after {script.down_revision}\n")
            script.module.upgrade()
    return text.getvalue()


# --- the chart ---------------------------------------------------------------------------------------------------


def demo_values() -> Document:
    """What the demo says to the chart on this machine's sandbox, beside the chart's own values files."""
    text = json.dumps({**sandbox_values.chart_values(), **sandbox_values.web_values("127.0.0.1:9000")})
    document: Document = json.loads(text)
    for program in ("operator", "history", "predictor", "web"):
        # Changes with the sources.
        document[program]["podAnnotations"] = {}
    return document


# --- the page ----------------------------------------------------------------------------------------------------


@contextmanager
def page() -> Iterator[page_world.World]:
    """The page behind a proxy, over an API server and a store in memory."""
    with page_world.world() as standing:
        yield standing


def page_headers(**more: str) -> dict[str, str]:
    """What the proxy says of a visitor, and what the page's own script sends."""
    return page_world.as_(page_world.MINJI, **more)


def page_files() -> list[str]:
    """The files that the page serves, samples apart, which are pictures."""
    names = (file.relative_to(STATIC).as_posix() for file in STATIC.rglob("*") if file.is_file())
    return sorted(names)


def page_routes(standing: page_world.World) -> set[str]:
    """The paths that the page answers by itself."""
    paths: set[str] = set()
    pending: list[Any] = list(standing.client.app.routes)  # type: ignore[attr-defined]
    while pending:
        route = pending.pop()
        inner = getattr(route, "original_router", None)
        if inner is not None:
            pending += inner.routes
        elif getattr(route, "methods", None):
            paths.add(route.path)
    return paths


async def page_events() -> list[Document]:
    """What a page is told that follows a request while it is made, until nothing happens any more."""
    api = page_world.ApiServer()
    visitor = Visitor("minji@example.com", page_world.NAMESPACE, "me")
    spec = {"photos": {"prefix": "uploads/me/p-1/"}, "styles": ["studio-warm"]}
    api.put_request(page_world.NAMESPACE, "p-1", {"metadata": {"labels": {OWNER_LABEL: "me"}}, "spec": spec})
    told: list[Document] = []
    with mock.patch.object(live, "PAUSE_SECONDS", 0.01), mock.patch.object(live, "WAIT_SECONDS", 0.02):
        watch = live.Watch(api.cluster(), live.ProgressStreams(None))
        events = watch.follow(visitor, "p-1", lambda found: str(found["spec"]), 5, 0.2)
        told += [{"event": event.event, "data": event.raw_data} async for event in events]
        await watch.close()
    return told


# --- the commands ------------------------------------------------------------------------------------------------


@contextmanager
def plugin(folder: Path) -> Iterator[tuple[fake_api.FakeApi, Callable[[list[str]], int]]]:
    """`kubectl profile` over an API server in this process and a store in a folder: the server, and the command."""
    api, store = fake_api.FakeApi(), FolderStore(folder / "store")
    api.namespaces.append("empty")
    with fake_api.serving(api, folder / "kubeconfig"), contextlib.ExitStack() as stack:
        for module in (connection, doctor):
            stack.enter_context(mock.patch.object(module, "open_named", return_value=store))
        yield api, plugin_main.main


def helps() -> dict[str, str]:
    """The help of every command of every program, by its words."""
    return {**_helps(plugin_commands.parser()), **_helps(runner_main.parser())}


def _helps(parser: argparse.ArgumentParser) -> dict[str, str]:
    helps = {parser.prog: parser.format_help()}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                helps |= _helps(inner)
    return helps


def model_folder(folder: Path) -> None:
    """A base model by name alone, with its ControlNet and a recipe, where models lie."""
    for part, config in (("unet", {"sample_size": 16}), ("vae", {"block_out_channels": [8] * 4})):
        (folder / "studio-mini" / part).mkdir(parents=True)
        (folder / "studio-mini" / part / "config.json").write_text(json.dumps(config))
    (folder / "studio-mini-controlnet").mkdir()
    (folder / "studio-mini" / "recipe.yaml").write_text("toy: It is a toy.\n")


@contextmanager
def folder_runner(reports: dict[str, Document]) -> Iterator[Callable[[list[str]], int]]:
    """`profile-studio` whose stages leave these reports at once; the seed 2 is refused as bad input."""

    class Ready(runner.Run):
        def results(self) -> Results:
            preprocess = preprocess_stage.PreprocessReport.model_validate(reports["preprocess report"])
            if self.spec.seed == 2:
                raise runner.InputRefused(preprocess)
            results = Results(
                preprocess=preprocess,
                train=train_stage.TrainReport.model_validate(reports["train report"]),
                generate=(generate_stage.GenerateReport.model_validate(reports["generate report"]),),
                finish=finish_stage.FinishReport.model_validate(reports["finish report"]),
            )
            for key in files_of(results).values():
                self.store.write(key, b"made")
            return results

    with (
        mock.patch.object(runner_command, "Run", Ready),
        mock.patch.object(runner_command, "accelerated", return_value=False),
    ):
        yield runner_main.main

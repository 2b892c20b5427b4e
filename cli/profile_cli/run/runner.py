"""The four stages in one process, on a store in a folder. A stage whose report stands is not run again."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from profile_cli.errors import CommandError
from profile_cli.results import UNTRAINED, Results, files_of
from profile_cli.terminal import Terminal, duration
from profile_contract.artifacts import REPORT, class_pictures_prefix, stage_prefix, uploads_prefix
from profile_contract.candidates import (
    PlannedCandidate,
    UnknownPose,
    Wanted,
    delivered_of,
    judge_order,
    last_drawn,
    planned_candidates,
    subject_of,
)
from profile_contract.exits import StageError
from profile_contract.look_ref import MOST_LOOKS, LookFile, looks_of
from profile_contract.request import ProfileRequestSpec
from profile_contract.sources import Undrawable, check_drawable
from profile_contract.stages.chain import NO_LOOKS, Digests, Platform, digests_of
from profile_contract.stages.finish import FinishOrder, FinishReport, StyleCandidates
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.order import RequestRef, StageOrder, StageReport
from profile_contract.stages.preprocess import PhotoRef, PreprocessOrder, PreprocessReport, photos_digest
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder, TrainReport, class_pictures_digest
from profile_contract.style import ProfileStyleSpec
from profile_runtime.context import StageContext
from profile_runtime.shell import StageFunction, run_stage
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import NotFound, StoreError

from .looks import rank_with_looks
from .other_networks import OtherNetworks
from .screen import Screen
from .settings import AREA, NAME, NAMESPACE

if TYPE_CHECKING:
    from profile_predictor.engine import Engine

OrderT = TypeVar("OrderT", bound=StageOrder)
ReportT = TypeVar("ReportT", bound=StageReport)
# Told of a stage's report as soon as it stands.
Listener = Callable[[Stage, StageReport], None]


class InputRefused(CommandError):
    """A stage ended with 'bad input'; its report tells more."""

    def __init__(self, report: StageReport) -> None:
        super().__init__(f"{report.reason}: {report.message}")
        self.report = report


@dataclass(frozen=True)
class Run:
    """One request on a folder's store. `models` is the models folder; `listener` is called with each stage's report;
    `signature` is the folder of the key and certificates by which portraits are signed, `signer` whose they are."""

    store: FolderStore
    models: Path
    spec: ProfileRequestSpec
    styles: Mapping[str, ProfileStyleSpec]
    platform: Platform
    terminal: Terminal
    looks: Mapping[str, LookFile] = field(default_factory=lambda: NO_LOOKS)
    name: str = NAME
    listener: Listener = lambda _stage, _report: None
    signature: Path | None = None
    signer: str = ""
    networks: OtherNetworks = field(default_factory=OtherNetworks)

    @property
    def request(self) -> RequestRef:
        """The request as orders name it."""
        return RequestRef(namespace=NAMESPACE, name=self.name)

    def _prefix(self, stage: Stage, digest: str) -> str:
        """Where a stage leaves what it makes."""
        return stage_prefix(AREA, self.name, stage, digest)

    def results(self) -> Results:
        """Run what is missing. Raises InputRefused, CommandError."""
        photos = self._photos()
        digests = digests_of(self.spec, photos_digest(photos), self.styles, self.platform, self.looks)
        digests = self.networks.drawn(digests, self.styles)
        try:
            dataset = self._preprocess(digests, photos)
            self._check_drawable(dataset)
            adapter = self._train(digests, dataset) if self.spec.training.trains else UNTRAINED
            drawn = self._generate(digests, dataset, adapter)
            return Results(dataset, adapter, tuple(drawn.values()), self._finish(digests, drawn))
        except StageError as error:
            raise CommandError(f"{error.reason}: {error.message}") from error
        except StoreError as error:
            raise CommandError(f"the work folder cannot be used: {error}") from error

    def _photos(self) -> list[PhotoRef]:
        base = uploads_prefix(AREA, self.spec.photos.prefix)
        return [
            PhotoRef(name=photo.key.removeprefix(base), key=photo.key, bytes=photo.bytes, etag=photo.etag)
            for photo in self.store.list(base)
        ]

    def _preprocess(self, digests: Digests, photos: list[PhotoRef]) -> PreprocessReport:
        """The dataset's report."""
        order = PreprocessOrder(
            request=self.request,
            digest=digests.preprocess,
            output=self._prefix(Stage.PREPROCESS, digests.preprocess),
            photos=photos,
            parameters=self.platform.preprocess,
        )
        return self._stage(Stage.PREPROCESS, order, PreprocessReport, _preprocess)

    def _check_drawable(self, dataset: PreprocessReport) -> None:
        """Say which styles nothing can be drawn in. Raises CommandError where that is all of them."""
        omitted = [self._omitted(name, dataset) for name in self.styles]
        for undrawable in filter(None, omitted):
            self.terminal.say(f"note: {undrawable}")
        if omitted[0] is not None and None not in omitted:
            raise CommandError(f"{omitted[0].reason}: {omitted[0]}")

    def _omitted(self, name: str, dataset: PreprocessReport) -> Undrawable | None:
        """Why nothing can be drawn in a style; None where it can."""
        try:
            check_drawable(name, self.styles[name], self.spec.source, dataset, trains=self.spec.training.trains)
        except Undrawable as undrawable:
            return undrawable
        return None

    def _train(self, digests: Digests, dataset: PreprocessReport) -> TrainReport:
        """The training's report; its checkpoints are judged by portraits in the first style."""
        parameters = self.platform.train_parameters(self.spec)
        subject, count = f"{parameters.token} {parameters.noun}", parameters.validation_images
        wanted, first = Wanted(subject, self.spec.seed, count), self.spec.style_keys[0]
        size = self.platform.picture_for(self.spec)
        kept = class_pictures_prefix(AREA, class_pictures_digest(parameters)) if parameters.preserves_prior else None
        order = TrainOrder(
            request=self.request,
            digest=digests.train,
            output=self._prefix(Stage.TRAIN, digests.train),
            dataset=self._prefix(Stage.PREPROCESS, digests.preprocess) + REPORT,
            parameters=parameters,
            judge=judge_order(self.request, first, self.styles[first], wanted, dataset, size=size),
            recipe=self.platform.recipe,
            class_pictures=kept,
        )
        return self._stage(Stage.TRAIN, order, TrainReport, _train)

    def _generate(
        self, digests: Digests, dataset: PreprocessReport, training: TrainReport
    ) -> dict[str, GenerateReport]:
        """The report of every style, by its name."""
        adapter = training.adapter
        if adapter is None and self.spec.training.trains:
            raise CommandError("training left no adapter")
        engine: Engine | None = None
        drawn = {}
        for name, digest in digests.styles.items():
            omitted = self._omitted(name, dataset)
            if omitted is not None:
                drawn[name] = GenerateReport(digest=digest, style=name, reason=omitted.reason, message=str(omitted))
                continue
            order = StageOrder(request=self.request, digest=digest, output=self._prefix(Stage.GENERATE, digest))
            standing = self._standing(order, GenerateReport)
            if standing is None or any(self.store.stat(picture.key) is None for picture in standing.candidates):
                self.store.delete(order.output + REPORT)
                from .drawing import StyleDrawing

                engine = engine or self._engine(digests)
                planned = self._planned(name, order.output, dataset, digests)
                size = self.platform.picture_for(self.spec)
                style, looks = self.styles[name], looks_of(self.styles[name].adapters, self.looks) or ()
                drawing = StyleDrawing(engine, name, style, adapter, size, planned, looks)
                standing = self._stage(Stage.GENERATE, order, GenerateReport, drawing.run, what=f"generate {name}")
            drawn[name] = standing
        return drawn

    def _planned(
        self, name: str, prefix: str, dataset: PreprocessReport, digests: Digests
    ) -> tuple[PlannedCandidate, ...]:
        """What a style is to draw, with the poses of the dataset. Raises CommandError."""
        parameters = self.platform.train_parameters(self.spec)
        subject = subject_of(parameters.token, parameters.noun, trains=self.spec.training.trains)
        wanted = Wanted(subject, self.spec.seed, self.spec.candidates, self.spec.source)
        try:
            return planned_candidates(name, self.styles[name], prefix, wanted, dataset)
        except UnknownPose as error:
            raise CommandError(str(error)) from error

    def _engine(self, digests: Digests) -> Engine:
        """The predictor's engine with the request's models. Raises CommandError."""
        from profile_predictor.engine import Engine, EngineConfig

        # What training held must go before the pipeline comes: on a GPU both do not fit.
        gc.collect()
        parameters = self.platform.train_parameters(self.spec)
        self.terminal.say(f"loading {parameters.base_model}")
        try:
            return Engine.load(
                EngineConfig(
                    models=self.models,
                    base_model=parameters.base_model,
                    control_model=parameters.control_model,
                    slots=1 + MOST_LOOKS,
                    maximum_rank=rank_with_looks(parameters.rank) if self.looks else parameters.rank,
                    adapter_layers=parameters.adapter_layers,
                    upscaler=self.networks.upscaler,
                    safety_checker=self.networks.safety_checker,
                )
            )
        except (FileNotFoundError, ValueError) as error:
            raise CommandError(f"the models cannot be loaded: {error}") from error

    def _finish(self, digests: Digests, drawn: Mapping[str, GenerateReport]) -> FinishReport:
        """The finisher's report."""
        order = FinishOrder(
            request=self.request,
            digest=digests.finish,
            output=self._prefix(Stage.FINISH, digests.finish),
            dataset=self._prefix(Stage.PREPROCESS, digests.preprocess) + REPORT,
            styles=[
                StyleCandidates(
                    style=name,
                    tone=self.styles[name].tone,
                    candidates=report.candidates,
                    portraits=delivered_of(self.styles[name], self.spec.source, report),
                    omitted=report.message if not report.candidates else "",
                )
                for name, report in drawn.items()
            ],
            parameters=self.platform.finish_parameters(self.spec),
            drawn_at=last_drawn(drawn.values()),
        )
        standing = self._standing(order, FinishReport)
        if standing is None or self.signer not in ("", standing.signed_by) or not self._holds(standing):
            # What another one signed or nobody, and what lacks a picture, is finished anew.
            self.store.delete(order.output + REPORT)
        return self._stage(Stage.FINISH, order, FinishReport, _finish)

    def _holds(self, finish: FinishReport) -> bool:
        """Whether every picture that a report names is still there."""
        keys = files_of(Results(PreprocessReport(digest=""), UNTRAINED, (), finish)).values()
        return all(self.store.stat(key) is not None for key in keys)

    def _stage(
        self,
        stage: Stage,
        order: OrderT,
        kind: type[ReportT],
        run: StageFunction[OrderT, ReportT],
        *,
        what: str = "",
    ) -> ReportT:
        """The report of a stage: the one that stands, or that of running it now. Raises InputRefused, StageError."""
        title = what or stage.value
        standing = self._standing(order, kind)
        if standing is not None:
            self.terminal.say(f"{title}: done before ({duration(standing.seconds)} then)")
            self.listener(stage, standing)
            return standing
        with self.terminal.tracker(title) as tracker:
            report = run_stage(
                run, order, stage, self.store, models=self.models, publisher=Screen(tracker), signature=self.signature
            )
        if report.outcome != "Done":
            # A report of the bare kind has no verdicts or scores; then there is nothing more to show.
            raise InputRefused(report)
        self.terminal.say(f"{title}: done in {duration(report.seconds)}")
        done = kind.model_validate(report.model_dump())
        self.listener(stage, done)
        return done

    def _standing(self, order: StageOrder, kind: type[ReportT]) -> ReportT | None:
        try:
            report = kind.model_validate_json(self.store.read(order.output + REPORT))
        except NotFound:
            return None
        except ValidationError:
            self.terminal.say(f"note: {order.output}{REPORT} is damaged, or another version's: it is made anew")
            return None
        return report if report.outcome == "Done" else None


# A stage's libraries take seconds to import: only a stage that runs pays for them.


def _preprocess(order: PreprocessOrder, context: StageContext) -> PreprocessReport:
    from profile_preprocess.stage import run

    return run(order, context)


def _train(order: TrainOrder, context: StageContext) -> TrainReport:
    from profile_train.stage import run

    return run(order, context)


def _finish(order: FinishOrder, context: StageContext) -> FinishReport:
    from profile_finish.stage import run

    return run(order, context)

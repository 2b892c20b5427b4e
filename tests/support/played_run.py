"""The page over the folder runner, whose stages are played: they leave reports and a picture, and take no time."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from profile_cli.errors import CommandError
from profile_cli.run.runner import Run
from profile_cli.run.settings import AREA
from profile_cli.serve.desk import Desk, desk_of
from profile_cli.serve.shelf import ScannedFolder
from profile_cli.serve.worker import Workplace
from profile_cli.styles import known_styles, load_styles
from profile_cli.terminal import Terminal
from profile_contract.artifacts import stage_prefix
from profile_contract.photos import PhotoReason
from profile_contract.stages.finish import FinishReport, Portrait
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.preprocess import PhotoVerdict, PreprocessReport
from profile_contract.stages.stage import Stage
from profile_contract.stages.train import TrainReport


def portrait() -> bytes:
    """A picture, as a PNG file."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 150, 120)).save(file, "PNG")
    return file.getvalue()


class Played(Run):
    """A run whose stages leave reports and a picture, and take no time."""

    fails: CommandError | None = None
    during: Any = staticmethod(lambda _: None)

    def results(self) -> Any:
        key = stage_prefix(AREA, self.name, Stage.FINISH, "f" * 8) + "studio-warm/portrait-1-7.png"
        verdict = PhotoVerdict(name="a.jpg", accepted=True, reason=PhotoReason.ACCEPTED)
        self.listener(Stage.PREPROCESS, PreprocessReport(digest="p", verdicts=[verdict]))
        with self.terminal.tracker("train") as tracker:
            tracker.show("", 40, 120)
            type(self).during(self)
            tracker.show("", 41, 110)
        if self.fails is not None:
            raise self.fails
        self.listener(Stage.TRAIN, TrainReport(digest="t"))
        self.listener(Stage.GENERATE, GenerateReport(digest="g"))
        self.store.write(key, portrait())
        portraits = [Portrait(style=key_, seed=7, rank=1, likeness=71, key=key) for key_ in self.spec.style_keys[:1]]
        self.listener(Stage.FINISH, FinishReport(digest="f", portraits=portraits))


def played_desk(folder: Path, origin: str, token: str) -> Desk:
    """The page that is reached at `origin`, with everything below `folder`."""
    platform: Any = SimpleNamespace()
    store, styles = ScannedFolder(folder / "work"), load_styles(list(known_styles()))
    place = Workplace(store, folder / "models", styles, platform, Terminal(), "toy")
    return desk_of(place, origin, token, urlsplit(origin).port or 80)

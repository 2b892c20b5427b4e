"""What `profile-studio run` says before anything is learnt, and that it has its folder for itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from profile_cli.errors import CommandError
from profile_cli.run.alone import alone_in
from profile_cli.run.command import signer_of
from profile_cli.run.looks import look_files
from profile_cli.run.other_networks import OtherNetworks
from profile_cli.run.runner import Run
from profile_cli.run.settings import AREA, NAME, Choice, InstalledModels, platform, request_spec
from profile_cli.run.values import values_of
from profile_cli.styles import load_styles
from profile_cli.terminal import Terminal
from profile_contract.artifacts import REPORT, stage_prefix
from profile_contract.look_ref import LookKind, LookRef
from profile_contract.stages.chain import Digests
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.order import StageOrder
from profile_contract.stages.table import Stage
from profile_runtime.store.folder import FolderStore

CHOICE = Choice("person", ["square"], {}, None, None, None, None, None, None, None)
MODELS = InstalledModels("studio-mini", "", 128)
STYLES = load_styles(["studio-warm"])
WARM = next(iter(STYLES))
DIGESTS = Digests("dataset", "adapter", {WARM: "candidates"}, "finish")


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"minimum_photos": 100}, "minimumPhotos: Input should be less than or equal to 40"),
        ({"minimum_photos": 0}, "minimumPhotos: Input should be greater than or equal to 1"),
        ({"minimum_photos": 21}, r"21 photos must be usable \(--minimum-photos\), and 20 are taken at most"),
        ({"sampler_steps": 0}, "--sampler-steps must be from 1 to 150, and is 0"),
        ({"sampler_steps": 151}, "--sampler-steps must be from 1 to 150, and is 151"),
    ],
)
def test_figures_that_cannot_be_used_are_said(choice: dict[str, int], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        platform(replace(CHOICE, **choice), MODELS, accelerated=False)  # type: ignore[arg-type]


def test_the_ends_of_what_can_be_used() -> None:
    for steps in (1, 150):
        assert platform(replace(CHOICE, sampler_steps=steps), MODELS, accelerated=False).picture.steps == steps
    values = values_of({"preprocess": {"maximumPhotos": 5}})
    assert platform(CHOICE, MODELS, accelerated=False, values=values).preprocess.maximum_photos == 5


def test_a_signature_is_tried_first(tmp_path: Path) -> None:
    assert signer_of(None) == ""
    with pytest.raises(CommandError, match=r"SignatureUnusable: .*tls.crt cannot be read: No such file"):
        signer_of(tmp_path)


@pytest.mark.parametrize("name", ["absent", "../other", "file"])
@pytest.mark.parametrize("option", ["--upscaler", "--safety-checker"])
def test_a_network_that_is_not_there_is_said(tmp_path: Path, name: str, option: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "file").touch()
    networks = OtherNetworks(**{option.removeprefix("--").replace("-", "_"): name})
    with pytest.raises(CommandError, match=f"{option} '{name}' is no folder below"):
        networks.check(tmp_path / "models", STYLES)


def test_a_style_that_enlarges_wants_a_network(tmp_path: Path) -> None:
    enlarging = {WARM: STYLES[WARM].model_copy(update={"upscale": 2})}
    with pytest.raises(CommandError, match=r"the style studio-warm enlarges its candidates .*--upscaler MODEL"):
        OtherNetworks().check(tmp_path, enlarging)
    OtherNetworks().check(tmp_path, STYLES)


def test_what_no_checker_looked_at_is_drawn_anew() -> None:
    assert OtherNetworks().drawn(DIGESTS, STYLES) is DIGESTS
    # Nothing of these styles is enlarged.
    assert OtherNetworks(upscaler="x4").drawn(DIGESTS, STYLES) is DIGESTS
    looked_at = [OtherNetworks(safety_checker=name).drawn(DIGESTS, STYLES) for name in ("one", "two")]
    assert len({DIGESTS.finish, *(digests.finish for digests in looked_at)}) == 3
    assert len({"candidates", *(digests.styles[WARM] for digests in looked_at)}) == 3
    assert {(digests.preprocess, digests.train) for digests in looked_at} == {("dataset", "adapter")}


def test_an_upscaler_is_told_from_another_where_a_style_enlarges() -> None:
    enlarging = {WARM: STYLES[WARM].model_copy(update={"upscale": 2})}
    drawn = [OtherNetworks(upscaler=name).drawn(DIGESTS, enlarging).styles[WARM] for name in ("one", "two")]
    assert len({"candidates", *drawn}) == 3


def test_a_look_is_given_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    adapters = [LookRef(name="film", kind=LookKind.OWN)]
    styles = {WARM: STYLES[WARM].model_copy(update={"adapters": adapters})}
    with pytest.raises(CommandError, match="the look 'film' is given twice"):
        look_files([f"film={tmp_path / 'a'}", f"film={tmp_path / 'b'}"], styles)


def test_one_run_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    with (
        alone_in(tmp_path),
        pytest.raises(CommandError, match=f"another run works in {tmp_path.parent} now"),
        alone_in(tmp_path),
    ):
        pass
    with alone_in(tmp_path):
        pass
    with pytest.raises(CommandError, match="cannot be opened: No such file"), alone_in(tmp_path / "absent"):
        pass


def _run(folder: Path, signer: str = "") -> Run:
    settings = platform(CHOICE, MODELS, accelerated=False)
    return Run(
        FolderStore(folder), folder, request_spec(CHOICE, [WARM]), STYLES, settings, Terminal(), signer=signer
    )  # fmt: skip


def test_a_damaged_report_counts_as_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, output = _run(tmp_path), stage_prefix(AREA, NAME, Stage.FINISH, "digest")
    order = StageOrder(request=run.request, digest="digest", output=output)
    assert run._standing(order, FinishReport) is None
    run.store.write(output + REPORT, b'{"a')
    assert run._standing(order, FinishReport) is None
    assert "is damaged, or another version's: it is made anew" in capsys.readouterr().out
    whole = FinishReport(digest="digest", contact_sheet=f"{output}sheet.jpg", likeness_report=f"{output}likeness.json")
    run.store.write(output + REPORT, json.dumps(whole.model_dump(mode="json", by_alias=True)).encode())
    standing = run._standing(order, FinishReport)
    assert standing is not None
    assert not run._holds(standing)
    run.store.write(whole.contact_sheet, b"sheet")
    run.store.write(whole.likeness_report, b"{}")
    assert run._holds(standing)

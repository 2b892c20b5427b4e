"""The evaluation's figures and page, from made-up measurements."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from profile_cli.errors import CommandError
from profile_contract.picture_size import PictureSize
from profile_contract.stages.finish import ToneShift
from profile_contract.stages.train import Checkpoint
from profile_contract.style import ProfileStyleSpec, Title, Tone
from profile_evaluate.base import BaseFigures, poses
from profile_evaluate.command import one_a_tone
from profile_evaluate.compare import FormerRun, comparison, plain_style, read_runs
from profile_evaluate.figures import (
    PersonFigures,
    Share,
    StyleFigures,
    centroid,
    confusion,
    follows,
    mean_difference,
    nearest,
    own_mean,
    together,
)
from profile_evaluate.page import Evaluation, Verdicts, mistaken, named, page
from profile_evaluate.people import describe, find_people

NORTH, EAST = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
ALMOST_NORTH = np.array([0.9, 0.1], np.float32)


def test_a_share_tells_how_sure_it_is() -> None:
    few, many = Share(9, 10), Share(900, 1000)
    assert few.value == many.value == 0.9
    # Wilson's interval of 9 in 10, as in textbooks.
    assert few.interval == pytest.approx((0.596, 0.982), abs=0.001)
    assert many.interval[0] > few.interval[0]
    assert Share(0, 0).interval == (0.0, 1.0)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # Wilson's score interval, by R's prop.test without continuity correction.
    [
        (9, 10, 0.5958, 0.9821),
        (1, 10, 0.0179, 0.4042),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
    ],
)
def test_wilsons_interval(hits: int, of: int, low: float, high: float) -> None:
    assert Share(hits, of).interval == pytest.approx((low, high), abs=2e-4)


def test_a_nose_that_follows_correlates_and_one_that_stays_does_not() -> None:
    wanted = [(10.0, 20.0), (20.0, 10.0), (30.0, 40.0), (40.0, 30.0)]
    exact = follows(wanted, wanted)
    assert exact is not None
    assert exact.x == pytest.approx(1)
    assert exact.y == pytest.approx(1)
    assert exact.distance == 0
    stays = follows(wanted, [(25.0, 25.0)] * 4)
    assert stays is not None
    assert (stays.x, stays.y) == (0, 0)


def test_pictures_without_a_face_are_left_out_and_too_few_say_nothing() -> None:
    assert follows([(0.0, 0.0)] * 4, [None, None, (1.0, 1.0), (2.0, 2.0)]) is None


def test_portraits_are_named_by_the_nearest_mean_face() -> None:
    centroids = {"anna": centroid([NORTH, ALMOST_NORTH]), "ben": centroid([EAST])}
    assert nearest(ALMOST_NORTH, centroids) == "anna"
    table = confusion({"anna": [NORTH, EAST], "ben": [EAST]}, centroids)
    assert table == {"anna": {"anna": 1, "ben": 1}, "ben": {"anna": 0, "ben": 1}}


def test_own_mean_is_between_different_photos() -> None:
    assert own_mean([NORTH, EAST]) == 0
    assert own_mean([NORTH, NORTH]) == 1


def person(likenesses: list[float | None], chosen: int, adapter: float | None = 0.6) -> PersonFigures:
    checkpoints = tuple(
        Checkpoint(step=100 * (number + 1), key="k", loss=0.1, likeness=value)
        for number, value in enumerate(likenesses)
    )
    return PersonFigures(
        name="anna",
        ceiling=0.75,
        adapter=adapter,
        base=0.2,
        described=0.3,
        one_face=Share(8, 8),
        eyes=Share(6, 8),
        photo_eyes=Share(7, 8),
        named=Share(8, 8),
        checkpoints=checkpoints,
        chosen_step=chosen,
        delivered=0.66,
        delivered_eyes=Share(4, 4),
    )


def test_the_delivered_checkpoint_must_be_the_best_and_better_than_the_first() -> None:
    good = person([20, 60, 50], chosen=200)
    assert good.best_delivered
    assert good.rises
    assert good.share == pytest.approx(0.8)
    assert good.gain == pytest.approx(0.4)
    assert not person([20, 60, 50], chosen=300).best_delivered
    assert person([None, None], chosen=200).rises is None


def warm_shift(pairs: int, b: float, lightness: float = 0.5, change: float | None = 0.01) -> ToneShift:
    return ToneShift(
        style="mine", tone=Tone.WARM, pairs=pairs, b_shift=b, l_shift=lightness, likeness_change=change, met=True
    )


WARM = StyleFigures(
    "mine", Tone.WARM, share=0.84, one_face=Share(15, 16), shift=warm_shift(2, 3.0), by_person={"anna": 0.84}
)
NEUTRAL = StyleFigures("plain", Tone.NEUTRAL, share=None, one_face=Share(0, 16), shift=None)


def evaluation(one: PersonFigures, said: str = "Blurred") -> Evaluation:
    shift = ToneShift(style="studio-warm", tone=Tone.WARM, pairs=4, b_shift=3.0, l_shift=0.5, met=True)
    return Evaluation(
        title="some-model",
        how="Measured.",
        base=BaseFigures(one_face=Share(47, 48), nose=None, eyes=None, tones=(shift,), keys={}, skeletons=()),
        people=(one,),
        styles=(WARM, NEUTRAL),
        own={"anna": 0.7, "ben": 0.65},
        between={("anna", "ben"): 0.3},
        confusion={"anna": {"anna": 7, "ben": 1}, "ben": {"anna": 3, "ben": 1}},
        verdicts=Verdicts(
            (("anna", "00.jpg", "Blurred", said), ("anna", "05.jpg", "FaceCovered, by sunglasses", "FaceCovered"))
        ),
    )


def test_the_page_says_what_was_met_and_what_was_not() -> None:
    found = evaluation(person([20, 60], chosen=200))
    text = page(found, [("A picture", "a.png")])
    assert "| portraits with exactly one face | 98 % (89 to 100; 47 of 48) | 95 % | met |" in text
    assert "| nose follows the pose map, r in x and y | no face | .95 each | **not met** |" in text
    assert (
        "| delivered portraits with both eyes (all drawn: 75 %, photos: 88 %) | 100 % (51 to 100; 4 of 4) | "
        "95 % of the photos' | met |" in text
    )
    assert "| anna | 0.75 | 0.60 | 0.80 | 0.88 | 0.20 |" in text
    assert "second recogniser" not in text
    assert "![A picture](a.png)" in text
    assert mistaken(found) == ["ben"]
    assert named(found) == Share(8, 12)


def test_a_person_whose_portraits_show_no_face_is_said_so() -> None:
    text = page(evaluation(person([None, None], chosen=200, adapter=None)), [])
    assert "no face" in text
    assert "not measured" in text


def test_verdicts_count_refusals_and_right_reasons() -> None:
    right, wrong = evaluation(person([1], 100)).verdicts, evaluation(person([1], 100), said="Accepted").verdicts
    assert (right.refused, right.right) == (Share(2, 2), Share(2, 2))
    assert (wrong.refused, wrong.right) == (Share(1, 2), Share(1, 2))


def test_people_are_found_with_their_truth(tmp_path: Path) -> None:
    folder = tmp_path / "p1"
    (folder / "bad").mkdir(parents=True)
    (folder / "00.jpg").write_bytes(b"x")
    (folder / "person.json").write_text(json.dumps({"gender": "female", "age": 60.0, "ancestry": "asian"}))
    (folder / "bad" / "truth.json").write_text(json.dumps({"00.jpg": "Blurred"}))
    (found,) = find_people(tmp_path)
    assert found.noun == "woman"
    assert found.described == "an old East Asian woman"
    assert list(found.bad.values()) == ["Blurred"]
    assert describe("man", 40, "") == "a middle-aged man"


def test_anybodys_photos_are_people_too(tmp_path: Path) -> None:
    for name in ("anna/a.JPG", "anna/b.heic", "anna/notes.txt", "ben/c.png", "empty/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    anna, ben = find_people(tmp_path)
    assert [photo.name for photo in anna.photos] == ["a.JPG", "b.heic"]
    assert (anna.name, anna.noun, anna.described, anna.bad) == ("anna", "person", "a person", {})
    assert ben.name == "ben"
    assert find_people(tmp_path, 1) == [anna]


def test_a_folder_without_people_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no people"):
        find_people(tmp_path)


def test_poses_are_always_the_same_and_inside() -> None:
    size = PictureSize(96, 128)
    first, again = (poses(10, size) for _ in range(2))
    assert first == again
    noses = np.array([skeleton[0] for skeleton in first])
    assert noses.min() > 0.25
    assert noses.max() < 0.75
    assert noses.std(axis=0).min() > 0.015


def test_a_styles_tone_is_weighed_by_pairs_and_judged_anew() -> None:
    found = together([warm_shift(3, 4.0), warm_shift(1, 8.0, change=None)])
    assert found is not None
    assert (found.pairs, found.b_shift, found.likeness_change, found.met) == (4, 5.0, 0.01, True)
    too_far = together([warm_shift(1, 4.0), warm_shift(3, 8.0)])
    assert too_far is not None
    assert not too_far.met
    assert together([]) is None


def test_the_page_has_a_row_a_style() -> None:
    text = page(evaluation(person([20, 60], chosen=200)), [])
    assert "## By style" in text
    assert "| mine (warm) | 0.84 | 94 % (72 to 99; 15 of 16) | +3.0 | +0.5 | 2 | yes |" in text
    assert "| plain (neutral) | no face | 0 % (0 to 19; 0 of 16) | - | - | - | - |" in text


def test_a_style_is_weighed_against_the_first_by_the_people_of_both() -> None:
    """The way to see what a look does to a face."""
    plain = replace(NEUTRAL, by_person={"anna": 0.6, "ben": 0.71, "cleo": 0.49, "emil": 0.1})
    look = replace(WARM, by_person={"anna": 0.5, "ben": 0.6, "cleo": 0.4, "dora": 0.9})
    found = evaluation(person([20], chosen=20))
    text = page(replace(found, styles=(plain, look)), [])
    assert "Likeness beside plain" in text
    assert "| mine | -0.100 | -0.125 to -0.075 | 3 | less like them |" in text
    turned = page(replace(found, styles=(look, plain)), [])
    assert "| plain | +0.100 | +0.075 to +0.125 | 3 | more like them |" in turned
    even = replace(WARM, by_person={"anna": 0.7, "ben": 0.6})
    assert "| 2 | may be chance |" in page(replace(found, styles=(plain, even)), [])
    assert "Likeness beside" not in page(replace(found, styles=(plain, replace(WARM, by_person={"anna": 1.0}))), [])
    assert "Likeness beside" not in page(replace(found, styles=()), [])


def test_former_runs_are_compared_style_by_style() -> None:
    runs = [FormerRun("a", "small", (WARM, NEUTRAL)), FormerRun("b", "large", (WARM,))]
    rows = comparison(runs).split("\n\n")[0].splitlines()[2:]
    assert [row.split(" | ")[:2] for row in rows] == [["| mine", "small"], ["| mine", "large"], ["| plain", "small"]]
    same = comparison([FormerRun("a", "small", (WARM,)), FormerRun("b", "small", (WARM,))])
    assert "| small (a) |" in same
    assert "| small (b) |" in same


def test_figures_of_styles_come_back_from_their_file(tmp_path: Path) -> None:
    people = [{"name": "anna", "adapter": 0.3, "ceiling": 0.6}, {"name": "ben", "adapter": None, "ceiling": 0.7}]
    document = {"model": "small", "styles": [plain_style(WARM), plain_style(NEUTRAL)], "people": people}
    (tmp_path / "figures.json").write_text(json.dumps(document))
    (run,) = read_runs([tmp_path])
    assert run == FormerRun(str(tmp_path), "small", (WARM, NEUTRAL), {"anna": 0.5})


def test_two_runs_are_weighed_by_the_people_whom_both_drew() -> None:
    first = FormerRun("a", "small", (), {"anna": 0.5, "ben": 0.6, "cleo": 0.4, "dora": 0.9})
    better = FormerRun("b", "large", (), {"anna": 0.6, "ben": 0.71, "cleo": 0.49, "emil": 0.1})
    text = comparison([first, better])
    assert "| ben | 0.60 | 0.71 | +0.11 |" in text
    assert "dora" not in text
    assert "emil" not in text
    assert "On average +0.100 (95 %: +0.075 to +0.125, 3 people): large is better." in text
    assert "On average -0.100 (95 %: -0.125 to -0.075, 3 people): large is better." in comparison([better, first])
    same = FormerRun("c", "equal", (), {"anna": 0.6, "ben": 0.5, "cleo": 0.41})
    assert "nobody can say which one is better" in comparison([first, same])
    assert "Two people and more are wanted" in comparison([first, FormerRun("d", "one", (), {"anna": 0.9})])


def test_a_difference_is_as_sure_as_there_are_people() -> None:
    """The textbooks' interval: of 1, 2, 3 it is 2 plus or minus 4.303 x 1 / sqrt(3)."""
    mean, low, high = mean_difference([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)])
    assert (mean, low, high) == pytest.approx((2.0, -0.4843, 4.4843), abs=1e-3)
    # Between the table's rows the fewer degrees count.
    many = [(0.0, float(number % 2)) for number in range(15)]
    _, low, high = mean_difference(many)
    assert (high - low) / 2 == pytest.approx(2.179 * np.std([b for _, b in many], ddof=1) / np.sqrt(15))


def test_a_folder_without_figures_or_with_older_ones_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="not an evaluation's"):
        read_runs([tmp_path])
    (tmp_path / "figures.json").write_text(json.dumps({"base": {}, "people": []}))
    with pytest.raises(CommandError, match="nothing of styles"):
        read_runs([tmp_path])


def test_the_base_model_is_measured_with_a_style_a_tone() -> None:
    def style(tone: Tone, prompt: str) -> ProfileStyleSpec:
        return ProfileStyleSpec(title=Title(en="A"), prompt=f"{prompt} of {{subject}}", tone=tone)

    warm, other, neutral = style(Tone.WARM, "photo"), style(Tone.WARM, "picture"), style(Tone.NEUTRAL, "photo")
    assert one_a_tone([neutral, warm, other]) == {Tone.WARM: warm}
    assert one_a_tone([neutral]) == {Tone.NEUTRAL: neutral}

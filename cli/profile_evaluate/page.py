"""The evaluation as a page for people: tables with targets, pictures beside. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from profile_finish.tone import WANTED

from .base import BaseFigures
from .figures import PersonFigures, Share, StyleFigures, mean_difference, pooled
from .second import SAME_PERSON, SecondFigures

# What a usable small model must reach.
ONE_FACE, EYES, FOLLOWS, LIKENESS = 0.95, 0.95, 0.95, 0.8
GAIN = 0.1
"""Cosine that the adapter must add to the base model's likeness to be called clear."""
BETWEEN, OWN = 0.45, 0.6


@dataclass(frozen=True)
class Verdicts:
    """Photos that must be refused: (person, file, truth, what was said)."""

    rows: tuple[tuple[str, str, str, str], ...]

    @property
    def refused(self) -> Share:
        return Share(sum(said != "Accepted" for *_, said in self.rows), len(self.rows))

    @property
    def right(self) -> Share:
        """For the right reason; a remark after a comma is not part of it."""
        return Share(sum(truth.split(",")[0] == said for *_, truth, said in self.rows), len(self.rows))


@dataclass(frozen=True)
class Evaluation:
    title: str
    how: str
    base: BaseFigures
    people: tuple[PersonFigures, ...]
    styles: tuple[StyleFigures, ...]
    own: Mapping[str, float]
    """Mean cosine between each person's own photos."""
    between: Mapping[tuple[str, str], float]
    """Cosine between the mean embeddings of two people."""
    confusion: Mapping[str, Mapping[str, int]]
    verdicts: Verdicts
    second: tuple[SecondFigures, ...] = ()
    """What another recogniser says, where there is one."""
    second_confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    """What each person's training took."""


def page(evaluation: Evaluation, pictures: Sequence[tuple[str, str]]) -> str:
    """Markdown. `pictures`: (caption, path beside the page)."""
    parts = [
        f"# {evaluation.title}",
        evaluation.how,
        _summary(evaluation),
        _base(evaluation.base),
        _likeness(evaluation.people),
    ]
    if evaluation.second:
        parts.append(_second(evaluation.second))
    parts.append(_styles(evaluation.styles))
    parts += [_checkpoints(evaluation.people), _confusion(evaluation.confusion)]
    if evaluation.second_confusion:
        parts.append(_confusion(evaluation.second_confusion, "by the second recogniser"))
    parts.append(_people(evaluation))
    if evaluation.verdicts.rows:
        parts.append(_verdicts(evaluation.verdicts))
    parts += [f"**{caption}**\n\n![{caption}]({path})" for caption, path in pictures]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others figures."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def _yes(met: bool | None) -> str:
    return "not measured" if met is None else "met" if met else "**not met**"


def share(value: Share) -> str:
    """Per cent with its interval and counts."""
    low, high = value.interval
    return f"{100 * value.value:.0f} % ({100 * low:.0f} to {100 * high:.0f}; {value.hits} of {value.of})"


def _number(value: float | None, digits: int = 2) -> str:
    return "no face" if value is None else f"{value:.{digits}f}"


def _summary(evaluation: Evaluation) -> str:
    rows = [*_base_rows(evaluation.base), *_people_rows(evaluation), *_cast_rows(evaluation)]
    return "## At a glance\n\n" + table(("figure", "measured", "wanted", ""), rows)


def _base_rows(base: BaseFigures) -> list[tuple[str, str, str, str]]:
    """The rows of the summary about the base model."""
    faces = base.one_face
    rows = [("portraits with exactly one face", share(faces), "95 %", _yes(faces.value >= ONE_FACE))]
    for part, along in (("nose follows", base.nose), ("eyes follow", base.eyes)):
        follows = "no face" if along is None else f"{along.x:.2f}, {along.y:.2f}"
        met = along is not None and min(along.x, along.y) >= FOLLOWS
        rows.append((f"{part} the pose map, r in x and y", follows, f"{FOLLOWS:.2f} each".lstrip("0"), _yes(met)))
    for shift in base.tones:
        low, high = WANTED[shift.tone]
        moved = f"{shift.b_shift:+.1f}, {shift.l_shift:+.1f}"
        wanted = f"{low:+.0f} to {high:+.0f}, within 4"
        rows.append((f"shift of b* for {shift.tone.value.lower()} words, and of L*", moved, wanted, _yes(shift.met)))
    return rows


def _people_rows(evaluation: Evaluation) -> list[tuple[str, str, str, str]]:
    """The rows of the summary about the people."""
    least = min(person.share or 0.0 for person in evaluation.people)
    gain = min(person.gain or 0.0 for person in evaluation.people)
    measured = [person for person in evaluation.people if person.rises is not None]
    rises, best = sum(bool(person.rises) for person in measured), sum(person.best_delivered for person in measured)
    eyes = pooled([person.delivered_eyes for person in evaluation.people])
    drawn_eyes = pooled([person.eyes for person in evaluation.people])
    photo_eyes = pooled([person.photo_eyes for person in evaluation.people])
    return [
        (
            f"delivered portraits with both eyes (all drawn: {100 * drawn_eyes.value:.0f} %, "
            f"photos: {100 * photo_eyes.value:.0f} %)",
            share(eyes),
            f"{100 * EYES:.0f} % of the photos'",
            _yes(eyes.value >= EYES * photo_eyes.value),
        ),
        (
            "likeness with the adapter, share of the ceiling, lowest",
            f"{least:.2f}",
            f"{LIKENESS}",
            _yes(least >= LIKENESS),
        ),
        ("gain over the base model in cosine, lowest", f"{gain:+.2f}", f"+{GAIN}", _yes(gain >= GAIN)),
        (
            "portraits nearest to their own person",
            share(named(evaluation)),
            "nobody mistaken",
            _yes(not mistaken(evaluation)),
        ),
        (
            "likeness rises over training; the best checkpoint is delivered",
            f"{rises} and {best} of {len(measured)}",
            "all",
            _yes(rises == best == len(measured) if measured else None),
        ),
    ]


def named(evaluation: Evaluation) -> Share:
    """Portraits of all people that are nearest to their own person."""
    table = evaluation.confusion
    return Share(sum(row.get(name, 0) for name, row in table.items()), sum(sum(row.values()) for row in table.values()))


def mistaken(evaluation: Evaluation) -> list[str]:
    """People most of whose portraits are somebody else's, or nobody's."""
    return [
        name
        for name, row in evaluation.confusion.items()
        if not sum(row.values()) or max(row, key=row.__getitem__) != name
    ]


def _cast_rows(evaluation: Evaluation) -> list[tuple[str, str, str, str]]:
    """The rows of the summary about the photos themselves."""
    own = min(evaluation.own.values())
    rows = [("a person's own mean cosine, lowest", f"{own:.2f}", f"{OWN}", _yes(own >= OWN))]
    if evaluation.between:
        near = max(evaluation.between.values())
        rows.append(
            ("two people's mean faces, nearest pair", f"{near:.2f}", f"at most {BETWEEN}", _yes(near <= BETWEEN))
        )
    return rows


def _base(base: BaseFigures) -> str:
    """The section about the base model."""
    lines = [f"{share(base.one_face)} of the base model's portraits show exactly one face (YuNet)."]
    if base.nose is not None:
        lines.append(
            f"The nose is {base.nose.distance:.1f} px from the pose map's on average, over {base.nose.pairs} portraits."
        )
    rows = [
        (shift.tone.value, f"{shift.b_shift:+.2f}", f"{shift.l_shift:+.2f}", str(shift.pairs)) for shift in base.tones
    ]
    tones = table(("tone", "shift of b*", "of L*", "pairs of the same seed"), rows)
    return "## The base model\n\n" + "\n".join(lines) + "\n\n" + tones


def _likeness(people: Sequence[PersonFigures]) -> str:
    """The table of likeness, a row a person."""
    rows = [
        (
            person.name,
            f"{person.ceiling:.2f}",
            _number(person.adapter),
            _number(person.share),
            _number(person.delivered_share),
            _number(person.base),
            _number(person.described),
            share(person.one_face),
            share(person.eyes),
            share(person.named),
        )
        for person in people
    ]
    head = (
        "person",
        "ceiling",
        "with adapter",
        "share",
        "delivered",
        "base, token",
        "base, described",
        "one face",
        "both eyes",
        "nearest to them",
    )
    words = (
        "SFace cosines to held-out photos; `ceiling` is real photos against real photos. `share` is of all "
        "portraits that were drawn, `delivered` of those that a request would have been given."
    )
    return "## Likeness\n\n" + words + "\n\n" + table(head, rows)


STYLE_HEAD = ("likeness, share of the ceiling", "exactly one face", "shift of b*", "of L*", "pairs", "as promised")


def style_cells(style: StyleFigures) -> tuple[str, ...]:
    """A style's figures as they stand in tables, in the order of STYLE_HEAD."""
    shift = style.shift
    tone = ("-", "-", "-", "-")
    if shift is not None:
        tone = (f"{shift.b_shift:+.1f}", f"{shift.l_shift:+.1f}", str(shift.pairs), "yes" if shift.met else "no")
    return (_number(style.share), share(style.one_face), *tone)


def _styles(styles: Sequence[StyleFigures]) -> str:
    rows = [(f"{style.name} ({style.tone.value.lower()})", *style_cells(style)) for style in styles]
    words = (
        "With the adapters, all people together. Shifts are against neutral twins of the same seed, one pair a person."
    )
    parts = ["## By style", words, table(("style", *STYLE_HEAD), rows), *_against_the_first(styles)]
    return "\n\n".join(parts)


def _against_the_first(styles: Sequence[StyleFigures]) -> list[str]:
    """What another style, or a look that it draws with, does to likeness: nothing of fewer than two people. Pure."""
    if not styles:
        return []
    first, rows = styles[0], []
    for style in styles[1:]:
        both = sorted(first.by_person.keys() & style.by_person.keys())
        if len(both) < 2:
            continue
        mean, low, high = mean_difference([(first.by_person[who], style.by_person[who]) for who in both])
        verdict = "may be chance" if low <= 0 <= high else "more like them" if mean > 0 else "less like them"
        rows.append((style.name, f"{mean:+.3f}", f"{low:+.3f} to {high:+.3f}", str(len(both)), verdict))
    if not rows:
        return []
    words = (
        f"Likeness beside {first.name}, of the same people with the same adapters: put a style without a look first "
        "to see what the look does to a face."
    )
    return [words, table(("style", "difference", "95 %", "people", "portraits are"), rows)]


def _checkpoints(people: Sequence[PersonFigures]) -> str:
    """The table of likeness by training step."""
    steps = sorted({checkpoint.step for person in people for checkpoint in person.checkpoints})
    rows = []
    for person in people:
        known = {checkpoint.step: checkpoint.likeness for checkpoint in person.checkpoints}
        cells = [_percent(known.get(step), bold=step == person.chosen_step) for step in steps]
        rows.append((person.name, *cells))
    head = ("person", *(str(step) for step in steps))
    words = "Likeness in per cent of the ceiling at each checkpoint's step; the delivered one in bold."
    return "## Over training\n\n" + words + "\n\n" + table(head, rows)


def _percent(value: float | None, *, bold: bool) -> str:
    text = "-" if value is None else f"{value:.0f}"
    return f"**{text}**" if bold else text


def _second(people: Sequence[SecondFigures]) -> str:
    """The table of what another recogniser says, a row a person."""
    rows = [
        (
            person.name,
            _number(person.portraits),
            f"{person.own:.2f}",
            _number(person.others),
            "-" if person.way is None else f"{100 * person.way:.0f} %",
            share(person.same),
            share(person.named),
        )
        for person in people
    ]
    head = (
        "person",
        "portraits",
        "own photos",
        "others' photos",
        "of the way",
        f"below {SAME_PERSON}",
        "nearest to them",
    )
    words = (
        "dlib's ResNet, with which nothing was trained, chosen or refused: mean distances to the person's photos, the "
        f"smaller the liker. Two photos nearer than {SAME_PERSON} are one person, says its author; the way is from "
        "other people's photos to the person's own."
    )
    return "## By a second recogniser\n\n" + words + "\n\n" + table(head, rows)


def _confusion(confusion: Mapping[str, Mapping[str, int]], by: str = "") -> str:
    names = list(confusion)
    rows = [(name, *(str(confusion[name].get(other, 0) or "") for other in names)) for name in names]
    words = "Portraits of the person in the row, by whose face they are nearest to on average."
    title = f"## Who is mistaken for whom, {by}" if by else "## Who is mistaken for whom"
    return f"{title}\n\n" + words + "\n\n" + table(("", *names), rows)


def _people(evaluation: Evaluation) -> str:
    """The table of how like each person is to themselves and to the nearest other."""
    rows = []
    for name, own in evaluation.own.items():
        others = {pair: value for pair, value in evaluation.between.items() if name in pair}
        nearest = max(others, key=lambda pair: others[pair], default=None)
        other = "" if nearest is None else next(person for person in nearest if person != name)
        rows.append((name, f"{own:.2f}", other, "" if nearest is None else f"{others[nearest]:.2f}"))
    return "## The people\n\n" + table(("person", "own photos, mean cosine", "most like", "mean faces"), rows)


def _verdicts(verdicts: Verdicts) -> str:
    """The table of photos that must be refused."""
    pairs: dict[tuple[str, str], int] = {}
    for *_, truth, said in verdicts.rows:
        pairs[truth, said] = pairs.get((truth, said), 0) + 1
    rows = [(truth, said, str(count)) for (truth, said), count in sorted(pairs.items())]
    words = f"Refused: {share(verdicts.refused)}. For the right reason: {share(verdicts.right)}."
    return "## Photos that must be refused\n\n" + words + "\n\n" + table(("truth", "verdict", "photos"), rows)

"""What a request refers to is never swept: whatever its record or its status names."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from operator_world import AREA, CONFIG, KEY, NOW, SPEC, STYLES, World, photo
from profile_contract.artifacts import request_prefix, stage_file, stage_prefix
from profile_contract.layouts import LayoutName
from profile_contract.request_status import PortraitStatus, ProfileRequestStatus, StagesStatus, StageStatus
from profile_contract.resolved import AskedFor, Resolved, resolve
from profile_contract.stages.table import Stage
from profile_operator.compared import platform_of
from profile_operator.config import SweepConfig
from profile_operator.decide.sweep import LivingRequest, sweep
from profile_operator.observe.chain import chain_of
from profile_operator.observe.references import referenced_digests
from profile_runtime.store.port import StoredVersion
from properties import examples

DIGESTS = st.sampled_from(["aa", "bb", "cc", "dd", "ee"])
LONG_AGO = NOW - timedelta(days=400)


def key_of(stage: Stage) -> st.SearchStrategy[str]:
    return DIGESTS.map(lambda digest: stage_prefix(AREA, KEY.name, stage, digest) + "a.png")


ENTRIES = st.none() | DIGESTS.map(lambda digest: StageStatus(digest=digest))
PORTRAITS = st.builds(
    PortraitStatus,
    style=st.just("warm"),
    key=key_of(Stage.FINISH),
    seed=st.just(7),
    rank=st.just(1),
    likeness=st.just(50),
    layouts=st.dictionaries(st.sampled_from(list(LayoutName)), key_of(Stage.FINISH), max_size=2),
)
STATUSES = st.builds(
    ProfileRequestStatus,
    stages=st.none() | st.builds(StagesStatus, preprocess=ENTRIES, train=ENTRIES, generate=ENTRIES, finish=ENTRIES),
    portraits=st.lists(PORTRAITS, max_size=3),
    adapter=st.none() | key_of(Stage.TRAIN),
    contact_sheet=st.none() | key_of(Stage.FINISH),
    print_sheet=st.none() | key_of(Stage.FINISH),
    likeness_report=st.none() | key_of(Stage.FINISH),
)


def recorded(seed: int) -> Resolved:
    wish = AskedFor(SPEC.model_copy(update={"seed": seed}))
    return resolve(None, wish, [photo("1.jpg")], STYLES, platform_of(CONFIG))


def named_by(status: ProfileRequestStatus) -> set[str]:
    """Every key and digest of the document, wherever it stands."""
    texts: set[str] = set()
    left: list[object] = [status.document()]
    while left:
        value = left.pop()
        if isinstance(value, str):
            file = stage_file(value)
            texts.add(value if file is None else file.digest)
        left += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return texts


@examples(100)
@given(STATUSES, st.integers(0, 3))
def test_nothing_goes_that_the_status_or_the_record_names(status: ProfileRequestStatus, seed: int) -> None:
    head, record = replace(World().head, status=status), recorded(seed)
    chain = chain_of(KEY, AREA, record)
    current: list[tuple[Stage, str]] = [(stage, chain.of(stage)) for stage in Stage if stage is not Stage.GENERATE]
    current += [(Stage.GENERATE, digest) for digest in chain.styles.values()]
    others = [(stage, digest) for stage in Stage for digest in ("aa", "bb", "cc", "dd", "ee")]
    listing = [
        StoredVersion(key=f"{stage_prefix(AREA, KEY.name, stage, digest)}a.png", version="", bytes=1, modified=LONG_AGO)
        for stage, digest in (*current, *others)
    ]
    living = LivingRequest(digests=referenced_digests(head, record, AREA), ready_since=LONG_AGO)
    swept = sweep(request_prefix(AREA, KEY.name), listing, living, NOW, SweepConfig())
    gone = {file.digest for waste in swept.waste.values() for entry in waste if (file := stage_file(entry.key))}
    assert gone.isdisjoint(named_by(status) | {digest for _, digest in current})
    assert gone == {"aa", "bb", "cc", "dd", "ee"} - named_by(status)


@examples(20)
@given(STATUSES)
def test_of_a_request_whose_record_is_not_known_nothing_goes(status: ProfileRequestStatus) -> None:
    head = replace(World().head, status=status)
    assert referenced_digests(head, None, AREA) is None
    unread = replace(head, unread_status={"stages": {"train": {"digest": 7}}})
    assert referenced_digests(unread, recorded(1), AREA) is None

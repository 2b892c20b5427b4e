"""`helm test`'s program: what it asks for, and when it is content."""

from __future__ import annotations

from operator_world import World, fail
from profile_contract.conditions import Reason
from profile_contract.request import ProfileRequestSpec
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.resource import Key
from profile_contract.stages.table import Stage
from profile_operator.observe.snapshot import Cause
from profile_operator.release.check import document, verdict

KEY = Key("profile-system", "helm-test-1")


def test_it_asks_for_little() -> None:
    spec = ProfileRequestSpec.model_validate(document(KEY, "studio-warm", "")["spec"])
    assert (spec.portraits, spec.candidates, spec.photos.prefix) == (1, 2, "uploads/nobody/")
    mine = ProfileRequestSpec.model_validate(document(KEY, "studio-warm", "uploads/test/")["spec"])
    assert mine.photos.prefix == "uploads/test/"
    assert "minimumLikeness" not in document(KEY, "studio-warm", "uploads/test/")["spec"]
    assert document(KEY, "studio-warm", "uploads/test/", 0)["spec"]["minimumLikeness"] == 0


def test_without_photos_the_operators_word_about_them_is_enough() -> None:
    world = World(photos=[])
    assert verdict(ProfileRequestStatus(), photos=False) is None
    world.cycle()
    world.cycle()
    told = verdict(world.status, photos=False)
    assert told is not None
    assert told[0]
    assert told[1].startswith("NoPhotos: ")
    missing = verdict(world.status, photos=True)
    assert missing is not None
    assert not missing[0]


def test_with_photos_portraits_are_wanted() -> None:
    told = verdict(World().run().status, photos=True)
    assert told is not None
    assert told[0]
    failed = World()
    failed.run(until=lambda world: any("-train-" in name for name in world.jobs))
    assert verdict(failed.status, photos=True) is None
    fail(failed, Stage.TRAIN, Cause(Reason.OUT_OF_MEMORY, "too small"))
    told = verdict(failed.status, photos=True)
    assert told is not None
    assert not told[0]

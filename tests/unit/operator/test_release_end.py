"""Before a release goes: which requests stand in its way, and what is said about them."""

from __future__ import annotations

import msgspec

from profile_contract.resource import FINALIZER, Key
from profile_operator.clients.kubernetes import ListedRequest
from profile_operator.release.end import NAMED, left_behind, refusal


def request(namespace: str, name: str, *finalizers: str) -> ListedRequest:
    metadata = {"namespace": namespace, "name": name, "finalizers": list(finalizers)}
    return msgspec.convert({"metadata": metadata, "spec": {"styles": ["warm"]}}, ListedRequest)


MINJI = request("hr", "minji", FINALIZER)
JUNHO = request("campus", "junho", "example.com/other", FINALIZER)
FREE = request("hr", "free")


def test_requests_that_only_the_operator_can_let_go_stand_in_the_way() -> None:
    assert left_behind([MINJI, FREE, JUNHO], [], definitions_go=False) == [Key("campus", "junho"), Key("hr", "minji")]
    assert left_behind([FREE], [], definitions_go=False) == []


def test_other_releases_requests_do_not() -> None:
    assert left_behind([MINJI, JUNHO], ["hr"], definitions_go=False) == [Key("hr", "minji")]
    assert left_behind([MINJI, JUNHO], ["sales"], definitions_go=False) == []


def test_where_the_definitions_go_every_request_of_the_cluster_does() -> None:
    assert left_behind([MINJI, FREE, JUNHO], ["sales"], definitions_go=True) == [
        Key("campus", "junho"),
        Key("hr", "free"),
        Key("hr", "minji"),
    ]


def test_a_person_reads_which_and_how_to_go_on() -> None:
    said = refusal([Key("campus", "junho"), Key("hr", "minji")], "studio/portraits", definitions_go=False)
    assert "2 ProfileRequests still exist (campus/junho, hr/minji)" in said
    assert "    kubectl -n campus delete preq --all" in said
    assert "    kubectl -n hr delete preq --all" in said
    assert "    helm uninstall portraits -n studio --no-hooks" in said
    going = refusal([Key("hr", "minji")], "studio/portraits", definitions_go=True)
    assert "crds.keep" in going
    assert "--no-hooks" not in going


def test_many_are_counted() -> None:
    said = refusal([Key("hr", f"r{number:02}") for number in range(NAMED + 3)], "a/b", definitions_go=False)
    assert f"hr/r{NAMED - 1:02} and 3 more" in said

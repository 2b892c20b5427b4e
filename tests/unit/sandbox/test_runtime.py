"""The base runtime spec: what every container sees of the machine, and that it may not write to it."""

import json
from pathlib import Path

from profile_sandbox import layout, runtime


def mounts(spec: str) -> dict[str, dict[str, object]]:
    return {mount["destination"]: mount for mount in json.loads(spec)["mounts"]}


def test_the_machine_is_bound_read_only() -> None:
    found = mounts(runtime.base_spec({"/usr": "/usr", **runtime.product_mounts()}))
    for place, source in {"/usr": "/usr", "/models": layout.MODELS, runtime.SOURCES: layout.SOURCE}.items():
        assert found[place] == {
            "destination": place,
            "type": "bind",
            "source": source,
            "options": ["rbind", "ro"],
        }


def test_nothing_that_must_be_seen_lies_where_a_volume_may_cover_it() -> None:
    assert not [place for place in runtime.product_mounts() if place.startswith(("/tmp", "/var", "/run", "/home"))]


def test_only_folders_that_exist_are_bound(tmp_path: Path) -> None:
    there = tmp_path / "usr"
    there.mkdir()
    assert runtime.machine_mounts([str(there), str(tmp_path / "lib32")]) == {str(there): str(there)}


def test_containers_start_without_capabilities_and_may_gain_none() -> None:
    process = json.loads(runtime.base_spec({}))["process"]
    assert process["noNewPrivileges"] is True
    assert all(not names for names in process["capabilities"].values())


def test_the_newest_postgres_is_found(tmp_path: Path) -> None:
    assert runtime.postgres_folder(tmp_path) is None
    for version in ("9.6", "15"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "postgres").touch()
    assert runtime.postgres_folder(tmp_path) == tmp_path / "15" / "bin"

"""The Git server beside Flux: what is pushed to it can be cloned, by Git over HTTP."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_world import Repository
from profile_sandbox import git_server


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    git_server.make(tmp_path / "served" / "team" / "portraits.git")
    with git_server.serve(tmp_path / "served", ("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "minji.yaml").write_text("kind: ProfileRequest\n")
    mine = Repository(tmp_path / "mine")
    mine.begin()
    return mine


def test_what_is_pushed_is_cloned(address: str, repository: Repository, tmp_path: Path) -> None:
    repository.push(f"{address}/team/portraits.git")
    (repository.folder / "minji.yaml").write_text("kind: ProfileRequest # once more\n")
    repository.commit("Once more")
    repository.push(f"{address}/team/portraits.git")
    subprocess.run(["git", "clone", "-q", f"{address}/team/portraits.git", str(tmp_path / "clone")], check=True)
    assert (tmp_path / "clone" / "minji.yaml").read_text() == "kind: ProfileRequest # once more\n"
    assert Repository(tmp_path / "clone").revision == repository.revision


@pytest.mark.parametrize("path", ["team/others.git", "../mine", "team/../../mine"])
def test_nothing_else_is_served(address: str, repository: Repository, path: str) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        repository.git("ls-remote", f"{address}/{path}")

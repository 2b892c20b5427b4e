"""Which kubectl is taken: the one compiled with the cluster, so that client and server are of one version."""

from pathlib import Path

import pytest

from profile_sandbox import build, programs
from profile_sandbox.kubectl import find_kubectl
from profile_sandbox.process import SandboxError


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the compiled one would be; another is on the PATH."""
    for folder in ("compiled", "path"):
        (tmp_path / folder).mkdir()
    (tmp_path / "path" / "kubectl").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(build, "programs_folder", lambda: tmp_path / "compiled")
    return tmp_path / "compiled" / "kubectl"


def test_the_compiled_one_comes_first(compiled: Path) -> None:
    compiled.touch(mode=0o755)
    assert find_kubectl() == compiled


def test_where_none_is_compiled_the_paths_is_taken(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_kubectl() == compiled.parents[1] / "path" / "kubectl"
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SandboxError, match="make binaries"):
        find_kubectl()


def test_it_is_made_of_the_same_module_as_the_api_server() -> None:
    packages = {program.name: program.package for program in programs.CLUSTER.programs}
    assert packages["kubectl"].partition("/cmd/")[0] == packages["kube-apiserver"].partition("/cmd/")[0]

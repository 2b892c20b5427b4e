"""The Dockerfile reader: what a container runtime needs to know, and clear words for what it cannot use."""

from pathlib import Path

import pytest

from profile_sandbox.dockerfile import DockerfileError, parse_dockerfile, read_dockerfile

TEXT = """
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE} AS build
ENV ONLY_BUILD=1
ENTRYPOINT ["make"]
RUN pip install . && \\
    rm -rf /var/cache/apt

FROM ${PYTHON_IMAGE}
ENV PYTHONUNBUFFERED=1 HOME="/tmp" GREETING="hello world"
ENV DATA=${HOME}/data
WORKDIR /srv
WORKDIR app
USER 65532:65532
ENTRYPOINT ["python", "-m", "profile_preprocess"]
CMD ["--help"]
"""


def test_reads_the_last_stage() -> None:
    config = parse_dockerfile(TEXT)
    assert config.entrypoint == ("python", "-m", "profile_preprocess")
    assert config.command == ("--help",)
    assert config.user == "65532:65532"
    assert config.folder == "/srv/app"
    assert config.environment["GREETING"] == "hello world"
    assert config.environment["DATA"] == "/tmp/data"
    assert "ONLY_BUILD" not in config.environment


def test_an_entry_point_resets_the_command() -> None:
    config = parse_dockerfile('FROM x\nCMD ["a"]\nENTRYPOINT ["b"]\n')
    assert (config.entrypoint, config.command) == (("b",), ())


def test_shell_form_is_refused_in_plain_words() -> None:
    with pytest.raises(DockerfileError, match=r"ENTRYPOINT must be in exec form.*'python -m x'"):
        parse_dockerfile("FROM x\nENTRYPOINT python -m x\n", "images/x/Dockerfile")


def test_a_missing_entry_point_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM x\nUSER 1\n")
    with pytest.raises(DockerfileError, match="no ENTRYPOINT; write"):
        read_dockerfile(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DockerfileError, match="No such file"):
        read_dockerfile(tmp_path / "Dockerfile")

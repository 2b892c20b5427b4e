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


def test_continued_lines_and_comments_between_them_are_one_instruction() -> None:
    config = parse_dockerfile('FROM x\nenv A=1 \\\n  # between them\n\n    B="2 \\\n3" C=4\n# USER 1\nCMD ["a"]\n')
    assert config.environment == {"A": "1", "B": "2 3", "C": "4"}
    assert config.user == ""


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("ENV V=$A/b", "1/b"),
        ("ENV V=${A}b", "1b"),
        ("ENV V=${B:-2}", "2"),
        ("ENV V=${A:-2}", "1"),
        ("ENV V=x$B", "x"),
        ("ENV V $A and more", "1 and more"),
        ("ARG B=3\nENV V=$B", "3"),
        ("ARG A=3\nENV V=$A", "1"),
        ("ARG B\nENV V=$B", ""),
    ],
)
def test_variables_are_expanded(line: str, value: str) -> None:
    assert parse_dockerfile(f"FROM x\nENV A=1\n{line}\n").environment["V"] == value


def test_an_argument_before_the_first_stage_is_not_known_inside() -> None:
    assert parse_dockerfile("ARG A=1\nFROM x:${A}\nENV V=$A\n").environment == {"V": ""}


@pytest.mark.parametrize("line", ["RUN <<EOF\nUSER 1\nEOF", "ENV V=${A:+1}", "ENV V=${A%x}"])
def test_what_it_cannot_tell_is_refused(line: str) -> None:
    with pytest.raises(DockerfileError, match=r"images/x/Dockerfile: .*write "):
        parse_dockerfile(f"FROM x\n{line}\n", "images/x/Dockerfile")


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

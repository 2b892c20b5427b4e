"""How a program of this package ends, whatever happens on its way."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import argparse, sys
from profile_cli.program import run_command

def run(arguments, terminal):
    for number in range(20000):
        terminal.plain(f"민지 {number}")
    return 0

parser = argparse.ArgumentParser()
parser.set_defaults(run=run)
sys.exit(run_command(parser, [], when_interrupted="nothing"))
"""


def test_who_reads_no_more_sees_no_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "민지 0\n"
        program.stdout.close()
        assert program.stderr.read() == ""
    assert program.returncode == 1


def test_letters_that_a_terminal_cannot_show_are_written_as_codes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("20000", "1")],
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "\\ubbfc\\uc9c0 0\n"), done.stderr

"""`kubectl profile`: create, watch, photos, portraits, styles, delete, doctor."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from profile_cli.errors import CommandError
from profile_cli.terminal import Terminal

from .commands import parser

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0: all is well; 1: not, and a message says why; 2: wrong arguments."""
    arguments = parser().parse_args(argv)
    terminal = Terminal()
    try:
        code: int = arguments.run(arguments, terminal)
    except CommandError as error:
        terminal.error(str(error))
        return 1
    except KeyboardInterrupt:
        terminal.error("interrupted; the request goes on in the cluster")
        return INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())

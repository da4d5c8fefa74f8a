"""The `aiosctp` command: one subcommand a module, each with `add_parser` and `run`."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence

import aiosctp

FAILED = 1
MISUSED = 2
INTERRUPTED = 130

DESCRIPTION = """\
SCTP (RFC 9260) in user space over UDP (RFC 6951).

Start with "aiosctp demo": it needs no network, no privileges and a few seconds.
"aiosctp COMMAND --help" tells what each command shows."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    if importlib.util.find_spec("rich") is None:
        print("aiosctp: the command needs the package rich: pip install 'aiosctp[cli]'", file=sys.stderr)
        return MISUSED
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except KeyboardInterrupt:
        print("aiosctp: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:  # every exception of the library is one
        print(f"aiosctp: {error.strerror or str(error) or type(error).__name__}", file=sys.stderr)
        return FAILED
    return status


def _parser() -> argparse.ArgumentParser:
    # Not at the top: these import rich, whose absence is to be told in words.
    from aiosctp.tools import check, demo, echo

    parser = argparse.ArgumentParser(
        prog="aiosctp", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"aiosctp {aiosctp.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (demo, echo, check):
        command.add_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())

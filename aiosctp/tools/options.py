"""The values of command line options, checked so that a wrong one is told by argparse and not by a traceback."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command: TypeAlias = Callable[[argparse.Namespace], int]

MAX_PORT = 65535
ENCAPSULATION_PORT = 9899  # RFC 6951 §4.1
ECHO_PORT = 7  # RFC 862; a port of SCTP's own, so it takes no privilege


def add_command(commands: Commands, name: str, run: Command, *, help: str, description: str) -> argparse.ArgumentParser:
    """A subcommand whose namespace carries `run`; its description keeps its line breaks."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(run=run)
    return parser


def add_number(parser: argparse.ArgumentParser, name: str, *, default: Any, help: str, **kind: Any) -> None:
    """An option with a number, whose help ends with the default."""
    parser.add_argument(name, default=default, help=f"{help} (default: %(default)s)", **kind)


def whole(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: a whole number between low and high, both included."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not between {low} and {high}")
        return value

    return parse


def seconds(text: str) -> float:
    """An argparse type: a positive time of at most an hour."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 3600 seconds")
    return value


port: Callable[[str], int] = whole(1, MAX_PORT)


def host_name(text: str) -> str:
    """An argparse type: an address or a name, which need not be known."""
    if not text:
        raise argparse.ArgumentTypeError(f"{text!r} names no host")
    try:
        text.encode("idna")
    except UnicodeError as error:  # a label that is empty or too long
        raise argparse.ArgumentTypeError(f"{text!r} is no name: {error.__cause__ or error}") from None
    return text


def host_and_port(text: str) -> tuple[str, int | None]:
    """An argparse type: `host`, `host:port`, `::1` or `[::1]:port`."""
    if text.startswith("["):
        name, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise argparse.ArgumentTypeError(f"{text!r} is not [ADDRESS]:PORT")
        tail = rest[1:]
    elif text.count(":") == 1:
        name, _, tail = text.partition(":")
    else:
        name, tail = text, ""
    if not name:
        raise argparse.ArgumentTypeError(f"{text!r} names no host")
    return host_name(name), port(tail) if tail else None

"""`python -m benchmarks`."""

from __future__ import annotations

import argparse
import sys

from benchmarks import guard


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    guard.add_parser(commands)
    options = parser.parse_args()
    status: int = options.run(options)
    return status


if __name__ == "__main__":
    sys.exit(main())

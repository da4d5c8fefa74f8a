"""`python -m tests.fuzz.distil TARGET [DIR]`: make a seed corpus anew.

Of what is in the corpus now, of the files in DIR (what a run of the fuzzer found), of packets that stacks send each
other and of random bytes, it keeps the shortest inputs that together take every branch of the package that any takes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import CodeType, FrameType
from typing import Any

import aiosctp
from aiosctp.core.messages import OutgoingMessage
from tests.core.pair import Pair
from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS

RANDOM_INPUTS = 400
_PACKAGE = str(Path(aiosctp.__file__).parent)

Branch = tuple[CodeType, int, int]
"""From one line to another."""


def branches_of(run: Callable[[bytes], object], data: bytes) -> set[Branch]:
    """What one input takes of the package."""
    branches: set[Branch] = set()

    def trace_call(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            return None
        line = 0

        def trace_line(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal line
            if event == "line":
                branches.add((frame.f_code, line, frame.f_lineno))
                line = frame.f_lineno
            return trace_line

        return trace_line

    sys.settrace(trace_call)
    try:
        run(data)
    finally:
        sys.settrace(None)
    return branches


def distil(run: Callable[[bytes], object], inputs: list[bytes]) -> list[bytes]:
    """The shortest first: each that takes a branch that none before it took."""
    kept: list[bytes] = []
    taken: set[Branch] = set()
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        branches = branches_of(run, data)
        if not branches <= taken:
            kept.append(data)
            taken |= branches
    return kept


def random_inputs(max_bytes: int) -> Iterator[bytes]:
    random = Random(1)
    for _ in range(RANDOM_INPUTS):
        yield random.randbytes(random.randint(1, min(max_bytes, 200)))


def real_packets() -> Iterator[bytes]:
    """What two stacks say from INIT to SHUTDOWN COMPLETE, as inputs of `decode`."""
    pair = Pair(addresses_a=("192.0.2.1", "192.0.2.11"), addresses_z=("192.0.2.2", "192.0.2.22"))
    ours, _ = pair.established()
    pair.drop = lambda flight: len(pair.log) % 7 == 3
    for size in (1, 3000, 20):
        ours.send(OutgoingMessage(bytes(size), 0))
        pair.a.engine.touch(ours)
        pair.run_for(5.0)
    ours.shutdown(pair.now)
    pair.a.engine.touch(ours)
    pair.run_for(60.0)
    for flight in pair.log:
        if len(flight.data) < 200:
            yield bytes(5) + flight.data[12:]
            yield b"\xff" + flight.data


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.distil", description="Make a seed corpus anew.")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("directory", type=Path, nargs="?", help="inputs that a run of the fuzzer found")
    options = parser.parse_args()
    target = TARGETS[options.target]
    inputs = [*corpus.load(options.target), *random_inputs(target.max_bytes)]
    if options.target == "decode":
        inputs += real_packets()
    if options.directory is not None:
        inputs += [path.read_bytes() for path in sorted(options.directory.iterdir()) if path.is_file()]
    corpus.save(options.target, distil(target.run, inputs))
    return 0


if __name__ == "__main__":
    sys.exit(main())

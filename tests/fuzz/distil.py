"""`python -m tests.fuzz.distil TARGET [DIR]`: make a seed corpus anew.

Of what is in the corpus now, of the files in DIR (what a run of the fuzzer found), of packets that stacks send each
other and of random bytes, it keeps the shortest inputs that together reach every line of the package that any reaches.
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

Line = tuple[CodeType, int]


def lines_of(run: Callable[[bytes], object], data: bytes) -> set[Line]:
    """The lines of the package that one input reaches."""
    lines: set[Line] = set()

    def trace_line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines.add((frame.f_code, frame.f_lineno))
        return trace_line

    def trace_call(frame: FrameType, event: str, _: Any) -> Any:
        return trace_line if frame.f_code.co_filename.startswith(_PACKAGE) else None

    sys.settrace(trace_call)
    try:
        run(data)
    finally:
        sys.settrace(None)
    return lines


def distil(run: Callable[[bytes], object], inputs: list[bytes]) -> list[bytes]:
    """The shortest first: each that reaches what none before it did."""
    kept: list[bytes] = []
    reached: set[Line] = set()
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        lines = lines_of(run, data)
        if not lines <= reached:
            kept.append(data)
            reached |= lines
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

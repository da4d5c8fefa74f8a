"""Fragments become messages again, or their sender breaks the rules (§6.9)."""

from __future__ import annotations

from itertools import permutations

import pytest

from aiosctp.core.rx.reassembly import Reassembly
from aiosctp.wire.causes import NoUserData, ProtocolViolation
from aiosctp.wire.chunks import Data
from tests.core.rx.bench import Bench, data, tsn_of

# Four chunks across the wrap of the TSN: 0xFFFF_FFFE, 0xFFFF_FFFF, 0, 1.
WHOLE = ("B", "", "", "E")


@pytest.mark.parametrize("order", list(permutations(range(4))))
@pytest.mark.parametrize("unordered", ["", "U"])
def test_a_message_is_put_together_from_fragments_in_any_order(order: tuple[int, ...], unordered: str) -> None:
    """R20, X42: ordered and unordered, across the wrap of the TSN."""
    bench = Bench()
    for count, n in enumerate(order):
        assert bench.read_all() == [], f"nothing after {count} of 4 fragments"
        bench.packets(data(n, WHOLE[n] + unordered, ppid=n))
    (message,) = bench.read_all()
    assert message.data == b"<0><1><2><3>"
    assert message.ppid == 0, "the first fragment's"
    assert bench.receiver.held_bytes == 0


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_neighbouring_messages_stay_apart(order: tuple[int, ...]) -> None:
    """R20: consecutive TSNs of two messages."""
    bench = Bench()
    chunks = [data(0, "B", ssn=0), data(1, "E", ssn=0), data(2, "B", ssn=1), data(3, "E", ssn=1)]
    bench.packets(*(chunks[n] for n in order))
    assert bench.read_payloads() == [b"<0><1>", b"<2><3>"]


VIOLATIONS: dict[str, tuple[list[Data], Data]] = {
    "the first TSN goes on with what never began": ([], data(0, "")),
    "a beginning follows an unfinished message": ([data(0, "B")], data(1, "B", ssn=1)),
    "a whole message follows an unfinished one": ([data(0, "B")], data(1, "BE", ssn=1)),
    "an unfinished beginning is put before a whole message": ([data(1, "BE", ssn=1)], data(0, "B")),
    "a middle is put before a beginning": ([data(3, "B", ssn=1)], data(2, "")),
    "a whole message is put before a middle": ([data(2, "")], data(1, "BE")),
    "an end is put before a middle": ([data(2, "")], data(1, "E")),
    "a middle follows a whole message": ([data(0, "BE")], data(1, "", ssn=1)),
    "a middle follows an end whose beginning is missing": ([data(1, "E")], data(2, "", ssn=1)),
    "an end follows a whole message behind a gap": ([data(1, "UBE")], data(2, "E")),
    "a middle of another stream": ([data(0, "B")], data(1, "", stream=1)),
    "a middle of another SSN": ([data(0, "B")], data(1, "", ssn=1)),
    "an unordered middle in an ordered message": ([data(0, "B")], data(1, "U")),
    "an ordered middle in an unordered message": ([data(0, "UB")], data(1, "")),
    "a beginning before the middle of another stream": ([data(1, "", stream=1)], data(0, "B")),
    "what joins two messages": ([data(0, "B"), data(2, "E", ssn=1)], data(1, "", ssn=0)),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_fragment_out_of_place_is_a_protocol_violation(name: str) -> None:
    """Q13: what §6.9 does not allow a sender is answered with cause 13."""
    before, chunk = VIOLATIONS[name]
    bench = Bench()
    bench.packets(*before)
    assert isinstance(bench.packet(chunk), ProtocolViolation)


def test_a_fragment_is_judged_only_by_what_has_come() -> None:
    """Between a beginning and an end that are not its neighbours, anything may have been sent."""
    bench = Bench()
    bench.packets(data(0, "B"), data(5, "E", ssn=2), data(2, "BE", ssn=1), data(4, "B", ssn=2), data(3, "UBE"))
    bench.packets(data(1, "E"))
    assert bench.read_payloads() == [b"<3>", b"<0><1>", b"<2>", b"<4><5>"]


def test_a_chunk_without_user_data_is_named_in_the_cause() -> None:
    """Q09: §6.2: ABORT with "No User Data" and the TSN."""
    assert Bench().packet(data(0, payload=b"")) == NoUserData(tsn_of(0))


def test_payloads_are_joined_once_however_fragments_meet() -> None:
    """Linear work: every second of 4000 fragments, then the rest from behind, which meets a run on both sides."""
    bench = Bench()
    count = 4000
    flags = ["B"] + [""] * (count - 2) + ["E"]
    order = [*range(0, count, 2), *reversed(range(1, count, 2))]
    for n in order:
        assert bench.receiver.data_received(data(n, flags[n], payload=b"x"), bench.path, 0.0) is None
        runs = bench.receiver._reassembly
        assert isinstance(runs, Reassembly)
        assert len(runs._payloads) <= count
        assert len(runs._by_end) <= count // 2 + 1
    assert bench.read_payloads() == [b"x" * count]
    assert bench.receiver._reassembly.is_empty

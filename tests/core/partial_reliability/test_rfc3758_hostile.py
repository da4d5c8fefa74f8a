"""FORWARD TSN from a peer that means harm, or has gone wrong: X04, X07, X33, X42, X43."""

from __future__ import annotations

import random
import struct

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import Data, ForwardTsn, ReConfig
from aiosctp.wire.parameters import SupportedExtensions
from aiosctp.wire.reconfig import AddOutgoingStreamsRequest, OutgoingSsnResetRequest
from tests.core.laws import check_association
from tests.core.partial_reliability.script import (
    PAYLOAD,
    QUIET,
    SUPPORTED,
    Script,
    data,
    established,
    forward,
    number,
    raw_forward,
    sacks_of,
    tsn_of,
)
from tests.core.scripted import A_INITIAL_TSN, Raw
from tests.core.work import instructions

HALF = 2**31


def held(peer: Script) -> int:
    return peer.association.receiver.held_bytes


def is_alive(peer: Script) -> bool:
    return peer.association.state is AssociationState.ESTABLISHED


# -- what is not as §3.2 draws it --


@pytest.mark.parametrize("size", range(4))
def test_one_without_a_new_cumulative_tsn_does_nothing(size: int) -> None:
    """M17: shorter than 8 bytes."""
    peer = established()
    peer.says(data(1, ssn=1))
    peer.send(raw_forward(struct.pack("!L", tsn_of(0))[:size]))
    assert peer.reads() == []
    if is_alive(peer):
        assert peer.association.receiver.cumulative_tsn == number(A_INITIAL_TSN, -1)
        check_association(peer.association)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_one_that_ends_within_an_entry_does_no_harm(size: int) -> None:
    """M17: its length is no 8 + 4n."""
    peer = established()
    peer.says(data(1, ssn=1))
    peer.send(raw_forward(struct.pack("!L", tsn_of(0)) + struct.pack("!HHHH", 0, 0, 9, 9)[:size]))
    assert set(peer.reads()) <= {b"<1>"}
    check_association(peer.association)


@pytest.mark.parametrize("length", [0, 3, 4, 100, 0xFFFF])
def test_one_whose_length_lies_does_nothing(length: int) -> None:
    peer = established()
    peer.send(Raw(struct.pack("!BBHLHH", 192, 0, length, tsn_of(0), 0, 0)))
    if is_alive(peer):
        assert peer.association.receiver.cumulative_tsn == number(A_INITIAL_TSN, -1)
        check_association(peer.association)


@pytest.mark.parametrize("stream", [10, 0xFFFF])
def test_an_entry_of_a_stream_that_there_is_not_is_passed_by(stream: int) -> None:
    """M17: the others hold."""
    peer = established()
    assert peer.association.tcb.inbound_streams == 10
    peer.says(data(1, stream=9, ssn=1))
    packets = peer.says(forward(0, (stream, 0), (9, 0))) + peer.late()
    assert sacks_of(packets)[-1] == (1, ())
    assert peer.reads() == [b"<1>"]


def test_an_entry_of_a_stream_that_is_added_later_says_nothing_of_it() -> None:
    """M17, S06: it begins with SSN 0."""
    peer = Script(QUIET.replace(reconfig=True), announces=(SUPPORTED, SupportedExtensions((0x82,))))
    peer.established()
    peer.says(forward(0, (10, 5)))
    peer.send(ReConfig((AddOutgoingStreamsRequest(A_INITIAL_TSN, 1),)))
    assert peer.association.tcb.inbound_streams == 11
    peer.says(data(1, stream=10, ssn=0))
    assert peer.reads() == [b"<1>"]


@pytest.mark.parametrize("entries", [((1, 0), (1, 2)), ((1, 2), (1, 0)), ((1, 2), (1, 2))], ids=str)
def test_of_a_stream_that_is_listed_twice_the_greater_holds(entries: tuple[tuple[int, int], ...]) -> None:
    """M17: "the largest stream sequence number in this stream being skipped"."""
    peer = established()
    peer.says(data(1, stream=1, ssn=3))
    peer.says(forward(0, *entries))
    assert peer.reads() == [b"<1>"]
    peer.says(data(2, stream=1, ssn=4))
    assert peer.reads() == [b"<2>"]


# -- far ahead --


@pytest.mark.parametrize("n", [HALF - 2, 1_000_000, 70_000])
def test_one_far_ahead_is_believed_and_costs_nothing(n: int) -> None:
    """X42: what is 2^31 - 1 ahead is ahead still; what was held lacks a TSN, or is whole."""
    peer = established()
    peer.says(data(2, "UB", payload=bytes(PAYLOAD)), data(5, stream=1, ssn=3))
    peer.says(forward(n, (1, 2)))
    assert peer.reads() == [b"<5>"]
    assert held(peer) == 0
    assert sacks_of(peer.late() or peer.heard)[-1] == (n, ())
    peer.says(data(n + 1, stream=1, ssn=4))
    assert peer.reads() == [b"<%d>" % (n + 1)]


def test_one_half_the_space_ahead_is_behind() -> None:
    """X42: RFC 9260 §1.6, serial number arithmetic."""
    peer = established()
    peer.says(data(0, stream=1, ssn=0))
    peer.says(forward(HALF + 1, (1, 9)))
    peer.says(data(1, stream=1, ssn=1))
    assert peer.reads() == [b"<0>", b"<1>"]
    assert peer.association.receiver.cumulative_tsn == tsn_of(1)


def test_leaps_around_the_whole_space_leave_nothing() -> None:
    """X42: TSNs wrap as often as the peer likes."""
    peer = established()
    n = 0
    for leap in range(50):
        peer.says(data(n + 2, "UB", stream=1, payload=bytes(PAYLOAD)), data(n + 4, "UB", payload=bytes(PAYLOAD)))
        n += HALF - 10
        peer.says(forward(n, (1, 1000 * leap)))
        assert held(peer) == 0
        n += 1
    assert is_alive(peer)


def test_of_many_in_one_packet_one_counts() -> None:
    """The others are as if they were lost: a sender needs one, and repeats it until it is acknowledged (C5)."""
    peer = established()
    peer.says(*(data(2 * n + 1, stream=1, ssn=2 * n + 1) for n in range(40)))
    forwards = [forward(2 * n, (1, 2 * n)) for n in range(40)]
    packets = peer.send(*forwards)
    assert peer.reads() == [b"<1>"]
    assert len(sacks_of(packets)) <= 1
    peer.says(forwards[-1])
    assert peer.reads() == [b"<%d>" % (2 * n + 1) for n in range(1, 40)]


# -- bounds --


def test_what_a_full_window_holds_of_a_message_that_never_comes_is_let_go() -> None:
    """X07: fragments fill the window, and one is missing: a FORWARD TSN opens it again."""
    peer = established(QUIET.replace(receive_window_bytes=10_000))
    for n in range(20):
        peer.says(data(n + 1, "" if n else "B", payload=bytes(PAYLOAD)))
    assert held(peer) > 5000
    assert held(peer) <= 10_000 + 2 * PAYLOAD
    peer.says(forward(20, (0, 0)))
    assert held(peer) == 0
    peer.says(data(21, ssn=1))
    assert peer.reads() == [b"<21>"]


def work_of(entries: int) -> int:
    """The instructions that a packet with a FORWARD TSN of so many entries takes."""
    peer = Script(QUIET)
    peer.established()
    chunk = ForwardTsn(tsn_of(5), tuple((n % 10, n & 0x7FFF) for n in range(entries)))
    peer.says(*(data(n, stream=n % 10, ssn=9) for n in (7, 8, 9)))
    return instructions(lambda: peer.send(chunk))


def test_the_work_is_linear_in_the_entries() -> None:
    """M17: 16 000 fit in a packet."""
    few, many = work_of(1000), work_of(8000)
    assert many < 12 * few


def test_forward_tsns_while_a_reset_waits_are_bounded() -> None:
    """X33: the peer asks for a reset that waits for a TSN it never sends, and streams FORWARD TSNs with DATA beyond."""
    config = QUIET.replace(reconfig=True)
    peer = Script(config, announces=(SUPPORTED, SupportedExtensions((0x82,))))
    peer.established()
    request = OutgoingSsnResetRequest(A_INITIAL_TSN, number(peer.z_initial_tsn, -1), tsn_of(1_000_000), (1,))
    peer.send(ReConfig((request,)))
    for n in range(2, 4000, 2):
        peer.send(forward(n - 1, (1, n & 0x7FFF), (2, n & 0x7FFF)), data(n, "UB", stream=2, payload=bytes(PAYLOAD)))
        assert held(peer) <= 2 * PAYLOAD
    assert is_alive(peer)
    assert peer.reads() == []
    peer.says(forward(1_000_000, (2, 0x7000)))
    peer.says(data(1_000_001, stream=1, ssn=0))
    assert peer.reads() == [b"<1000001>"], "the reset is done when its TSN is passed"


def test_an_old_forward_tsn_says_nothing_of_a_stream_that_began_anew() -> None:
    """X07, X33: one that was repeated comes after the reset: its SSNs are of the stream's earlier life."""
    peer = Script(QUIET.replace(reconfig=True), announces=(SUPPORTED, SupportedExtensions((0x82,))))
    peer.established()
    peer.says(forward(2, (1, 2)))
    request = OutgoingSsnResetRequest(A_INITIAL_TSN, number(peer.z_initial_tsn, -1), tsn_of(2), (1,))
    peer.send(ReConfig((request,)))
    peer.says(forward(2, (1, 2)))
    peer.says(data(4, stream=1, ssn=1))
    assert peer.reads() == []
    peer.says(data(3, stream=1, ssn=0))
    assert peer.reads() == [b"<3>", b"<4>"]


# -- repeated and reordered --


@pytest.mark.parametrize("seed", range(40))
def test_messages_come_whole_and_in_order_whatever_the_wire_does(seed: int) -> None:
    """X04, X07, E01: A gives up messages, whole or half sent; the wire loses, repeats and reorders: what was not given
    up is delivered once, in the order of its stream, and nothing is delivered that is not a message of A's."""
    dice = random.Random(seed)
    peer = established()
    messages: list[tuple[bytes, int, int, bool, bool, list[int]]] = []
    ssns = [0] * 3
    n = 0
    for index in range(60):
        stream, unordered, abandoned = dice.randrange(3), dice.random() < 0.3, dice.random() < 0.4
        count = dice.choice([1, 1, 2, 4])
        messages.append((b"%d;" % index, stream, ssns[stream], unordered, abandoned, list(range(n, n + count))))
        ssns[stream] += not unordered
        n += count
    packets: list[tuple[float, Data | ForwardTsn]] = []
    skipped: dict[int, int] = {}
    given_up_to: float = 0.0
    for name, stream, ssn, unordered, abandoned, tsns in messages:
        for tsn in tsns:
            flags = "U" * unordered + "B" * (tsn == tsns[0]) + "E" * (tsn == tsns[-1])
            chunk = data(tsn, flags, stream=stream, ssn=0 if unordered else ssn, payload=name + b"%d," % tsn)
            for _ in range(dice.choice([0, 0, 1]) if abandoned else dice.choice([1, 1, 2])):
                packets.append((tsn + dice.random() * 12, chunk))
        if abandoned and not unordered:
            skipped[stream] = ssn
        if abandoned:
            # A sends it when all before has arrived, or later, and it says what is skipped up to there.
            given_up_to = max(given_up_to, tsns[-1] + 12.0)
            for _ in range(dice.choice([1, 2])):
                packets.append((given_up_to + dice.random() * 6, forward(tsns[-1], *skipped.items())))
    packets.append((n + 100.0, forward(n, *skipped.items())))
    read: list[bytes] = []
    for _, arriving in sorted(packets, key=lambda each: each[0]):
        peer.says(arriving)
        read += peer.reads()
    whole = {b"".join(name + b"%d," % tsn for tsn in tsns): index for index, (name, *_, tsns) in enumerate(messages)}
    assert len(read) == len(set(read))
    assert set(read) <= set(whole)
    indices = [whole[payload] for payload in read]
    kept = {index for index, message in enumerate(messages) if not message[4]}
    assert kept <= set(indices)
    for stream in range(3):
        ordered = [index for index in indices if messages[index][1] == stream and not messages[index][3]]
        assert ordered == sorted(ordered)
    assert held(peer) == 0
    assert sacks_of(peer.late() or peer.heard)[-1] == (n, ())

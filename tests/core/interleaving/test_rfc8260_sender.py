"""RFC 8260 §2.1, §2.2.2: how messages become I-DATA chunks. What holds of every chunk, `script._Numbers` looks at."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aiosctp.core.tx import transmission
from aiosctp.events import SenderDry
from tests.core.interleaving.script import (
    B_BIT,
    E_BIT,
    INTERLEAVING,
    PAYLOAD,
    Script,
    Sent,
    interleaving,
    kinds_of_data,
    raw_of,
    sent_in,
)
from tests.core.reconfig.script import number
from tests.core.scripted import Packet

ORDERS = pytest.mark.parametrize("unordered", [False, True], ids=["ordered", "unordered"])
INITIAL_CWND = 4404
LARGEST_UDP_PAYLOAD = 1500 - 20 - 8


def big(fragments: int) -> bytes:
    """A message that fills so many chunks exactly, each with its own number."""
    return b"".join(bytes([n]) * PAYLOAD for n in range(fragments))


def all_of(peer: Script, packets: list[Packet]) -> list[Sent]:
    """Of these packets and all that follow when A acknowledges whatever comes."""
    return sent_in(packets) + sent_in(peer.drain())


# -- §2.1: how many may be in flight --


def _no_more_than_half(peer: Script, monkeypatch: pytest.MonkeyPatch, send: Callable[[int], list[Packet]]) -> None:
    """Every message or fragment in flight holds a TSN at least, and TSNs reach half the space (RFC 9260 §6.1)."""
    assert transmission.MAX_TSNS_IN_WINDOW == 2**31
    monkeypatch.setattr(transmission, "MAX_TSNS_IN_WINDOW", 3)
    assert len(sent_in(send(5))) == 3
    # the last two have come, but "in a way that cannot be reneged" means the Cumulative TSN Ack alone
    assert sent_in(peer.sack(-1, (1, 2))) == []
    assert [peer.z_tsn(3)] == [chunk.tsn for chunk in sent_in(peer.sack(0, (1, 2)))]
    peer.check()


def test_half_the_mids_is_the_most_that_ordered_messages_in_flight_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """M12, X42: "the sender MUST NOT have more than 2**31 - 1 ordered messages for each outgoing stream in flight"."""
    peer = interleaving()
    _no_more_than_half(peer, monkeypatch, lambda count: peer.z_sends(*[b"x"] * count, stream=1))


def test_half_the_mids_is_the_most_that_unordered_messages_in_flight_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """M12, X42: "and MUST NOT have more than 2**31 - 1 unordered messages for each outgoing stream in flight"."""
    peer = interleaving()
    _no_more_than_half(peer, monkeypatch, lambda count: peer.z_sends(*[b"x"] * count, stream=1, unordered=True))


def test_half_the_fsns_is_the_most_that_a_message_in_flight_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    """M12, X42: "a sender MUST NOT have more than 2**31 - 1 fragments of a single user message in flight"."""
    peer = interleaving(INTERLEAVING.replace(path_mtu=600))
    _no_more_than_half(peer, monkeypatch, lambda count: peer.z_sends(bytes(540 * count), stream=1))


@ORDERS
def test_mids_go_over_the_wrap(unordered: bool) -> None:
    """M12, X42: "incremented by 1 for each user message", modulo 2^32; the other counter stays where it is."""
    peer = interleaving()
    peer.numbers = None
    peer.z_sends(b"first", stream=1, unordered=unordered)
    set_next_mid(peer, 1, 0xFFFF_FFFE, unordered=unordered)
    packets = peer.z_sends(*[b"x"] * 4, stream=1, unordered=unordered)
    assert [chunk.mid for chunk in sent_in(packets)] == [0xFFFF_FFFE, 0xFFFF_FFFF, 0, 1]
    assert [chunk.mid for chunk in sent_in(peer.z_sends(b"y", stream=1, unordered=not unordered))] == [0]


def set_next_mid(peer: Script, stream: int, mid: int, *, unordered: bool) -> None:
    """As if the stream had carried so many messages."""
    setattr(peer.association.sender.queue.stream(stream), "next_unordered_mid" if unordered else "next_ssn", mid)


def test_fsns_go_over_the_wrap() -> None:
    """M12, X42: "the FSN MAY wrap completely multiple times, thus allowing arbitrarily large user messages"."""
    peer = interleaving()
    peer.numbers = None
    begun = sent_in(peer.z_sends(big(20), stream=1))
    peer.association.sender.queue.stream(1).next_fsn = 0xFFFF_FFFE
    rest = sent_in(peer.drain())
    assert [chunk.last for chunk in rest] == [number(0xFFFF_FFFE, n) for n in range(20 - len(begun))]
    assert not any(chunk.is_beginning for chunk in rest), "an FSN of 0 is no beginning"
    assert [chunk.is_ending for chunk in rest] == [*[False] * (len(rest) - 1), True]


# -- §2.2.2: B, E, FSN --


@pytest.mark.parametrize("count", [1, 2, 5, 40])
@ORDERS
def test_the_last_fragment_has_the_e_bit_whatever_its_fsn(count: int, unordered: bool) -> None:
    """M12: "starting from 0 and incremented by 1. The last fragment of a message MUST have the E bit set"."""
    peer = interleaving()
    chunks = all_of(peer, peer.z_sends(big(count), stream=2, unordered=unordered))
    assert [chunk.fsn for chunk in chunks] == list(range(count))
    assert [chunk.is_ending for chunk in chunks] == [*[False] * (count - 1), True]
    assert b"".join(chunk.payload for chunk in chunks) == big(count)


@ORDERS
def test_the_first_fragment_has_the_b_bit(unordered: bool) -> None:
    """M12: with the PPID in the last field; and the same bytes when it is sent again."""
    peer = interleaving()
    chunks = all_of(peer, peer.z_sends(big(5), stream=2, unordered=unordered, ppid=77))
    assert [chunk.is_beginning for chunk in chunks] == [True, *[False] * 4]
    assert [chunk.last for chunk in chunks] == [77, 1, 2, 3, 4]


def test_what_is_sent_again_is_the_same_bytes() -> None:
    """M12: B, E, MID, FSN and PPID of a retransmission are those of the first transmission: T3 and three reports."""
    peer = interleaving()
    first = raw_of(peer.z_sends(big(3), stream=2, ppid=77), 64)
    assert len(first) == 3
    again = raw_of(peer.wait(1.5), 64)
    assert again == first[: len(again)] != []
    for last in (1, 2):
        packets = peer.sack(-1, (1, last))
    assert raw_of(peer.wait(20) + packets, 64)[-1] == first[0]


@pytest.mark.parametrize("more", [-1, 0, 1])
@ORDERS
def test_the_last_fragment_has_the_e_bit(more: int, unordered: bool) -> None:
    """M12: also where the message fills its last fragment exactly, and with one byte more or less."""
    peer = interleaving()
    chunks = all_of(peer, peer.z_sends(bytes(2 * PAYLOAD + more), stream=2, unordered=unordered))
    count = 3 if more == 1 else 2
    assert [chunk.flags & E_BIT for chunk in chunks] == [*[0] * (count - 1), E_BIT]
    assert sum(len(chunk.payload) for chunk in chunks) == 2 * PAYLOAD + more


@ORDERS
def test_the_fragments_between_have_neither_bit(unordered: bool) -> None:
    """M12: "All other fragments MUST NOT have the B or E bit set"."""
    peer = interleaving()
    chunks = all_of(peer, peer.z_sends(big(5), stream=2, unordered=unordered))
    assert [chunk.flags & (B_BIT | E_BIT) for chunk in chunks] == [B_BIT, 0, 0, 0, E_BIT]
    assert {chunk.is_unordered for chunk in chunks} == {unordered}
    assert {chunk.mid for chunk in chunks} == {0}


# -- §2.2.2: the windows --


def test_i_data_keeps_to_the_congestion_and_the_receiver_window() -> None:
    """M12: "congestion control as well as receiver window conditions MUST be observed"."""
    peer = interleaving()
    first = sent_in(peer.z_sends(big(60), stream=1))
    # RFC 9260 §7.2.1: the last may go beyond, as long as cwnd was not reached before it
    assert INITIAL_CWND <= sum(len(chunk.payload) for chunk in first) < INITIAL_CWND + PAYLOAD
    assert all(len(packet.datagram.data) <= LARGEST_UDP_PAYLOAD for packet in peer.heard)
    # slow start: a SACK of two lets out two, and one MTU at most more
    assert 2 <= len(sent_in(peer.sack(1))) <= 4
    # T3: one packet
    packets = peer.wait(1.0)
    assert [len(sent_in([packet])) for packet in packets if sent_in([packet])] == [1]
    # a window of 0: nothing but one probe
    latest = len({chunk.tsn for chunk in sent_in(peer.heard)}) - 1
    assert sent_in(peer.sack(latest, rwnd=0)) in ([], sent_in(peer.heard[-1:]))
    probes = sent_in(peer.wait(20))
    assert len({chunk.tsn for chunk in probes}) <= 1
    unacknowledged = {chunk.tsn for chunk in sent_in(peer.heard)} - {peer.z_tsn(n) for n in range(latest + 1)}
    assert unacknowledged == {peer.z_tsn(latest + 1)}
    peer.check()


def test_the_peers_window_counts_user_data_alone() -> None:
    """RFC 9260 §6.2.1 B: as with DATA: what is outstanding is less than a_rwnd."""
    peer = interleaving()
    peer.z_sends(b"first")
    packets = peer.sack(0, rwnd=2 * PAYLOAD)
    assert packets == []
    assert len(sent_in(peer.z_sends(big(10), stream=1))) == 2


def test_a_chunk_leaves_room_for_its_header_of_twenty_bytes() -> None:
    """M12: "The length of the I-DATA chunk header is 20 bytes": no packet is larger than the path takes, and none
    needlessly smaller."""
    peer = interleaving()
    peer.z_sends(big(10) + b"x", stream=1)
    peer.drain()
    sizes = [len(packet.datagram.data) for packet in peer.heard if sent_in([packet])]
    assert max(sizes) == LARGEST_UDP_PAYLOAD
    assert sizes.count(LARGEST_UDP_PAYLOAD) == 10


# -- §2.2.2: one message of a stream at a time --


@pytest.mark.parametrize("orders", [(False, False), (True, True), (False, True), (True, False)], ids=str)
def test_of_a_stream_one_message_at_a_time_is_sent(orders: tuple[bool, bool]) -> None:
    """S10: Figure 2: "The sender MUST NOT process ... more than one user message in any given stream at any time"."""
    peer = interleaving(INTERLEAVING.replace(scheduler="rr"))
    for unordered in orders:
        peer.z_queues(big(5), stream=1, unordered=unordered)
    peer.z_queues(big(5), stream=2)
    chunks = all_of(peer, peer.touch())
    of_one = [(chunk.is_unordered, chunk.mid, chunk.fsn) for chunk in chunks if chunk.stream == 1]
    mids = (0, 0) if orders[0] != orders[1] else (0, 1)
    assert of_one == [(unordered, mid, fsn) for unordered, mid in zip(orders, mids, strict=True) for fsn in range(5)]
    assert [chunk.stream for chunk in chunks] in ([1, 2] * 5 + [1] * 5, [2, 1] * 5 + [1] * 5)
    assert b"".join(chunk.payload for chunk in chunks if chunk.stream == 2) == big(5)


def test_later_fragments_have_higher_tsns_sent_in_sequence() -> None:
    """S10: "assign a higher TSN to the later fragments of a user message and send out the I-DATA chunks such that the
    TSNs are in sequence"."""
    peer = interleaving(INTERLEAVING.replace(scheduler="rr"), z_first=0xFFFF_FFFA)
    for stream in (1, 2, 3):
        peer.z_queues(big(5), stream=stream)
    chunks = all_of(peer, peer.touch())
    assert [chunk.tsn for chunk in chunks] == [number(0xFFFF_FFFA, n) for n in range(15)]
    for stream in (1, 2, 3):
        assert [chunk.fsn for chunk in chunks if chunk.stream == stream] == list(range(5))
    peer.check()


def test_a_small_message_overtakes_a_large_one_of_another_stream() -> None:
    """S10: what it is for: the message of stream 2 was given last, in the midst of that of stream 1."""
    peer = interleaving(INTERLEAVING.replace(scheduler="rr"))
    chunks = sent_in(peer.z_sends(big(50), stream=1))
    chunks += sent_in(peer.z_sends(b"small", stream=2))
    chunks += sent_in(peer.acknowledge_all())
    (small,) = (chunk for chunk in chunks if chunk.stream == 2)
    assert small.is_beginning
    assert small.is_ending
    assert not any(chunk.is_ending for chunk in chunks if chunk.stream == 1)


def test_all_is_acknowledged_and_the_sender_is_dry() -> None:
    """S10: interleaved messages end as others do."""
    peer = interleaving(INTERLEAVING.replace(scheduler="rr"))
    for stream in range(10):
        peer.z_queues(big(3), stream=stream)
    peer.touch()
    peer.drain()
    assert len(peer.events_of(SenderDry)) >= 1
    assert kinds_of_data(peer.wait(30)) == set()
    peer.check()

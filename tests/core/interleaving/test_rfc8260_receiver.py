"""RFC 8260 §2.2.3: how I-DATA chunks become messages again."""

from __future__ import annotations

import random
from itertools import permutations
from typing import Any

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import Message
from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import Abort, Data, IData, Sack
from aiosctp.wire.codepoints import ChunkType
from tests.core.interleaving.script import (
    BOTH,
    I_DATA,
    I_FORWARD_TSN,
    INTERLEAVING,
    PROTOCOL_VIOLATION,
    RE_CONFIG,
    UNRECOGNIZED_CHUNK_TYPE,
    Script,
    error_causes,
    interleaving,
)
from tests.core.scripted import A_INITIAL_TSN, Packet, chunks_of

OFF = INTERLEAVING.replace(interleaving=False)
CALLERS = pytest.mark.parametrize("caller", ["Z", "A"])


def four_messages(peer: Script) -> list[IData]:
    """Of stream 1, ordered 0 and 1 and unordered 0, and of stream 2: cut in three, TSN by TSN in turn; but the second
    ordered one follows the first."""
    chunks = []
    for fsn in range(3):
        flags = "B" * (fsn == 0) + "E" * (fsn == 2)
        chunks += [
            peer.chunk(b"a%d" % fsn, 1, 0, fsn, flags=flags),
            peer.chunk(b"u%d" % fsn, 1, 0, fsn, flags=flags + "U"),
            peer.chunk(b"c%d" % fsn, 2, 0, fsn, flags=flags),
        ]
    chunks += [peer.chunk(b"b%d" % fsn, 1, 1, fsn, flags="B" * (fsn == 0) + "E" * (fsn == 2)) for fsn in range(3)]
    return chunks


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("bundled", [1, 4])
def test_a_message_is_reassembled_by_stream_order_mid_and_fsn(seed: int, bundled: int) -> None:
    """S10, M12: in whatever order the packets come, across the wrap of the TSN, each chunk some of them twice."""
    peer = interleaving()
    chunks = four_messages(peer)
    dice = random.Random(seed)
    if seed:
        dice.shuffle(chunks)
        chunks += dice.sample(chunks, 3)
    read: list[Message] = []
    for start in range(0, len(chunks), bundled):
        peer.send(*chunks[start : start + bundled])
        read += peer.user_reads()
    assert sorted((message.stream, message.unordered, message.data) for message in read) == [
        (1, False, b"a0a1a2"),
        (1, False, b"b0b1b2"),
        (1, True, b"u0u1u2"),
        (2, False, b"c0c1c2"),
    ]
    ordered = [message.data for message in read if message.stream == 1 and not message.unordered]
    assert ordered == [b"a0a1a2", b"b0b1b2"]
    assert peer.z_has_reached == 11
    peer.check()


@pytest.mark.parametrize("differs", [{"stream": 2}, {"mid": 1}, {"unordered": "U"}], ids=lambda each: next(iter(each)))
@pytest.mark.parametrize("order", ["AbBa", "AbaB", "bABa", "ABba", "ABab"])
@pytest.mark.parametrize("bundled", [True, False])
def test_two_messages_that_differ_in_one_thing_are_not_mixed(
    differs: dict[str, Any], order: str, bundled: bool
) -> None:
    """S10, M12: beginnings (capitals) and ends, with TSNs in sequence: it takes all three, "the SID", "the U bit" and
    "the MID", to tell them apart."""
    peer = interleaving()
    chunks = []
    for letter in order:
        fields: dict[str, Any] = {"stream": 1, "mid": 0, "unordered": ""} | (differs if letter in "Bb" else {})
        flags = ("B" if letter.isupper() else "E") + fields.pop("unordered")
        chunks.append(peer.chunk(letter.encode(), fsn=int(letter.islower()), flags=flags, **fields))
    for packet in [chunks] if bundled else [[chunk] for chunk in chunks]:
        peer.send(*packet)
    assert sorted(data for _, data in peer.reads()) == [b"Aa", b"Bb"]
    peer.check()


@pytest.mark.parametrize("tsns", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("arrival", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("unordered", ["", "U"])
def test_nothing_is_assumed_of_the_tsns_of_fragments(
    tsns: tuple[int, ...], arrival: tuple[int, ...], unordered: str
) -> None:
    """S10: "The receiver MUST NOT make any assumption about the TSN assignments of the sender": any fragment may have
    any TSN, alone or with others between, across the wrap, and come in any order."""
    alone = interleaving()
    for n in arrival:
        assert alone.reads() == []
        alone.send(alone.chunk(b"<%d>" % n, 1, 0, n, flags=("B", "", "E")[n] + unordered, tsn=tsns[n]))
    assert alone.reads() == [(1, b"<0><1><2>")]
    peer = interleaving()
    flags = ["B", "", "E"]
    fragments = [
        peer.chunk(b"<%d>" % fsn, 1, 0, fsn, flags=flags[fsn] + unordered, tsn=2 * tsns[fsn]) for fsn in range(3)
    ]
    others = [peer.chunk(b"other", 2, n, tsn=2 * n + 1) for n in range(2)]
    for n in arrival[:-1]:
        peer.send(fragments[n])
    peer.send(*others)
    assert peer.reads() == [(2, b"other")] * 2
    peer.send(fragments[arrival[-1]])
    assert peer.reads() == [(1, b"<0><1><2>")]
    assert peer.z_has_reached == 4
    peer.check()


def test_fragments_with_descending_tsns() -> None:
    """S10: the beginning has the highest TSN, and comes last, or first."""
    for backwards in (False, True):
        peer = interleaving()
        count = 30
        chunks = [
            peer.chunk(b"%02d" % fsn, 3, 0, fsn, flags="B" * (fsn == 0) + "E" * (fsn == count - 1), tsn=count - fsn - 1)
            for fsn in range(count)
        ]
        for chunk in reversed(chunks) if backwards else chunks:
            peer.send(chunk)
        assert peer.reads() == [(3, b"".join(b"%02d" % fsn for fsn in range(count)))]
        peer.check()


def test_ordered_messages_wait_for_those_before_them_by_mid_alone() -> None:
    """M12: "the MID is also used ... to deliver the user messages in the correct order": TSNs say nothing of it."""
    peer = interleaving()
    for tsn, mid in enumerate([3, 1, 2, 0]):
        assert peer.reads() == []
        peer.send(peer.chunk(b"%d" % mid, 1, mid, tsn=tsn))
    assert [data for _, data in peer.reads()] == [b"0", b"1", b"2", b"3"]


def test_unordered_messages_wait_for_nothing() -> None:
    """M12: whatever their MIDs, and whatever is missing."""
    peer = interleaving()
    for tsn, mid in ((5, 7), (3, 0xFFFF_FFFF), (4, 0)):
        peer.send(peer.chunk(b"%d" % mid, 1, mid, flags="BEU", tsn=tsn))
        assert peer.reads() == [(1, b"%d" % mid)]


def test_the_user_is_told_the_mid_of_a_message() -> None:
    """§4.1: the SSN that RFC 6458 shows is then the MID's; ours has all its bits."""
    peer = interleaving()
    peer.send(peer.chunk(b"a", 1, 0), peer.chunk(b"b", 1, 1))
    peer.send(peer.chunk(b"c", 1, 0x1_0000, flags="BEU"))
    assert [message.ssn for message in peer.user_reads()] == [0, 1, 0x1_0000]


def test_mids_of_what_is_received_go_over_the_wrap() -> None:
    """M12, X42: "serial number arithmetic ... using SERIAL_BITS = 32": brought there by I-FORWARD-TSNs."""
    peer = interleaving()
    peer.gives_up(0, (1, False, 0x7FFF_FFFE))
    peer.gives_up(1, (1, False, 0xFFFF_FFFC))
    for tsn, mid in enumerate([0, 0xFFFF_FFFE, 1, 0xFFFF_FFFF], 2):
        peer.send(peer.chunk(b"%d" % mid, 1, mid, tsn=tsn))
    assert peer.reads() == []
    peer.send(peer.chunk(b"first", 1, 0xFFFF_FFFD, tsn=6))
    expected = [b"first", *(b"%d" % mid for mid in (0xFFFF_FFFE, 0xFFFF_FFFF, 0, 1))]
    assert [data for _, data in peer.reads()] == expected
    peer.check()


# -- §2.2.3: the wrong kind --


def says_wrong(peer: Script) -> tuple[Data | IData, ...]:
    """The kind of chunk that was not negotiated, with the next TSN."""
    return (peer.data(b"wrong", 1) if peer.association.interleaves else peer.chunk(b"wrong", 1),)


NEGOTIATED_OR_NOT = pytest.mark.parametrize(
    "announces", [BOTH, (RE_CONFIG,), (RE_CONFIG, I_FORWARD_TSN), ()], ids=["both", "not", "only I-FORWARD-TSN", "none"]
)


@NEGOTIATED_OR_NOT
@CALLERS
@pytest.mark.parametrize("unordered", [False, True])
def test_the_wrong_kind_of_data_chunk_aborts_the_association(
    announces: tuple[int, ...], caller: str, unordered: bool
) -> None:
    """S10: "the receiver of the DATA chunk MUST abort the association by sending an ABORT chunk. ... The same applies
    if I-DATA support has not been negotiated for an association and an I-DATA chunk is received"."""
    peer = Script(announces=announces).opened(caller)
    if peer.association.interleaves:
        packets = peer.says(b"wrong", 1, unordered=unordered)
    else:
        packets = peer.i_says(b"wrong", 1, unordered=unordered)
    peer.is_aborted_for(PROTOCOL_VIOLATION, packets)
    assert peer.reads() == []


@NEGOTIATED_OR_NOT
def test_the_wrong_kind_behind_a_right_one_in_a_packet(announces: tuple[int, ...]) -> None:
    """S10: what came before it in the packet stands, it does not."""
    peer = Script(announces=announces).opened()
    right = peer.chunk(b"right", 1) if peer.association.interleaves else peer.data(b"right", 1)
    packets = peer.send(right, *says_wrong(peer))
    peer.is_aborted_for(PROTOCOL_VIOLATION, packets)
    assert (1, b"wrong") not in peer.reads()


@NEGOTIATED_OR_NOT
def test_a_run_of_the_wrong_kind(announces: tuple[int, ...]) -> None:
    """S10: packets that hold nothing else, after some that hold the right kind: no short way lets them in."""
    peer = Script(announces=announces).opened()
    interleaves = peer.association.interleaves
    for ssn in range(6):
        peer.i_says(b"right", 1, ssn) if interleaves else peer.says(b"right", 1, ssn)
    assert len(peer.reads()) == 6
    kind = peer.data if interleaves else peer.chunk
    peer.is_aborted_for(PROTOCOL_VIOLATION, peer.send(*[kind(b"wrong", 1, 6 + n) for n in range(10)]))
    assert peer.reads() == []


@NEGOTIATED_OR_NOT
@pytest.mark.parametrize(
    "state", [AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_SENT], ids=lambda state: state.name
)
def test_the_wrong_kind_while_shutting_down(announces: tuple[int, ...], state: AssociationState) -> None:
    """S10: in the states that still take DATA."""
    peer = Script(announces=announces)
    peer.opened()
    if state is AssociationState.SHUTDOWN_PENDING:
        peer.z_sends(b"outstanding")
    peer.user_shuts_down()
    assert peer.state is state
    peer.is_aborted_for(PROTOCOL_VIOLATION, peer.send(*says_wrong(peer)))


@NEGOTIATED_OR_NOT
def test_the_wrong_kind_as_a_duplicate(announces: tuple[int, ...]) -> None:
    """S10: "the reception of a DATA chunk is a violation", whatever its TSN."""
    peer = Script(announces=announces).opened()
    right, wrong = peer.chunk(b"x", 1, tsn=0), Data(A_INITIAL_TSN, 1, 0, 0, b"x")
    if peer.association.interleaves:
        peer.send(right)
        peer.is_aborted_for(PROTOCOL_VIOLATION, peer.send(wrong))
    else:
        peer.send(wrong)
        peer.is_aborted_for(PROTOCOL_VIOLATION, peer.send(right))


@pytest.mark.parametrize("announces", [BOTH, (RE_CONFIG,)])
@CALLERS
def test_i_data_is_an_unknown_chunk_to_who_does_not_speak_it(announces: tuple[int, ...], caller: str) -> None:
    """RFC 9260 §3.2: with the setting off this is an endpoint without RFC 8260: type 64 stops the packet and is
    reported."""
    peer = Script(OFF, announces=announces).opened(caller)
    packets = peer.send(peer.chunk(b"x", 1), Data(A_INITIAL_TSN, 1, 0, 0, b"behind it"))
    assert error_causes(packets) == [UNRECOGNIZED_CHUNK_TYPE]
    assert chunks_of(packets, Abort) == []
    assert peer.reads() == []
    assert peer.state is AssociationState.ESTABLISHED
    peer.check()


# -- several messages at once, and the window --


def read_parts(peer: Script, stream: int) -> list[Message]:
    parts = []
    while (part := peer.association.receiver.read(stream, partial=True)) is not None:
        parts.append(part)
    peer.touch()
    return parts


def test_several_messages_are_delivered_in_parts_at_once() -> None:
    """§4.3.1: "interleaving of user messages from different streams": each in its own order, none mixed."""
    peer = interleaving(INTERLEAVING.replace(partial_delivery_point_bytes=1000))
    streams = (1, 2, 3)
    for stream in streams:
        peer.association.receiver.take_over(stream)
    parts: dict[int, list[Message]] = {stream: [] for stream in streams}
    for fsn in range(8):
        for stream in streams:
            flags = "B" * (fsn == 0) + "E" * (fsn == 7)
            peer.send(peer.chunk(bytes([16 * stream + fsn]) * 600, stream, 0, fsn, flags=flags, ppid=stream))
        for stream in streams:
            parts[stream] += read_parts(peer, stream)
        if fsn == 4:
            assert all(parts[stream] for stream in streams), "past the partial delivery point"
    for stream, found in parts.items():
        assert b"".join(part.data for part in found) == b"".join(bytes([16 * stream + n]) * 600 for n in range(8))
        assert [part.end_of_record for part in found] == [*[False] * (len(found) - 1), True]
        assert {(part.ppid, part.ssn, part.tsn) for part in found} == {(stream, 0, peer.a(stream - 1))}
    peer.check()


@pytest.mark.parametrize("window", [131_072, 20_000, 3_000])
@pytest.mark.parametrize("messages", [2, 8, 10])
@pytest.mark.parametrize("unordered", [False, True])
def test_many_half_received_messages_never_wedge_a_full_window(window: int, messages: int, unordered: bool) -> None:
    """S10: as many interleaved messages as fill the window with nothing complete: A sends what the window takes, one
    chunk where it takes none, and again what was not acknowledged; Z's user reads whole messages alone."""
    peer = interleaving(INTERLEAVING.replace(receive_window_bytes=window))
    counts = [max(2, window // messages * 2 // 1000 + stream % 3) for stream in range(messages)]
    waiting = [
        peer.chunk(
            bytes([65 + stream]) * 1000,
            stream,
            0,
            fsn,
            flags="B" * (fsn == 0) + "E" * (fsn == count - 1) + "U" * unordered,
        )
        for fsn in range(max(counts))
        for stream, count in enumerate(counts)
        if fsn < count
    ]
    read = send_all(peer, waiting, window)
    assert sorted((message.stream, message.data) for message in read) == [
        (stream, bytes([65 + stream]) * 1000 * count) for stream, count in enumerate(counts)
    ]
    peer.check()


def send_all(peer: Script, waiting: list[IData], window: int) -> list[Message]:
    """A sender that keeps to a_rwnd, its chunks acknowledged or sent again; what Z's user read."""
    cumulative, rwnd = -1, window
    read: list[Message] = []
    for _ in range(4 * len(waiting)):
        if cumulative == len(waiting) - 1:
            return read
        outstanding = waiting[cumulative + 1 :]
        count = max(1, rwnd // 1000)
        packets: list[Packet] = []
        for chunk in outstanding[:count]:
            packets += peer.send(chunk)
            read += whole_messages(peer)
        packets += peer.wait(0.3)
        sacks = chunks_of(packets, Sack)
        assert sacks, f"no answer, a_rwnd {rwnd}"
        cumulative = (sacks[-1].cumulative_tsn_ack - A_INITIAL_TSN + 1 & 0xFFFF_FFFF) - 1
        rwnd = sacks[-1].a_rwnd
        assert chunks_of(packets, Abort) == []
    raise AssertionError(f"stuck at {cumulative} of {len(waiting)}, a_rwnd {rwnd}")


def whole_messages(peer: Script) -> list[Message]:
    parts: dict[int, list[Message]] = {}
    while (message := peer.association.receiver.read()) is not None:
        parts.setdefault(message.stream, []).append(message)
    peer.touch()
    assert all(part.end_of_record for found in parts.values() for part in found), "nobody asked for parts"
    return [part for found in parts.values() for part in found]


def test_what_was_reassembled_before_the_reader_asks_is_held_within_the_window() -> None:
    """X33: half messages of every stream, MID and order: what does not fit is not taken, and not acknowledged."""
    config: Config = INTERLEAVING.replace(receive_window_bytes=10_000)
    peer = interleaving(config)
    for n in range(100):
        peer.send(peer.chunk(bytes(1000), n % 10, n, flags="BU", tsn=n))
    assert peer.association.receiver.held_bytes <= 2 * 10_000
    assert peer.z_has_reached < 25
    assert peer.state is AssociationState.ESTABLISHED
    peer.check()


def test_the_type_of_the_chunk_is_what_the_registry_says() -> None:
    """M12: 64 and 194."""
    assert (ChunkType.I_DATA, ChunkType.I_FORWARD_TSN) == (I_DATA, I_FORWARD_TSN)

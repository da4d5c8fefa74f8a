"""Runs of packets with a fragment each, taken in one loop: they come to what the general way makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiosctp.config import Config
from aiosctp.core.input import Input
from aiosctp.core.paths import Path
from aiosctp.core.rx.in_order import InOrder
from aiosctp.wire.chunks import Abort, ArrivedFragments, Bulk, Error, Heartbeat, IData, Sack, UnknownChunk, UserData
from tests.core.scripted import A_PORT, Z_PORT, Raw, chunks_of
from tests.core.test_both_ways import DATA, FORMATS, I_DATA, Talk, Ways, in_a_run, set_number

COUNT = 60
"""A batch gets its early SACKs for the first packets; those behind them are taken together."""
SIZE = 1000
Change = Callable[[Talk, UserData], bytes]


def damaged(talk: Talk, chunk: UserData) -> bytes:
    return talk.packet(chunk)[:-1] + b"?"


def of_another_association(talk: Talk, chunk: UserData) -> bytes:
    return talk.packet(chunk, tag=talk.tag ^ 1)


def of_another_port(talk: Talk, chunk: UserData) -> bytes:
    packet = bytearray(talk.packet(chunk))
    packet[0:4] = Z_PORT.to_bytes(2) + A_PORT.to_bytes(2)
    return bytes(packet)


def another_chunk(talk: Talk, chunk: UserData) -> bytes:
    return talk.packet(Raw(UnknownChunk(0xC1, 0, bytes(SIZE + talk.header_bytes - 4)).encode()))


def a_heartbeat(talk: Talk, chunk: UserData) -> bytes:
    return talk.packet(Heartbeat(bytes(SIZE + talk.header_bytes - 8)))


def smaller_with_another_behind(talk: Talk, chunk: UserData) -> bytes:
    behind = Raw(UnknownChunk(0x81, 0, bytes(96)).encode())
    return talk.packet(replace(chunk, payload=chunk.payload[:-100]), behind)


def with_(**changes: object) -> Change:
    def change(talk: Talk, chunk: UserData) -> bytes:
        return talk.packet(replace(chunk, **changes))  # type: ignore[arg-type]  # fields of Data, by name

    return change


def of_tsn(ahead: int) -> Change:
    def change(talk: Talk, chunk: UserData) -> bytes:
        return talk.packet(replace(chunk, tsn=chunk.tsn + ahead & 0xFFFF_FFFF))

    return change


def of_another_number(talk: Talk, chunk: UserData) -> bytes:
    changed = replace(chunk)
    set_number(changed, 9)
    return talk.packet(changed)


def of_another_fsn(talk: Talk, chunk: UserData) -> bytes:
    return talk.packet(replace(chunk, fsn=chunk.fsn + 1) if isinstance(chunk, IData) else chunk)


CHANGES: dict[str, Change] = {
    "damaged": damaged,
    "of another association": of_another_association,
    "of another port": of_another_port,
    "another chunk": another_chunk,
    "a HEARTBEAT": a_heartbeat,
    "smaller, with another chunk behind": smaller_with_another_behind,
    "of another stream": with_(stream=1),
    "of another SSN": of_another_number,
    "of another FSN": of_another_fsn,
    "of another PPID": with_(ppid=9),
    "unordered": with_(unordered=True),
    "a beginning": with_(beginning=True),
    "an end": with_(ending=True),
    "asks for a SACK": with_(immediate=True),
    "ahead": of_tsn(1),
    "far ahead": of_tsn(70000),
    "behind": of_tsn(-1),
}


def run_of(talk: Talk, count: int = COUNT, *, unordered: bool = False) -> list[UserData]:
    """A message in so many chunks, with one PPID."""
    return [replace(chunk, ppid=7) for chunk in talk.message(*[SIZE] * count, unordered=unordered)]


@pytest.fixture
def taken_together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counts: list[int] = []
    take = InOrder.take_fragments

    def counted(in_order: InOrder, payloads: Sequence[bytes]) -> None:
        counts.append(len(payloads))
        take(in_order, payloads)

    monkeypatch.setattr(InOrder, "take_fragments", counted)
    return counts


@FORMATS
@pytest.mark.parametrize("unordered", [False, True])
def test_a_run_of_fragments_is_taken_together(taken_together: list[int], unordered: bool, config: Config) -> None:
    """Else all that follows would prove nothing."""
    ways, talk = in_a_run(config)
    sacks = ways.receive([talk.packet(chunk) for chunk in run_of(talk, unordered=unordered)])
    assert sum(taken_together) > COUNT // 2
    (message,) = ways.read()
    assert len(message.data) == COUNT * SIZE
    assert chunks_of(sacks, Sack)[-1].cumulative_tsn_ack == talk.next_tsn - 1 & 0xFFFF_FFFF


@FORMATS
@pytest.mark.parametrize("unordered", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_one_that_is_not_as_the_others(taken_together: list[int], name: str, unordered: bool, config: Config) -> None:
    ways, talk = in_a_run(config)
    chunks = run_of(talk, unordered=unordered)
    packets = [talk.packet(chunk) for chunk in chunks]
    packets[40] = CHANGES[name](talk, chunks[40])
    ways.receive(packets)
    assert sum(taken_together) >= 40 - 2 * 9
    ways.read()


@FORMATS
def test_packets_of_two_ways_in_turn_are_read_ahead_once(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    """Each packet that is not taken with the others ends their run, and the rest would be read again and again."""
    read_ahead: list[int] = []
    intact = ArrivedFragments._intact

    def counted(fragments: ArrivedFragments, start: int, count: int) -> int:
        read_ahead.append(count)
        return intact(fragments, start, count)

    monkeypatch.setattr(ArrivedFragments, "_intact", counted)
    ways, talk = in_a_run(config)
    packets = [talk.packet(chunk) for chunk in run_of(talk)]
    for index in range(20, COUNT, 2):
        packets.insert(index, a_heartbeat(talk, talk.chunk(SIZE)))
    ways.receive(packets)
    assert 0 < len(read_ahead) <= 2, "once for each run that the kernel would make of them"


@pytest.fixture
def at_a_border(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of how many chunks each packet was that was taken alone."""
    counts: list[int] = []
    receive = Input.receive_bulk

    def counted(way_in: Input, bulk: Bulk, path: Path, now: float) -> None:
        counts.append(len(bulk[1]))
        receive(way_in, bulk, path, now)

    monkeypatch.setattr(Input, "receive_bulk", counted)
    return counts


def border_of(talk: Talk, change: dict[str, Any], *, is_end: bool) -> list[bytes]:
    """Two messages, of which the first ends and the second begins in one packet: one of these chunks is changed."""
    chunks = talk.message(*[SIZE] * 40, 400) + talk.message(SIZE - 400 - talk.header_bytes, *[SIZE] * 20)
    fields = dict(change)
    changed = 40 if is_end else 41
    if "number" in fields:
        set_number(chunks[changed], fields.pop("number"))
    chunks[changed] = replace(chunks[changed], **fields)
    alone = [[chunk] for chunk in chunks]
    return [talk.packet(*each) for each in [*alone[:40], chunks[40:42], *alone[42:]]]


@FORMATS
def test_the_packet_at_the_border_of_two_messages_is_taken_with_them(at_a_border: list[int], config: Config) -> None:
    ways, talk = in_a_run(config)
    ways.receive(border_of(talk, {}, is_end=True))
    assert set(at_a_border) == {1}
    assert [len(message.data) for message in ways.read()] == [40 * SIZE + 400, 21 * SIZE - 400 - talk.header_bytes]


@FORMATS
def test_a_sack_asked_for_at_the_border_is_asked_for_once(config: Config) -> None:
    """§6.2: that one is delayed which the next packet gets."""
    ways, talk = in_a_run(config)
    ways.receive(border_of(talk, {"immediate": True}, is_end=True))
    assert ways.receive([talk.packet(talk.chunk(1))]) == []


@FORMATS
@pytest.mark.parametrize("change", [{"number": 9}, {"stream": 40_000}, {"beginning": False}, {"ending": True}])
@pytest.mark.parametrize("is_end", [True, False])
def test_a_chunk_at_the_border_that_is_not_the_next(change: dict[str, Any], is_end: bool, config: Config) -> None:
    ways, talk = in_a_run(config)
    ways.receive(border_of(talk, change, is_end=is_end))
    ways.read()


@FORMATS
def test_one_under_another_checksum_is_discarded(config: Config) -> None:
    """§6.8: what is damaged does not get into a message, though all else about it is right."""
    ways, talk = in_a_run(config)
    chunks = run_of(talk)
    packets = [talk.packet(chunk) for chunk in chunks]
    packets[40] = damaged(talk, chunks[40])
    (*_, last) = chunks_of(ways.receive(packets), Sack)
    assert last.cumulative_tsn_ack == chunks[39].tsn
    assert ways.short.engine.counters.malformed_packets == 1
    ways.receive([talk.packet(chunks[40])])
    (message,) = ways.read()
    assert message.data == b"".join(chunk.payload for chunk in chunks)


def test_one_of_another_stream_aborts() -> None:
    """§6.9: the fragments of a message have one stream."""
    ways, talk = in_a_run(DATA)
    chunks = run_of(talk)
    packets = [talk.packet(chunk) for chunk in chunks]
    packets[40] = CHANGES["of another stream"](talk, chunks[40])
    aborts = chunks_of(ways.receive(packets), Abort)
    assert [abort for abort in aborts if not abort.tag_reflected] != []


@pytest.mark.parametrize(
    "config",
    [
        chunks.replace(receive_window_bytes=window, partial_delivery_point_bytes=window)
        for chunks in (DATA, I_DATA)
        for window in (30_000, 32_000, 45_000)
    ]
    + [
        chunks.replace(partial_delivery_point_bytes=point)
        for chunks in (DATA, I_DATA)
        for point in (20_000, 30_001, 40_000, 59_999, 60_000)
    ],
)
def test_a_run_beyond_what_is_held(taken_together: list[int], config: Config) -> None:
    """RFC 6458 §8.1.21: parts are delivered from the same fragment on; §6.2: the window closes with the same."""
    ways, talk = in_a_run(config)
    ways.receive([talk.packet(chunk) for chunk in run_of(talk)])
    assert sum(taken_together) > 0
    ways.read(partial=True)


@given(
    changes=st.dictionaries(st.integers(0, 2 * COUNT - 1), st.sampled_from(sorted(CHANGES)), max_size=3),
    counts=st.lists(st.integers(1, COUNT), min_size=1, max_size=3),
    config=st.sampled_from(
        [
            chunks.replace(**more)
            for chunks in (DATA, I_DATA)
            for more in ({}, {"receive_window_bytes": 40_000}, {"sack_frequency": 5})
        ]
    ),
)
@settings(max_examples=60, deadline=None)
def test_any_run_comes_to_the_same(changes: dict[int, str], counts: list[int], config: Config) -> None:
    ways, talk = in_a_run(config)
    chunks = [chunk for count in counts for chunk in run_of(talk, count)]
    packets = [
        CHANGES[changes[index]](talk, chunk) if index in changes else talk.packet(chunk)
        for index, chunk in enumerate(chunks)
    ]
    _in_batches(ways, packets)
    ways.read(partial=True)


def _in_batches(ways: Ways, packets: list[bytes]) -> None:
    for start in range(0, len(packets), COUNT):
        ways.receive(packets[start : start + COUNT])


@FORMATS
def test_a_run_of_sacks_behind_an_unfinished_message(config: Config) -> None:
    """Packets too small for any fragment, in a run of their own."""
    ways, talk = in_a_run(config)
    packets = [talk.packet(chunk) for chunk in run_of(talk)[:-1]]
    sack = talk.packet(Sack(ways.short.z_initial_tsn - 1 & 0xFFFF_FFFF, 100_000))
    ways.receive([*packets, sack, sack, sack, sack])
    assert ways.short.engine.counters.datagrams_received == ways.general.engine.counters.datagrams_received


@FORMATS
def test_a_packet_of_many_chunks_on_streams_there_are_not_is_answered_by_one(config: Config) -> None:
    """§12.4: "MUST NOT send more than one packet containing chunks other than DATA" in response to one."""
    ways, talk = in_a_run(config)
    packet = talk.packet(*(talk.chunk(1, stream=40_000) for _ in range(250)))
    answers = [answer for answer in ways.receive([packet]) if answer.has(Error)]
    assert len(answers) == 1

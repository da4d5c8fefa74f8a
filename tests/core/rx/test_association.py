"""What an association does with what its receiver says: answers, ABORTs, events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.paths import Path
from aiosctp.core.rx.pace import MAX_SACKS_AT_ONCE
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChange, PartialDelivery
from aiosctp.wire.causes import Cause, InvalidStreamIdentifier, NoUserData, OutOfResource, ProtocolViolation
from aiosctp.wire.chunks import Abort, Chunk, Data, Error, IData, Sack, UserData, decode_chunks
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.serial import tsn_add
from tests.core.pair import Pair


@pytest.fixture(params=[False, True], ids=["DATA", "I-DATA"])
def interleaving(request: pytest.FixtureRequest) -> bool:
    """Which of them user messages go in."""
    return bool(request.param)


class Host:
    """One end of an association that is up, with the peer's words put in its ear."""

    def __init__(self, interleaving: bool, **options: int) -> None:
        self.interleaving = interleaving
        self.pair = Pair(config_z=Config(interleaving=interleaving).replace(**options))
        _, self.association = self.pair.established()
        self.pair.run_for(1.0)
        self.association.poll_events()
        self.first_tsn = self.association.tcb.peer_initial_tsn

    @property
    def path(self) -> Path:
        return self.association.paths.primary

    def data(self, n: int, flags: str = "BE", *, stream: int = 0, ssn: int = 0, payload: bytes = b"x") -> UserData:
        tsn, bits = tsn_add(self.first_tsn, n), ["U" in flags, "B" in flags, "E" in flags]
        if not self.interleaving:
            return Data(tsn, stream, ssn, 0, payload, *bits)
        # RFC 8260 §2.1: unordered messages have numbers too.
        return IData(tsn, stream, n if "U" in flags else ssn, 0, 0, payload, *bits)

    def packet(self, *chunks: UserData) -> None:
        association: AssociationEngine = self.association
        association.input.receive(chunks, association.tcb.local_tag, self.path, self.pair.now)

    def answers(self) -> list[list[Chunk]]:
        """The chunks of each packet that goes out now."""
        packets: list[list[Chunk]] = []
        for datagram in self.association.transmit(self.pair.now):
            chunks = [chunk for chunk in decode_chunks(datagram.data) if not isinstance(chunk, DecodeError)]
            packets.append(chunks)
        return packets

    def abort_causes(self) -> tuple[Cause, ...]:
        ((chunk,),) = self.answers()
        assert isinstance(chunk, Abort)
        assert self.association.state is AssociationState.CLOSED
        return chunk.causes


def test_an_invalid_stream_is_answered_with_an_error_and_a_sack(interleaving: bool) -> None:
    """Q01: §6.5: "MAY bundle the ERROR chunk and the SACK chunk in the same packet"; the association lives on."""
    host = Host(interleaving)
    host.packet(host.data(0, stream=60_000))
    ((first, second),) = host.answers()
    assert isinstance(first, Error)
    assert first.causes == (InvalidStreamIdentifier(60_000),)
    assert isinstance(second, Sack)
    assert second.cumulative_tsn_ack == host.first_tsn
    assert host.association.state is AssociationState.ESTABLISHED


def test_data_without_user_data_aborts_with_its_tsn(interleaving: bool) -> None:
    """Q09: §6.2: "it SHOULD send an ABORT chunk with a "No User Data" error cause"."""
    host = Host(interleaving)
    host.packet(host.data(0, payload=b""))
    assert host.abort_causes() == (NoUserData(host.first_tsn),)


def test_a_fragment_out_of_place_aborts(interleaving: bool) -> None:
    """Q13: as Linux does."""
    host = Host(interleaving)
    host.packet(host.data(0, "E"))
    (cause,) = host.abort_causes()
    assert isinstance(cause, ProtocolViolation)


def test_a_message_too_large_for_its_reader_aborts(interleaving: bool) -> None:
    """Q04: out of resource."""
    host = Host(interleaving, max_message_bytes=1000, partial_delivery_point_bytes=1000)
    host.packet(host.data(0, "B", payload=bytes(1001)))
    host.answers()
    assert host.association.receiver.read() is None
    assert host.abort_causes() == (OutOfResource(),)


def sacks_of_one_batch(host: Host, *numbers: int) -> list[Sack]:
    """The SACKs for packets that come together."""
    for n in numbers:
        host.packet(host.data(n, "UBE"))
    return [chunk for packet in host.answers() for chunk in packet if isinstance(chunk, Sack)]


def test_every_second_packet_of_a_batch_is_acknowledged_by_itself(interleaving: bool) -> None:
    """R15: §6.2: a peer sends Max.Burst packets for each SACK, however many that covers."""
    host = Host(interleaving)
    sacks_of_one_batch(host, 0)
    sacks = sacks_of_one_batch(host, *range(1, 7))
    assert [sack.cumulative_tsn_ack for sack in sacks] == [tsn_add(host.first_tsn, n) for n in (2, 4, 6)]


def test_a_large_batch_shares_a_sack_past_the_bound(interleaving: bool) -> None:
    """R15: deviation from §6.2, so that a flood of packets is not answered with a flood of SACKs."""
    host = Host(interleaving)
    sacks_of_one_batch(host, 0)
    sacks = sacks_of_one_batch(host, *range(1, 101))
    acknowledged = [2 * n for n in range(1, MAX_SACKS_AT_ONCE + 1)] + [100]
    assert [sack.cumulative_tsn_ack for sack in sacks] == [tsn_add(host.first_tsn, n) for n in acknowledged]
    # The next batch has as many again.
    assert len(sacks_of_one_batch(host, *range(101, 105))) == 2


def in_batches(host: Host, first: int, sizes: Iterable[int]) -> list[int]:
    """How many SACKs each batch of so many packets gets."""
    counts = []
    for size in sizes:
        counts.append(len(sacks_of_one_batch(host, *range(first, first + size))))
        first += size
    return counts


def test_a_peer_that_sends_more_than_max_burst_for_a_sack_gets_one_for_a_batch(interleaving: bool) -> None:
    """R15: deviation from §6.2: it lives by the bytes acknowledged, and each SACK costs both ends."""
    host = Host(interleaving)
    sacks_of_one_batch(host, 0)
    assert in_batches(host, 1, [100] * 6) == [9, 5, 3, 2, 1, 1]


def test_a_peer_that_sends_max_burst_for_a_sack_is_not_held_back(interleaving: bool) -> None:
    """R15: §6.1 D: though its packets had piled up before, soon there is a SACK for every second packet again."""
    host = Host(interleaving)
    sacks_of_one_batch(host, 0)
    in_batches(host, 1, [100] * 5)
    packets, first = [4], 501
    for _ in range(10):
        (sacks,) = in_batches(host, first, packets[-1:])
        first += packets[-1]
        packets.append(4 * sacks)
    assert packets == [4, 4, 8, 12, 20, 36, 36, 36, 36, 36, 36]


def test_after_a_loss_a_batch_gets_as_many_sacks_as_in_the_beginning(interleaving: bool) -> None:
    """R15: §7.2.3: the peer may have begun slow start again, in which cwnd grows by a packet for each SACK."""
    host = Host(interleaving)
    sacks_of_one_batch(host, 0)
    in_batches(host, 1, [100] * 5)
    sacks_of_one_batch(host, 502)
    sacks_of_one_batch(host, 501)
    assert in_batches(host, 503, [100]) == [9]


def test_with_a_gap_open_every_packet_of_a_batch_is_acknowledged(interleaving: bool) -> None:
    """R15: §6.7: so that the peer counts its miss indications."""
    host = Host(interleaving)
    sacks_of_one_batch(host, 0)
    last = 3 * MAX_SACKS_AT_ONCE
    sacks = sacks_of_one_batch(host, *range(2, last + 1))
    assert [sack.gap_ack_blocks for sack in sacks] == [((2, end),) for end in range(2, last + 1)]


def test_reading_re_opens_a_closed_window_by_one_sack(interleaving: bool) -> None:
    """R19: the peer is told without having to probe."""
    host = Host(interleaving, receive_window_bytes=4000)
    host.packet(*(host.data(n, "UBE", payload=bytes(1000)) for n in range(4)))
    ((sack,),) = host.answers()
    assert isinstance(sack, Sack)
    assert sack.a_rwnd == 0
    reopened = []
    while host.association.receiver.read() is not None:
        reopened += [chunk.a_rwnd for packet in host.answers() for chunk in packet if isinstance(chunk, Sack)]
    assert reopened == [2000, 4000]


def test_the_end_tells_of_a_message_of_which_a_part_was_read_before_it_tells_of_the_end(interleaving: bool) -> None:
    """R20: RFC 6458 §6.1.7."""
    host = Host(interleaving, partial_delivery_point_bytes=1000)
    host.packet(host.data(0, stream=1), host.data(1, "B", stream=2, payload=bytes(1000)))
    association = host.association
    first = association.receiver.read(partial=True)
    part = association.receiver.read(partial=True)
    assert first is not None
    assert part is not None
    assert not part.end_of_record
    host.packet(host.data(3, stream=4))
    association.abort(b"")
    partial, change = association.poll_events()
    assert partial == PartialDelivery(2, 0)
    assert isinstance(change, AssociationChange)
    left = association.receiver.read(partial=True)
    assert left is not None
    assert left.stream == 4


def test_what_was_received_before_a_restart_stays_readable_after_it(interleaving: bool) -> None:
    """§5.2.4 A: message mode goes on after RESTART, and TSNs and SSNs begin anew."""
    host = Host(interleaving)
    association = host.association
    host.packet(host.data(0, payload=b"before"))
    host.answers()
    tcb = replace(association.tcb, peer_tag=7, peer_initial_tsn=99)
    association.establishment.restarted(tcb, association.paths, association.paths.primary, host.pair.now)
    host.first_tsn = 99
    host.packet(host.data(0, payload=b"after"))
    messages = [association.receiver.read(), association.receiver.read()]
    assert [message and (message.data, message.ssn) for message in messages] == [(b"before", 0), (b"after", 0)]

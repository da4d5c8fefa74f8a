"""An association whose peer gives messages up (RFC 3758 §3.6), or is answered by NR-SACKs."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState
from aiosctp.events import PartialDelivery, StreamReset
from aiosctp.wire.chunks import Data, ForwardTsn, IData, IForwardTsn, NrSack, ReConfig, Sack, Shutdown
from aiosctp.wire.codepoints import ChunkType, ReconfigurationResult
from aiosctp.wire.parameters import ForwardTsnSupported, SupportedExtensions
from aiosctp.wire.reconfig import OutgoingSsnResetRequest, ReconfigurationResponse
from tests.core.laws import check_association
from tests.core.scripted import A_INITIAL_TSN, Peer, chunks_of

TSN = A_INITIAL_TSN


def tsn(ahead: int) -> int:
    """Across the wrap."""
    return TSN + ahead & 0xFFFF_FFFF


EVERYTHING = (
    SupportedExtensions((ChunkType.RE_CONFIG, ChunkType.I_DATA, ChunkType.I_FORWARD_TSN, ChunkType.NR_SACK)),
    ForwardTsnSupported(),
)


def associated(*, interleaves: bool = False, **options: object) -> Peer:
    """Past the first DATA, which is acknowledged at once."""
    config = Config(reconfig=True, partial_reliability=True, interleaving=interleaves)
    peer = Peer(config.replace(**options))
    peer.parameters = EVERYTHING
    peer.accepted()
    first = IData(TSN, 9, 0, 0, 0, b"first") if interleaves else Data(TSN, 9, 0, 0, b"first")
    peer.send(first)
    return peer


def test_it_is_acknowledged_by_the_rules_of_data() -> None:
    """E01: the second packet at once, one alone after a while."""
    peer = associated()
    assert peer.send(ForwardTsn(tsn(1), ((0, 0),))) == []
    (sack,) = chunks_of(peer.wait(0.25), Sack)
    assert sack.cumulative_tsn_ack == tsn(1)
    assert peer.send(ForwardTsn(tsn(2), ())) == []
    (sack,) = chunks_of(peer.send(Data(tsn(3), 0, 1, 0, b"x")), Sack)
    assert sack.cumulative_tsn_ack == tsn(3)


def test_one_that_comes_again_is_answered_at_once() -> None:
    """X07: the SACK of the first may be lost."""
    peer = associated()
    peer.send(ForwardTsn(tsn(1), ()))
    (sack,) = chunks_of(peer.send(ForwardTsn(tsn(1), ())), Sack)
    assert sack.cumulative_tsn_ack == tsn(1)


@pytest.mark.parametrize("interleaves", [False, True])
def test_a_message_of_which_a_part_was_read_is_told_to_end_there(interleaves: bool) -> None:
    """X04: and whatever waited for it is delivered."""
    peer = associated(interleaves=interleaves, partial_delivery_point_bytes=1)
    receiver = peer.association.receiver
    assert receiver.read() is not None
    if interleaves:
        peer.send(IData(tsn(1), 3, 0, 0, 0, b"begun", ending=False), IData(tsn(3), 3, 1, 0, 0, b"whole"))
    else:
        peer.send(Data(tsn(1), 3, 0, 0, b"begun", ending=False), Data(tsn(3), 3, 1, 0, b"whole"))
    assert receiver.read(partial=True) is not None
    assert receiver.read(partial=True) is None
    if interleaves:
        peer.send(IForwardTsn(tsn(2), ((3, False, 0),)))
    else:
        peer.send(ForwardTsn(tsn(2), ((3, 0),)))
    assert peer.events_of(PartialDelivery) == [PartialDelivery(3, 0)]
    message = receiver.read(partial=True)
    assert message is not None
    assert (message.data, message.end_of_record) == (b"whole", True)
    check_association(peer.association)


def test_a_reset_that_waits_for_what_is_given_up_is_performed() -> None:
    """X33: RFC 6525 §5.2.2 E2: "When the cumulative acknowledgment point reaches the last assigned TSN"."""
    peer = associated()
    (answer,) = chunks_of(peer.send(ReConfig((OutgoingSsnResetRequest(TSN, 0, tsn(5), (3,)),))), ReConfig)
    assert answer.parameters == (ReconfigurationResponse(TSN, ReconfigurationResult.IN_PROGRESS),)
    assert chunks_of(peer.send(ForwardTsn(tsn(4), ((3, 7),))), ReConfig) == []
    (answer,) = chunks_of(peer.send(ForwardTsn(tsn(5), ((3, 8),))), ReConfig)
    assert answer.parameters == (ReconfigurationResponse(TSN, ReconfigurationResult.PERFORMED),)
    assert [event.incoming for event in peer.events_of(StreamReset)] == [(3,)]
    peer.send(Data(tsn(6), 3, 0, 0, b"anew"))
    assert [message.data for message in peer.user_reads()] == [b"first", b"anew"]


def test_after_a_shutdown_it_is_answered_as_data_is() -> None:
    """§9.2: "it MUST immediately respond to each received packet containing one or more DATA chunks"."""
    peer = associated()
    peer.user_shuts_down()
    assert peer.state is AssociationState.SHUTDOWN_SENT
    (shutdown,) = chunks_of(peer.send(ForwardTsn(tsn(1), ())), Shutdown)
    assert shutdown.cumulative_tsn_ack == tsn(1)


# -- NR-SACK --


def test_nr_sacks_take_the_place_of_sacks() -> None:
    """M11, S15: both sides have listed them: alone, behind a gap, and bundled with DATA."""
    peer = associated(nrsack=True)
    packets = peer.send(Data(tsn(2), 0, 0, 0, b"x", unordered=True), Data(tsn(3), 0, 1, 0, b"x"))
    (nr_sack,) = chunks_of(packets, NrSack)
    assert nr_sack.cumulative_tsn_ack == TSN
    assert (nr_sack.gap_ack_blocks, nr_sack.nr_gap_ack_blocks) == (((3, 3),), ((2, 2),))
    peer.send(Data(tsn(1), 0, 0, 0, b"x"))
    peer.send(Data(tsn(4), 0, 2, 0, b"x"))
    (packet,) = peer.user_sends(b"reply")
    assert packet.types == (NrSack, Data)
    assert chunks_of(packets, Sack) == []


def test_an_nr_sack_and_data_never_overfill_a_packet() -> None:
    """It is four bytes longer than a SACK."""
    peer = associated(nrsack=True)
    room = peer.association.paths.for_data().packet_bytes
    for n, size in enumerate(range(room - 60, room)):
        peer.send(Data(tsn(n + 1), 0, n, 0, b"x"))
        packets = peer.user_sends(bytes(size))
        assert all(len(packet.datagram.data) <= room for packet in packets)
        assert len(chunks_of(packets, NrSack)) == 1
        peer.acknowledge(peer.association.sender.next_tsn - 1 & 0xFFFF_FFFF)

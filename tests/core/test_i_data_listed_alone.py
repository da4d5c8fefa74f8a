"""A peer as Linux is: it lists I-DATA and never I-FORWARD-TSN, and says by parameter 0xC000 that it skips (RFC 8260
§2.3.1 would have it list both). It speaks both all the same."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage, Terms
from aiosctp.core.states import AssociationState
from aiosctp.events import SendFailed
from aiosctp.wire.chunks import Abort, Error, IData, IForwardTsn, Sack
from aiosctp.wire.parameters import ForwardTsnSupported, SupportedExtensions
from tests.core.laws import check_association
from tests.core.scripted import A_INITIAL_TSN, Peer, chunks_of

LIKE_LINUX = (SupportedExtensions((0xC1, 0x80, 0x82, 0x40)), ForwardTsnSupported())


def associated(entrance: str) -> Peer:
    peer = Peer(Config(heartbeat=False, partial_reliability=True, interleaving=True))
    peer.parameters = LIKE_LINUX
    if entrance == "opens":
        peer.established()
    else:
        peer.accepted()
    return peer


@pytest.mark.parametrize("entrance", ["opens", "accepts"])
def test_what_we_abandon_it_is_told_by_i_forward_tsn(entrance: str) -> None:
    peer = associated(entrance)
    (packet,) = peer.user_sends(b"reliable")
    assert [type(chunk) for chunk in packet.chunks] == [IData]
    peer.acknowledge(peer.z_initial_tsn)
    peer.association.send(OutgoingMessage(b"late", 3, terms=Terms(max_retransmits=0)))
    peer.touch()
    abandoned = (peer.z_initial_tsn + 1) & 0xFFFF_FFFF
    assert peer.next_packet(IForwardTsn).chunks == (IForwardTsn(abandoned, ((3, False, 0),)),)
    assert [event.data for event in peer.events_of(SendFailed)] == [b"late"]
    peer.acknowledge(abandoned)
    assert peer.association.sender.is_drained
    check_association(peer.association)


@pytest.mark.parametrize("entrance", ["opens", "accepts"])
def test_what_it_abandons_by_i_forward_tsn_is_skipped(entrance: str) -> None:
    peer = associated(entrance)
    # The beginning of a message whose rest is abandoned, and one after it.
    peer.send(IData(A_INITIAL_TSN, 3, 0, 7, 0, b"half", beginning=True, ending=False))
    peer.send(IData((A_INITIAL_TSN + 2) & 0xFFFF_FFFF, 3, 1, 8, 0, b"whole"))
    assert peer.user_reads() == []
    packets = peer.send(IForwardTsn((A_INITIAL_TSN + 1) & 0xFFFF_FFFF, ((3, False, 0),)))
    assert [(message.data, message.ssn) for message in peer.user_reads()] == [(b"whole", 1)]
    packets += peer.wait(1.0)
    assert chunks_of(packets, Sack)[-1].cumulative_tsn_ack == (A_INITIAL_TSN + 2) & 0xFFFF_FFFF
    assert not chunks_of(packets, Error)
    assert not chunks_of(packets, Abort)
    assert peer.association.state is AssociationState.ESTABLISHED
    check_association(peer.association)

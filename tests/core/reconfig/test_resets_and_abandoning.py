"""Streams that begin anew (RFC 6525) while messages of theirs are being abandoned (RFC 3758), or are kept (NR-SACK)."""

from __future__ import annotations

import pytest

from aiosctp.core.messages import OutgoingMessage, Terms
from aiosctp.wire.chunks import ForwardTsn, NrSack
from aiosctp.wire.codepoints import ChunkType
from tests.core.reconfig.script import WILLING, Script, number, outgoing_of
from tests.core.scripted import A_RWND

CONFIG = WILLING.replace(partial_reliability=True, interleaving=False, nrsack=True)


def established() -> Script:
    peer = Script(CONFIG, announces=(ChunkType.RE_CONFIG, ChunkType.FORWARD_TSN, ChunkType.NR_SACK))
    peer.established()
    assert peer.association.supports_partial_reliability
    assert peer.association.supports_nr_sack
    return peer


@pytest.mark.parametrize("unordered", [False, True])
def test_a_reset_waits_until_what_was_abandoned_is_acknowledged(unordered: bool) -> None:
    """P08, S06: A3: its last TSN is that of before. A FORWARD TSN that came behind the reset would skip the SSNs that
    have begun anew."""
    peer = established()
    # Z -> DATA -> A, which is lost
    message = OutgoingMessage(b"late", 1, unordered=unordered, terms=Terms(max_retransmits=0))
    peer.association.send(message)
    peer.touch()
    # Z -> FORWARD TSN -> A, which is lost too
    peer.next_packet(ForwardTsn)
    _, packets = peer.resets(1)
    assert not outgoing_of(packets)
    # A -> SACK -> Z
    (request,) = outgoing_of(peer.acknowledge(peer.z_initial_tsn))
    assert request.last_assigned_tsn == peer.z_initial_tsn


def test_a_reset_waits_until_what_is_kept_is_acknowledged() -> None:
    """P08, S06: the Cumulative TSN Ack Point, which is the last TSN that the request names, covers it then."""
    peer = established()
    peer.user_sends(b"lost", stream=0)
    peer.user_sends(b"kept", stream=1)
    # A -> NR-SACK -> Z
    peer.send(NrSack(number(peer.z_initial_tsn, -1), A_RWND, (), ((2, 2),)))
    _, packets = peer.resets(1)
    assert not outgoing_of(packets)
    (request,) = outgoing_of(peer.acknowledge(number(peer.z_initial_tsn, 1)))
    assert request.last_assigned_tsn == number(peer.z_initial_tsn, 1)

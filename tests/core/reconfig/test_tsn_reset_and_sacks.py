"""SSN/TSN resets, and the data that is not acknowledged when one is asked for (RFC 6525 §5.1.4, §5.2.4)."""

from __future__ import annotations

from aiosctp.config import Config
from aiosctp.wire.chunks import ReConfig, Sack
from aiosctp.wire.codepoints import ReconfigurationResult
from aiosctp.wire.reconfig import ReconfigurationResponse, SsnTsnResetRequest
from tests.core.reconfig.peer import TSN, ReconfigPeer, parameters_of
from tests.core.scripted import chunks_of, packets_with


def test_the_sack_that_is_owed_goes_before_the_request() -> None:
    """G3: the peer takes what it has sent for acknowledged, and a SACK for it may be too much."""
    peer = ReconfigPeer()
    peer.data(0, 0)
    assert chunks_of(peer.data(1, 1), Sack) == []
    assert peer.association.receiver.has_unacknowledged
    peer.association.reset_association()
    (packet,) = peer.touch()
    assert packet.types == (Sack, ReConfig)
    assert chunks_of(peer.wait(0.9), Sack) == []


def test_it_goes_before_the_request_that_is_repeated() -> None:
    """Likewise."""
    peer = ReconfigPeer(Config(sack_delay_s=0.5, rto_initial_s=1.0))
    peer.data(0, 0)
    peer.association.reset_association()
    peer.touch()
    peer.wait(0.8)
    peer.data(1, 1)
    assert peer.association.receiver.has_unacknowledged
    (packet,) = packets_with(peer.wait(0.3), ReConfig)
    assert packet.types == (Sack, ReConfig)


def test_a_peer_that_asks_hears_nothing_until_our_data_is_acknowledged() -> None:
    """With usrsctp "In progress" ends the association."""
    peer = ReconfigPeer(Config(peer_may_reset_association=True))
    peer.user_sends(b"outstanding")
    for _ in range(3):
        assert peer.ask(SsnTsnResetRequest(TSN)) == []
    (answer,) = parameters_of(peer.sack(1))
    assert isinstance(answer, ReconfigurationResponse)
    assert (answer.response_sequence_number, answer.result) == (TSN, ReconfigurationResult.PERFORMED)
    assert peer.ask(SsnTsnResetRequest(TSN)) == [answer]

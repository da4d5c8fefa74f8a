"""SSN/TSN resets, and the data that is not acknowledged when one is asked for (RFC 6525 §5.1.4, §5.2.4)."""

from __future__ import annotations

from aiosctp.config import Config
from aiosctp.core.reconfig import Outcome
from aiosctp.exceptions import AssociationLost
from aiosctp.wire.chunks import Data, Heartbeat, ReConfig, Sack
from aiosctp.wire.codepoints import ReconfigurationResult
from aiosctp.wire.reconfig import ReconfigurationResponse, SsnTsnResetRequest
from tests.core.reconfig.bench import Resets
from tests.core.reconfig.peer import TSN, ReconfigPeer, parameters_of
from tests.core.reconfig.script import is_under_way
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
    assert packet.types == (Sack, ReConfig, Heartbeat)


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


IMPATIENT = Config(
    association_max_retrans=2, path_max_retrans=2, rto_max_s=2.0, heartbeat=False, peer_may_reset_association=True
)


def test_a_peer_that_says_nothing_while_its_data_drains_and_is_there_is_no_error() -> None:
    """§5.2.7 H2 for a peer that is silent in place of "In progress", as we are."""
    peer = ReconfigPeer(IMPATIENT)
    request = peer.association.reset_association()
    peer.user_sends(b"held")
    again = packets_with(peer.wait(300.0, peer.answer_heartbeats()), ReConfig)
    assert len(again) > 100
    assert {packet.types for packet in again} == {(ReConfig, Heartbeat)}
    assert len({packet.chunks[0] for packet in again}) == 1
    assert (request.outcome, peer.path("192.0.2.1").error_count) == (None, 0)
    answer = ReconfigurationResponse(peer.ours, ReconfigurationResult.PERFORMED, TSN, peer.ours + 5)
    (data,) = chunks_of(peer.send(ReConfig((answer,))), Data)
    assert data.payload == b"held"
    assert request.outcome is Outcome.DONE


def test_one_that_is_there_no_more_is_lost() -> None:
    peer = ReconfigPeer(IMPATIENT)
    peer.association.reset_association()
    peer.touch()
    peer.wait(60.0, peer.answer_heartbeats())
    assert peer.association.ending is None
    peer.wait(10.0)
    assert isinstance(peer.association.ending, AssociationLost)


def test_a_peer_whose_data_we_do_not_read_is_waited_for() -> None:
    """Ours: it can't have its message acknowledged while our window is closed."""
    resets = Resets(IMPATIENT.replace(receive_window_bytes=4096), IMPATIENT)
    resets.send(resets.z, "x" * 20_000)
    resets.pair.run_for(1.0)
    request = resets.ask(resets.a.reset_association(), resets.a)
    resets.send(resets.a, "after")
    resets.pair.run_for(120.0)
    assert is_under_way(request)
    texts: list[str] = []
    for _ in range(20):
        texts += resets.read(resets.a)
        resets.pair.run_for(5.0)
    assert request.outcome is Outcome.DONE
    assert texts == ["x" * 20_000]
    assert resets.read(resets.z) == ["after"]

"""The counters: their names are promises to users."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core import shortcuts
from aiosctp.core.states import AssociationState
from aiosctp.core.statistics import AssociationCounters, StackCounters, counters_as_dict
from aiosctp.wire.chunks import CookieAck, Data, Heartbeat, HeartbeatAck, Sack, Shutdown
from tests.core.pair import Pair
from tests.core.scripted import Peer, chunks_of


def test_an_association_has_the_thirteen_counters_of_solaris_and_linux() -> None:
    """In the order of `sctp_assoc_stats`, as the `sas_` fields stand there; those of RFC 7496 §4.4; and of RFC 3873."""
    assert list(counters_as_dict(AssociationCounters())) == [
        "rtxchunks",
        "gapcnt",
        "maxrto",
        "outseqtsns",
        "osacks",
        "isacks",
        "octrlchunks",
        "ictrlchunks",
        "oodchunks",
        "iodchunks",
        "ouodchunks",
        "iuodchunks",
        "idupchunks",
        "abandoned_unsent",
        "abandoned_sent",
        "messages_fragmented",
        "messages_reassembled",
    ]


def test_all_counters_start_at_zero() -> None:
    for counters in (AssociationCounters(), StackCounters()):
        assert set(counters_as_dict(counters).values()) == {0}


def test_the_dict_is_a_copy_of_what_was_counted() -> None:
    counters = StackCounters()
    counters.out_of_the_blue += 2
    taken = counters_as_dict(counters)
    counters.out_of_the_blue += 1
    assert taken["out_of_the_blue"] == 2


def test_a_counter_that_does_not_exist_cannot_be_counted() -> None:
    """A misspelt name is an error where it is counted, not a number that nobody ever sees."""
    assert not hasattr(AssociationCounters(), "__dict__")
    assert not hasattr(StackCounters(), "__dict__")


def test_maxrto_is_the_largest_of_the_period_and_reading_begins_another() -> None:
    """H03: "reading resets it (all others are counts)"."""
    peer = Peer()
    peer.established()
    rto_s = peer.path("192.0.2.1").rto.rto_s
    assert peer.association.take_counters().maxrto == peer.config.rto_initial_s
    peer.user_sends(b"unanswered")
    # T3 expires twice, and then A answers.
    peer.wait(4 * rto_s)
    backed_off_s = peer.path("192.0.2.1").rto.rto_s
    assert backed_off_s == 4 * rto_s
    peer.acknowledge(peer.z_initial_tsn)
    peer.user_sends(b"measured")
    peer.acknowledge(peer.z_initial_tsn + 1)
    measured_s = peer.path("192.0.2.1").rto.rto_s
    assert measured_s < backed_off_s
    first, second = peer.association.take_counters(), peer.association.take_counters()
    assert first.maxrto == backed_off_s
    assert second.maxrto == measured_s
    assert first.isacks == second.isacks == 2
    assert second.rtxchunks == 2


def test_control_chunks_are_counted_each_way_and_sacks_among_them() -> None:
    """H07, H08: the control chunks of a handshake and a shutdown, each way."""
    peer = Peer()
    # Z -> INIT -> A, A -> INIT ACK -> Z, Z -> COOKIE ECHO -> A, A -> COOKIE ACK -> Z
    peer.established()
    counters = peer.association.counters
    assert (counters.octrlchunks, counters.ictrlchunks) == (2, 2)
    # A -> DATA -> Z, Z -> SACK -> A
    assert len(chunks_of(peer.send_data(), Sack)) == 1
    # A -> HEARTBEAT, SACK -> Z, Z -> HEARTBEAT ACK -> A
    answer = peer.send(Heartbeat(b"info"), Sack(peer.z_initial_tsn - 1 & 0xFFFF_FFFF, 5000))
    assert len(chunks_of(answer, HeartbeatAck)) == 1
    assert (counters.octrlchunks, counters.ictrlchunks) == (4, 4)
    assert counters.osacks == counters.isacks == 1


def test_who_accepts_counts_the_cookie_echo_and_its_answer_once() -> None:
    """H07, H08: "no duplicates"."""
    peer = Peer()
    cookie_echo = peer.cookie_echo()
    for _ in range(3):
        # A -> COOKIE ECHO -> Z, Z -> COOKIE ACK -> A
        assert len(chunks_of(peer.send(cookie_echo), CookieAck)) == 1
    (association,) = peer.endpoint.accepted
    assert (association.counters.octrlchunks, association.counters.ictrlchunks) == (1, 1)


@pytest.mark.parametrize("state", [AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED])
def test_a_setup_chunk_that_t1_repeats_counts_once(state: AssociationState) -> None:
    """H07: "no duplicates"."""
    peer = Peer()
    peer.in_state(state)
    before = peer.association.counters.octrlchunks
    assert len(peer.wait(10.0)) == 3
    assert peer.association.counters.octrlchunks == before


@pytest.mark.parametrize("state", [AssociationState.SHUTDOWN_SENT, AssociationState.SHUTDOWN_ACK_SENT])
def test_a_shutdown_chunk_that_t2_repeats_counts_once(state: AssociationState) -> None:
    """H07: "no duplicates"."""
    peer = Peer()
    peer.in_state(state)
    before = peer.association.counters.octrlchunks
    assert len(peer.wait(10.0)) == 3
    assert peer.association.counters.octrlchunks == before


def test_a_duplicate_of_the_peer_counts_neither_way_though_it_is_answered() -> None:
    """H07, H08: "no duplicates"."""
    peer = Peer()
    peer.in_state(AssociationState.SHUTDOWN_ACK_SENT)
    counters = peer.association.counters
    before = counters.octrlchunks, counters.ictrlchunks
    for chunk in (Shutdown(peer.z_initial_tsn - 1 & 0xFFFF_FFFF), CookieAck(), peer.init_ack()):
        peer.send(chunk)
    assert (counters.octrlchunks, counters.ictrlchunks) == before


def test_both_ends_of_a_quiet_network_count_the_same() -> None:
    """H07, H08: what one sent the other received, but for INIT and INIT ACK, which make no association there."""
    pair = Pair()
    ours, theirs = pair.established()
    pair.run_for(100.0)
    sent, received = ours.counters.octrlchunks, theirs.counters.ictrlchunks
    assert sent == received + 1, "the INIT"
    assert ours.counters.ictrlchunks == theirs.counters.octrlchunks + 1, "the INIT ACK"


@pytest.mark.parametrize("takes_short_way", [True, False])
@pytest.mark.parametrize("is_partial", [True, False], ids=["in parts", "whole"])
def test_a_message_in_many_chunks_is_counted_once(
    is_partial: bool, takes_short_way: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G12: RFC 3873, FragUsrMsgs and ReasmUsrMsgs; one that is delivered in parts was reassembled as well."""
    monkeypatch.setattr(shortcuts, "are_open", takes_short_way)
    peer = Peer(Config(partial_delivery_point_bytes=1 if is_partial else None))
    peer.established()
    peer.user_sends(b"whole")
    peer.user_sends(bytes(3000))
    assert peer.association.counters.messages_fragmented == 1
    tsns = [peer.next_tsn + number & 0xFFFF_FFFF for number in range(4)]
    peer.send(Data(tsns[0], 0, 0, 0, b"whole"))
    peer.send(Data(tsns[1], 0, 1, 0, b"be", ending=False))
    peer.send(Data(tsns[2], 0, 1, 0, b"gi", beginning=False, ending=False))
    assert peer.association.counters.messages_reassembled == 0
    peer.send(Data(tsns[3], 0, 1, 0, b"n", beginning=False))
    assert peer.association.counters.messages_reassembled == 1
    receiver = peer.association.receiver
    read = [receiver.read(partial=True) for _ in range(4)]
    assert [message.data for message in read if message is not None] == (
        [b"whole", b"be", b"gi", b"n"] if is_partial else [b"whole", b"begin"]
    )

"""The counters: their names are promises to users."""

from __future__ import annotations

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.core.statistics import AssociationCounters, StackCounters, counters_as_dict
from aiosctp.wire.chunks import Abort, CookieAck, Init, ShutdownAck
from aiosctp.wire.codepoints import ParameterType
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.parameters import UnknownParameter
from tests.core.scripted import A_PORT, A_RWND, A_TAG, UDP_PORT, Z_PORT, Peer


def test_an_association_has_the_thirteen_counters_of_solaris_and_linux() -> None:
    """In the order of `sctp_assoc_stats`, as the `sas_` fields stand there."""
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


def test_a_stack_counts_the_packets_it_can_not_read_by_why() -> None:
    """A checksum that is wrong is the network's doing, a packet that is too short is somebody's."""
    peer = Peer()
    good = encode_packet(A_PORT, Z_PORT, A_TAG, [CookieAck().encode()])
    peer.engine.receive(good[:-1] + b"x", peer.addresses[0], UDP_PORT, None, peer.now)
    peer.engine.receive(good[:8], peer.addresses[0], UDP_PORT, None, peer.now)
    counters = peer.engine.counters
    assert (counters.datagrams_received, counters.bad_checksums, counters.malformed_packets) == (2, 1, 1)
    assert counters.out_of_the_blue == 0


def test_a_stack_counts_the_inits_it_refuses() -> None:
    """For whatever reason; and not as answers to what was out of the blue."""
    peer = Peer()
    # A -> INIT -> Z, which nobody listens for; A -> INIT [without streams] -> Z; A -> INIT [malformed] -> Z
    peer.send(peer.init(), tag=0)
    peer.send(Init(A_TAG, A_RWND, 0, 0, 1), tag=0)
    peer.send(peer.init(UnknownParameter(ParameterType.IPV4_ADDRESS, b"short")), tag=0)
    # A -> INIT -> Z
    peer.cookie_echo()
    counters = peer.engine.counters
    assert (counters.init_received, counters.init_refused, counters.out_of_the_blue_answers) == (4, 3, 0)


@pytest.mark.parametrize("is_initiator", [True, False])
@pytest.mark.parametrize("ending", ["shutdown", "abort", "aborted", "lost"])
def test_a_stack_counts_associations_as_they_come_and_go(is_initiator: bool, ending: str) -> None:
    peer = Peer()
    if is_initiator:
        peer.established()
    else:
        peer.accepted()
    counters = peer.engine.counters
    assert (counters.associations_established, counters.associations_shut_down) == (1, 0)
    match ending:
        case "shutdown":
            peer.user_shuts_down()
            peer.send(ShutdownAck())
        case "abort":
            peer.user_aborts()
        case "aborted":
            peer.send(Abort())
        case "lost":
            peer.user_sends(b"unheard")
            peer.wait(1000)
    assert peer.state is AssociationState.CLOSED
    expected = (1, 0) if ending == "shutdown" else (0, 1)
    assert (counters.associations_shut_down, counters.associations_aborted) == expected
    assert counters.associations_established == 1


def test_an_attempt_that_fails_is_no_association() -> None:
    peer = Peer()
    peer.cookie_wait()
    peer.user_aborts()
    peer.cookie_wait()
    peer.wait(1000)
    counters = peer.engine.counters
    assert (counters.associations_established, counters.associations_aborted) == (0, 0)

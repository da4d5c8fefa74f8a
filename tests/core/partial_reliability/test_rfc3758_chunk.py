"""RFC 3758 §3.2: the FORWARD TSN chunk."""

from __future__ import annotations

import struct

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import Data, ForwardTsn
from tests.core.partial_reliability.script import (
    ORDERED_0,
    data,
    established,
    forward,
    forward_tsns_of,
    raw_forward,
    sacks_of,
    tsn_of,
)
from tests.core.scripted import chunks_of, packets_with

LIFETIME_S = 0.5


def test_what_was_passed_over_is_never_sent_again() -> None:
    """E01: "some missing TSNs are associated with data chunks that SHOULD NOT be transmitted or retransmitted"."""
    peer = established()
    peer.z_sends(lifetime=LIFETIME_S)
    peer.z_sends()
    assert peer.sacks(-1, (1, 1)) == []
    packets = peer.wait(1.0)
    assert set(peer.forwards(packets)) == {(0, ORDERED_0)}
    packets += peer.wait(30.0)
    assert set(peer.forwards(packets)) == {(0, ORDERED_0)}
    assert peer.sent(packets) == []


def test_missing_tsns_up_to_the_new_cumulative_tsn_count_as_received() -> None:
    """M17: "the data receiver MUST consider any missing TSNs earlier than or equal to this value as received, and stop
    reporting them as gaps in any subsequent SACKs"."""
    peer = established()
    peer.says(data(0, "UBE"))
    packets = peer.says(data(2, "UBE"))
    assert sacks_of(packets)[-1] == (0, ((2, 2),))
    packets = peer.says(forward(1))
    assert sacks_of(packets + peer.late()) == [(2, ())]
    packets = peer.says(data(3, "UBE"))
    assert sacks_of(packets + peer.late()) == [(3, ())]


def test_no_entry_is_made_for_an_unordered_message() -> None:
    """M17: "This field MUST NOT report TSN's corresponding to DATA chunks that are marked as unordered"."""
    peer = established()
    peer.z_sends(stream=1, unordered=True, lifetime=LIFETIME_S)
    peer.z_sends(2000, stream=2, unordered=True, lifetime=LIFETIME_S)
    packets = peer.wait(1.0)
    assert peer.forwards(packets)[-1] == (2, ())
    assert len(forward_tsns_of(packets)[-1].encode()) == 8


def test_an_entry_is_made_for_each_stream_of_ordered_messages() -> None:
    """M17: "For ordered DATA chunks this field MUST be filled in"."""
    peer = established()
    peer.z_sends(stream=1, lifetime=LIFETIME_S)
    peer.z_sends(stream=2, lifetime=LIFETIME_S)
    packets = peer.wait(1.0)
    n, entries = peer.forwards(packets)[-1]
    assert (n, set(entries)) == (1, {(1, 0), (2, 0)})
    datagram = packets_with(packets, ForwardTsn)[-1].datagram.data
    # Figure of §3.2: type 192, flags 0, length, New Cumulative TSN, then (stream, Stream Sequence) of 16 bits each.
    body = struct.pack("!BBHL", 192, 0, 16, peer.z_tsn(1)) + b"".join(struct.pack("!HH", *each) for each in entries)
    assert datagram[12 : 12 + 16] == body


@pytest.mark.parametrize("flags", [0x01, 0xFF])
def test_the_flags_are_ignored(flags: int) -> None:
    """M17: "Set to all zeros on transmit and ignored on receipt"."""
    peer = established()
    peer.says(data(1, ssn=1))
    packets = peer.send(raw_forward(struct.pack("!LHH", tsn_of(0), 0, 0), flags))
    assert sacks_of(packets + peer.late()) == [(1, ())]
    assert peer.reads() == [b"<1>"]


@pytest.mark.parametrize("state", [AssociationState.ESTABLISHED, AssociationState.SHUTDOWN_SENT])
def test_chunks_that_follow_it_in_the_packet_are_taken(state: AssociationState) -> None:
    peer = established()
    if state is AssociationState.SHUTDOWN_SENT:
        peer.user_shuts_down()
        assert peer.state is state
    peer.send(forward(0, (0, 0)), data(1, ssn=1))
    assert peer.reads() == [b"<1>"]


def test_data_goes_on_behind_what_was_passed_over() -> None:
    """X43: the next message begins with the TSN after the FORWARD TSN's, with B."""
    peer = established()
    peer.z_sends(5000, max_retransmits=0)
    ((n, entries),) = set(peer.forwards(peer.wait(1.0)))
    assert entries == ORDERED_0
    peer.sacks(n)
    packets = peer.z_sends(b"next")
    assert [(chunk.payload, chunk.beginning, chunk.ssn) for chunk in chunks_of(packets, Data)] == [(b"next", True, 1)]
    assert peer.sent(packets) == [n + 1]

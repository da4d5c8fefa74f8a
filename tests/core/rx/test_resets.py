"""Incoming streams that begin anew (RFC 6525 §5.2.2) while a message of theirs is unfinished, or waits for one."""

from __future__ import annotations

from typing import Any

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState
from aiosctp.events import PartialDelivery, StreamReset
from aiosctp.wire.chunks import DATA_FORMAT, I_DATA_FORMAT, Data, DataFormat, IData, ReConfig, UserData
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.parameters import SupportedExtensions
from aiosctp.wire.reconfig import OutgoingSsnResetRequest
from tests.core.laws import check_association
from tests.core.rx.bench import Bench, data, i_data, tsn_of
from tests.core.scripted import A_INITIAL_TSN, Peer

BOTH = pytest.mark.parametrize("format", [DATA_FORMAT, I_DATA_FORMAT], ids=["DATA", "I-DATA"])
ORDERS = pytest.mark.parametrize("unordered", [False, True], ids=["ordered", "unordered"])


def bench_of(format: DataFormat, **options: Any) -> Bench:
    return Bench(config=Config().replace(**options), format=format)


def chunk(format: DataFormat, n: int, flags: str = "BE", *, number: int = 0, fsn: int = 0, **fields: Any) -> UserData:
    if format.counts_fragments:
        return i_data(n, flags, mid=number, fsn=fsn, **fields)
    return data(n, flags, ssn=number, **fields)


def resets(bench: Bench, streams: list[int] | None) -> list[tuple[int, int]]:
    lost = bench.receiver.renewal.end_streams(streams)
    assert bench.receiver.renewal.begin_streams_anew(streams) is None
    bench.receiver.check_invariants()
    return lost


# -- what is unfinished --


@BOTH
@ORDERS
@pytest.mark.parametrize("streams", [[3], [1, 3, 3], None])
@pytest.mark.parametrize("count", [1, 2])
def test_half_a_message_is_dropped(format: DataFormat, unordered: bool, streams: list[int] | None, count: int) -> None:
    """S06, X43: the peer has given up the rest: what follows is another message, with the same number."""
    bench = bench_of(format)
    bits = "U" * unordered
    bench.packets(*(chunk(format, n, bits + "B" * (n == 0), fsn=n, stream=3) for n in range(count)))
    assert resets(bench, streams) == []
    assert bench.receiver.held_bytes == 0
    bench.packets(chunk(format, count, bits + "B", stream=3), chunk(format, count + 1, bits + "E", fsn=1, stream=3))
    assert bench.read_payloads() == [b"<%d><%d>" % (count, count + 1)]
    assert bench.receiver.held_bytes == 0


@BOTH
def test_half_a_message_that_had_come_out_of_order_is_dropped(format: DataFormat) -> None:
    """It is held by the general way then."""
    bench = bench_of(format)
    bench.packets(chunk(format, 1, "", fsn=1, stream=3), chunk(format, 0, "B", stream=3))
    assert resets(bench, [3]) == []
    bench.packets(chunk(format, 2, stream=3))
    assert bench.read_payloads() == [b"<2>"]
    assert bench.receiver.held_bytes == 0


@BOTH
def test_of_a_stream_that_is_not_reset_it_stays(format: DataFormat) -> None:
    bench = bench_of(format)
    bench.packets(chunk(format, 0, "B", stream=3))
    assert resets(bench, [0, 4]) == []
    bench.packets(chunk(format, 1, "E", fsn=1, stream=3))
    assert bench.read_payloads() == [b"<0><1>"]


def test_what_lacks_its_beginning_is_dropped() -> None:
    """RFC 8260 §2.3.2: of I-DATA all may have come but what was given up: the next message begins with its MID."""
    bench = bench_of(I_DATA_FORMAT)
    bench.packets(i_data(0, "E", fsn=4, stream=3), i_data(1, "U", fsn=1, stream=3))
    assert resets(bench, [3]) == []
    assert bench.receiver.held_bytes == 0
    bench.packets(i_data(2, "B", stream=3), i_data(3, "E", fsn=1, stream=3))
    assert bench.read_payloads() == [b"<2><3>"]


@BOTH
@ORDERS
@pytest.mark.parametrize("is_read", [False, True])
def test_a_message_of_which_a_part_was_read_is_told_to_end_there(
    format: DataFormat, unordered: bool, is_read: bool
) -> None:
    """X04: and no part is left that could be taken for the beginning of the next."""
    bench = bench_of(format, partial_delivery_point_bytes=1)
    bits = "U" * unordered
    bench.packets(chunk(format, 0, bits + "B", stream=3))
    if is_read:
        assert bench.read_payloads(partial=True) == [b"<0>"]
    assert resets(bench, [3]) == ([(3, 0)] if is_read else [])
    assert bench.receiver.held_bytes == 0
    bench.packets(chunk(format, 1, bits + "BE", stream=3))
    messages = [message for message in bench.read_all(partial=True) if message.data]
    assert [(message.data, message.end_of_record) for message in messages] == [(b"<1>", True)]


@BOTH
def test_a_closed_window_that_opens_by_it_is_told_at_once(format: DataFormat) -> None:
    """§6.2: the peer knows of a window of 0, and would probe it."""
    bench = bench_of(format, receive_window_bytes=1500)
    bench.packets(chunk(format, 0, "B", payload=1500))
    assert bench.sack().a_rwnd == 0
    resets(bench, [0])
    assert bench.sack_is_due()
    assert bench.sack().a_rwnd == 1500


def test_with_nothing_unfinished_no_sack_is_due() -> None:
    bench = bench_of(DATA_FORMAT).settled()
    resets(bench, None)
    assert not bench.sack_is_due()


@BOTH
def test_what_the_reset_held_back_is_none_of_it(format: DataFormat) -> None:
    """E2: it is of after."""
    bench = bench_of(format)
    bench.receiver.renewal.defer_reset(tsn_of(1), [3])
    bench.packets(
        chunk(format, 2, "B", stream=3), chunk(format, 0, "B", stream=3), chunk(format, 1, "", fsn=1, stream=3)
    )
    assert bench.receiver.renewal.deferred_reset_is_due
    assert resets(bench, [3]) == []
    bench.packets(chunk(format, 3, "E", fsn=1, stream=3))
    assert bench.read_payloads() == [b"<2><3>"]


# -- what waits --


@BOTH
def test_what_waits_for_a_message_that_was_never_sent_comes_before_the_reset(format: DataFormat) -> None:
    """S06: all TSNs have come, so that none of the numbers between will; it does not stand where the new ones go."""
    bench = bench_of(format)
    bench.packets(chunk(format, 0, number=2, stream=3), chunk(format, 1, number=1, stream=3))
    bench.packets(chunk(format, 2, number=1, stream=4))
    assert not bench.receiver.has_message()
    assert resets(bench, [3]) == []
    bench.packets(*(chunk(format, 3 + n, number=n, stream=3) for n in range(3)))
    assert bench.read_payloads() == [b"<1>", b"<0>", b"<3>", b"<4>", b"<5>"]


# -- all TSNs (RFC 6525 §5.2.7) --


def test_half_a_message_of_before_all_tsns_began_anew_is_dropped_when_the_peer_says_so() -> None:
    """H5: also where the first TSN of after has come before the answer; what began with that stays."""
    bench = bench_of(I_DATA_FORMAT, partial_delivery_point_bytes=1)
    bench.packets(i_data(0, "B", stream=3), i_data(1, "UB", stream=3))
    assert bench.read_payloads(partial=True) == [b"<0>"]
    renewal = bench.receiver.renewal
    renewal.expect_tsn_reset()
    bench.packets(i_data(2, "B", stream=4))
    assert renewal.tsn_reset_done(tsn_of(2)) == [(3, 0)]
    bench.packets(i_data(3, "E", fsn=1, stream=4), i_data(4, stream=3), i_data(5, "UBE", stream=3))
    assert sorted(bench.read_payloads()) == [b"<2><3>", b"<4>", b"<5>"]
    assert bench.receiver.held_bytes == 0


@BOTH
def test_what_began_with_the_first_tsn_of_after_stays(format: DataFormat) -> None:
    """H5: the peer has begun anew before its answer comes."""
    bench = bench_of(format)
    bench.packets(chunk(format, 0, stream=3))
    renewal = bench.receiver.renewal
    renewal.expect_tsn_reset()
    bench.packets(chunk(format, 1, "B", stream=4))
    assert renewal.tsn_reset_done(tsn_of(1)) == []
    bench.packets(chunk(format, 2, "E", fsn=1, stream=4))
    assert bench.read_payloads() == [b"<0>", b"<1><2>"]


# -- the association --


@pytest.mark.parametrize("interleaves", [False, True])
@ORDERS
def test_the_user_is_told_before_the_stream_begins_anew(interleaves: bool, unordered: bool) -> None:
    """X04, S06: PartialDelivery, then StreamReset; then the message of the same number, whole."""
    peer = Peer(Config(interleaving=interleaves, partial_delivery_point_bytes=1))
    peer.parameters = (SupportedExtensions((ChunkType.RE_CONFIG, *(ChunkType.I_DATA,) * interleaves)),)
    peer.accepted()

    def said(tsn: int, payload: bytes, *, ending: bool) -> UserData:
        if interleaves:
            return IData(tsn, 3, 0, 0, 0, payload, unordered=unordered, ending=ending)
        return Data(tsn, 3, 0, 0, payload, unordered=unordered, ending=ending)

    peer.send(said(A_INITIAL_TSN, b"begun", ending=False))
    receiver = peer.association.receiver
    assert receiver.read(partial=True) is not None
    peer.send(ReConfig((OutgoingSsnResetRequest(A_INITIAL_TSN, 0, A_INITIAL_TSN, (3,)),)))
    told = [event for event in peer.events if isinstance(event, PartialDelivery | StreamReset)]
    assert told == [PartialDelivery(3, 0), StreamReset((3,), ())]
    peer.send(said(A_INITIAL_TSN + 1, b"new", ending=True))
    assert [message.data for message in peer.user_reads() if message.data] == [b"new"]
    assert peer.state is AssociationState.ESTABLISHED
    check_association(peer.association)

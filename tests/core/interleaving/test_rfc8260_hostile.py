"""RFC 8260: I-DATA and I-FORWARD-TSN that are malformed, contradict each other, come again or mean harm."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest

from aiosctp.core.charge import MIN_CHARGE_BYTES
from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import Abort, Data, Error, ForwardTsn, IData, IForwardTsn, Sack
from aiosctp.wire.packet import encode_chunk
from tests.core.interleaving.script import (
    B_BIT,
    BOTH,
    E_BIT,
    I_DATA,
    I_FORWARD_TSN,
    INTERLEAVING,
    INVALID_STREAM,
    NO_USER_DATA,
    PROTOCOL_VIOLATION,
    RE_CONFIG,
    U_BIT,
    Script,
    error_causes,
    interleaving,
    raw_i_data,
    raw_i_forward_tsn,
)
from tests.core.reconfig.script import STREAMS
from tests.core.scripted import A_INITIAL_TSN, Encodable, Packet, Raw, chunks_of, types_of
from tests.core.work import assert_constant, instructions, take

ORDERS = pytest.mark.parametrize("unordered", [False, True], ids=["ordered", "unordered"])
WINDOW = 20_000


def data_association() -> Script:
    """The same peer without I-DATA, to compare with: both have FORWARD TSN."""
    return Script(announces=(RE_CONFIG,), pr=True).opened()


# -- malformed I-DATA --


@pytest.mark.parametrize("flags", [B_BIT | E_BIT, B_BIT, 0, E_BIT, B_BIT | E_BIT | U_BIT])
def test_i_data_without_user_data_aborts(flags: int) -> None:
    """RFC 9260 §6.2, as for DATA: "the endpoint MUST send an ABORT chunk with an error cause set to "No User Data""."""
    peer = interleaving()
    packets = peer.send(raw_i_data(peer.a(0), b"", stream=1, flags=flags))
    peer.is_aborted_for(NO_USER_DATA, packets)
    (abort,) = chunks_of(packets, Abort)
    assert abort.causes[0].data == struct.pack("!I", peer.a(0))


@pytest.mark.parametrize("missing", range(1, 17))
def test_i_data_cut_short_is_taken_as_data_cut_short_is(missing: int) -> None:
    """X01: a chunk that ends within its header: whatever becomes of DATA that lacks as many bytes."""
    peer, other = interleaving(), data_association()
    answers = []
    for each, whole in (
        (peer, raw_i_data(peer.a(0), b"", stream=1).data),
        (other, Data(peer.a(0), 1, 0, 0, b"").encode()),
    ):
        length = len(whole) - min(missing, len(whole) - 4)
        cut = whole[:2] + struct.pack("!H", length) + whole[4:length] + bytes(-length % 4)
        packets = each.send(Raw(cut))
        answers.append((types_of(packets), [c.code for abort in chunks_of(packets, Abort) for c in abort.causes]))
        assert each.reads() == []
        each.check()
    assert answers[0] == answers[1]


@pytest.mark.parametrize("stream", [STREAMS, 0xFFFF])
@pytest.mark.parametrize("flags", ["BE", "BEU", "B", "E"])
def test_i_data_of_a_stream_that_there_is_not(stream: int, flags: str) -> None:
    """RFC 9260 §6.5: "acknowledges the reception of the DATA chunk ... and immediately sends an ERROR chunk"."""
    peer = interleaving()
    packets = peer.send(peer.chunk(b"x", stream, 0, "B" not in flags, flags=flags))
    assert error_causes(packets) == [INVALID_STREAM]
    assert peer.z_has_reached == 0
    peer.i_says(b"next", 1)
    assert peer.reads() == [(1, b"next")]
    assert peer.association.receiver.held_bytes == 0
    peer.check()


# -- contradictions --


def piece(peer: Script, tsn: int, fsn: int, flags: str, payload: bytes = b"", *, mid: int = 0) -> IData:
    return peer.chunk(payload or b"<%d>" % fsn, 1, mid, fsn, flags=flags, tsn=tsn)


CONTRADICTIONS: dict[str, list[tuple[int, str]]] = {
    "one after the end": [(0, "B"), (1, "E"), (2, "")],
    "one after the end, come before": [(2, ""), (1, "E"), (0, "B")],
    "two ends": [(0, "B"), (2, "E"), (1, "E")],
    "two ends, the later last": [(0, "B"), (1, ""), (3, "E"), (4, "E")],
    "an end before what has come": [(0, "B"), (5, ""), (3, "E")],
    "two beginnings": [(0, "B"), (0, "B"), (1, "E")],
    "a beginning that is whole": [(0, "B"), (0, "BE")],
    "a whole one and a fragment": [(1, ""), (0, "BE")],
    "a fragment twice": [(0, "B"), (1, ""), (1, ""), (2, "E")],
    "a fragment far ahead": [(0, "B"), (0xFFFF_FFFF, "")],
    "half the numbers ahead": [(0, "B"), (0x8000_0000, "E"), (0x7FFF_FFFF, "")],
    "a first fragment that says it is not": [(0, ""), (1, "E")],
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
@ORDERS
@pytest.mark.parametrize("order", [1, -1], ids=["in turn", "backwards"])
def test_fragments_that_contradict_each_other_are_no_message(name: str, unordered: bool, order: int) -> None:
    """X04: each with a TSN of its own, so none is a retransmission: §2.1 allows none of it. An ABORT, or what is read
    was there whole: never fewer fragments than came, nor any twice."""
    peer = interleaving()
    bits = CONTRADICTIONS[name][::order]
    for tsn, (fsn, flags) in enumerate(bits):
        packets = peer.send(piece(peer, tsn, fsn, flags + "U" * unordered))
        for abort in chunks_of(packets, Abort):
            assert [cause.code for cause in abort.causes] == [PROTOCOL_VIOLATION]
        if peer.state is AssociationState.CLOSED:
            break
    possible = [b"<0>", b"<0><1>", b"<0><1><2>", b"<0><1><2><3>"]
    read = [data for _, data in peer.reads()]
    assert len(read) <= 1
    assert all(data in possible for data in read)
    assert peer.association.receiver.held_bytes <= WINDOW
    peer.check()
    if peer.state is not AssociationState.CLOSED:
        peer.send(peer.chunk(b"next", 2, tsn=len(bits)))
        assert (2, b"next") in peer.reads()


def test_one_number_in_two_orders_is_two_messages() -> None:
    """M12: "consider the U bit to determine if it is part of an ordered or unordered message"."""
    peer = interleaving()
    for tsn, (fsn, flags) in enumerate([(0, "B"), (0, "BU"), (1, "EU"), (1, "E")]):
        peer.send(piece(peer, tsn, fsn, flags, b"u" if "U" in flags else b"o"))
    assert peer.reads() == [(1, b"uu"), (1, b"oo")]


@ORDERS
def test_a_number_already_delivered_is_not_delivered_again(unordered: bool) -> None:
    """X04: MID 0 with a new TSN, of an ordered message: nothing is read twice. Of unordered ones, a receiver need not
    remember."""
    peer = interleaving()
    peer.send(peer.chunk(b"first", 1, 0, flags="BE" + "U" * unordered))
    assert peer.reads() == [(1, b"first")]
    packets = peer.send(peer.chunk(b"again", 1, 0, flags="BE" + "U" * unordered))
    for abort in chunks_of(packets, Abort):
        assert [cause.code for cause in abort.causes] == [PROTOCOL_VIOLATION]
    if not unordered:
        assert peer.reads() == []
    assert peer.association.receiver.held_bytes <= 1000
    peer.check()


@pytest.mark.parametrize("mid", [0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF], ids=hex)
def test_an_ordered_message_far_from_its_turn_is_held_or_refused(mid: int) -> None:
    """X33, X42: serial number arithmetic at its edges: never delivered before those it follows, and nothing grows."""
    peer = interleaving()
    peer.send(peer.chunk(b"far", 1, mid, tsn=1))
    assert peer.reads() == []
    peer.check()
    if peer.state is AssociationState.ESTABLISHED:
        peer.send(peer.chunk(b"zero", 1, 0, tsn=0))
        assert peer.reads() == [(1, b"zero")]


def test_a_chunk_that_comes_again_is_a_duplicate() -> None:
    """RFC 9260 §6.2: whole or fragment, while its message waits and after it was read."""
    peer = interleaving()
    chunks = [peer.chunk(b"whole", 1, 0), *peer.message(b"cut in three", 2, 0, count=3)]
    for chunk in chunks[:3]:
        peer.send(chunk)
        (sack,) = chunks_of(peer.send(chunk), Sack)
        assert sack.duplicate_tsns == (chunk.tsn,)
    peer.send(chunks[3])
    assert peer.reads() == [(1, b"whole"), (2, b"cut in three")]
    (sack,) = chunks_of(peer.send(*chunks), Sack)
    assert sorted(sack.duplicate_tsns) == sorted(chunk.tsn for chunk in chunks)
    assert peer.reads() == []
    peer.check()


# -- malformed I-FORWARD-TSN --


@pytest.mark.parametrize("body", range(4))
def test_an_i_forward_tsn_without_its_tsn_moves_nothing(body: int) -> None:
    """X01: as a FORWARD TSN among DATA chunks that is cut in the same place."""
    answers = []
    for peer, type in ((interleaving(), I_FORWARD_TSN), (data_association(), 192)):
        packets = peer.send(Raw(encode_chunk(type, 0, bytes(body))))
        answers.append((types_of(packets), [c.code for abort in chunks_of(packets, Abort) for c in abort.causes]))
        peer.check()
    assert answers[0] == answers[1]


@pytest.mark.parametrize("extra", [1, 2, 4, 7])
def test_an_i_forward_tsn_with_part_of_an_entry(extra: int) -> None:
    """X01: the RFC gives an entry eight bytes: it is malformed; nothing of half an entry is believed."""
    peer = interleaving()
    peer.send(peer.chunk(b"waits", 1, 1, tsn=1))
    entry = struct.pack("!HHI", 1, 0, 0)
    packets = peer.send(Raw(encode_chunk(I_FORWARD_TSN, 0, struct.pack("!I", peer.a(0)) + entry[:extra])))
    for abort in chunks_of(packets, Abort):
        assert [cause.code for cause in abort.causes] == [PROTOCOL_VIOLATION]
    assert peer.reads() == []
    peer.check()


def test_entries_of_streams_that_there_are_not_are_skipped() -> None:
    """X07: the TSNs count, and so do the other entries."""
    peer = interleaving()
    peer.send(peer.chunk(b"waits", 1, 1, tsn=1))
    packets = peer.send(raw_i_forward_tsn(peer.a(0), (STREAMS, 0, 0), (0xFFFF, 1, 7), (1, 0, 0)))
    assert chunks_of(packets, Abort) == []
    assert peer.reads() == [(1, b"waits")]
    assert peer.z_has_reached == 1
    peer.check()


@pytest.mark.parametrize("mids", [(0, 3), (3, 0), (3, 3)])
def test_of_two_entries_of_a_stream_the_larger_counts(mids: tuple[int, int]) -> None:
    """X07: RFC 3758 §3.2 has one entry for each stream: of two, none takes back what the other says."""
    peer = interleaving()
    peer.send(peer.chunk(b"waits", 1, 4, tsn=4))
    peer.send(raw_i_forward_tsn(peer.a(3), *((1, 0, mid) for mid in mids)))
    assert peer.reads() == [(1, b"waits")]
    peer.check()


@pytest.mark.parametrize("tsn", [-1, -2, -1000, 0x7FFF_FFFF], ids=hex)
def test_one_that_is_behind_moves_nothing_and_is_answered(tsn: int) -> None:
    """X07: RFC 3758 §3.6: "behind or at the current cumulative TSN point ... out-of-date and MUST NOT update its
    Cumulative TSN. The receiver SHOULD send a SACK". One that is at it may be of a message given up half sent, all that
    was sent of which has come: what it lists is not looked at here."""
    peer = interleaving()
    peer.i_says(b"first", 1)
    peer.send(peer.chunk(b"waits", 1, 2, tsn=2))
    assert peer.reads() == [(1, b"first")]
    entries = [(1, 0, 1)] if tsn != -1 else []
    packets = peer.send(raw_i_forward_tsn(peer.a(tsn + 1), *entries))
    (sack,) = chunks_of(packets, Sack)
    assert sack.cumulative_tsn_ack == peer.a(0)
    assert peer.reads() == []
    peer.check()


def test_one_far_ahead_is_believed_and_costs_nothing() -> None:
    """X07, X42: 2^31 - 1 TSNs at once: what is held is let go, and the next TSN is taken."""
    peer = interleaving()
    peer.send(peer.chunk(bytes(900), 1, 0, flags="B", tsn=1), peer.chunk(bytes(900), 2, 9, tsn=2))
    work = take(peer, raw_i_forward_tsn(peer.a(0x7FFF_FFFE), (1, 0, 0), (2, 0, 8)))
    assert instructions(work) < 20_000
    assert peer.reads() == [(2, bytes(900))]
    assert peer.association.receiver.held_bytes == 0
    peer.send(peer.chunk(b"next", 1, 1, tsn=0x7FFF_FFFF))
    assert peer.reads() == [(1, b"next")]
    peer.check()


@pytest.mark.parametrize("same", [True, False], ids=["one stream", "all streams"])
def test_the_work_of_a_long_list_is_linear(same: bool) -> None:
    """X52: a packet full of entries, again and again, with much that waits: each costs what its bytes cost."""

    def cost(count: int) -> int:
        peer = interleaving()
        for n in range(80):
            peer.send(peer.chunk(b"waits", n % STREAMS, 100 + n, tsn=2 + n))
        entries = [(1 if same else n % STREAMS, n & 1, n // 4) for n in range(count)]
        return instructions(take(peer, raw_i_forward_tsn(peer.a(0), *entries)))

    few, many = cost(20), cost(160)
    assert many < 8 * few + 2000


def test_of_many_in_a_packet_one_counts() -> None:
    """X52: each may cost a look at all that is held: the others are as if they were lost."""

    def cost(count: int) -> int:
        peer = interleaving()
        for n in range(400):
            peer.send(peer.chunk(b"under way", 1, 1000 + n, flags="BU", tsn=1000 + n))
        return instructions(take(peer, *(raw_i_forward_tsn(peer.a(n), (1, 0, n)) for n in range(count))))

    assert_constant(cost, 5, slack=1.5)


def test_the_work_of_what_finds_the_window_full_does_not_grow_with_what_is_held() -> None:
    """X52: as many messages as fill the window are under way; a packet of small chunks, each dropped, costs the same
    however many these are."""

    def cost(window: int) -> int:
        peer = interleaving(INTERLEAVING.replace(receive_window_bytes=window))
        for n in range(1, window // MIN_CHARGE_BYTES + 2):
            peer.send(peer.chunk(b"under way", n % STREAMS, n, flags="BU", tsn=n))
        assert peer.association.receiver.held_bytes >= window
        return instructions(take(peer, *(peer.chunk(b"x", 1, n, flags="BU", tsn=n) for n in range(5000, 5040))))

    assert_constant(cost, 20_000)


@pytest.mark.parametrize("times", [3, 30])
def test_one_that_comes_again_does_nothing_again(times: int) -> None:
    """X07: repeated because its SACK was lost: out of date, and answered; what came meanwhile stays."""
    peer = interleaving()
    peer.send(peer.chunk(b"waits", 1, 1, tsn=1))
    forward = raw_i_forward_tsn(peer.a(0), (1, 0, 0), (1, 1, 0))
    peer.send(forward)
    peer.send(peer.chunk(b"half", 1, 0, flags="BU", tsn=3))
    for _ in range(times):
        peer.send(forward)
    assert peer.reads() == [(1, b"waits")]
    peer.send(peer.chunk(b" later", 1, 2, tsn=2))
    assert peer.reads() == [(1, b" later")]
    assert peer.z_has_reached == 3
    peer.check()


# -- in every state --


def sends_a_message(peer: Script) -> Encodable:
    return IData(A_INITIAL_TSN, 1, 0, 0, 0, b"x") if speaks(peer) else Data(A_INITIAL_TSN, 1, 0, 0, b"x")


def gives_one_up(peer: Script) -> Encodable:
    if speaks(peer):
        return IForwardTsn(A_INITIAL_TSN, ((1, False, 0),))
    return ForwardTsn(A_INITIAL_TSN, ((1, 0),))


def speaks(peer: Script) -> bool:
    return I_DATA in peer.announces


def brought_to(peer: Script, state: AssociationState) -> Script:
    if state in (AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED):
        peer.in_state(state)
        return peer
    peer.opened()
    if state in (AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_RECEIVED):
        peer.z_sends(b"outstanding")
    if state in (AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_SENT):
        peer.user_shuts_down()
    if state in (AssociationState.SHUTDOWN_RECEIVED, AssociationState.SHUTDOWN_ACK_SENT):
        peer.send(Raw(struct.pack("!BBHI", 7, 0, 8, peer.z_tsn(-1))))
    assert peer.state is state
    return peer


@pytest.mark.parametrize("makes", [sends_a_message, gives_one_up])
@pytest.mark.parametrize(
    "state", [state for state in AssociationState if state is not AssociationState.CLOSED], ids=lambda state: state.name
)
def test_in_every_state_as_data_and_forward_tsn(makes: Callable[[Script], Encodable], state: AssociationState) -> None:
    """§2.2.2: "All other properties of the existing SCTP DATA chunk also apply to the I-DATA chunk": the same answers,
    states and messages; and again a second time."""
    seen = []
    for announces in (BOTH, (RE_CONFIG,)):
        peer = brought_to(Script(announces=announces, pr=True), state)
        packets = peer.send(makes(peer)) + peer.wait(0.3) + peer.send(makes(peer)) + peer.wait(0.3)
        seen.append(([_kinds(packet) for packet in packets], peer.state, peer.reads()))
        peer.check()
    assert seen[0] == seen[1]


def _kinds(packet: Packet) -> list[str]:
    """With the codes of causes; DATA and I-DATA, that Z sends, are of one kind here."""
    causes = [f"{cause.code}" for chunk in packet.chunks if isinstance(chunk, Abort | Error) for cause in chunk.causes]
    return [type(chunk).__name__.removeprefix("I") for chunk in packet.chunks] + causes


def test_i_data_behind_a_cookie_echo_is_taken() -> None:
    """RFC 9260 §5.1: DATA may be bundled with COOKIE ECHO: of either kind, by what the INIT said."""
    peer = Script()
    echo = peer.cookie_echo()
    peer.send(echo, peer.chunk(b"early", 1), peer.chunk(b"cut", 2, flags="B"))
    peer._association = peer.endpoint.accepted.pop()
    assert peer.association.interleaves
    peer.send(peer.chunk(b" off", 2, 0, 1, flags="E"))
    assert peer.reads() == [(1, b"early"), (2, b"cut off")]


def test_the_wrong_kind_behind_a_cookie_echo_aborts() -> None:
    """§2.2.3: the cookie carries what was negotiated."""
    peer = Script()
    packets = peer.send(peer.cookie_echo(), peer.data(b"wrong", 1))
    (abort,) = chunks_of(packets, Abort)
    assert [cause.code for cause in abort.causes] == [PROTOCOL_VIOLATION]


def test_an_i_forward_tsn_behind_a_cookie_echo_is_taken() -> None:
    """RFC 3758 §3.5: the first messages may have been given up before the association was there."""
    peer = Script()
    peer.send(peer.cookie_echo(), IForwardTsn(peer.a(0), ((1, False, 0),)), peer.chunk(b"second", 1, 1, tsn=1))
    peer._association = peer.endpoint.accepted.pop()
    assert peer.reads() == [(1, b"second")]


# -- by chance --


@pytest.mark.parametrize("seed", range(30))
def test_messages_given_up_and_not_in_any_order(seed: int) -> None:
    """X04, X43, X07: A sends messages of both orders cut in pieces and gives some up, all packets come once or twice,
    in any order: each message is read whole or not at all, none twice, ordered ones in order, and those not given up
    are all read."""
    dice = random.Random(seed)
    peer = interleaving()
    packets: list[list[Encodable]] = []
    kept: set[bytes] = set()
    known: set[bytes] = set()
    mids: dict[tuple[int, bool], int] = {}
    given_up: dict[tuple[int, bool], int] = {}
    for n in range(25):
        stream, unordered = dice.randrange(3), dice.random() < 0.4
        mid = mids.setdefault((stream, unordered), 0)
        mids[stream, unordered] = mid + 1
        text = b"%d/%s/%03d;" % (stream, b"u" if unordered else b"o", n) * dice.choice([1, 1, 2, 40])
        chunks = peer.message(text, stream, mid, count=dice.choice([1, 1, 2, 3, 5]), unordered=unordered)
        known.add(text)
        if dice.random() < 0.3:
            given_up[stream, unordered] = mid
            sent = dice.sample(chunks, dice.randrange(len(chunks)))
        else:
            kept.add(text)
            sent = chunks
        packets += [[chunk] for chunk in sent]
    # given up at the end: nothing of what was kept is missing then but what is on its way
    end = peer.next_tsn
    dice.shuffle(packets)
    packets += [list(packet) for packet in dice.sample(packets, len(packets) // 3)]
    read: list[bytes] = []
    for packet in packets:
        peer.send(*packet)
        read += [data for _, data in peer.reads()]
    peer.send(IForwardTsn(end - 1 & 0xFFFF_FFFF, tuple((*key, mid) for key, mid in given_up.items())))
    for packet in dice.sample(packets, len(packets)):
        peer.send(*packet)
        read += [data for _, data in peer.reads()]
    assert set(read) <= known
    assert kept <= set(read)
    assert len(read) == len(set(read))
    for stream in range(3):
        ordered = [data for data in read if data.startswith(b"%d/o/" % stream)]
        assert ordered == sorted(ordered, key=lambda data: data[4:7])
    peer.check()


@pytest.mark.parametrize("seed", range(30))
def test_any_soup_of_chunks_is_survived(seed: int) -> None:
    """X04, X07, X33, X42: TSNs, streams, MIDs, FSNs and flags from small ranges, at the edges of serial number
    arithmetic: an ABORT with Protocol Violation, or all laws hold and no more than the window is held."""
    dice = random.Random(seed)
    peer = interleaving(INTERLEAVING.replace(receive_window_bytes=WINDOW))
    numbers = [0, 1, 2, 3, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]
    tsn = 0
    for _ in range(120):
        tsn += dice.choice([0, 1, 1, 1, 2])
        chunks: list[Encodable] = []
        for _ in range(dice.randrange(1, 4)):
            if dice.random() < 0.1:
                entries = [
                    (dice.randrange(STREAMS + 2), dice.randrange(2), dice.choice(numbers))
                    for _ in range(dice.randrange(4))
                ]
                chunks.append(raw_i_forward_tsn(peer.a(tsn - dice.randrange(4)), *entries))
            else:
                chunks.append(
                    raw_i_data(
                        peer.a(tsn + dice.choice([0, 0, 1, 3, -1])),
                        bytes(dice.choice([1, 100, 400])),
                        stream=dice.randrange(3),
                        mid=dice.choice(numbers[: 4 if seed % 2 else None]),
                        last=dice.choice(numbers[: 4 if seed % 3 else None]),
                        flags=dice.randrange(16),
                    )
                )
        packets = peer.send(*chunks)
        if dice.random() < 0.3:
            peer.reads()
        peer.check()
        if peer.association.state is AssociationState.CLOSED:
            (abort,) = chunks_of(packets, Abort)
            assert [cause.code for cause in abort.causes] == [PROTOCOL_VIOLATION]
            return
        assert peer.association.receiver.held_bytes <= WINDOW + 3 * 400

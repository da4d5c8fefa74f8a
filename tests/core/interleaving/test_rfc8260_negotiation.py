"""RFC 8260 §2.2.1: whether I-DATA or DATA carries the user messages of an association."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.events import AssociationChangeKind
from aiosctp.wire.causes import UnrecognizedParameters
from aiosctp.wire.chunks import CookieAck, CookieEcho, Error, Init, InitAck
from aiosctp.wire.parameters import ForwardTsnSupported, StateCookie
from tests.core.interleaving.script import (
    BOTH,
    DATA,
    EVERY_WAY,
    I_DATA,
    I_FORWARD_TSN,
    INTERLEAVING,
    PAYLOAD,
    RE_CONFIG,
    Script,
    announced_by,
    interleaving,
    kinds_of_data,
    sent_in,
)
from tests.core.scripted import A_INITIAL_TSN, A_PORT, UDP_PORT, chunks_of

OFF = INTERLEAVING.replace(interleaving=False)
CALLERS = pytest.mark.parametrize("caller", ["Z", "A"])
WAYS = pytest.mark.parametrize("way", list(EVERY_WAY))
# Who has it: Z's setting, and what A announces.
WITHOUT = pytest.mark.parametrize(
    ("config", "announces"),
    [
        (INTERLEAVING, (RE_CONFIG,)),
        (INTERLEAVING, (RE_CONFIG, I_FORWARD_TSN)),
        (OFF, BOTH),
        (OFF, (RE_CONFIG,)),
    ],
    ids=["Z alone", "Z, and A only I-FORWARD-TSN", "A alone", "neither"],
)


def z_announces(peer: Script, caller: str) -> set[int]:
    """What Z's INIT or INIT ACK listed."""
    peer.opened(caller)
    (chunk,) = chunks_of(peer.heard, Init if caller == "Z" else InitAck)
    return announced_by(chunk.parameters)


# -- negotiated --


@WAYS
def test_where_it_was_negotiated_every_message_is_i_data(way: str) -> None:
    """S10, M12: "I-DATA chunks MUST be used for all user messages"; their numbers, `script._Numbers` looks at."""
    peer = Script()
    EVERY_WAY[way](peer)
    assert kinds_of_data(peer.heard) == {I_DATA}
    assert peer.association.interleaves


@WAYS
@pytest.mark.parametrize("announces", [BOTH, (I_DATA, RE_CONFIG)], ids=["both", "I-DATA alone"])
def test_where_it_was_negotiated_no_data_chunk_is_sent(way: str, announces: tuple[int, ...]) -> None:
    """S10: "and DATA chunks MUST NOT be used": also where the peer lists it without I-FORWARD-TSN, as Linux."""
    peer = Script(announces=announces)
    EVERY_WAY[way](peer)
    assert kinds_of_data(peer.heard) == {I_DATA}


@pytest.mark.parametrize("announces", [BOTH, (I_DATA,), (15, I_DATA, 193, 192), tuple(range(256))], ids=str)
@CALLERS
def test_it_is_negotiated_where_both_list_i_data(announces: tuple[int, ...], caller: str) -> None:
    """S10: "if both endpoints have indicated I-DATA support": whatever else is listed, and in which order."""
    peer = Script(announces=announces).opened(caller)
    assert peer.association.interleaves
    assert kinds_of_data(peer.user_sends(b"x")) == {I_DATA}


def test_mids_are_counted_by_stream_and_order() -> None:
    """M12: "one for ordered messages and one for unordered messages. ... independent and initially 0"."""
    peer = interleaving()
    for stream in (0, 9):
        for unordered in (False, True, True, False, True):
            peer.z_queues(b"x", stream=stream, unordered=unordered)
    chunks = sent_in(peer.touch() + peer.drain())
    for stream in (0, 9):
        assert [chunk.mid for chunk in chunks if chunk.stream == stream and chunk.is_unordered] == [0, 1, 2]
        assert [chunk.mid for chunk in chunks if chunk.stream == stream and not chunk.is_unordered] == [0, 1]


# -- not negotiated --


@WAYS
@WITHOUT
def test_where_it_was_not_negotiated_every_message_is_data(
    way: str, config: Config, announces: tuple[int, ...]
) -> None:
    """S10: "DATA chunks MUST be used for all user messages"."""
    peer = Script(config, announces=announces)
    EVERY_WAY[way](peer)
    assert kinds_of_data(peer.heard) == {DATA}
    assert not peer.association.interleaves


@WITHOUT
@CALLERS
def test_where_it_was_not_negotiated_no_i_data_chunk_is_sent(
    config: Config, announces: tuple[int, ...], caller: str
) -> None:
    """S10: "and I-DATA chunks MUST NOT be used"; also where the peer has no Supported Extensions at all."""
    for listed in (announces, () if I_DATA not in announces else announces):
        peer = Script(config, announces=listed).opened(caller)
        peer.z_sends(bytes(5000))
        peer.z_sends(b"unordered", stream=1, unordered=True)
        peer.wait(30)
        assert kinds_of_data(peer.heard) == {DATA}
        peer.check()


def test_one_stack_has_associations_of_both_kinds_at_once() -> None:
    """S10: "REQUIRED to support the coexistence of associations using DATA chunks and ... I-DATA chunks": to one
    endpoint, from two ports of A."""
    peer = Script().opened("A")
    first, first_tag = peer.association, peer.z_tag
    peer.announces, peer.tag = (RE_CONFIG,), 0xB0B0_B0B0
    (init_ack,) = chunks_of(peer.send(peer.init(), tag=0, port=A_PORT + 1), InitAck)
    (cookie,) = (item for item in init_ack.parameters if isinstance(item, StateCookie))
    peer.send(CookieEcho(cookie.cookie), tag=init_ack.initiate_tag, port=A_PORT + 1)
    second = peer.endpoint.accepted.pop()
    assert (first.interleaves, second.interleaves) == (True, False)
    for association in (first, second, first):
        association.send(OutgoingMessage(b"x", 0))
        peer.engine.touch(association)
    packets = peer.poll()
    of = {tag: [each for each in packets if each.verification_tag == tag] for tag in (0xA0A0_A0A0, 0xB0B0_B0B0)}
    assert kinds_of_data(of[0xA0A0_A0A0]) == {I_DATA}
    assert kinds_of_data(of[0xB0B0_B0B0]) == {DATA}
    # and what comes from A
    peer.send(peer.chunk(b"interleaved"), tag=first_tag)
    peer.send(peer.data(b"not"), tag=init_ack.initiate_tag, port=A_PORT + 1)
    assert [message.data for message in peer.user_reads()] == [b"interleaved"]


# -- what we announce --


@CALLERS
def test_interleaving_is_not_announced_unless_the_user_asked(caller: str) -> None:
    """The row deviates: an asyncio user reads whole messages unless it asks for parts, and parts name their stream: it
    can handle interleaving, so `Config.interleaving` is on by default. With it off, nothing is announced."""
    assert Config().interleaving
    assert {I_DATA, I_FORWARD_TSN} <= z_announces(Script(Config()), caller)
    assert not {I_DATA, I_FORWARD_TSN} & z_announces(Script(OFF), caller)


@CALLERS
def test_a_peers_announcement_alone_does_not_make_us_announce_it(caller: str) -> None:
    """S10: "MUST know that the application can handle interleaved messages before indicating the I-DATA support"."""
    peer = Script(OFF, announces=BOTH)
    assert I_DATA not in z_announces(peer, caller)
    assert kinds_of_data(peer.user_sends(b"x")) == {DATA}
    peer.says(b"plain")
    assert peer.reads() == [(0, b"plain")]


def test_each_association_has_the_setting_it_was_made_with() -> None:
    """§4.3.1: "for future associations": of one endpoint, two calls with two settings."""
    peer = Script().opened()
    first = peer.association
    other = peer.engine.connect(peer.endpoint, peer.addresses, A_PORT + 1, udp_port=UDP_PORT, config=OFF, now=peer.now)
    (init,) = chunks_of(peer.poll(), Init)
    assert I_DATA not in announced_by(init.parameters)
    peer.send(peer.init_ack(), tag=init.initiate_tag, port=A_PORT + 1)
    assert (first.interleaves, other.interleaves) == (True, False)


@CALLERS
def test_i_forward_tsn_is_not_announced_without_partial_reliability(caller: str) -> None:
    """§2.3.1: it is how partial reliability is negotiated in combination with I-DATA: who has it off does not."""
    listed = z_announces(Script(INTERLEAVING.replace(partial_reliability=False)), caller)
    assert I_DATA in listed
    assert I_FORWARD_TSN not in listed


@CALLERS
def test_the_rest_of_what_is_announced_does_not_change(caller: str) -> None:
    """S10: the switch is about 64 and 194 alone."""
    without = z_announces(Script(OFF), caller)
    assert z_announces(Script(INTERLEAVING), caller) - without == {I_DATA, I_FORWARD_TSN}
    assert without - z_announces(Script(INTERLEAVING), caller) == set()


@pytest.mark.parametrize("pr", [False, True])
@CALLERS
def test_partial_reliability_is_there_where_both_list_both(pr: bool, caller: str) -> None:
    """§2.3.1: "only if both endpoints indicated their support of user message interleaving and the I-FORWARD-TSN
    chunk": 0xC000 is not asked for."""
    assert Script(pr=pr).opened(caller).association.supports_partial_reliability


@pytest.mark.parametrize("pr", [False, True])
@CALLERS
def test_a_report_of_our_forward_tsn_parameter_does_no_harm_to_i_forward_tsn(pr: bool, caller: str) -> None:
    """§2.3.1: who lists 64 and 194 has all that partial reliability takes, and may not know 0xC000."""
    peer = Script(pr=pr).opened(caller)
    own = chunks_of(peer.heard, Init if caller == "Z" else InitAck)[0].parameters
    assert ForwardTsnSupported() in own
    assert peer.send(Error((UnrecognizedParameters(bytes.fromhex("c0000004")),))) == []
    assert peer.association.supports_partial_reliability
    assert peer.association.interleaves
    assert kinds_of_data(peer.user_sends(b"x")) == {I_DATA}
    peer.check()


# -- a restart --


def restarts(peer: Script, announces: tuple[int, ...]) -> None:
    """A begins anew from its old address and port (RFC 9260 §5.2.4, action A)."""
    peer.tag, peer.announces, peer.numbers = 0xB0B0_B0B0, announces, None
    peer.next_tsn = A_INITIAL_TSN
    (init_ack,) = chunks_of(peer.send(peer.init(), tag=0), InitAck)
    (cookie,) = (item for item in init_ack.parameters if isinstance(item, StateCookie))
    peer.z_tag, peer.z_initial_tsn = init_ack.initiate_tag, init_ack.initial_tsn
    peer.heard.clear()
    assert chunks_of(peer.send(CookieEcho(cookie.cookie)), CookieAck) == [CookieAck()]
    assert peer.changes[-1] is AssociationChangeKind.RESTART


@pytest.mark.parametrize("before", [BOTH, (RE_CONFIG,)], ids=["I-DATA before", "DATA before"])
@pytest.mark.parametrize("after", [BOTH, (RE_CONFIG,)], ids=["I-DATA after", "DATA after"])
@CALLERS
def test_a_restart_negotiates_anew(before: tuple[int, ...], after: tuple[int, ...], caller: str) -> None:
    """S10: what the INIT of the restarted peer lists counts: for what comes, what goes, and what waited to go; MIDs
    begin at 0, and half a message from before is no part of one after."""
    peer = Script(announces=before).opened(caller)
    first = peer.chunk if I_DATA in before else peer.data
    peer.send(first(b"before", 1))
    assert peer.reads() == [(1, b"before")]
    if I_DATA in before:
        peer.send(peer.chunk(b"half", 2, flags="B"), peer.chunk(b"half", 3, flags="BU"))
    peer.z_sends(b"sent", stream=1)
    peer.z_queues(bytes(20 * PAYLOAD), stream=2)
    peer.touch()
    restarts(peer, after)
    assert peer.association.interleaves == (I_DATA in after)
    packets = peer.z_sends(b"after", stream=1) + peer.z_sends(b"after", stream=2, unordered=True)
    assert kinds_of_data(packets + peer.wait(3)) == {I_DATA if I_DATA in after else DATA}
    if I_DATA in after:
        assert {chunk.mid for chunk in sent_in(peer.heard)} == {0}
        peer.send(peer.chunk(b"new", 2), peer.chunk(b"new", 3, flags="BEU"), peer.chunk(b"new", 1))
    else:
        peer.send(peer.data(b"new", 2), peer.data(b"new", 3, unordered=True), peer.data(b"new", 1))
    assert sorted(peer.reads()) == [(1, b"new"), (2, b"new"), (3, b"new")]
    assert peer.association.receiver.held_bytes == 0
    peer.check()

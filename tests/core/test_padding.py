"""Padding (RFC 4820): a PAD chunk and a Padding parameter say nothing, wherever they stand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import CookieAck, CookieEcho, Data, Heartbeat, HeartbeatAck, InitAck, Pad, Sack
from aiosctp.wire.codepoints import ChunkType, ParameterType
from aiosctp.wire.packet import encode_chunk
from aiosctp.wire.parameters import Padding, StateCookie
from tests.core.scripted import Packet, Peer, Raw, chunks_of, types_of

PAD = Pad(b"\xff" * 1000)
"""Whose data looks like chunks of unknown types."""


def after_pad(state: AssociationState) -> tuple[Peer, list[Packet]]:
    """An association in this state that was sent a PAD alone."""
    peer = Peer()
    peer.in_state(state)
    return peer, peer.send(PAD)


@pytest.mark.parametrize("state", [state for state in AssociationState if state is not AssociationState.CLOSED])
def test_a_pad_chunk_means_nothing_in_any_state(state: AssociationState) -> None:
    """M16: RFC 4820 §3: "The receiver of the PAD chunk MUST discard this chunk": no ERROR, and no change of state."""
    peer, packets = after_pad(state)
    # A -> PAD -> Z
    assert packets == []
    assert peer.state is state


@pytest.mark.parametrize("flags", [0, 0xFF])
@pytest.mark.parametrize("data", [b"", b"\0", b"\x00\x03\x00\x10", bytes(1400)], ids=len)
def test_what_stands_around_a_pad_chunk_is_processed(flags: int, data: bytes) -> None:
    """M16: RFC 4820 §3: "and continue processing the rest of the chunks in the packet"; flags and data are ignored."""
    peer = Peer()
    peer.established()
    pad = Raw(encode_chunk(ChunkType.PAD, flags, data))
    # A -> DATA, PAD, HEARTBEAT, PAD -> Z, Z -> SACK and HEARTBEAT ACK -> A
    tsn = peer.next_tsn
    packets = peer.send(Data(tsn, 0, 0, 0, b"x", unordered=True), pad, Heartbeat(b"info"), pad)
    assert chunks_of(packets, HeartbeatAck) == [HeartbeatAck(b"info")]
    assert [sack.cumulative_tsn_ack for sack in chunks_of(packets, Sack)] == [tsn]
    assert [message.data for message in peer.user_reads()] == [b"x"]


def test_a_pad_chunk_behind_a_cookie_echo_and_a_cookie_ack_means_nothing() -> None:
    """M16: bundled with what ends a handshake too."""
    server, client = Peer(), Peer()
    # A -> COOKIE ECHO, PAD -> Z, Z -> COOKIE ACK -> A
    assert types_of(server.send(server.cookie_echo(), PAD)) == [(CookieAck,)]
    # Z -> COOKIE ECHO -> A, A -> COOKIE ACK, PAD -> Z
    assert len(chunks_of(client.cookie_echoed(), CookieEcho)) == 1
    assert client.send(CookieAck(), PAD) == []
    assert client.state is AssociationState.ESTABLISHED


def test_a_pad_chunk_is_drawn_as_in_the_rfc() -> None:
    """RFC 4820 §3: the type MUST be 0x84, the flags SHOULD be zero, the length is that of the data plus 4."""
    assert Pad(b"padding").encode() == bytes.fromhex("8400000b 70616464696e67 00")
    assert str(Pad(b"padding")) == "PAD 7B"


@pytest.mark.parametrize("count", [1, 3])
def test_padding_in_an_init_is_not_answered_and_not_kept(count: int) -> None:
    """M16: RFC 4820 §4: "MUST silently discard this parameter and continue processing the rest"; the cookie's size
    "MUST NOT depend on the existence of the PAD parameter"."""
    plain, padded = Peer(addresses=("192.0.2.1", "192.0.2.2")), Peer(addresses=("192.0.2.1", "192.0.2.2"))
    answers = []
    for peer, padding in ((plain, []), (padded, [Padding(b"\xff" * 101)] * count)):
        peer.listen()
        init = peer.init()
        # The address parameters come behind the padding.
        padded_init = replace(init, parameters=(*padding, *init.parameters))
        # A -> INIT [Padding] -> Z, Z -> INIT ACK -> A
        (init_ack,) = chunks_of(peer.send(padded_init, tag=0), InitAck)
        answers.append(init_ack)
    assert answers[0].parameters == answers[1].parameters
    (cookie,) = [parameter for parameter in answers[1].parameters if isinstance(parameter, StateCookie)]
    assert ParameterType.PADDING.to_bytes(2) + (105).to_bytes(2) not in cookie.cookie
    # The address behind it was heard.
    padded.z_tag = answers[1].initiate_tag
    padded.send(CookieEcho(cookie.cookie))
    assert [path.address for path in padded.endpoint.accepted.pop().paths] == ["192.0.2.1", "192.0.2.2"]

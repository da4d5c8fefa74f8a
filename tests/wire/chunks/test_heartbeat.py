from __future__ import annotations

import pytest

from aiosctp.wire.chunks import Heartbeat, HeartbeatAck
from aiosctp.wire.errors import DecodeError

both = pytest.mark.parametrize("chunk_class", [Heartbeat, HeartbeatAck])


def test_heartbeat_is_as_the_rfc_draws_it() -> None:
    encoded = bytes.fromhex("0400000d 00010009 6e6f6e6365 000000")
    assert Heartbeat(b"nonce").encode() == encoded
    assert Heartbeat.decode(0, encoded[4:-3]) == Heartbeat(b"nonce")
    assert str(Heartbeat(b"nonce")) == "HEARTBEAT info=5B"


def test_heartbeat_ack_is_as_the_rfc_draws_it() -> None:
    encoded = bytes.fromhex("0500000d 00010009 6e6f6e6365 000000")
    assert HeartbeatAck(b"nonce").encode() == encoded
    assert HeartbeatAck.decode(0, encoded[4:-3]) == HeartbeatAck(b"nonce")
    assert str(HeartbeatAck(b"nonce")) == "HEARTBEAT_ACK info=5B"


@both
def test_the_padding_may_be_counted_in_the_length(chunk_class: type[Heartbeat | HeartbeatAck]) -> None:
    assert chunk_class.decode(0, bytes.fromhex("00010005 61000000")) == chunk_class(b"a")


@both
def test_empty_info_is_info(chunk_class: type[Heartbeat | HeartbeatAck]) -> None:
    assert chunk_class.decode(0, bytes.fromhex("00010004")) == chunk_class(b"")


@both
@pytest.mark.parametrize("value", ["", "00020004", "000100", "00010003", "00010009 61"])
def test_no_whole_heartbeat_info_is_an_error(chunk_class: type[Heartbeat | HeartbeatAck], value: str) -> None:
    """X45: a heartbeat too short for what it claims is not echoed."""
    with pytest.raises(DecodeError):
        chunk_class.decode(0, bytes.fromhex(value))

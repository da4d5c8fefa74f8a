"""RFC 6525 §5.1.1 as a program meets it: what the peer does not speak is refused, before anything is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

import aiosctp
from aiosctp.wire.codepoints import ChunkType
from tests.surface.two_hosts import associated
from tests.surface.virtual_time import virtual_time

WITHOUT = aiosctp.Config(reconfig=False)

Asks = Callable[[aiosctp.Association], Awaitable[object]]
ASKS: dict[str, Asks] = {
    "reset_streams(outgoing)": lambda association: association.reset_streams(outgoing=(1,)),
    "reset_streams(incoming)": lambda association: association.reset_streams(incoming=(1,)),
    "reset_association": lambda association: association.reset_association(),
    "add_streams(outgoing)": lambda association: association.add_streams(outgoing=1),
    "add_streams(incoming)": lambda association: association.add_streams(incoming=1),
    "Stream.reset": lambda association: association.stream(1).reset(),
}


@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("name", ASKS)
@virtual_time
async def test_what_the_peer_does_not_speak_is_not_supported(name: str, side: str) -> None:
    """E05: "any request by the application ... SHOULD be responded to with an appropriate error"; none is sent."""
    options = {"server_config": WITHOUT} if side == "ours" else {"config": WITHOUT, "server_config": aiosctp.Config()}
    async with associated(**options) as (hosts, ours, theirs):
        association = ours if side == "ours" else theirs
        assert not association.supports_stream_reset
        assert "reconfig" not in association.negotiated
        with pytest.raises(aiosctp.NotSupported):
            await ASKS[name](association)
        assert not any(packet.data[12] == ChunkType.RE_CONFIG for packet in hosts.log)
        # The association is as it was.
        await ours.send(b"still here", stream=2)
        assert (await theirs.receive()).data == b"still here"

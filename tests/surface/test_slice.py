"""One message there and back over real UDP on the loopback interface."""

from __future__ import annotations

import aiosctp


async def test_a_message_goes_there_and_back_over_udp() -> None:
    async def echo(association: aiosctp.Association) -> None:
        async for message in association:
            await association.send(message.data, stream=message.stream, ppid=message.ppid)

    async with (
        aiosctp.Stack(udp_port=0) as stack,
        await aiosctp.serve(echo, "127.0.0.1", 7777, stack=stack) as server,
    ):
        async with aiosctp.connect("127.0.0.1", 7777, remote_udp_port=server.udp_port) as association:
            await association.send(b"hello", stream=3, ppid=46)
            message = await association.receive()
            assert (message.data, message.stream, message.ppid) == (b"hello", 3, 46)
        assert association.state is aiosctp.AssociationState.CLOSED

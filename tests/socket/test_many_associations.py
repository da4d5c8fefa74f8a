"""One one-to-many socket with a thousand associations (RFC 6458 §3.1, §3.3)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

import aiosctp
from aiosctp.socket import (
    IPPROTO_SCTP,
    MSG_NOTIFICATION,
    SCTP_ASSOC_CHANGE,
    SCTP_EVENT,
    SCTP_RECVRCVINFO,
    SOCK_SEQPACKET,
    SCTPSocket,
    sctp_event,
    sctp_sndinfo,
)
from aiosctp.testing.loop import VirtualTimeLoop
from tests.core.work import assert_constant, executed
from tests.surface.two_hosts import PORT, TwoHosts
from tests.surface.virtual_time import virtual_time

CLIENTS = 1000
ROUNDS = 3
# So little that the answers to who reads none soon fill it, on both sides.
SMALL = aiosctp.Config(send_buffer_bytes=2**15, stream_send_buffer_bytes=2**14, receive_window_bytes=2**15)
BLOCK_BYTES, BLOCKS = 8000, 20


class EchoServer:
    """What comes goes back to its association: in a task, for who does not read holds its own answers up."""

    def __init__(self, sock: SCTPSocket) -> None:
        self._socket = sock
        self.waiting: set[asyncio.Task[int]] = set()

    async def serve(self) -> None:
        self._socket.setsockopt(IPPROTO_SCTP, SCTP_RECVRCVINFO, 1)
        while True:
            received = await self._socket.recvv(2**16)
            assert received.rcvinfo is not None
            answer = sctp_sndinfo(snd_sid=received.rcvinfo.rcv_sid, snd_assoc_id=received.rcvinfo.rcv_assoc_id)
            task = asyncio.create_task(self._socket.sendv(received.data, sndinfo=answer))
            self.waiting.add(task)
            task.add_done_callback(self.waiting.discard)


async def ask(association: aiosctp.Association, number: int) -> None:
    for round_ in range(ROUNDS):
        question = b"%d in round %d" % (number, round_)
        await association.send(question, stream=1)
        answer = await association.receive()
        assert (answer.data, answer.stream) == (question, 1)


async def serve_a_thousand(sock: SCTPSocket, connect: Callable[[], Awaitable[aiosctp.Association]]) -> None:
    """One of them asks, and reads none of the answers before all others have had theirs."""
    sock.listen(1)
    server = EchoServer(sock)
    some = asyncio.Semaphore(50)  # at a time: on a real network the receive buffers of UDP hold no more

    async def connect_in_turn() -> aiosctp.Association:
        async with some:
            return await connect()

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve())
        silent = await connect()
        for number in range(BLOCKS):
            await silent.send(bytes([number]) * BLOCK_BYTES)
        others = await asyncio.gather(*(connect_in_turn() for _ in range(CLIENTS - 1)))
        assert len(sock.associations) == CLIENTS
        await asyncio.gather(*(ask(other, number) for number, other in enumerate(others)))
        # Only now it reads, and nothing of it was lost meanwhile.
        assert server.waiting, "its answers were to fill the buffers"
        for number in range(BLOCKS):
            assert (await silent.receive()).data == bytes([number]) * BLOCK_BYTES
        serving.cancel()


@virtual_time
async def test_a_thousand_associations_are_served_while_one_of_them_never_reads() -> None:
    """A39, A02, F07: buffers are per association, so that a stalled one does not stop the others."""
    async with TwoHosts(config=SMALL) as hosts, SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.server) as sock:
        sock.bind(("", PORT))
        await serve_a_thousand(sock, hosts.connect)


async def test_the_same_on_loopback() -> None:
    """A39: with the operating system's UDP."""
    async with (
        aiosctp.Stack(udp_port=0, local_addresses=["127.0.0.1"], config=SMALL) as ours,
        aiosctp.Stack(udp_port=0, local_addresses=["127.0.0.1"], config=SMALL) as theirs,
        SCTPSocket(type=SOCK_SEQPACKET, stack=ours) as sock,
    ):
        sock.bind(("127.0.0.1", PORT))
        await serve_a_thousand(
            sock, lambda: aiosctp.connect("127.0.0.1", PORT, remote_udp_port=ours.udp_port, stack=theirs)
        )


@virtual_time
async def test_peers_that_come_at_once_all_come_in_whatever_the_backlog() -> None:
    """A07: of a one-to-many socket the backlog says only whether it listens; nobody has to ask again."""
    async with TwoHosts() as hosts, SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.server) as sock:
        sock.bind(("", PORT))
        sock.listen(1)
        sock.setsockopt(IPPROTO_SCTP, SCTP_EVENT, sctp_event(se_type=SCTP_ASSOC_CHANGE, se_on=1))
        async with asyncio.timeout(aiosctp.Config().rto_initial_s / 2):
            await asyncio.gather(*(hosts.connect() for _ in range(CLIENTS)))
            received = [await sock.recvv(100) for _ in range(CLIENTS)]
        assert all(one.msg_flags & MSG_NOTIFICATION for one in received)
        assert len({one.data.sac_assoc_id for one in received}) == CLIENTS


@pytest.mark.parametrize("by", ["address", "association id", "address, and notifications wait"])
def test_a_message_costs_the_same_among_many_associations(by: str) -> None:
    """A39: neither reading one nor answering it looks at all associations, even where each has something unread."""

    async def exchange(client: aiosctp.Association, sock: SCTPSocket) -> None:
        async with asyncio.timeout(1):
            await ask_and_answer(client, sock)

    async def ask_and_answer(client: aiosctp.Association, sock: SCTPSocket) -> None:
        await client.send(b"hello")
        if "notifications" in by:
            data, address = await sock.recvfrom(100)
            await sock.sendto(data, 0, address)
            await client.receive()
            return
        received = await sock.recvv(100)
        if by == "address":
            assert received.address is not None
            await sock.sendto(b"hello", 0, received.address)
        else:
            assert received.rcvinfo is not None
            await sock.sendv(b"hello", sndinfo=sctp_sndinfo(snd_assoc_id=received.rcvinfo.rcv_assoc_id))
        await client.receive()

    def cost(associations: int) -> int:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            stack = contextlib.AsyncExitStack()

            async def associate() -> tuple[list[aiosctp.Association], SCTPSocket]:
                hosts = await stack.enter_async_context(TwoHosts(config=aiosctp.Config(heartbeat=False)))
                sock = await stack.enter_async_context(SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.server))
                sock.setsockopt(IPPROTO_SCTP, SCTP_RECVRCVINFO, 1)
                if "notifications" in by:
                    sock.setsockopt(IPPROTO_SCTP, SCTP_EVENT, sctp_event(se_type=SCTP_ASSOC_CHANGE, se_on=1))
                sock.bind(("", PORT))
                sock.listen(1)
                return [await hosts.connect() for _ in range(associations)], sock

            clients, sock = runner.run(associate())
            runner.run(exchange(clients[-1], sock))
            # The last of them: what looks for it one by one finds it last.
            count = executed(lambda: runner.run(exchange(clients[-1], sock)))
            runner.run(stack.aclose())
        return count

    assert_constant(cost, 200)

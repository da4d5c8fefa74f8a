"""The programs of the sockets API's sources, on aiosctp.socket, do what the originals do."""

from __future__ import annotations

import re

from tests.tools.command import REPOSITORY, Command, Outcome, python, run_when_its_port_is_free, serving

SOCKETS = REPOSITORY / "examples" / "sockets"
ECHO_ONE_TO_ONE = SOCKETS / "draft_a_echo_one_to_one.py"
ECHO_ONE_TO_MANY = SOCKETS / "draft_b_echo_one_to_many.py"
CLIENT = SOCKETS / "rfc6458_a_client.py"
DISCARD = SOCKETS / "rfc6458_b_discard_server.py"
ECHO_CLIENT = SOCKETS / "linux_journal_1_echo_client.py"
ECHO_SERVER = SOCKETS / "linux_journal_2_echo_server.py"
READ_MESSAGE = SOCKETS / "linux_journal_3_read_message.py"


async def _say_hello(port: int) -> None:
    async with python(ECHO_CLIENT, "127.0.0.1", str(port)) as client:
        outcome = await client.outcome()
    assert outcome == Outcome(0, "hello\n", "")


async def test_the_echo_server_of_the_drafts_appendix_a_serves_one_after_the_other() -> None:
    """A49, A01, A46, J04: messages go back, events are told, and the next is accepted."""
    async with serving("listening on port 7", ECHO_ONE_TO_ONE) as server:
        for _ in range(2):
            await _say_hello(7)
            await server.line(r"^6 bytes on stream 0: hello$")
            await server.line(r"^event: the peer shuts down$")


async def test_the_echo_server_of_the_drafts_appendix_a_joins_what_is_longer_than_its_buffer() -> None:
    """A49, A41: MSG_EOR tells where a message ends that takes several reads."""
    async with (
        serving("listening on port 7", ECHO_ONE_TO_ONE) as server,
        python("-c", LONG_CLIENT.format(socket_type="SOCK_STREAM")) as client,
    ):
        assert await client.outcome() == Outcome(0, "as it was sent\n", "")
        await server.line(r"^5000 bytes on stream 3: ")


async def test_the_echo_server_of_the_drafts_appendix_b_serves_all_on_one_socket() -> None:
    """A49, A02, J04: no accept; what is longer than its buffer is joined for each association by itself."""
    async with (
        serving("listening on port 7", ECHO_ONE_TO_MANY) as server,
        python("-c", LONG_CLIENT.format(socket_type="SOCK_STREAM")) as one,
        python("-c", LONG_CLIENT.format(socket_type="SOCK_SEQPACKET")) as other,
    ):
        for client in (one, other):
            assert await client.outcome() == Outcome(0, "as it was sent\n", "")
        await _say_hello(7)
        await server.line(r"^6 bytes on stream 0: hello$")
    assert len([line for line in server.lines if line.startswith("5000 bytes on stream 3: ")]) == 2


async def test_the_echo_server_of_the_drafts_appendix_b_ends_who_is_idle_for_two_seconds() -> None:
    """A49, B08: the client hears of the end that it did not ask for."""
    async with (
        serving("listening on port 7", ECHO_ONE_TO_MANY) as server,
        python("-c", IDLE_CLIENT) as client,
    ):
        idle = await client.line(r"^ended after (\d+\.\d) s$")
        assert float(idle[1]) >= 2
        assert (await client.outcome()).status == 0
        await server.line(r"^event: association in state")


async def test_the_client_of_rfc_6458_sends_unordered_messages_on_all_streams_to_its_discard_server() -> None:
    """A49, B04, B11, C14, D11: the server hears of the streams, the adaptation layer and each message."""
    async with serving("listening on port 9", DISCARD) as server:
        async with python(CLIENT) as client:
            outcome = await client.outcome()
        assert (outcome.status, outcome.errors) == (0, "")
        streams = _streams_out(outcome)
        assert streams > 1
        up = await server.line(r"^event: association up, (\d+) streams in, (\d+) out$")
        assert int(up[1]) == streams
        await server.line(r"^event: the peer shuts down$")
        await server.line(r"^event: association shut down$")
    assert "event: adaptation indication 0x01020304\n" in server.lines
    assert sorted(_messages(server)) == [(1000, number % streams, "unordered", 1234) for number in range(10)]


def _streams_out(outcome: Outcome) -> int:
    found = re.fullmatch(r"(\d+) streams out\n", outcome.output)
    assert found is not None, outcome
    return int(found[1])


def _messages(server: Command) -> list[tuple[int, int, str, int]]:
    """Of each its bytes, stream, order and payload protocol identifier."""
    form = r"(\d+) bytes from 127\.0\.0\.1:\d+, stream (\d+), (unordered|ssn \d+), tsn \d+, ppid (\d+)\n"
    found = (re.fullmatch(form, line) for line in server.lines)
    return [(int(one[1]), int(one[2]), one[3], int(one[4])) for one in found if one is not None]


async def test_the_listings_1_and_2_of_the_linux_journal_echo() -> None:
    """A46, J04: the client's message comes back, and the server stays for the next."""
    async with serving("listening on port 2013", ECHO_SERVER) as server:
        for _ in range(2):
            async with python(ECHO_CLIENT, "127.0.0.1") as client:
                assert await client.outcome() == Outcome(0, "hello\n", "")
            await server.line("^hello$")


async def test_the_echo_client_tells_a_failure_in_a_line() -> None:
    """I03, J04: the server's UDP port is there, and on this SCTP port nobody listens."""
    async with serving("listening on port 2013", ECHO_SERVER), python(ECHO_CLIENT, "127.0.0.1", "2015") as client:
        outcome = await client.outcome()
    assert (outcome.status, outcome.output) == (1, "")
    assert re.fullmatch(r".*linux_journal_1_echo_client\.py: .+\n", outcome.errors)


async def test_the_listing_3_of_the_linux_journal_joins_a_message_that_is_longer_than_the_receive_buffer() -> None:
    """A42, A33, D17: it takes several reads, of which the last has MSG_EOR."""
    outcome = await run_when_its_port_is_free(READ_MESSAGE)
    assert (outcome.status, outcome.errors) == (0, "")
    told = re.fullmatch(r"2097152 bytes, in (\d+) reads of at most (\d+)\nas it was sent\n", outcome.output)
    assert told is not None, outcome.output
    reads, at_most = map(int, told.groups())
    assert reads > 1
    assert reads * at_most >= 2097152


# Sends on stream 3, longer than the server's buffer, and compares.
LONG_CLIENT = """
import asyncio
from aiosctp.socket import *

MESSAGE = b"0123456789" * 500

async def main():
    async with SCTPSocket(AF_INET, {socket_type}, IPPROTO_SCTP) as sd:
        sd.setsockopt(SOL_SOCKET, SO_LINGER, linger(1, 5))
        await sd.sendv(MESSAGE, [("127.0.0.1", 7)], sndinfo=sctp_sndinfo(snd_sid=3))
        received = await sd.recvv(65536)
        print("as it was sent" if received.data == MESSAGE else received)

asyncio.run(main())
"""
IDLE_CLIENT = """
import asyncio
from aiosctp.socket import *

async def main():
    async with SCTPSocket(AF_INET, SOCK_STREAM, IPPROTO_SCTP) as sd:
        await sd.connect(("127.0.0.1", 7))
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await sd.recv(1024) == b""
        print(f"ended after {loop.time() - began:.1f} s")

asyncio.run(main())
"""

"""The echo client against the echo server."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.tools.command import AIOSCTP, aiosctp, echo_server, python


async def test_every_line_comes_back_and_the_end_of_input_is_a_graceful_shutdown() -> None:
    lines = b"hello\n\n" + b"x" * 5000 + b"\nlast without an end"
    async with echo_server() as (server, udp_port):
        outcome = await aiosctp("echo", "--client", "127.0.0.1", "--udp-port", udp_port, "--stream", "3", data=lines)
        await server.line(r"^127\.0\.0\.1 +COMM_UP")
        await server.line(r"^127\.0\.0\.1 +SHUTDOWN_EVENT")
        await server.line(r"^127\.0\.0\.1 +SHUTDOWN_COMP")
    assert outcome.status == 0, outcome.errors
    assert outcome.output.encode() == lines
    assert "SHUTDOWN_COMP" in outcome.errors


async def test_an_answer_comes_before_the_next_line_is_typed() -> None:
    async with (
        echo_server() as (_, udp_port),
        python(*AIOSCTP, "echo", "--client", "127.0.0.1", "--udp-port", udp_port) as client,
    ):
        assert client.process.stdin is not None
        for word in ("one", "two"):
            client.process.stdin.write(f"{word}\n".encode())
            await client.line(f"^{word}$")
        outcome = await client.outcome()
    assert outcome.status == 0, outcome.errors


async def test_a_port_where_nobody_listens_is_refused_in_words() -> None:
    async with echo_server() as (_, udp_port):
        outcome = await aiosctp("echo", "--client", "127.0.0.1", "--udp-port", udp_port, "--port", "8")
    assert outcome.status == 1
    assert outcome.errors.startswith("aiosctp: ")
    assert "Traceback" not in outcome.errors


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to another process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_the_server_shuts_its_associations_down_gracefully(number: signal.Signals) -> None:
    async with (
        echo_server() as (server, udp_port),
        python(*AIOSCTP, "echo", "--client", "127.0.0.1", "--udp-port", udp_port) as client,
    ):
        assert client.process.stdin is not None
        client.process.stdin.write(b"hello\n")
        await client.line("^hello$")
        server.process.send_signal(number)
        outcome = await server.outcome()
        told = await client.outcome(b"too late\n")
    assert outcome.status == 0
    assert outcome.errors == ""
    assert "SHUTDOWN_COMP" in outcome.output
    assert "SHUTDOWN_EVENT" in told.errors
    assert told.status == 1

"""The demonstration, in its small size."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.tools.command import AIOSCTP, aiosctp, python


async def test_the_demo_compares_what_both_ends_hashed_and_shuts_down_gracefully() -> None:
    outcome = await aiosctp("demo", "--megabytes", "1")
    assert outcome.status == 0, outcome.errors
    lines = outcome.output.splitlines()
    for stream in range(4):
        (theirs,) = [line for line in lines if line.startswith("server") and f" stream {stream}: 0.25 MiB" in line]
        (ours,) = [line for line in lines if line.startswith("client") and f" stream {stream}: SHA-256" in line]
        assert theirs.rpartition("SHA-256 ")[2] == ours.rpartition("SHA-256 ")[2].removesuffix(" the same")
    assert any(line.startswith("server") and "COMM_UP: 1024 streams out, 4 in" in line for line in lines)
    assert "1.0 of 1.0 MiB" in outcome.output
    assert "goodput" in outcome.output
    for side in ("server", "client"):
        assert any(line.startswith(side) and line.endswith("SHUTDOWN_COMP") for line in lines)
    assert outcome.errors == ""


async def test_messages_that_do_not_divide_evenly_arrive_whole() -> None:
    outcome = await aiosctp("demo", "--megabytes", "1", "--streams", "7", "--message-bytes", "99991")
    assert outcome.status == 0, outcome.errors
    assert "7 of 7 streams have the same SHA-256 at both ends" in outcome.output


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process")
async def test_ctrl_c_ends_the_demo_without_a_traceback() -> None:
    async with python(*AIOSCTP, "demo", "--megabytes", "60000") as command:
        await command.line(r"^server +COMM_UP")
        command.process.send_signal(signal.SIGINT)
        outcome = await command.outcome()
    assert outcome.status == 130
    assert outcome.errors == "aiosctp: interrupted\n"

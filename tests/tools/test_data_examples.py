"""The examples of messages that may expire, and of large ones beside small ones, show what they say they do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120.0


def _run(example: str, *arguments: str) -> str:
    command = [sys.executable, str(REPOSITORY / "examples" / example), *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIMEOUT_S, check=True).stdout


def test_small_messages_wait_for_a_large_one_only_without_interleaving() -> None:
    """S10, S11: one association, one stream put before the other."""
    shown = _run("priorities.py", "--megabytes", "4")
    behind, beside = re.findall(r"median +([\d.]+) ms", shown)
    assert float(behind) > 10 * float(beside), shown


def test_what_must_arrive_does_and_what_is_late_is_reported() -> None:
    """S02, E01: the case of the Linux Journal."""
    shown = _run("live_video.py", "--seconds", "20")
    frames = {
        name: tuple(map(int, numbers)) for name, *numbers in re.findall(r"(.)-frames: (\d+)\D+(\d+)\D+(\d+)", shown)
    }
    assert frames["I"] == (42, 42, 0)
    sent, arrived, abandoned = frames["B"]
    assert sent == 458
    assert abandoned > 0
    # One whose acknowledgement was late may have done both.
    assert arrived < sent <= arrived + abandoned

"""A few seeds in every run of the suite; `python -m tests.simulation` runs as many as there is time for."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import aiosctp
from aiosctp import Association, Config
from aiosctp.testing import VirtualTimeLoop
from tests.simulation import marks
from tests.simulation.__main__ import read_options
from tests.simulation.broken import FAULTS, hunt
from tests.simulation.scene import Scene, run_both_ways, run_seed
from tests.simulation.site import SCTP_PORT, Site
from tests.simulation.wrapping import place_of, wrapped

REPOSITORY = Path(__file__).parents[2]
RARE = {
    "what can't be sent is asked for in every turn",
    "a lost FORWARD TSN is not sent again",
    "a black hole is not noticed",
    "COOKIE ACK is sent only once",
    "another tag is taken",
    "a partial delivery that breaks off is not told",
    "no SACK is sent for a reneged chunk",
    "a reader is not woken",
    "a sender is not woken",
    "TSNs begin anew with data outstanding",
    "what an association reset suspends goes on",
    "bytes are read beyond the end of their stream",
    "an ABORT is a clean EOF",
    "what was sent is abandoned though the peer does not know FORWARD TSN",
    "what waits for a message that was skipped waits on",
    "the rest of a message that was skipped is taken",
    "another priority is not heeded",
}
"""Faults that take many seeds to show, or long ones: `python -m tests.simulation --broken` hunts them too."""


@pytest.mark.parametrize("seed", range(1, 17))
def test_no_law_is_broken(seed: int) -> None:
    """X09, X14, X38, X54: loss, repeats, reordering, dark addresses, tiny windows, restarts, aborts, shutdowns.

    With the engine's short ways open and closed: the same packets, and the same messages.
    """
    outcome = run_both_ways(seed)
    assert outcome.broken is None, f"python -m tests.simulation --seeds {seed}-{seed} --both-ways --trace"
    assert outcome.bytes


def test_a_seed_is_one_run_byte_for_byte_under_any_hash_seed() -> None:
    code = (
        "from tests.simulation.scene import run_seed\n"
        "for seed in (1, 4, 7):\n"
        "    outcome = run_seed(seed)\n"
        "    print(outcome.digest, outcome.virtual_s, outcome.messages, sorted(outcome.marks.items()))\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=REPOSITORY,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("0", "4711")
    }
    assert len(told) == 1


@pytest.mark.parametrize("mark", marks.MARKS)
def test_every_mark_has_its_place_in_the_engine(mark: str) -> None:
    place_of(f"core.{marks.MARKS[mark][0]}")


def test_a_mark_whose_place_is_gone_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(marks.MARKS, "gone", ("stack:StackEngine.no_such_method", lambda arguments, result: True))
    with pytest.raises(AttributeError, match="no_such_method"), wrapped(marks.counting(Counter())):
        pass


def test_the_engine_is_left_as_it_was() -> None:
    places = [place_of(f"core.{where}") for where, _ in marks.MARKS.values()]
    before = [vars(owner)[name] for owner, name in places]
    run_seed(1)
    assert [vars(owner)[name] for owner, name in places] == before


def test_an_association_is_not_its_own_peer_though_both_ends_drew_the_same_tag() -> None:
    def drawing_the_same(original: Any) -> Any:
        return lambda host, count: b"same" if count == 4 else original(host, count)

    async def connect() -> None:
        scene = Scene(1)
        scene.sites = [Site(scene.network.host(name, f"192.0.2.{name}"), Config()) for name in "12"]
        accepted: list[Association] = []

        async def handle(association: Association) -> None:
            accepted.append(association)
            await association.wait_closed()

        for site in scene.sites:
            await site.boot(handle)
        connecting = aiosctp.connect("192.0.2.2", SCTP_PORT, local_port=SCTP_PORT, stack=scene.sites[0].stack)
        async with connecting as association:
            await asyncio.sleep(1)
            ours, theirs = association.engine, accepted[0].engine
            assert ours.tcb.local_tag == ours.tcb.peer_tag
            assert scene.peer_of(ours) is theirs
            assert scene.peer_of(theirs) is ours
        for site in scene.sites:
            await site.close()

    same_tags = wrapped([("testing.host:Host.entropy", drawing_the_same)])
    with same_tags, asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(connect())


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_its_place_in_the_engine(fault: str) -> None:
    place_of(FAULTS[fault][0])


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - RARE))
def test_a_broken_engine_is_caught(fault: str) -> None:
    assert hunt(fault, most_seeds=16) is not None


def test_an_engine_that_is_not_broken_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAULTS, "none", ("core.rto:RetransmissionTimeout.back_off", lambda original: original))
    assert hunt("none", most_seeds=1) is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--seeds x", "--seeds: seeds are given as A-B, two numbers, and not as 'x'"),
        ("--seeds 3-", "--seeds: seeds are given as A-B, two numbers, and not as '3-'"),
        ("--seeds 20-1", "--seeds: seeds are given as A-B, and 20 is larger than 1"),
        ("--seeds 1 --jobs 0", "--jobs: at least one process, and not '0'"),
        ("--broken nosuch", "--broken: invalid choice: 'nosuch' (choose from"),
        ("--quiet", "--seeds or --minutes must be given"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_a_line(
    arguments: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read_options(arguments.split())
    assert told in capsys.readouterr().err


def test_seeds_are_both_ends_and_all_between() -> None:
    assert [*read_options(["--seeds", "7"]).seeds, *read_options(["--seeds", "1-3"]).seeds] == [7, 1, 2, 3]
    assert read_options(["--broken"]).broken == []

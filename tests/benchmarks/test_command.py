"""The command, between real processes on loopback, with what a clone has. Nothing here looks at how fast it was."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.__main__ import INTERRUPTED
from benchmarks.peers.job import Job
from benchmarks.workloads import WORKLOADS

REPOSITORY = Path(__file__).parents[2]
TIMEOUT_S = 100


def _benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_it_lists_workloads_cases_and_peers() -> None:
    listed = _benchmarks("list")
    assert listed.returncode == 0, listed.stderr
    for name, workload in WORKLOADS.items():
        assert f"\n{name}: {workload.summary}\n" in listed.stdout
    assert (
        "  16384 B, 1 stream, ordered, MTU 1500: aiosctp, aiosctp-uvloop, usrsctp, aiortc, aiosctp-uvloop-data, udp, "
        "udp-gso\n" in listed.stdout
    )


@pytest.mark.parametrize(
    ("workload", "case", "figure"),
    [
        ("messages", "64 B", "messages_per_s"),
        ("ping-pong", "64 B", "p99_us"),
        ("handshakes", "100 at a time", "handshakes_per_s"),
    ],
)
def test_it_runs_a_workload_and_writes_every_sample(workload: str, case: str, figure: str, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    options = ["--case", case, "--peers", "aiosctp", "--rounds", "2", "--seconds", "0.1", "--json", str(file)]
    ran = _benchmarks("run", workload, *options)
    assert ran.returncode == 0, ran.stderr
    assert f"{workload}: {case}" in ran.stdout
    document = json.loads(file.read_text())
    assert document["machine"]["cores"] >= 1
    assert [sample["round"] for sample in document["samples"]] == [0, 1]
    for sample in document["samples"]:
        assert sample["reason"] == ""
        assert sample["figures"][figure] > 0


def test_what_nobody_measures_is_an_error() -> None:
    ran = _benchmarks("run", "bulk", "--peers", "udp-echo")
    assert ran.returncode == 2
    assert "nothing to measure" in ran.stderr


def test_a_job_survives_its_words() -> None:
    job = Job(side="sender", task="bulk", udp_port=1, remote_udp_port=2, warm_up_s=0.25, message_bytes=9, unordered=1)
    assert Job.from_words(job.words()) == job


def test_every_bar_reads_what_some_case_measures() -> None:
    for workload in WORKLOADS.values():
        cases = {case.name: case for case in workload.cases()}
        assert len(cases) == len(workload.cases())
        for bar in workload.bars:
            for side in filter(None, (bar.ours, bar.theirs)):
                of = WORKLOADS[side.workload]
                peers = {case.name: case.peers for case in of.cases()}
                assert side.peer in peers[side.case]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_run_that_is_terminated_leaves_no_process_behind() -> None:
    program = [sys.executable, "-m", "benchmarks", "run", "messages", "--peers", "aiosctp", "--seconds", "60"]
    with subprocess.Popen(program, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as runner:
        children = _children(runner)
        runner.terminate()
        assert runner.wait(TIMEOUT_S) == INTERRUPTED
    assert children
    assert not any(Path("/proc", child).exists() for child in children)


def _children(runner: subprocess.Popen[bytes]) -> list[str]:
    """Its peers, both of which it has once the second is there."""
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until:
        children = Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()
        if len(children) == 2:
            return children
        time.sleep(0.01)
    return []

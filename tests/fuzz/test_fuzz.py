"""The fuzz targets without a fuzzer: their corpora again, and bounded runs on bytes that Hypothesis makes up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import corpus
from tests.fuzz.__main__ import parser
from tests.fuzz.decode import decode
from tests.fuzz.distil import branches_of
from tests.fuzz.engine import engine
from tests.fuzz.operations import operations
from tests.fuzz.reader import Reader
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_holds_the_invariant(target: str) -> None:
    inputs = corpus.load(target)
    assert len(inputs) >= 10
    for data in inputs:
        TARGETS[target].run(data)


def test_the_corpus_reaches_every_state() -> None:
    """What a corpus is worth is what it reaches: it goes stale when the meaning of its bytes changes."""
    reached = frozenset[str]().union(*(engine(data) for data in corpus.load("engine")))
    states = {"COOKIE-WAIT", "COOKIE-ECHOED", "ESTABLISHED", "SHUTDOWN-PENDING", "SHUTDOWN-SENT"}
    assert states | {"SHUTDOWN-RECEIVED", "SHUTDOWN-ACK-SENT", "CLOSED"} <= reached
    reached = frozenset[str]().union(*(operations(data) for data in corpus.load("operations")))
    assert states | {"COMM_UP", "RESTART", "COMM_LOST", "SHUTDOWN_COMP", "crashed", "read in parts"} <= reached


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_packet_holds_the_invariant_of_decoding(data: bytes) -> None:
    """X37: see decode.py."""
    decode(data)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_attack_after_the_handshake_holds_the_invariant_of_the_engine(data: bytes) -> None:
    """X37: see engine.py."""
    engine(data)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=150))
def test_any_sequence_of_operations_finishes(data: bytes) -> None:
    """X54: see operations.py."""
    operations(data)


def test_past_its_end_a_reader_reads_zeros() -> None:
    reader = Reader(bytes.fromhex("80ff"))
    assert (reader.offset(), reader.is_empty) == (-128, False)
    assert (reader.flag(), reader.is_empty) == (True, True)
    assert (reader.uint32(), reader.choose("ab"), reader.rest()) == (0, "a", b"")


def test_the_branches_of_an_input_are_those_of_the_package() -> None:
    files = {Path(code.co_filename).name for code, _, _ in branches_of(decode, bytes(5) + b"\x0b\0\0\4")}
    assert {"packet.py", "control.py"} <= files
    assert "decode.py" not in files


@pytest.mark.parametrize("target", TARGETS)
def test_an_input_is_replayed_by_the_command(target: str, tmp_path: Path) -> None:
    corpus.unpack(target, tmp_path)
    seed = sorted(tmp_path.iterdir())[-1]
    command = [sys.executable, "-m", "tests.fuzz", target, "--replay", str(seed)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == ", ".join(sorted(TARGETS[target].run(seed.read_bytes())))


def test_without_atheris_the_command_says_how_to_get_it() -> None:
    program = "import runpy, sys; sys.modules['atheris'] = None; runpy.run_module('tests.fuzz', run_name='__main__')"
    finished = subprocess.run([sys.executable, "-c", program, "decode"], capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    assert finished.stderr == "atheris is not installed: pip install -e '.[fuzz]'\n"


@pytest.mark.parametrize("minutes", ["0", "0.001", "-1", "nan", "inf", "x"])
def test_a_time_below_a_second_is_refused(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["decode", "--minutes", minutes])
    assert "argument --minutes: at least a second" in capsys.readouterr().err

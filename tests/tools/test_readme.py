"""What README.md and the examples tell the reader to run does run."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from tests.tools.command import REPOSITORY, python, run_when_its_port_is_free, serving

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
# Those that are programs, and not lines of one.
FIRST_EXAMPLE, STREAMS_EXAMPLE, SOCKETS_EXAMPLE, SIMULATED_EXAMPLE = re.findall(
    r"```python\n(import .*?)```", README, re.DOTALL
)
ECHO = REPOSITORY / "examples" / "echo.py"


async def test_the_example_of_the_readme_runs_as_written(tmp_path: Path) -> None:
    assert len(FIRST_EXAMPLE.splitlines()) == 12
    script = tmp_path / "example.py"
    script.write_text(FIRST_EXAMPLE, encoding="utf-8")
    outcome = await run_when_its_port_is_free(script)
    assert outcome.status == 0, outcome.errors
    assert outcome.output.startswith("Message(data=b'hello', stream=3, ppid=46,")


async def test_the_example_of_byte_streams_runs_as_written(tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(STREAMS_EXAMPLE, encoding="utf-8")
    outcome = await run_when_its_port_is_free(script)
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.output.splitlines() == [r"b'ON A STREAM OF ITS OWN\n'", r"b'ON STREAM 0\n'"]


async def test_the_example_of_sockets_runs_as_written(tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(SOCKETS_EXAMPLE, encoding="utf-8")
    outcome = await run_when_its_port_is_free(script)
    assert (outcome.status, outcome.errors) == (0, "")
    notification, message = outcome.output.splitlines()
    assert notification.startswith("True sctp_assoc_change(sac_type=")
    assert notification.endswith(" None")
    assert message.startswith("False b'hello' sctp_rcvinfo(rcv_sid=3, ")
    assert "rcv_ppid=46" in message


VARIABLES = """
import asyncio, aiosctp
import aiosctp.socket as sctp

async def main():
    server = sctp.SCTPSocket()
    server.bind(("127.0.0.1", 7777))
    server.listen()
{example}
    print(client.getsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_RTOINFO))
    print(sctp.SCTPSocket().getsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_RTOINFO))

asyncio.run(main())
"""


async def test_the_lines_about_counters_and_variables_run_as_written(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(async with aiosctp\.Stack.*?)```", README, re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(VARIABLES.format(example=textwrap.indent(example, "    ")), encoding="utf-8")
    outcome = await run_when_its_port_is_free(script)
    assert (outcome.status, outcome.errors) == (0, "")
    sacks, established, of_the_stack, of_the_default = outcome.output.splitlines()
    assert (sacks, established) == ("0", "1")
    assert of_the_stack.endswith("srto_initial=300, srto_max=60000, srto_min=100)")
    assert of_the_default.endswith("srto_initial=1000, srto_max=60000, srto_min=1000)")


async def test_the_simulated_example_of_the_readme_runs_as_written(tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(SIMULATED_EXAMPLE, encoding="utf-8")
    async with python(script) as command:
        outcome = await command.outcome()
    assert outcome.status == 0, outcome.errors
    message, *trace = outcome.output.splitlines()
    assert message.startswith("Message(data=b'hello', stream=0,")
    assert any("INIT_ACK" in line for line in trace)
    assert any(": I_DATA " in line and line.endswith("[lost]") for line in trace), "a loss that is recovered from"


def test_the_readme_has_exactly_two_set_up_commands() -> None:
    section = README.partition("## Set up\n")[2].partition("\n## ")[0]
    commands = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    assert commands == ["pip install '.[cli]' && aiosctp demo", "pip install -e '.[test]' && pytest"]


def test_the_files_the_readme_names_exist() -> None:
    named = set(re.findall(r"`((?:aiosctp|core|tests|examples|\.ci)/[\w./]+)`", README))
    assert len(named) > 8
    for name in named:
        assert any((REPOSITORY / root / name).exists() for root in ("", "aiosctp")), name


async def test_the_echo_example_serves_and_asks() -> None:
    """J04: the echo client and server are shipped as an example."""
    async with serving("listening on UDP port 9899", ECHO, "serve") as server:
        async with python(ECHO, "ask", "127.0.0.1", "hello") as client:
            outcome = await client.outcome()
        await server.line("^127.0.0.1: gone$")
    assert outcome.status == 0, outcome.errors
    assert sorted(outcome.output.splitlines()) == ["stream 0: hello", "stream 1: hello"]


async def test_the_echo_example_tells_a_failure_in_a_line() -> None:
    """Nobody serves UDP at this address, whoever has port 9899 at 127.0.0.1."""
    async with python(ECHO, "ask", "127.0.0.9", "hello") as client:
        outcome = await client.outcome()
    assert (outcome.status, outcome.output) == (1, "")
    assert re.fullmatch(r".*echo\.py: .+\n", outcome.errors)


async def test_the_example_of_paths_moves_to_the_second_address() -> None:
    async with python(REPOSITORY / "examples" / "paths.py") as command:
        outcome = await command.outcome()
    assert (outcome.status, outcome.errors) == (0, "")
    asked = re.findall(r"^hello by way of (\S+),", outcome.output, re.MULTILINE)
    assert asked == ["127.0.0.1", "127.0.0.2"]
    assert re.findall(r"^(\S+): ACTIVE, ", outcome.output, re.MULTILINE) == asked

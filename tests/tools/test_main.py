"""What holds for every subcommand."""

from __future__ import annotations

import pytest

from tests.tools.command import aiosctp, python

WITHOUT_RICH = "import sys; sys.modules['rich'] = None; from aiosctp.tools.main import main; sys.exit(main())"


@pytest.mark.parametrize("arguments", [["demo"], ["--help"]])
async def test_without_rich_the_command_says_what_to_install(arguments: list[str]) -> None:
    async with python("-c", WITHOUT_RICH, *arguments) as command:
        outcome = await command.outcome()
    assert outcome.status == 2
    assert "pip install 'aiosctp[cli]'" in outcome.errors
    assert "Traceback" not in outcome.errors


async def test_help_lists_the_commands() -> None:
    outcome = await aiosctp("--help")
    assert outcome.status == 0
    for name in ("demo", "echo", "check"):
        assert f"\n    {name} " in outcome.output


@pytest.mark.parametrize("name", ["demo", "echo", "check"])
async def test_the_help_of_a_command_explains_its_exit_status(name: str) -> None:
    outcome = await aiosctp(name, "--help")
    assert outcome.status == 0
    assert "exit status: 0" in outcome.output
    assert max(map(len, outcome.output.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["demo", "--streams", "0"], "0 is not between 1 and 1024"),
        (["demo", "--megabytes", "many"], "'many' is not a whole number"),
        (["check", "127.0.0.1:70000"], "70000 is not between 1 and 65535"),
        (["check", "[::1"], "is not [ADDRESS]:PORT"),
        (["check", ":7"], "':7' names no host"),
        (["check", "a..b"], "'a..b' is no name"),
        (["echo", "--client", ""], "'' names no host"),
        (["echo", "--client", "0.0.0.0"], "host must be a unicast address, not 0.0.0.0"),
        (["echo", "--host", "a..b"], "'a..b' is no name"),
        (["check", "127.0.0.1", "--timeout", "-1"], "-1 is not above 0"),
        (["echo", "--client", "127.0.0.1", "--udp-port", "0"], "a client needs the server's UDP port"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
async def test_a_wrong_argument_is_told_in_words(arguments: list[str], complaint: str) -> None:
    outcome = await aiosctp(*arguments)
    assert outcome.status == 2
    assert complaint in outcome.errors
    assert "Traceback" not in outcome.errors


async def test_an_error_of_the_system_is_told_in_words() -> None:
    """An address of TEST-NET-2 (RFC 5737) is nobody's own."""
    outcome = await aiosctp("echo", "--host", "198.51.100.1", "--udp-port", "0")
    assert outcome.status == 1
    assert "198.51.100.1" in outcome.errors
    assert "Traceback" not in outcome.errors


@pytest.mark.parametrize("arguments", [["check"], ["echo", "--client"]])
async def test_a_name_that_nobody_knows_is_named(arguments: list[str]) -> None:
    """A name below `invalid` is nobody's (RFC 6761)."""
    outcome = await aiosctp(*arguments, "nobody.invalid")
    assert outcome.status == 1
    assert outcome.errors.startswith("aiosctp: host nobody.invalid: ")

"""The plugin, on tests of its own."""

from __future__ import annotations

import textwrap

import pytest

pytest_plugins = ["pytester"]

# Each would be imported anew for each session below.
NEEDLESS_PLUGINS = ("-p", "no:hypothesispytest", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:pytest_cov")

AUTO = ("--asyncio-mode=auto",)
STRICT = ("--asyncio-mode=strict",)
ALONE = ("-p", "no:asyncio")
EVERY_WAY = pytest.mark.parametrize("way", [AUTO, STRICT, ALONE], ids=["auto", "strict", "without pytest-asyncio"])

IMPORTS = """
import asyncio
import pytest
from aiosctp.testing import Link, LossWhere, Network, Packet, VirtualTimeLoop
"""
SEND = """
def send(network, data):
    network.send(Packet(network.host("a").addresses[0], 5, network.host("z").addresses[0], 6, data))
"""


def run(
    pytester: pytest.Pytester, way: tuple[str, ...], test: str, *options: str, conftest: str = ""
) -> pytest.RunResult:
    scope = "" if way == ALONE else "asyncio_default_fixture_loop_scope = function\n"
    pytester.makeini(f"[pytest]\nfilterwarnings = error\n{scope}")
    pytester.makeconftest(f'pytest_plugins = ["aiosctp.testing.pytest"]\n{textwrap.dedent(conftest)}')
    pytester.makepyfile(IMPORTS + textwrap.dedent(test))
    return pytester.runpytest(*NEEDLESS_PLUGINS, *way, *options)


# -- virtual time --


@EVERY_WAY
def test_async_tests_of_the_network_run_on_virtual_time(pytester: pytest.Pytester, way: tuple[str, ...]) -> None:
    result = run(
        pytester,
        way,
        """
        async def test_an_hour_passes(network):
            await asyncio.sleep(3600)
            assert asyncio.get_running_loop().time() == 3600

        class TestMethods:
            async def test_a_method(self, network):
                assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)

        @pytest.fixture
        def server(network):
            return network.host("server", "192.0.2.1")

        async def test_by_way_of_a_fixture(server):
            assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
            assert server.addresses == ("192.0.2.1",)

        @pytest.mark.parametrize("number", [1, 2])
        async def test_parameters(number, network, tmp_path):
            assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
            assert number in (1, 2) and tmp_path.exists()

        def test_an_ordinary_one(network):
            assert isinstance(network, Network)
        """,
    )
    result.assert_outcomes(passed=6)


@EVERY_WAY
def test_a_deadlock_fails_the_test_and_names_the_task(pytester: pytest.Pytester, way: tuple[str, ...]) -> None:
    result = run(
        pytester,
        way,
        """
        async def test_waits(network):
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.Event().wait()

        async def test_the_next(network):
            await asyncio.sleep(1)
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E *Deadlock: nothing is ready, and no timer is set. Waiting:", "* in test_waits"])


@EVERY_WAY
def test_a_test_that_goes_on_for_ever_meets_its_limit(pytester: pytest.Pytester, way: tuple[str, ...]) -> None:
    result = run(
        pytester,
        way,
        """
        async def tick():
            while True:
                await asyncio.sleep(60)

        async def test_an_hour(network):
            await tick()

        @pytest.mark.network(limit_s=5000)
        async def test_less(network):
            await tick()
        """,
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["E *passed its limit of 3600 s*", "E *passed its limit of 5000 s*"])


def test_async_fixtures_share_the_loop_of_the_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        STRICT,
        """
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def loop(network):
            await asyncio.sleep(1800)
            yield asyncio.get_running_loop()
            await asyncio.sleep(1800)

        async def test_the_same(loop):
            assert asyncio.get_running_loop() is loop
            assert loop.time() == 1800

        @pytest.mark.asyncio
        async def test_with_the_marker(loop):
            assert asyncio.get_running_loop() is loop
        """,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("way", [AUTO, STRICT])
def test_other_tests_keep_their_loops(pytester: pytest.Pytester, way: tuple[str, ...]) -> None:
    result = run(
        pytester,
        way,
        """
        @pytest.mark.asyncio
        async def test_real_time():
            assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
        """,
    )
    result.assert_outcomes(passed=1)


def test_loop_factories_of_a_project_stay_those_of_its_other_tests(pytester: pytest.Pytester) -> None:
    conftest = """
        import asyncio

        class OurLoop(asyncio.SelectorEventLoop):
            pass

        def pytest_asyncio_loop_factories(config, item):
            return {"ours": OurLoop}
    """
    result = run(
        pytester,
        AUTO,
        """
        async def test_real_time():
            assert type(asyncio.get_running_loop()).__name__ == "OurLoop"

        async def test_virtual_time(network):
            assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
        """,
        conftest=conftest,
    )
    result.assert_outcomes(passed=2)


def test_an_older_pytest_asyncio_is_refused(pytester: pytest.Pytester) -> None:
    """Without its hook there is no way to virtual time."""
    conftest = """
        import types

        def pytest_configure(config):
            config.pluginmanager.unblock("asyncio")
            config.pluginmanager.register(types.ModuleType("older"), "asyncio")
    """
    result = run(pytester, ALONE, "async def test_it(network): pass", conftest=conftest)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*aiosctp.testing.pytest needs pytest-asyncio 1.4 or later, or none"])


# -- seeds --

PRINT_SEED = """
def test_default(network):
    assert network.seed == 1

@pytest.mark.network(seed=7, link=Link(delay_s=5))
class TestMarked:
    @pytest.mark.network(seed=8)
    def test_nearest(self, network):
        assert network.seed == 8

    def test_of_the_class(self, network):
        assert network.seed == 7

@pytest.mark.parametrize("network", range(3), indirect=True)
def test_parameters(network, request):
    assert str(network.seed) in request.node.name
"""


def test_seeds_come_from_parameters_then_from_markers_then_from_the_command(pytester: pytest.Pytester) -> None:
    run(pytester, ALONE, PRINT_SEED).assert_outcomes(passed=6)
    result = run(pytester, ALONE, PRINT_SEED, "--network-seed=99")
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["E *assert 99 == 1"])


def test_the_marker_takes_what_a_network_takes(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        ALONE,
        """
        from aiosctp.network import current_network

        @pytest.mark.network(link=Link(delay_s=86400), answers_closed_ports=True, limit_s=None)
        async def test_a_day_away(network):
            network.host("a", "192.0.2.1")
            network.host("z", "192.0.2.2")
            network.send(Packet("192.0.2.1", 1, "192.0.2.2", 2, b""))
            await asyncio.sleep(86400)
            assert network.counters["port closed"] == 1

        @pytest.mark.network(colour="blue")
        def test_nonsense(network):
            pass

        @pytest.mark.network(link=7)
        def test_no_link(network):
            pass

        @pytest.mark.network(limit_s="1")
        async def test_no_span(network):
            pass
        """,
    )
    result.assert_outcomes(passed=1, failed=1, errors=2)
    result.stdout.fnmatch_lines(
        [
            "E *test_nonsense: mark.network takes limit_s, seed, link, trace_packets, *, and no colour",
            "E *test_no_link: mark.network: link must be a Link, not int",
            "E *test_no_span: mark.network: limit_s must be a number of seconds, not str",
        ]
    )


def test_the_marker_takes_keywords_only(pytester: pytest.Pytester) -> None:
    result = run(pytester, ALONE, "@pytest.mark.network(7)\ndef test_it(network): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E *mark.network takes keyword arguments only"])


def test_the_marker_is_known(pytester: pytest.Pytester) -> None:
    result = run(pytester, ALONE, "@pytest.mark.network(seed=7)\ndef test_it(network): pass", "--strict-markers")
    result.assert_outcomes(passed=1)
    result = run(pytester, ALONE, "", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.network(seed=..., *"])


# -- the report --

FAILING = (
    SEND
    + """
@pytest.mark.network(link=Link(loss=LossWhere(lambda packet: packet.data == b"six")))
async def test_it(network):
    for number in range(100):
        send(network, bytes(number))
    send(network, b"six")
    assert network is None
"""
)


@EVERY_WAY
def test_a_failing_test_is_reported_with_its_seed_and_the_first_and_last_packets(
    pytester: pytest.Pytester, way: tuple[str, ...]
) -> None:
    result = run(pytester, way, FAILING)
    result.assert_outcomes(failed=1)
    lines = result.stdout.lines
    (at,) = (number for number, line in enumerate(lines) if "- simulated network -" in line)
    assert lines[at + 1].startswith("seed 1, of the default; packets: ")
    assert " 101 sent" in lines[at + 1]
    assert lines[at + 2] == "0.000000 10.0.0.1:5 > 10.0.0.2:6 UDP 0B [under way]"
    assert lines[at + 11] == "0.000000 10.0.0.1:5 > 10.0.0.2:6 UDP 9B [under way]"
    assert lines[at + 12] == "... 51 packets not shown ..."
    assert lines[at + 13] == "0.000000 10.0.0.1:5 > 10.0.0.2:6 UDP 61B [under way]"
    assert lines[at + 52] == "0.000000 10.0.0.1:5 > 10.0.0.2:6 UDP 3B [lost]"
    assert not lines[at + 53].startswith("0.")


@EVERY_WAY
def test_what_cleaning_up_sends_is_not_reported(pytester: pytest.Pytester, way: tuple[str, ...]) -> None:
    result = run(
        pytester,
        way,
        SEND
        + """
TASKS = []

async def until_cancelled(network):
    try:
        await asyncio.Event().wait()
    finally:
        send(network, b"last words")

async def test_it(network):
    send(network, b"before")
    TASKS.append(asyncio.create_task(until_cancelled(network)))
    await asyncio.sleep(1)
    assert network is None
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["seed 1, of the default; packets: * 1 sent*", "0.000000 * UDP 6B*"])
    result.stdout.no_fnmatch_line("* UDP 10B*")


def test_a_failing_fixture_is_reported_too(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        ALONE,
        """
        @pytest.fixture
        def closed(network):
            yield
            assert network is None

        @pytest.mark.network(seed=5)
        def test_it(closed): pass
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*- simulated network -*", "seed 5, of the test's marker; packets: none"])


def test_a_test_that_passes_or_has_no_network_is_not_reported(pytester: pytest.Pytester) -> None:
    result = run(pytester, ALONE, "def test_it(network): pass\ndef test_other(): assert False", "-rA")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*simulated network*")

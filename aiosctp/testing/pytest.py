"""A pytest plugin: a `network` fixture, and virtual time for the tests that use it.

    # conftest.py, at the top of the project
    pytest_plugins = ["aiosctp.testing.pytest"]

    # test_echo.py
    @pytest.mark.network(link=Link(loss=RandomLoss(0.1)))
    async def test_echo_under_loss(network):
        with network.host("server"):
            server = await aiosctp.serve(echo, port=7777)
        with network.host("client"):
            association = await aiosctp.connect("server", 7777)
        ...

The fixture is a `Network` of the seed that `--network-seed` gives (1 without). The marker takes another `seed`, and
whatever else Network takes; `parametrize("network", range(100), indirect=True)` runs a test on a hundred seeds. Async
tests that use the fixture run on virtual time, with pytest-asyncio (1.4 or later, in either mode) or without it; time
is up after a week, or after the marker's `limit_s`. The report of a test that fails has the seed and the last packets.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import pytest

from aiosctp.testing.loop import VirtualTimeLoop
from aiosctp.testing.network import Network

DEFAULT_SEED: Final = 1
LIMIT_S: Final = 7 * 24 * 3600.0
"""A test whose association lives on would else never end: its heartbeats go on for ever."""
REPORTED_PACKETS: Final = 50

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class _Simulation(NamedTuple):
    """The network of a test, and where its seed is from."""

    network: Network
    origin: str


_SIMULATION: Final = pytest.StashKey[_Simulation]()
_DEFAULT_LOOP: Final = partial(VirtualTimeLoop, limit_s=LIMIT_S)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("aiosctp", "aiosctp.testing")
    group.addoption(
        "--network-seed", type=int, metavar="N", help="seed of the simulated network of tests that name none"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "network(seed=..., limit_s=..., link=..., **options): the simulated network of the test: its seed, how far"
        " virtual time may go, and what else aiosctp.testing.Network takes",
    )


@pytest.fixture
def network(request: pytest.FixtureRequest) -> Network:
    """A simulated network, the same in every run. An async test that uses it runs on virtual time."""
    options = _marked(request.node)
    options.pop("limit_s", None)
    seed = request.config.getoption("network_seed", None)
    origin = "--network-seed"
    if seed is None:
        seed, origin = DEFAULT_SEED, "the default"
    if "seed" in options:
        seed, origin = options.pop("seed"), "the test's marker"
    if hasattr(request, "param"):
        seed, origin = request.param, "the test's parameter"
    made = Network(seed=seed, **options)
    request.node.stash[_SIMULATION] = _Simulation(made, origin)
    return made


def _marked(item: pytest.Item) -> dict[str, Any]:
    """The options of the marker; those of the test before those of its class and module."""
    found: dict[str, Any] = {}
    for marker in item.iter_markers("network"):
        if marker.args:
            raise pytest.UsageError(f"{item.nodeid}: mark.network takes keyword arguments only")
        found = {**marker.kwargs, **found}
    return found


def _is_simulated(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and "network" in item.fixturenames


def _loop_factory(item: pytest.Item) -> LoopFactory:
    limit_s = _marked(item).get("limit_s")
    return _DEFAULT_LOOP if limit_s is None else partial(VirtualTimeLoop, limit_s=limit_s)


# -- with pytest-asyncio --


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Generator[None, Mapping[str, LoopFactory] | None, Mapping[str, LoopFactory]]:
    chosen = yield
    if _is_simulated(item):
        return {"virtual time": _loop_factory(item)}
    # Where this hook is implemented at all, it must answer for every test.
    return chosen or {"asyncio": asyncio.new_event_loop}


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    _hand_to_pytest_asyncio(metafunc.definition)


# Innermost: pytest-asyncio's own looks for the marker afterwards.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> Generator[None, Any, Any]:
    made = yield
    for node in made if isinstance(made, list) else [made]:
        if isinstance(node, pytest.Function):
            _hand_to_pytest_asyncio(node)
    return made


def _hand_to_pytest_asyncio(item: pytest.Function) -> None:
    """Mark the test as pytest-asyncio's, if that is there: in its strict mode nobody else would run it."""
    if not (_is_simulated(item) and inspect.iscoroutinefunction(item.obj)):
        return
    if not item.config.pluginmanager.hasplugin("asyncio"):
        return
    if not item.config.hook.pytest_asyncio_loop_factories.has_spec():
        raise pytest.UsageError("aiosctp.testing.pytest needs pytest-asyncio 1.4 or later, or none")
    if item.get_closest_marker("asyncio") is None:
        item.add_marker("asyncio")


# -- without it --


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test; pytest-asyncio has made an ordinary function of it by now, if it is there."""
    test = pyfuncitem.obj
    if not (_is_simulated(pyfuncitem) and inspect.iscoroutinefunction(test)):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}
    with asyncio.Runner(loop_factory=_loop_factory(pyfuncitem)) as runner:
        runner.run(test(**arguments))
    return True


# -- the report --


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    simulation = item.stash.get(_SIMULATION, None)
    if simulation is None:
        return report
    if report.failed:
        report.sections.append(("simulated network", _describe(simulation)))
    if call.when == "teardown":
        del item.stash[_SIMULATION]
    return report


def _describe(simulation: _Simulation) -> str:
    network, origin = simulation
    counted = ", ".join(f"{number} {what}" for what, number in sorted(network.counters.items()))
    lines = [
        f"seed {network.seed}, of {origin}; packets: {counted or 'none'}",
        *network.trace.lines(newest=REPORTED_PACKETS),
    ]
    return "\n".join(lines)

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
is up after an hour of it, or after the marker's `limit_s` (None: never). The report of a test that fails has the seed
and the first and last packets, as they were before what still ran was cancelled.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator, Mapping
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple

import pytest

from aiosctp.testing.loop import DEFAULT_LIMIT_S, VirtualTimeLoop, check_limit_s
from aiosctp.testing.network import Network
from aiosctp.testing.trace import line

DEFAULT_SEED: Final = 1
# How an association came about explains a failure as often as its last packets do.
FIRST_PACKETS: Final = 10
LAST_PACKETS: Final = 40

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class _Simulation(NamedTuple):
    """The network of a test, and where its seed is from."""

    network: Network
    origin: str


_SIMULATION: Final = pytest.StashKey[_Simulation]()
_REPORT: Final = pytest.StashKey[str]()
_OPTIONS: Final = ("limit_s", *inspect.signature(Network).parameters)


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
    try:
        made = Network(seed=seed, **options)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"{request.node.nodeid}: mark.network: {error}") from None
    request.node.stash[_SIMULATION] = _Simulation(made, origin)
    return made


def _marked(item: pytest.Item) -> dict[str, Any]:
    """The options of the marker; those of the test before those of its class and module."""
    found: dict[str, Any] = {}
    for marker in item.iter_markers("network"):
        if marker.args:
            raise pytest.UsageError(f"{item.nodeid}: mark.network takes keyword arguments only")
        for name in marker.kwargs.keys() - set(_OPTIONS):
            raise pytest.UsageError(f"{item.nodeid}: mark.network takes {', '.join(_OPTIONS)}, and no {name}")
        found = {**marker.kwargs, **found}
    return found


def _is_simulated(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and "network" in item.fixturenames


def _loop_factory(item: pytest.Item) -> LoopFactory:
    limit_s = _marked(item).get("limit_s", DEFAULT_LIMIT_S)
    if limit_s is None:
        return VirtualTimeLoop
    try:
        check_limit_s(limit_s)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"{item.nodeid}: mark.network: {error}") from None
    return partial(VirtualTimeLoop, limit_s=limit_s)


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
        try:
            runner.run(test(**arguments))
        except BaseException:
            # Before the runner cancels what is left: how that ends explains nothing.
            if (simulation := pyfuncitem.stash.get(_SIMULATION, None)) is not None:
                pyfuncitem.stash[_REPORT] = _describe(simulation)
            raise
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
        described = item.stash[_REPORT] if call.when == "call" and _REPORT in item.stash else _describe(simulation)
        report.sections.append(("simulated network", described))
    if call.when == "teardown":
        del item.stash[_SIMULATION]
    return report


def _describe(simulation: _Simulation) -> str:
    network, origin = simulation
    counted = ", ".join(f"{number} {what}" for what, number in sorted(network.counters.items()))
    return "\n".join([f"seed {network.seed}, of {origin}; packets: {counted or 'none'}", *_ends(network)])


def _ends(network: Network) -> list[str]:
    """The first and the last packets that are kept."""
    trace = network.trace
    left_out = len(trace) - FIRST_PACKETS - LAST_PACKETS
    if left_out <= 0:
        return trace.lines()
    first = [line(passage) for passage in islice(trace, FIRST_PACKETS)]
    return [*first, f"... {left_out} packets not shown ...", *trace.lines(newest=LAST_PACKETS)]

"""Which stream's message goes next, as a program sets it: by name, at run time, with its own scheduler."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

import aiosctp
from aiosctp import config as config_module
from aiosctp import schedulers
from aiosctp.core.tx.schedulers import SCHEDULERS
from tests.surface.test_restart_of_streams import restart
from tests.surface.two_hosts import associated
from tests.surface.virtual_time import virtual_time

THREE_ROUNDS = [1, 2, 3] * 3


@pytest.fixture
def registry() -> Iterator[None]:
    """What a test registers is gone after it."""
    kept, names = dict(SCHEDULERS), set(config_module.SCHEDULERS)
    yield
    SCHEDULERS.clear()
    SCHEDULERS.update(kept)
    config_module.SCHEDULERS.clear()
    config_module.SCHEDULERS.update(names)


def give(association: aiosctp.Association, streams: Iterable[int]) -> None:
    """A message to each, all before the first is sent. Each fills a packet."""
    for stream in streams:
        association.send_nowait(bytes(1200), stream=stream)


async def taken(association: aiosctp.Association, count: int) -> list[int]:
    """The streams in the order in which their messages come: nothing is lost, so they were sent in it."""
    return [(await association.receive()).stream for _ in range(count)]


def test_a_config_takes_the_schedulers_there_are() -> None:
    assert set(SCHEDULERS) == config_module.SCHEDULERS
    for name in SCHEDULERS:
        assert aiosctp.Config(scheduler=name).scheduler == name
    with pytest.raises(ValueError, match=r"scheduler must be one of fair, fcfs, .*, not 'first'"):
        aiosctp.Config(scheduler="first")
    with pytest.raises(TypeError, match="scheduler must be a str"):
        aiosctp.Config(scheduler=1)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("scheduler", "order"),
    [
        ("fcfs", [3, 3, 3, 2, 2, 2, 1, 1, 1]),
        ("rr", [3, 2, 1, 3, 2, 1, 3, 2, 1]),
        ("rr_packet", [3, 2, 1, 3, 2, 1, 3, 2, 1]),
        ("priority", [1, 1, 1, 2, 2, 2, 3, 3, 3]),
        ("fair", [3, 2, 1, 3, 2, 1, 3, 2, 1]),
    ],
)
def test_the_scheduler_of_the_config_says_which_stream_goes_next(scheduler: str, order: list[int]) -> None:
    @virtual_time
    async def run() -> None:
        async with associated(config=aiosctp.Config(scheduler=scheduler)) as (_, ours, theirs):
            for stream in (1, 2, 3):
                ours.configure_stream(stream, priority=stream)
            give(ours, [3, 3, 3, 2, 2, 2, 1, 1, 1])
            assert await taken(theirs, 9) == order

    run()


@virtual_time
async def test_weights_share_what_is_sent() -> None:
    async with associated(config=aiosctp.Config(scheduler="weighted")) as (_, ours, theirs):
        ours.stream(1).configure(weight=3)
        give(ours, [1] * 30 + [2] * 30)
        assert (await taken(theirs, 40)).count(1) == pytest.approx(30, abs=2)


@pytest.mark.parametrize("interleaving", [False, True])
@virtual_time
async def test_a_small_message_waits_for_a_large_one_that_is_begun_only_without_i_data(interleaving: bool) -> None:
    config = aiosctp.Config(scheduler="priority", interleaving=interleaving)
    async with associated(config=config) as (_, ours, theirs):
        assert ("idata" in ours.negotiated) == interleaving
        ours.configure_stream(1, priority=9)
        await ours.send(bytes(200_000), stream=1)
        await asyncio.sleep(0.015)
        await ours.send(b"small", stream=2)
        assert await taken(theirs, 2) == ([2, 1] if interleaving else [1, 2])


@virtual_time
async def test_another_scheduler_orders_what_waits_too() -> None:
    async with associated() as (_, ours, theirs):
        give(ours, THREE_ROUNDS)
        ours.configure(scheduler="priority")
        for stream in (1, 2, 3):
            ours.stream(stream).configure(priority=9 - stream)
        assert await taken(theirs, 9) == [3, 3, 3, 2, 2, 2, 1, 1, 1]
        ours.configure(scheduler="fcfs")
        give(ours, THREE_ROUNDS)
        assert await taken(theirs, 9) == THREE_ROUNDS


@virtual_time
async def test_an_unknown_scheduler_changes_nothing() -> None:
    async with associated() as (_, ours, theirs):
        with pytest.raises(ValueError, match="scheduler must be one of"):
            ours.configure(scheduler="best", max_burst=9)
        assert ours.engine.config.max_burst == 4
        give(ours, [2, 1])
        assert await taken(theirs, 2) == [2, 1]


@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"priority": -1}, ValueError, "^priority must be between 0 and 65535"),
        ({"priority": 65536}, ValueError, "^priority must be between 0 and 65535"),
        ({"priority": 1.0}, TypeError, "^priority must be an int"),
        ({"weight": 0}, ValueError, "^weight must be between 1 and 65535"),
        ({"weight": 65536}, ValueError, "^weight must be between 1 and 65535"),
        ({"weight": "2"}, TypeError, "^weight must be an int"),
    ],
)
def test_a_wrong_value_of_a_stream_is_refused_by_name_and_changes_nothing(
    options: dict[str, Any], error: type[Exception], name: str
) -> None:
    @virtual_time
    async def run() -> None:
        async with associated() as (_, ours, _):
            with pytest.raises(error, match=name):
                ours.configure_stream(1, **{"priority": 5, "weight": 5, "lifetime": 1, **options})
            values = ours.engine.sender.queue.values
            assert (values.priority(1), values.weight(1)) == (0, 1)
            ours.send_nowait(b"x", stream=1)
            (message,) = ours.engine.sender.queue
            assert message[6] is None

    run()


@virtual_time
async def test_scheduler_and_values_outlive_a_restart_of_the_peer() -> None:
    async with associated() as (hosts, ours, theirs):
        theirs.configure(scheduler="priority")
        for stream in (1, 2, 3):
            theirs.configure_stream(stream, priority=9 - stream)
        again = await restart(hosts, ours, theirs)
        give(theirs, THREE_ROUNDS)
        await theirs.wait_acknowledged()
        received = [again.receiver.read() for _ in range(9)]
        assert [message.stream for message in received if message] == [3, 3, 3, 2, 2, 2, 1, 1, 1]


# -- a program's own --


@pytest.mark.usefixtures("registry")
@virtual_time
async def test_the_scheduler_of_the_docstring_sends_the_greatest_numbers_first() -> None:
    assert schedulers.__doc__ is not None
    example = "\n".join(line for line in schedulers.__doc__.splitlines() if line.startswith("    "))
    namespace: dict[str, Any] = {}
    exec(textwrap.dedent(example), namespace)  # noqa: S102 - our own text
    async with associated(config=namespace["config"]) as (_, ours, theirs):
        give(ours, THREE_ROUNDS)
        assert await taken(theirs, 9) == [3, 3, 3, 2, 2, 2, 1, 1, 1]
        ours.configure(scheduler="rr")
        give(ours, [1, 1, 2])
        ours.configure(scheduler="last_first")
        assert await taken(theirs, 3) == [2, 1, 1]


@pytest.mark.usefixtures("registry")
def test_a_scheduler_is_registered_once_under_a_name_of_its_own() -> None:
    def make(values: schedulers.StreamValues) -> schedulers.Scheduler:
        raise AssertionError("nothing is sent")

    schedulers.register("mine", make)
    for taken_name in ("mine", "fcfs"):
        with pytest.raises(ValueError, match="name must be a new one"):
            schedulers.register(taken_name, make)
    with pytest.raises(TypeError, match="name must be a str"):
        schedulers.register(7, make)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(TypeError, match="make must be callable"):
        schedulers.register("other", None)  # type: ignore[arg-type]  # that is the point
    assert aiosctp.Config(scheduler="mine").scheduler == "mine"
    with pytest.raises(ValueError, match="scheduler"):
        aiosctp.Config(scheduler="other")


@virtual_time
@pytest.mark.parametrize("wrong", [lambda values: 1 / 0, lambda values: object()], ids=["raises", "is none"])
async def test_a_scheduler_that_can_not_be_made_changes_nothing(registry: None, wrong: Any) -> None:
    """What waits is sent as before, and the association goes on."""
    schedulers.register("wrong", wrong)
    async with associated() as (_, ours, theirs):
        give(ours, [3, 1, 2])
        with pytest.raises((ZeroDivisionError, AttributeError)):
            ours.configure(scheduler="wrong", stream_send_buffer_bytes=1)
        assert ours.engine.config.scheduler == "fcfs"
        give(ours, [1])
        assert await taken(theirs, 4) == [3, 1, 2, 1]

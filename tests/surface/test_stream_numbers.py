"""A stream's number is checked wherever a user may name one, before anything is looked up by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import aiosctp
from aiosctp.core.tx.invariants import check_invariants
from tests.surface.two_hosts import associated
from tests.surface.virtual_time import virtual_time

CONFIG = aiosctp.Config(outbound_streams=4, max_inbound_streams=4)
OUTSIDE = [-1, -(2**16), 4, 255, 65535, 65536, 2**32]
NO_NUMBERS: list[Any] = [True, 1.0, "1", None, b"\1"]

Use = Callable[[aiosctp.Association, Any], object]
USES: dict[str, Use] = {
    "send_nowait": lambda association, number: association.send_nowait(b"x", stream=number),
    "stream": lambda association, number: association.stream(number),
}


@pytest.mark.parametrize("use", USES)
@virtual_time
async def test_no_use_of_a_stream_goes_beyond_those_there_are(use: str) -> None:
    """X16: nothing is queued, made or indexed by a number that is not one of the streams."""
    async with associated(config=CONFIG) as (_, ours, theirs):
        for number in OUTSIDE:
            with pytest.raises(aiosctp.InvalidStream):
                USES[use](ours, number)
        for nonsense in NO_NUMBERS:
            with pytest.raises(TypeError, match=r"stream|number"):
                USES[use](ours, nonsense)
        assert ours.engine.sender.queue.streams() == []
        for number in range(4):
            await ours.send(b"%d" % number, stream=number)
        assert [(await theirs.receive()).stream for _ in range(4)] == [0, 1, 2, 3]
        check_invariants(ours.engine.sender, ours.engine.paths)


@virtual_time
async def test_send_checks_its_stream_before_it_waits() -> None:
    """X16: the coroutine raises, and the send buffer is as it was."""
    async with associated(config=CONFIG) as (_, ours, _theirs):
        for number in OUTSIDE:
            with pytest.raises(aiosctp.InvalidStream):
                await ours.send(b"x", stream=number)
        for nonsense in NO_NUMBERS:
            with pytest.raises(TypeError, match="stream"):
                await ours.send(b"x", stream=nonsense)
        assert ours.engine.sender.buffered_bytes == 0

"""Many byte streams on one association, at a time and one after the other."""

from __future__ import annotations

import pytest

from tests.surface.reopening import AT_A_TIME, ENDINGS, Association, Ending, with_association
from tests.surface.test_transport_contract import pattern
from tests.surface.transports import OverUdp, Simulated

STREAMS = 1000


async def echo_on_all(association: Association) -> None:
    data = pattern(20_000 + STREAMS)
    streams = [await association.ours.open_stream() for _ in range(STREAMS)]
    for number, (_, writer) in enumerate(streams):
        writer.write(data[number:][:20_000])
    for number, (reader, writer) in enumerate(streams):
        assert await reader.readexactly(20_000) == data[number:][:20_000]
        writer.write_eof()
    for reader, writer in streams:
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("kind", [Simulated, OverUdp])
def test_a_thousand_streams_of_one_association_echo_at_a_time(kind: type[Simulated | OverUdp]) -> None:
    world = kind()
    world.run(lambda _: with_association(world, echo_on_all, streams=2 * STREAMS))


def test_of_a_thousand_streams_that_are_closed_the_numbers_are_left() -> None:
    async def compare(association: Association) -> None:
        before = await association.held()
        await echo_on_all(association)
        after = await association.held()
        assert after.entries < before.entries + STREAMS + 20

    world = Simulated()
    world.run(lambda _: with_association(world, compare, streams=2 * STREAMS))


@pytest.mark.parametrize("end", ENDINGS, ids=[end.__name__ for end in ENDINGS])
def test_streams_that_are_closed_and_opened_again_leave_nothing(end: Ending) -> None:
    """On real UDP, and longer: `python -m tests.surface.reopening 100000`."""

    async def reopen(association: Association) -> None:
        await association.reopen(4 * AT_A_TIME, end)
        before = await association.held()
        await association.reopen(STREAMS, end)
        after = await association.held()
        assert after.entries == before.entries
        assert after.objects < before.objects + STREAMS // 20

    world = Simulated()
    world.run(lambda _: with_association(world, reopen))


def test_what_an_association_holds_is_counted() -> None:
    """The test of the test: open streams count, and what is unread on them."""

    async def look(association: Association) -> None:
        before = await association.held()
        streams = [await association.ours.open_stream() for _ in range(AT_A_TIME)]
        opened = await association.held()
        assert opened.entries >= before.entries + AT_A_TIME
        for _, writer in streams:
            writer.write(b"echo")
        used = await association.held()
        assert used.entries >= opened.entries + AT_A_TIME
        assert used.objects >= opened.objects + AT_A_TIME
        for _, writer in streams:
            writer.close()
            await writer.wait_closed()

    world = Simulated()
    world.run(lambda _: with_association(world, look))

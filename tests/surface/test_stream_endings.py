"""What resets that came in one batch mean for a stream that nobody has accepted yet; a reset that never comes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

import aiosctp
from aiosctp.core.reconfig.answering import Answering
from aiosctp.events import StreamReset
from aiosctp.stream_endings import StreamEndings
from aiosctp.wire.codepoints import ReconfigurationResult
from aiosctp.wire.reconfig import IncomingSsnResetRequest
from tests.surface.two_hosts import associated
from tests.surface.virtual_time import virtual_time


class Streams:
    """Knows no transport, and notes what is shut."""

    def __init__(self) -> None:
        self.shut: list[tuple[int, int]] = []

    def find(self, number: int) -> None:
        return None

    def shut_before_accepted(self, number: int, since: int) -> None:
        self.shut.append((number, since))


def test_what_came_after_our_side_was_reset_is_another_conversation() -> None:
    """The peer had our side reset, began anew under the number and ended that, all in one batch: its mark is there, and
    counts to what came since."""
    streams = Streams()
    life = SimpleNamespace(engine=SimpleNamespace(ending=None))
    endings = StreamEndings(cast(Any, streams), cast(Any, life), lambda transport: False)
    before, ours, after = StreamReset((2,), ()), StreamReset((), (2,)), StreamReset((2, 4), ())
    endings.streams_reset([before, ours, after, StreamReset((2,), (), denied=True)])
    assert streams.shut == [(2, 1)]


@virtual_time
async def test_a_close_ends_though_the_peer_never_does_what_it_said_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """As late as a silent peer is given up; the number is not used again, as after a denial, and the others are."""

    def says_so(answering: Answering, request: IncomingSsnResetRequest) -> ReconfigurationResult:
        return ReconfigurationResult.PERFORMED

    monkeypatch.setattr(Answering, "_reset_outgoing", says_so)
    config = aiosctp.Config(rto_max_s=5.0, association_max_retrans=3, outbound_streams=6)
    async with associated(config=config) as (_, ours, theirs):
        _, writer = await ours.open_stream()
        writer.write(b"hello\n")
        await theirs.accept_stream()
        since = asyncio.get_running_loop().time()
        writer.close()
        await writer.wait_closed()
        assert 20.0 <= asyncio.get_running_loop().time() - since < 21.0
        with pytest.raises(aiosctp.RequestDenied, match="did not do what it said"):
            await ours.reset_streams(incoming=[3])
        for expected in (2, 4):
            _, writer = await ours.open_stream()
            assert writer.get_extra_info("stream_id") == expected
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100.0):
                await ours.open_stream()

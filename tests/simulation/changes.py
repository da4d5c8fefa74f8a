"""What programs ask for about streams (RFC 6525), in the midst of what they send: resets, more streams, all anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING, Any

from aiosctp import Association
from aiosctp.exceptions import NotSupported, RequestDenied, SCTPError
from tests.simulation.judge import LawBroken
from tests.simulation.site import Site

if TYPE_CHECKING:
    from tests.simulation.scene import Scene

USED_STREAMS = 5
MOST_STREAMS = 120
"""An end asks for no more: what counts is that there are others."""


class StreamChanges:
    """One who asks, of one end of an association."""

    def __init__(
        self, scene: Scene, site: Site, association: Association, random: Random, *, only: int | None = None
    ) -> None:
        self._scene = scene
        self._site = site
        self._association = association
        self._random = random
        self._only = only
        """The one stream whose messages are ours: the others are somebody else's to reset."""
        self.is_over = False

    async def live(self) -> None:
        try:
            for _ in range(self._random.randint(1, 6)):
                await asyncio.sleep(self._random.random() ** 2 * 12)
                if self._association.engine.ending is not None:
                    return
                await self._ask()
        except SCTPError:
            return
        finally:
            self.is_over = True

    async def _ask(self) -> None:
        random = self._random
        name, ask = self._draw()
        is_cancelled = random.random() < 0.15
        try:
            if is_cancelled:
                async with asyncio.timeout(random.choice([0.001, 0.1, 1.0])):
                    await ask()
            else:
                await ask()
        except TimeoutError:
            if not is_cancelled:
                raise
            self._scene.faults[f"{name} cancelled"] += 1
        except RequestDenied:
            self._scene.faults[f"{name} refused"] += 1
        except NotSupported:
            if all(site.config.reconfig for site in self._scene.sites):
                raise LawBroken("both sides support RE-CONFIG, and it is not supported") from None
            self._scene.faults[f"{name} not supported"] += 1
        else:
            self._scene.faults[name] += 1

    def _draw(self) -> tuple[str, Callable[[], Awaitable[None]]]:
        association, random = self._association, self._random
        kind = random.random()
        if kind < 0.25 and "association resets" in self._scene.character:
            return "association reset", association.reset_association
        if kind < 0.4:
            asked: dict[str, Any] = {}
            if random.random() < 0.7 and association.outbound_streams < MOST_STREAMS:
                asked["outgoing"] = random.randint(1, 4)
            room = min(association.engine.config.max_inbound_streams, MOST_STREAMS) - association.inbound_streams
            if room > 0 and (not asked or random.random() < 0.4):
                asked["incoming"] = random.randint(1, min(room, 4))
            if asked:
                return "streams added", lambda: association.add_streams(**asked)
        outgoing, incoming = self._some(association.outbound_streams), self._some(association.inbound_streams)
        match random.randrange(5):
            case 0 | 1:
                return "outgoing reset", lambda: association.reset_streams(outgoing=outgoing)
            case 2 | 3:
                return "incoming reset", lambda: association.reset_streams(incoming=incoming)
            case _:
                return "reset both ways", lambda: association.reset_streams(outgoing=outgoing, incoming=incoming)

    def _some(self, count: int) -> range | list[int]:
        random = self._random
        if self._only is not None:
            return [self._only]
        if random.random() < 0.25:
            return range(count)
        used = range(min(USED_STREAMS, count))
        return random.sample(used, random.randint(1, len(used)))

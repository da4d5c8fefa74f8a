"""Programs that give messages part by part (RFC 6458 §8.1.26)."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

from aiosctp import Association
from aiosctp.exceptions import InvalidStream, RecordLost, SCTPError

if TYPE_CHECKING:
    from tests.simulation.ledger import GivenPart, Post
    from tests.simulation.scene import Scene

MOST_RECORDS = 8
LARGEST_PART_BYTES = 4000


class RecordWriter:
    """Who writes records on one stream of an association, one after the other, and nothing else there."""

    def __init__(self, scene: Scene, association: Association, random: Random, stream: int, span_s: float) -> None:
        self.stream = stream
        self.is_over = False
        self.has_left_open = False
        self._scene = scene
        self._association = association
        self._random = random
        self._pause_s = random.choice([0.0, 0.02, 0.3, 2.0])
        self._span_s = span_s
        self.leaves_open = random.random() < 0.15
        """The last one."""
        self._names_addresses = random.random() < 0.2

    async def live(self) -> None:
        random = self._random
        count = random.randint(1, MOST_RECORDS)
        try:
            for number in range(count):
                await asyncio.sleep(random.random() ** 2 * 2 * self._span_s / count)
                await self._write_record(is_ended=not (self.leaves_open and number == count - 1))
        except InvalidStream:
            return  # the peer has restarted, and takes fewer
        except SCTPError:
            return
        finally:
            self.is_over = True

    async def _write_record(self, *, is_ended: bool) -> None:
        """At least two parts are queued, if all goes well: one alone would be a message."""
        ledger, random = self._scene.ledger, self._random
        record = ledger.begin_record(self.stream, unordered=random.random() < 0.3)
        parts = random.choice([2, 2, 3, 5, 12])
        try:
            while not record.is_closed:
                left = parts - len(record.parts)
                if left <= 1 and not is_ended:
                    self._scene.faults["record left open"] += 1
                    self.has_left_open = True
                    return
                if left > 2 and record.parts and random.random() < 0.2:
                    await self._write_together(record, random.randint(2, left - 1))
                else:
                    await self._write(record, is_last=left <= 1)
                await asyncio.sleep(random.random() ** 2 * self._pause_s)
        except RecordLost:
            self._scene.faults["record lost"] += 1

    async def _write_together(self, record: Post, count: int) -> None:
        """They wait for their turns side by side, and all hear of a restart."""
        writing = [asyncio.ensure_future(self._write(record, is_last=False)) for _ in range(count)]
        results: list[BaseException | None] = await asyncio.gather(*writing, return_exceptions=True)
        for error in sorted(filter(None, results), key=lambda each: isinstance(each, RecordLost)):
            raise error

    async def _write(self, record: Post, *, is_last: bool) -> None:
        """One part; when it is refused or cancelled, the record is as it was."""
        random, association, ledger = self._random, self._association, self._scene.ledger
        engine = association.engine
        if record.is_lost:
            return  # another that was written beside this one has been told
        part = ledger.offer_part(record, engine, random.choice((1, 20, 700, random.randint(1, LARGEST_PART_BYTES))))
        if not engine.config.fragmentation:
            part.data = part.data[: engine.sender.fragmentation_point_bytes]
        try:
            await self._send(part, end_of_record=is_last)
        except (BlockingIOError, TimeoutError):
            ledger.part_refused(part, engine)
            self._scene.faults["part cancelled or refused"] += 1
            await asyncio.sleep(random.choice([0.05, 0.5, 3.0]))
        except RecordLost:
            ledger.part_refused(part, engine)
            ledger.record_lost(record, engine)
            raise
        except BaseException:
            ledger.part_refused(part, engine)
            raise
        else:
            ledger.part_queued(part, engine, is_last=is_last)

    async def _send(self, part: GivenPart, *, end_of_record: bool) -> None:
        random, association, record = self._random, self._association, part.record
        options: dict[str, Any] = {
            "stream": record.stream,
            "ppid": record.ppid,
            "unordered": record.unordered,
            "context": part.context,
            "sack_immediately": random.random() < 0.1,
            "end_of_record": end_of_record,
        }
        if self._names_addresses and random.random() < 0.5:
            confirmed = [path.address[0] for path in association.paths if str(path.state) != "UNCONFIRMED"]
            if confirmed:
                part.address = options["address"] = random.choice(confirmed)
        if random.random() < 0.2:
            association.send_nowait(part.data, **options)
        elif "cancellations" in self._scene.character and random.random() < 0.3:
            async with asyncio.timeout(random.choice([0.001, 0.1, 1.0])):
                await association.send(part.data, **options)
        else:
            await association.send(part.data, **options)

"""What programs do with byte streams: open, accept, write, half-close, listen, close, and open again."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from random import Random
from typing import TYPE_CHECKING

from aiosctp import Association, AssociationState
from aiosctp.exceptions import SCTPError
from tests.simulation.judge import LawBroken
from tests.simulation.speeches import HEADER_BYTES, Listening

if TYPE_CHECKING:
    from tests.simulation.scene import Scene

MESSAGE_STREAM = 3
"""Of an association with so many streams both ways this one is for messages."""


def message_stream(association: Association) -> int | None:
    count = min(association.inbound_streams, association.outbound_streams)
    return MESSAGE_STREAM if count > MESSAGE_STREAM else None


class Talks:
    """The byte streams of one end of an association."""

    def __init__(self, scene: Scene, association: Association, random: Random, span_s: float) -> None:
        self.scene = scene
        self.association = association
        self.random = random
        self.last_heard_at_s = 0.0
        self._span_s = span_s
        self._openers = random.choice([0, 1, 1, 2, 3])
        self._is_slow_to_accept = random.random() < 0.3
        self._talking = 0

    @property
    def is_over(self) -> bool:
        return not self._openers and not self._talking

    def begin(self) -> list[asyncio.Task[None]]:
        """The tasks end with the association."""
        openers = [self.scene.task(self._open()) for _ in range(self._openers)]
        return [self.scene.task(self._accept()), *openers]

    async def _accept(self) -> None:
        talks: list[asyncio.Task[None]] = []
        try:
            async for reader, writer in self.association.accept_streams():
                talks.append(self._talk(reader, writer, is_ours=False))
                if self._is_slow_to_accept:
                    await asyncio.sleep(self.random.choice([0.1, 1.0, 3.0]))
        except SCTPError:
            pass
        for task in talks:
            await task

    async def _open(self) -> None:
        random, association = self.random, self.association
        talks: list[asyncio.Task[None]] = []
        try:
            for _ in range(random.randint(1, 8)):
                await asyncio.sleep(random.random() ** 2 * self._span_s / 2)
                try:
                    async with asyncio.timeout(random.choice([0.5, 5.0, 20.0])):
                        reader, writer = await association.open_stream()
                except TimeoutError:
                    self.scene.faults["no stream to open"] += 1
                    continue
                talks.append(self._talk(reader, writer, is_ours=True))
        except SCTPError:
            pass
        finally:
            self._openers -= 1
        for task in talks:
            await task

    def _talk(self, reader: StreamReader, writer: StreamWriter, *, is_ours: bool) -> asyncio.Task[None]:
        self._talking += 1
        talk = Talk(self, reader, writer, Random(self.random.random()), is_ours=is_ours)
        self.scene.faults["byte stream opened" if is_ours else "byte stream accepted"] += 1
        return self.scene.task(talk.live())

    def ended(self) -> None:
        self._talking -= 1


class Talk:
    """One end of one byte stream, with its user."""

    def __init__(
        self, talks: Talks, reader: StreamReader, writer: StreamWriter, random: Random, *, is_ours: bool
    ) -> None:
        scene, engine = talks.scene, talks.association.engine
        self._talks = talks
        self._reader = reader
        self._writer = writer
        self._random = random
        self._faults = scene.faults
        number: int = writer.get_extra_info("stream_id")
        self._speech = scene.speeches.begin(engine, scene.peer_of(engine), number)
        self._listening = Listening(scene.speeches, engine, number, self._speech.id)
        self._is_closed = False
        self._size = random.choice([HEADER_BYTES, random.randint(9, 50), random.randint(9, 3000)])
        if random.random() < 0.2:
            self._size = random.randint(9, 30_000)
        endings = ["eof", "eof", "close", "close", "abort" if random.random() < 0.3 else "eof"]
        if is_ours and random.random() < 0.05:
            # The peer won't know of it, so nothing would end it.
            self._size, endings = 0, ["close"]
        self._ending = random.choice(endings if is_ours else [*endings, "listen"])
        slow = "slow readers" in scene.character and random.random() < 0.3
        self._pause_s = 0.3 if slow else random.choice([0.0, 0.0, 0.02])
        self._has_patience = random.random() < 0.9

    async def live(self) -> None:
        try:
            speaking = asyncio.ensure_future(self._speak())
            await self._listen()
            await speaking
            self._close()
            try:
                await self._writer.wait_closed()
            except OSError:
                self._speech.has_failed = True
        finally:
            self._talks.ended()

    def _close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._writer.transport.is_closing():
            # It was closed for us, as by the end of the association.
            self._speech.has_failed |= not self._speech.is_over
        self._speech.end()
        self._writer.close()

    # -- speaking --

    async def _speak(self) -> None:
        try:
            while self._speech.written < self._size and not self._is_closed:
                if self._writer.transport.is_closing():
                    self._speech.has_failed = True
                    return
                await self._write_some()
        except OSError:
            self._speech.has_failed = True
            return
        if not self._is_closed:
            self._end()

    async def _write_some(self) -> None:
        random, speech = self._random, self._speech
        count = random.choice([1, 10, 100, 1000, 10_000])
        if not speech.written:
            count += HEADER_BYTES
        count = min(count, self._size - speech.written)
        if random.random() < 0.2:
            half = count // 2
            self._writer.writelines([speech.go_on(half), speech.go_on(count - half)])
        else:
            self._writer.write(speech.go_on(count))
        if random.random() < 0.7:
            await self._writer.drain()
        if random.random() < 0.3:
            await asyncio.sleep(random.choice([0.0, 0.01, 0.5]))

    def _end(self) -> None:
        transport, ending = self._writer.transport, self._ending
        self._faults[f"byte stream: {ending}"] += 1
        if transport.is_closing():
            self._speech.has_failed = True
        elif ending == "eof" and self._writer.can_write_eof():
            self._speech.end()
            self._writer.write_eof()
        elif ending == "abort":
            self._is_closed = self._speech.is_cut = True
            transport.abort()
        elif ending != "listen":
            self._close()

    # -- listening --

    async def _listen(self) -> None:
        random = self._random
        while True:
            try:
                data = await self._reader.read(random.choice([1, 100, 5000, 1 << 16]))
            except OSError:
                self._listening.stopped()
                return
            if self._is_closed:
                # What we have closed has an end of our making.
                self._listening.stopped()
                return
            if not data:
                self._listening.eof()
                return
            self._listening.heard(data)
            self._talks.last_heard_at_s = asyncio.get_running_loop().time()
            if self._pause_s:
                await asyncio.sleep(self._pause_s)
            if not self._has_patience and random.random() < 0.2:
                self._faults["byte stream: closed in the midst"] += 1
                self._listening.stopped()
                self._close()
                return


def check_what_is_kept(association: Association, talks: Talks) -> None:
    """Nobody talks any more, and all is acknowledged: what is kept by stream number is gone with the streams, unless a
    shutdown came before the last reset of one could be asked for."""
    engine, streams = association.engine, association.byte_streams()
    if engine.state is not AssociationState.ESTABLISHED:
        return
    for stream in engine.sender.queue.streams():
        if stream.number != MESSAGE_STREAM and streams.find(stream.number) is None and not stream.buffered_bytes:
            raise LawBroken(f"outgoing stream {stream.number} is kept, and nobody has it")

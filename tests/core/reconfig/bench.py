"""Two engines that reset streams, and what their users send and read."""

from __future__ import annotations

from collections.abc import Callable

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import Message, OutgoingMessage
from aiosctp.core.reconfig import Outcome, Request
from aiosctp.events import Event
from aiosctp.wire.chunks import ReConfig, decode_chunks
from tests.core.laws import check_association
from tests.core.pair import Flight, Host, Pair

EVERYTHING = Config(peer_may_reset_association=True)


class Resets:
    """Host `a` has connected to `z`; both may ask for everything."""

    def __init__(self, config_a: Config = EVERYTHING, config_z: Config = EVERYTHING, *, seed: int = 1) -> None:
        self.pair = Pair(config_a=config_a, config_z=config_z, seed=seed)
        self.a, self.z = self.pair.established()
        self.pair.run_for(1.0)
        self.pair.log.clear()

    def host_of(self, engine: AssociationEngine) -> Host:
        return self.pair.a if engine is self.a else self.pair.z

    def send(self, engine: AssociationEngine, *texts: str, stream: int = 0, unordered: bool = False) -> None:
        for text in texts:
            engine.send(OutgoingMessage(text.encode(), stream, unordered=unordered))
        self.touch(engine)

    def touch(self, engine: AssociationEngine) -> None:
        self.host_of(engine).engine.touch(engine)

    def ask(self, request: Request, engine: AssociationEngine) -> Request:
        self.touch(engine)
        return request

    def finish(self, *requests: Request) -> list[Outcome | None]:
        """Run until these have ended."""
        self.pair.run_until(lambda: all(request.outcome is not None for request in requests))
        self.check()
        return [request.outcome for request in requests]

    def check(self) -> None:
        for engine in (self.a, self.z):
            check_association(engine)

    def read(self, engine: AssociationEngine, stream: int | None = None) -> list[str]:
        return [text_of(message) for message in self.messages(engine, stream)]

    def messages(self, engine: AssociationEngine, stream: int | None = None) -> list[Message]:
        found: list[Message] = []
        while (message := engine.receiver.read(stream)) is not None:
            found.append(message)
        self.touch(engine)
        return found

    def events(self, engine: AssociationEngine, *kinds: type[Event]) -> list[Event]:
        self.pair.flush()
        return [event for event in self.pair.events_of(self.host_of(engine), engine) if isinstance(event, kinds)]

    def said(self, engine: AssociationEngine) -> list[ReConfig]:
        """The RE-CONFIG chunks that it has sent."""
        return [
            chunk
            for flight in self.pair.log
            if flight.sender is self.host_of(engine)
            for chunk in decode_chunks(flight.data)
            if isinstance(chunk, ReConfig)
        ]

    def lose(self, loses: Callable[[ReConfig], bool], *, times: int = 1_000_000) -> None:
        """Lose the packets with a RE-CONFIG chunk like this, so many."""
        left = [times]

        def drop(flight: Flight) -> bool:
            chunks = [chunk for chunk in decode_chunks(flight.data) if isinstance(chunk, ReConfig)]
            if left[0] and any(map(loses, chunks)):
                left[0] -= 1
                return True
            return False

        self.pair.drop = drop


def text_of(message: Message) -> str:
    """A mark is a bar."""
    return message.data.decode() or "|"

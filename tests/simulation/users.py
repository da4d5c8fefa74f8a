"""What programs do with associations, through the public surface: connect, send, read, meddle, end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import aiosctp
from aiosctp import Association
from aiosctp.events import NotificationsStopped, PartialDelivery, SendFailed
from aiosctp.exceptions import InvalidStream, MessageTooLarge, SCTPError, StreamEnded
from aiosctp.subscriptions import EventSubscription
from tests.simulation.changes import StreamChanges
from tests.simulation.character import SCHEDULERS, draw_changes
from tests.simulation.judge import LawBroken
from tests.simulation.policies import Policies
from tests.simulation.records import RecordWriter
from tests.simulation.site import SCTP_PORT, Site
from tests.simulation.talks import Talks, check_what_is_kept, message_stream

if TYPE_CHECKING:
    from tests.simulation.scene import Scene

STREAMS = 5
LARGEST_MESSAGE_BYTES = 40_000
QUIET_S = 3.0
CONNECT_S = 100.0
"""However often INIT was repeated in the storm: the next is answered, and so is COOKIE ECHO."""
BEAT_S = 5.0
"""Who ends a calm association does so at a multiple of this: both ends at once, if both do."""
CALM_ENDINGS = ("shutdown", "shutdown", "shutdown", "close")
EARLY_ENDINGS = ("early shutdown", "early shutdown", "early close", "abort")


@dataclass
class Plan:
    """What one end is to do with one association."""

    messages: int
    span_s: float
    """Over how long they are sent."""
    ending: str | None
    """None: the other end ends it."""
    end_at_s: float = 0.0


class End:
    """One end of an association, with its user."""

    def __init__(self, scene: Scene, site: Site, association: Association, plan: Plan, random: Random) -> None:
        self.scene = scene
        self.site = site
        self.association = association
        self.plan = plan
        self.random = random
        self.sent = 0
        self._loop = asyncio.get_running_loop()
        self._last_read_at_s = self._loop.time()
        self._large_left = 3 if "large messages" in scene.character else 0
        if "interleaving" in scene.character:
            self._large_left *= 3
        slow = "slow readers" in scene.character and random.random() < 0.5
        self._changes: list[StreamChanges] = []
        self._talks: Talks | None = None
        self._message_stream: int | None = None
        """The only one for messages; None: any is."""
        self._record_writers: list[RecordWriter] = []
        self._policies: Policies | None = None
        """Of messages that need not arrive; None: all have to."""
        if "partial reliability" in scene.character:
            self._policies = Policies(Random(scene.extension_random.random()), site.config)
        self._address_random: Random | None = None
        """Of which address a message is sent to; None: none names any."""
        if scene.address_random.random() < 0.3:
            self._address_random = Random(scene.address_random.random())
        self._pause_s = random.choice([0.3, 1.0]) if slow else random.choice([0.0, 0.0, 0.01, 0.2])

    async def live(self) -> None:
        """From the moment it is established to its end."""
        association = self.association
        # Before anything is awaited: a server's handler gets what came before only then.
        events = association.events()
        scene = self.scene
        readers = [scene.task(self._listen(events))]
        if "byte streams" in scene.character:
            readers += self._talk()
        else:
            readers.append(scene.task(self._read(None)))
        if self._talks is None and "taken over streams" in scene.character and association.inbound_streams > 1:
            scene.ledger.takes_over(association.engine, 1)
            readers.append(scene.task(self._read(association.stream(1))))
        writers = [scene.task(self._send()) for _ in range(self.random.choice([1, 1, 2, 4]))]
        if "records" in scene.character and self._talks is None:
            writers += self._write_records()
        if self.plan.ending is not None:
            writers.append(scene.task(self._end(self.plan.ending)))
        elif any(each.leaves_open for each in self._record_writers):
            writers.append(scene.task(self._end("shutdown")))
        if self.random.random() < 0.3:
            writers.append(scene.task(self._meddle()))
        if "schedulers" in scene.character or self._policies is not None:
            writers.append(scene.task(self._tune()))
        if "odd settings" in scene.character:
            writers.append(scene.task(self._set_anew()))
        if "stream changes" in scene.character and (self._talks is None or self._message_stream is not None):
            writers += self._change_streams()
        await association.wait_closed()
        # Time to see the end for themselves; who sleeps through it is woken, for a client may want to connect again.
        await asyncio.sleep(0)
        for task in writers:
            task.cancel()
        await asyncio.wait([*writers, *readers])
        if scene.ledger.has_power(association.engine):
            scene.wire_laws.data_laws.check_counts(association)
        scene.ledger.events_are_over(association.engine)

    def _talk(self) -> list[asyncio.Task[None]]:
        """All streams are byte streams but the one for messages, if there is one."""
        scene, association = self.scene, self.association
        self._talks = Talks(scene, association, Random(scene.change_random.random()), self.plan.span_s)
        tasks = []
        number = self._message_stream = message_stream(association)
        if number is None:
            self.sent = self.plan.messages
        else:
            scene.ledger.takes_over(association.engine, number)
            tasks.append(scene.task(self._read(association.stream(number))))
        return tasks + self._talks.begin()

    def _change_streams(self) -> list[asyncio.Task[None]]:
        scene, random = self.scene, self.scene.change_random
        for _ in range(random.choice([0, 1, 1, 2, 3])):
            changes = StreamChanges(
                scene, self.site, self.association, Random(random.random()), only=self._message_stream
            )
            self._changes.append(changes)
        return [scene.task(changes.live()) for changes in self._changes]

    def _write_records(self) -> list[asyncio.Task[None]]:
        """On streams of their own: what else is sent there would be a part. Stream 0 is left to messages."""
        scene, association = self.scene, self.association
        random = scene.record_random
        streams = range(1, min(STREAMS, association.outbound_streams))
        for stream in random.sample(streams, random.randint(0, min(3, len(streams)))):
            writer = RecordWriter(scene, association, Random(random.random()), stream, self.plan.span_s)
            self._record_writers.append(writer)
        return [scene.task(writer.live()) for writer in self._record_writers]

    # -- sending --

    async def _send(self) -> None:
        begins_at_s = self._loop.time()
        while self.sent < self.plan.messages:
            self.sent += 1
            await asyncio.sleep(self.random.random() ** 2 * 2 * self.plan.span_s / self.plan.messages)
            try:
                if not await self._send_one():
                    self.sent -= 1
            except (InvalidStream, MessageTooLarge):
                continue  # the peer restarted, and takes fewer; the path MTU fell while it waited
            except SCTPError:
                return
            if self._loop.time() - begins_at_s > 20 * self.plan.span_s + 1000:
                return  # so tiny a window, so slow a reader

    async def _send_one(self) -> bool:
        """Whether it was queued."""
        random, association = self.random, self.association
        ledger, engine = self.scene.ledger, association.engine
        stream = random.randrange(min(STREAMS, association.outbound_streams))
        if self._message_stream is not None:
            stream = self._message_stream
        while any(writer.stream == stream for writer in self._record_writers):
            stream -= 1
        size = self._size()
        if not engine.config.fragmentation:
            size = min(size, engine.sender.fragmentation_point_bytes)
        post = ledger.offer(engine, stream, size, unordered=random.random() < 0.3)
        options: dict[str, Any] = {
            "stream": stream,
            "ppid": post.ppid,
            "unordered": post.unordered,
            "context": post.context,
            "sack_immediately": random.random() < 0.1,
        }
        if self._policies is not None:
            policy, named = self._policies.draw_for_message(stream)
            post.worth(policy, self._loop.time())
            options |= named
        if self._address_random is not None and self._address_random.random() < 0.3:
            post.address = options["address"] = self._draw_address(self._address_random)
        try:
            if random.random() < 0.2:
                association.send_nowait(post.data, **options)
            elif "cancellations" in self.scene.character and random.random() < 0.2:
                async with asyncio.timeout(random.choice([0.001, 0.1, 1.0])):
                    await association.send(post.data, **options)
            else:
                await association.send(post.data, **options)
        except (BlockingIOError, TimeoutError):
            ledger.refused(post, engine)
            self.scene.faults["send cancelled or refused"] += 1
            await asyncio.sleep(random.choice([0.05, 0.5, 5.0]))
            return False
        except MessageTooLarge:
            if engine.config.fragmentation or size <= engine.sender.fragmentation_point_bytes:
                raise LawBroken(f"a message of {size} bytes was refused, and fits") from None
            ledger.refused(post, engine)
            raise
        except BaseException:
            ledger.refused(post, engine)
            raise
        ledger.queued(post, engine, self._loop.time())
        return True

    def _draw_address(self, random: Random) -> str | None:
        confirmed = [path.address[0] for path in self.association.paths if str(path.state) != "UNCONFIRMED"]
        return random.choice(confirmed) if confirmed else None

    def _size(self) -> int:
        random = self.random
        if self._large_left and random.random() < 0.1:
            self._large_left -= 1
            window = min(site.config.receive_window_bytes for site in self.scene.sites)
            return random.randint(1, min(LARGEST_MESSAGE_BYTES, 10 * window))
        return random.choice((random.randint(1, 20), random.randint(1, 700), random.randint(1, 2500)))

    async def _tune(self) -> None:
        """Schedulers change, and what they are told of the streams, and the default policies, while messages wait."""
        scene, association = self.scene, self.association
        random = Random(scene.extension_random.random())
        try:
            for _ in range(random.randint(0, 6)):
                self._tune_once(random)
                await asyncio.sleep(random.random() ** 2 * 8)
                if association.engine.ending is not None:
                    return
        except SCTPError:
            return

    def _tune_once(self, random: Random) -> None:
        association = self.association
        streams = range(min(STREAMS, association.outbound_streams))
        if self._message_stream is not None:
            streams = range(self._message_stream, self._message_stream + 1)
        if "schedulers" in self.scene.character:
            if random.random() < 0.5:
                association.configure(scheduler=random.choice(SCHEDULERS))
                self.scene.faults["scheduler chosen"] += 1
            for stream in random.sample(range(association.outbound_streams), min(2, association.outbound_streams)):
                association.configure_stream(stream, priority=random.randrange(4), weight=random.choice([1, 2, 10]))
        if self._policies is not None and self._may_limit and "default policies" in self.scene.character:
            stream = random.choice(streams)
            association.configure_stream(stream, **self._policies.draw_for_stream(stream))
            if random.random() < 0.3:
                association.configure(**self._policies.draw_for_all())

    @property
    def _may_limit(self) -> bool:
        """A byte stream takes no policy."""
        return self._talks is None or self._message_stream is not None

    # -- reading --

    async def _read(self, source: aiosctp.Stream | None) -> None:
        """Messages of one stream, or of all others, until none will come."""
        random, association = self.random, self.association
        receive = association.receive if source is None else source.receive
        cancels = "cancellations" in self.scene.character
        try:
            while True:
                partial = random.random() < 0.5
                try:
                    if cancels and random.random() < 0.1:
                        async with asyncio.timeout(random.choice([0.01, 0.3])):
                            self._take(await receive(partial=partial), partial=partial)
                    else:
                        self._take(await receive(partial=partial), partial=partial)
                except TimeoutError:
                    self.scene.faults["receive cancelled"] += 1
                except StreamEnded:
                    assert source is not None
                    self.scene.ledger.stream_ended(association.engine, source.number)
                if self._pause_s and random.random() < 0.3:
                    await asyncio.sleep(self._pause_s)
        except SCTPError:
            return

    def _take(self, message: aiosctp.Message, *, partial: bool) -> None:
        self._last_read_at_s = self._loop.time()
        self.scene.ledger.read(self.association, message, partial=partial)

    async def _listen(self, events: EventSubscription) -> None:
        ledger = self.scene.ledger
        async for event in events:
            if isinstance(event, SendFailed | PartialDelivery) and not self._is_for_messages(event.stream):
                continue
            if isinstance(event, SendFailed):
                ledger.failed(event)
            elif isinstance(event, PartialDelivery):
                ledger.partial_delivery_ended(self.association.engine, event)
            elif isinstance(event, NotificationsStopped):
                raise LawBroken("a subscription that is read all the time overflowed")

    def _is_for_messages(self, stream: int) -> bool:
        return self._talks is None or stream == self._message_stream

    # -- ending --

    async def _end(self, ending: str) -> None:
        if ending in EARLY_ENDINGS or ending == "shutdown on a dead network":
            await asyncio.sleep(max(0.0, self.plan.end_at_s - self._loop.time()))
        else:
            await self._until_done()
        association = self.association
        self.scene.faults[ending] += 1
        if ending == "shutdown on a dead network":
            self.scene.cut_off(self.site)
        if ending == "abort":
            association.abort(b"enough")
        elif ending.endswith("close"):
            self.scene.ledger.discards(association.engine)
            association.close()
        else:
            await self._shut_down()

    async def _until_done(self) -> None:
        """The network has healed, all is sent, acknowledged, and nothing more comes."""
        association = self.association
        await self.scene.calm.wait()
        while association.engine.ending is None:
            await asyncio.sleep(0.5)
            if self._loop.time() - self._last_heard_at_s >= QUIET_S and self._is_stuck:
                return
            if not all(changes.is_over for changes in self._changes):
                continue
            if not all(writer.is_over for writer in self._record_writers):
                continue
            if self.sent < self.plan.messages or self._loop.time() - self._last_heard_at_s < QUIET_S:
                continue
            is_willing = "unwilling peers" not in self.scene.character
            if self._talks is not None and is_willing and not self._talks.is_over:
                continue
            try:
                await association.wait_acknowledged()
            except SCTPError:
                return
            if self._talks is not None and is_willing:
                check_what_is_kept(association, self._talks)
            await asyncio.sleep(BEAT_S - self._loop.time() % BEAT_S)
            return

    @property
    def _is_stuck(self) -> bool:
        """A record is left open: what waits for its end, on other streams and at the peer too, would for ever."""
        return any(each.has_left_open for each in self._record_writers)

    @property
    def _last_heard_at_s(self) -> float:
        return max(self._last_read_at_s, 0.0 if self._talks is None else self._talks.last_heard_at_s)

    async def _shut_down(self) -> None:
        """§9.2: it ends, or T5 ABORTs it."""
        association = self.association
        began_at_s = self._loop.time()
        limit_s = association.engine.config.effective_shutdown_timeout_s
        with contextlib.suppress(SCTPError):
            await association.shutdown()
        took_s = self._loop.time() - began_at_s
        if took_s > limit_s + 0.01:
            raise LawBroken(f"a shutdown that was to end within {limit_s} s took {took_s} s (§9.2)")

    # -- meddling --

    async def _meddle(self) -> None:
        """What else the surface lets a program do in the middle of it all."""
        association, random = self.association, self.random
        try:
            for _ in range(random.randint(1, 4)):
                await asyncio.sleep(random.uniform(0, 10))
                if association.engine.ending is not None:
                    return
                await self._meddle_once()
        except SCTPError:
            return

    async def _meddle_once(self) -> None:
        association, random = self.association, self.random
        path = random.choice(association.paths)
        match random.randrange(5):
            case 0:
                association.configure(sack_delay_s=random.choice([0.0, 0.1, 0.5]), sack_frequency=random.choice([1, 3]))
            case 1:
                association.configure(hb_interval_s=random.choice([1.0, 10.0]), max_burst=random.choice([1, 8]))
            case 2 if str(path.state) != "UNCONFIRMED":
                association.set_primary(path.address)
            case 3:
                try:
                    await path.heartbeat()
                except (TimeoutError, ValueError):
                    return
            case _:
                config = association.engine.config
                association.configure(rto_max_s=max(config.rto_initial_s, random.choice([3.0, 10.0])))

    async def _set_anew(self) -> None:
        """What is rarely set in the life of an association."""
        association, random = self.association, Random(self.scene.settings_random.random())
        try:
            for _ in range(random.randint(0, 5)):
                await asyncio.sleep(random.random() ** 2 * 10)
                if association.engine.ending is not None:
                    return
                association.configure(**draw_changes(random, association.engine.config))
                self.scene.faults["set anew"] += 1
        except SCTPError:
            return


class Conversation:
    """A client that wants to have sent so many messages, and connects as often as that takes."""

    def __init__(self, scene: Scene, site: Site, peer: Site, random: Random, *, messages: int, span_s: float) -> None:
        self.scene = scene
        self.site = site
        self.peer = peer
        self.random = random
        self.messages = messages
        self.span_s = span_s
        self.begins_at_s = random.choice([0.0, 0.0, random.uniform(0, 5)])
        self.ending = draw_ending(random)
        self.local_port = random.choice([0, *[random.randint(5000, 5999)] * 4])
        if "hasty reconnects" in scene.character:
            self.ending = "early shutdown"
        self._has_failed = False
        """To connect: from then on all of the peer's addresses are tried, for a port may have gone from the chosen."""
        self.is_mutual = False
        """The peer connects to us from the same port at the same time."""

    async def run(self) -> None:
        await asyncio.sleep(self.begins_at_s)
        attempts = 0
        while attempts == 0 or self.messages > 0:
            attempts += 1
            if not self.site.is_up.is_set():
                await self.site.is_up.wait()
                # At once, often: the peer has not found out yet.
                await asyncio.sleep(self.random.choice([0.0, 0.0, 1.0]))
            association = await self._connect() if self.site.is_up.is_set() else None
            if association is None:
                if self.is_mutual:
                    return  # the peer's association is ours too
                await asyncio.sleep(self.random.uniform(0.2, 2.0))
                continue
            end_at_s = asyncio.get_running_loop().time() + self.random.uniform(0, 10)
            plan = Plan(self.messages, self.span_s, self.ending, end_at_s)
            end = End(self.scene, self.site, association, plan, self.random)
            await end.live()
            self.messages -= max(end.sent, 5)
            if self.ending == "shutdown on a dead network":
                return
            is_hasty = "hasty reconnects" in self.scene.character and attempts < 4
            self.ending = "early shutdown" if is_hasty else self.random.choice(CALM_ENDINGS)
            self.span_s /= 2

    async def _connect(self) -> Association | None:
        assert self.site.stack is not None
        random = self.random
        families = {":" in address for address in self.site.host.addresses}
        hosts = [address for address in self.peer.host.addresses if (":" in address) in families]
        chosen: str | list[str] = random.sample(hosts, random.randint(1, len(hosts)))
        if random.random() < 0.2 or self._has_failed:
            chosen = self.peer.host.name
        began_at_s = asyncio.get_running_loop().time()
        timeout = None if self.scene.calm.is_set() else random.choice([None, 3.0, 10.0])
        try:
            return await aiosctp.connect(
                chosen, SCTP_PORT, local_port=self.local_port, stack=self.site.stack, timeout=timeout
            )
        except OSError:
            self._has_failed = True
            self.scene.faults["connect failed"] += 1
            return None
        finally:
            took_s = asyncio.get_running_loop().time() - max(began_at_s, self.scene.storm_s)
            # An address that was taken away and given back has no port; who crashed does not know its own cookies.
            is_excused = self.scene.faults["address removed"] or self.scene.faults["power lost"]
            if took_s > CONNECT_S and not is_excused:
                self.scene.judge.accuse(LawBroken(f"connecting took {took_s:.0f} s on a network that has healed"))


def draw_ending(random: Random) -> str:
    return random.choice(EARLY_ENDINGS if random.random() < 0.3 else CALM_ENDINGS)


def guarded(scene: Scene, coroutine: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
    """What goes wrong in it is told to the judge."""

    async def run() -> None:
        try:
            await coroutine
        except Exception as error:
            scene.judge.accuse(error)

    return run()

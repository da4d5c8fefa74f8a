"""One seed: hosts and what lies between them, a storm, a calm, and what must hold when all is over."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

from aiosctp import Association, Config, Stack
from aiosctp.config import MIN_RECEIVE_WINDOW_BYTES
from aiosctp.core import shortcuts
from aiosctp.core.association import AssociationEngine
from aiosctp.testing import LossWhere, Nat, Network, VirtualTimeLoop
from aiosctp.wire.codepoints import ChunkType
from tests.simulation import both_ways, marks, serials
from tests.simulation.character import (
    draw_character,
    draw_config,
    draw_extensions,
    draw_policy,
    draw_segment,
    draw_settings,
)
from tests.simulation.engine_laws import EngineLaws
from tests.simulation.faults import draw_fault
from tests.simulation.judge import Judge, LawBroken
from tests.simulation.ledger import Ledger
from tests.simulation.reaction_laws import ReactionLaws
from tests.simulation.scheduler_laws import SchedulerLaws
from tests.simulation.site import SCTP_PORT, Cable, Site
from tests.simulation.speeches import Speeches
from tests.simulation.users import Conversation, End, Plan, draw_ending, guarded
from tests.simulation.weather import begins_with, draw_calm
from tests.simulation.wire_laws import WireLaws
from tests.simulation.wrapping import Maker, wrapped

LIMIT_S = 6000.0
"""By then everything has finished, though it began in a storm."""
LEFT_BEHIND_S = 200.0
"""How long an association whose peer has forgotten it may take to find that out."""
UNDER_WAY_S = 60.0
"""How long the last packets may be on their way."""
NAT_ADDRESS = "203.0.113.254"
LAST_PACKETS = 60
"""So many are shown of a seed that is traced."""


@dataclass
class Outcome:
    """What a seed was, and came to."""

    seed: int
    character: str
    broken: str | None = None
    """The law that was broken."""
    has_both_ways: bool = False
    """It was run with the engine's short ways open and closed."""
    virtual_s: float = 0.0
    messages: int = 0
    bytes: int = 0
    packets: int = 0
    cpu_s: float = 0.0
    digest: int = 0
    """Of every packet, in the order sent."""
    read_digest: int = 0
    """Of everything read, in that order."""
    marks: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    last_packets: list[str] = field(default_factory=list)

    @property
    def story(self) -> tuple[object, ...]:
        """What both ways through the engine have in common."""
        return self.digest, self.packets, self.read_digest, self.messages, self.virtual_s, sorted(self.faults.items())


class Scene:
    """The stage of one seed, and what happens on it."""

    def __init__(self, seed: int, *, trace_packets: int = 0) -> None:
        self.seed = seed
        self.random = Random(f"{seed}/scene")
        self.change_random = Random(f"{seed}/changes")
        """For who changes streams: without such a trait, a seed is as if there were none of this."""
        self.extension_random = Random(f"{seed}/extensions")
        self.size_random = Random(f"{seed}/sizes")
        self.address_random = Random(f"{seed}/addresses")
        self.record_random = Random(f"{seed}/records")
        self.settings_random = Random(f"{seed}/settings")
        """For policies, schedulers and what else extends the data transfer: likewise."""
        self.character = draw_character(Random(f"{seed}/character"))
        self.network = Network(seed=seed, trace_packets=trace_packets)
        self.judge = Judge()
        self.ledger = Ledger(Random(f"{seed}/ledger"), self.judge)
        self.speeches = Speeches(self.ledger)
        self.faults: Counter[str] = Counter()
        self.marks: Counter[str] = Counter()
        self.sites: list[Site] = []
        self.cables: list[Cable] = []
        self.nat: Nat | None = None
        self.wire_laws = WireLaws(
            self.judge,
            self.ledger,
            self._now,
            self.config_of,
            ssns_wrap="ssns wrap" in self.character,
        )
        self.network.observers.append(self.wire_laws.observe)
        self.storm_s = self.random.uniform(15, 30)
        self.ended_at_s = 0.0
        self._loop: asyncio.AbstractEventLoop
        self._tasks: set[asyncio.Task[None]] = set()

    def _now(self) -> float:
        return self._loop.time()

    # -- what the actors use --

    def task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(guarded(self, coroutine))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do it then, or when the network heals."""
        self._loop.call_later(min(delay_s, max(0.0, self.storm_s - self._loop.time())), action)

    def peer_of(self, engine: AssociationEngine) -> AssociationEngine | None:
        """The other end of an association that is established, if it is too."""
        for site in self.sites:
            for other in [] if site.stack is None else site.stack.owners:
                if other is engine:
                    # Between the same ports both ends may have drawn the same tag.
                    continue
                ports_fit = (other.local_port, other.peer_port) == (engine.peer_port, engine.local_port)
                tags = other.tcb.local_tag, other.tcb.peer_tag
                if ports_fit and tags == (engine.tcb.peer_tag, engine.tcb.local_tag):
                    return other
        return None

    def config_of(self, address: str) -> Config | None:
        """Of the host that has this address now, or the one behind the NAT."""
        if address == NAT_ADDRESS:
            return self.sites[0].config
        return next((site.config for site in self.sites if address in site.host.addresses), None)

    def cut_off(self, site: Site) -> None:
        """Nothing gets to this host or from it for a while."""
        self.network.partition(site.host)
        self.later(12.0, lambda: self.network.heal(site.host))

    def crash(self, site: Site, *, down_s: float, new_address: str | None = None) -> None:
        """It loses power, and comes back with the same ports, perhaps with one more address."""
        assert site.stack is not None
        self.faults["power lost"] += 1
        for engine in list(site.stack.owners):
            self.ledger.lost_power(engine)
        site.crash()
        if new_address is not None:
            site.host.add_address(new_address)
        self.later(down_s, lambda: self._reboot(site))

    def _reboot(self, site: Site) -> None:
        self.task(site.boot(self._handle(site)))

    # -- setting up --

    def _build(self) -> None:
        random, character = self.random, self.character
        count = random.choice([3, 4]) if "many hosts" in character else 2
        for index in range(count):
            addresses = [f"192.0.2.{index + 1}"]
            if "several addresses" in character:
                more = [f"198.51.100.{index + 1}", f"203.0.113.{index + 1}"]
                addresses += more[: random.randint(0 if index else 1, 2)]
            if "ipv6" in character:
                addresses.append(f"2001:db8::{index + 1}")
                if random.random() < 0.5:
                    addresses.reverse()
            host = self.network.host("abcd"[index], *addresses)
            host.mtu = random.choice([1500, 9000, 65535]) if "wide links" in character else 1500
            config = draw_config(random, character).replace(**draw_policy(self.change_random, character))
            config = config.replace(**draw_extensions(self.extension_random, character))
            config = config.replace(max_segment_bytes=draw_segment(self.size_random))
            if "odd settings" in character:
                config = config.replace(**draw_settings(self.settings_random, config))
            self.sites.append(Site(host, config))
        for index, one in enumerate(self.sites):
            for other in self.sites[index + 1 :]:
                cable = Cable(one, other, draw_calm(random, character))
                cable.lay(cable.calm)
                self.cables.append(cable)
        if "nat" in character:
            self.sites[0].is_behind_nat = True
            forget_after_s = random.choice([None, 4.0, 20.0])
            self.nat = self.network.nat(NAT_ADDRESS, inside=[self.sites[0].host], forget_after_s=forget_after_s)

    def _conversations(self) -> list[Conversation]:
        random = self.random
        pairs = [(self.sites[0], other) for other in self.sites[1:]]
        if random.random() < 0.4 and self.nat is None:
            pairs.append((self.sites[1], self.sites[0]))
        total = random.randint(200, 330)
        made = []
        for one, other in pairs:
            messages = total // (2 * len(pairs))
            span_s = random.choice([0.1, 5.0, self.storm_s, self.storm_s])
            conversation = Conversation(self, one, other, Random(random.random()), messages=messages, span_s=span_s)
            if "dead network" in self.character:
                conversation.ending = "shutdown on a dead network"
            made.append(conversation)
        if "simultaneous connects" in self.character and self.nat is None:
            made += self._mutual(made[0])
        return made

    def _mutual(self, first: Conversation) -> list[Conversation]:
        """The peer of the first conversation connects too, from the ports that it is connected to."""
        second = Conversation(
            self, first.peer, first.site, Random(self.random.random()), messages=first.messages, span_s=first.span_s
        )
        for each in (first, second):
            each.is_mutual = True
            each.local_port = SCTP_PORT
            each.begins_at_s = self.random.choice([0.0, 0.0, 0.01, 0.05])
        return [second]

    def _handle(self, site: Site) -> Callable[[Association], Coroutine[Any, Any, None]]:
        random = Random(self.random.random())
        messages = self.messages_per_end

        async def handle(association: Association) -> None:
            ending = draw_ending(random) if random.random() < 0.25 else None
            end_at_s = self._loop.time() + random.uniform(0, 15)
            span_s = random.choice([0.1, 5.0, self.storm_s])
            plan = Plan(messages, span_s, ending, end_at_s)
            end = End(self, site, association, plan, Random(random.random()))
            await guarded(self, end.live())

        return handle

    # -- the run --

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self.judge.unhandled)
        self.calm = asyncio.Event()
        self._build()
        conversations = self._conversations()
        self.messages_per_end = max(conversation.messages for conversation in conversations)
        for site in self.sites:
            await site.boot(self._handle(site))
        work = self._loop.create_task(self._work(conversations))
        await self.judge.watch(work)
        self.ended_at_s = self._loop.time()
        self._check_the_end()

    async def _work(self, conversations: list[Conversation]) -> None:
        try:
            for _ in range(self.random.randint(3, 10)):
                self._loop.call_later(self.random.uniform(0, self.storm_s), self._strike)
            if self.random.random() < 0.7:
                self._strike()
            if "crashes" in self.character and self.random.random() < 0.3:
                self._crash_before_cookie(conversations[0])
            if "hasty reconnects" in self.character:
                self.lose_last_words(self.cables[0])
            if "reneging" in self.character:
                self.task(self._squeeze())
            self._loop.call_later(self.storm_s, self._heal)
            talking = [self.task(conversation.run()) for conversation in conversations]
            async with asyncio.timeout(LIMIT_S):
                for task in talking:
                    await task
                await self._leave()
        except TimeoutError:
            raise_at = self._describe()
            self.judge.accuse(LawBroken(f"not finished {LIMIT_S:g} s after the beginning:\n{raise_at}"))
        except Exception as error:
            self.judge.accuse(error)

    async def _squeeze(self) -> None:
        """Receivers short of memory: their windows shrink while something is missing below what they hold (§6.2), which
        a program can't ask for."""
        while not self.calm.is_set():
            await asyncio.sleep(self.random.uniform(0.05, 0.3))
            for site in self.sites:
                for engine in [] if site.stack is None else site.stack.owners:
                    assert site.stack is not None
                    receiver = engine.receiver
                    if receiver.has_gap and receiver.held_bytes > MIN_RECEIVE_WINDOW_BYTES:
                        small = engine.config.replace(receive_window_bytes=MIN_RECEIVE_WINDOW_BYTES)
                        receiver.configure(small)
                        self.later(1.0, partial(_widen, site.stack, engine))
                        self.faults["window shrinks"] += 1

    def _strike(self) -> None:
        if self.calm.is_set():
            return
        name, fault = draw_fault(self)
        if fault(self):
            self.faults[name] += 1

    def _crash_before_cookie(self, conversation: Conversation) -> None:
        """The server that answered INIT is another when COOKIE ECHO comes: it has no key for that cookie."""
        site = conversation.peer
        cable = next(each for each in self.cables if set(each.ends) == {conversation.site, site})

        def strike() -> None:
            if site.is_up.is_set():
                self.crash(site, down_s=0.0)
                self.faults["crash before COOKIE ECHO"] += 1

        self._loop.call_later(conversation.begins_at_s + 2.5 * cable.calm.delay_s, strike)

    def lose_last_words(self, cable: Cable) -> None:
        """SHUTDOWN COMPLETEs are lost as long as the storm lasts."""
        cable.lay(replace(cable.calm, loss=LossWhere(begins_with(ChunkType.SHUTDOWN_COMPLETE, self.seed, 0.9))))

    def _heal(self) -> None:
        self.calm.set()
        self.network.heal()
        for cable in self.cables:
            cable.lay(cable.calm)

    async def _leave(self) -> None:
        """Everything was said. What is left are associations whose peer has forgotten them."""
        await self.calm.wait()
        for site in self.sites:
            await site.is_up.wait()
        waited_s = 0.0
        while waited_s < LEFT_BEHIND_S and any(site.server and site.server.associations for site in self.sites):
            await asyncio.sleep(5.0)
            waited_s += 5.0
        for site in self.sites:
            if site.server is not None:
                site.server.close()
                site.server.abort_clients()
        for site in self.sites:
            await site.close()
        await asyncio.sleep(UNDER_WAY_S)

    def _check_the_end(self) -> None:
        self.ledger.check_the_end()
        self.speeches.check_the_end(all_are_willing="unwilling peers" not in self.character)
        if self.network.ports:
            raise LawBroken(f"UDP ports are open still: {list(self.network.ports)}")
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            raise LawBroken(f"tasks are left: {left}")
        timers = [handle for handle in self._loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]  # asyncio's own
        if timers:
            raise LawBroken(f"timers are left: {timers}")

    def _describe(self) -> str:
        lines = [str(self.character)]
        for site in self.sites:
            lines.append(f"{site}: {site.config}")
            for engine in [] if site.stack is None else site.stack.owners:
                sender = engine.sender
                deadlines = {str(key): round(at, 3) for key, at in engine.timers._deadlines.items()}
                lines.append(
                    f"  {engine.state} {list(engine.paths)} {deadlines} outstanding {len(sender.outstanding)}"
                    f" queue {sender.queue.messages} a_rwnd {sender.window.a_rwnd} held {engine.receiver.held_bytes}"
                )
        return "\n".join(lines)


def _widen(stack: Stack, engine: AssociationEngine) -> None:
    engine.receiver.configure(engine.config)
    if engine.ending is None:
        stack.touch(engine)


def run_both_ways(seed: int, *, trace: bool = False) -> Outcome:
    """Run one seed with the engine's short ways open, then closed: the outcome, if it is the same."""
    outcome = run_seed(seed, trace=trace)
    outcome.has_both_ways = True
    general = run_seed(seed, has_short_ways=False)
    outcome.cpu_s += general.cpu_s
    if outcome.broken is None and general.broken is not None:
        outcome.broken = f"with the short ways closed: {general.broken}"
    if outcome.broken is None and outcome.story != general.story:
        outcome.broken = f"the short ways lead elsewhere: {outcome.story} and {general.story}"
    return outcome


def run_seed(
    seed: int,
    *,
    trace: bool = False,
    broken: AbstractContextManager[None] | None = None,
    has_short_ways: bool = True,
) -> Outcome:
    """Run one seed, on an engine that may be broken on purpose."""
    outcome = _run_seed(seed, trace=trace, broken=broken, has_short_ways=has_short_ways)
    if outcome.broken is not None:
        # What stood open in the midst of it warns when it is collected: here, and not in the next run.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
    return outcome


def _run_seed(seed: int, *, trace: bool, broken: AbstractContextManager[None] | None, has_short_ways: bool) -> Outcome:
    scene = Scene(seed, trace_packets=10_000 if trace else 0)
    outcome = Outcome(seed, str(scene.character))
    began_at_s = time.process_time()
    with broken or nullcontext(), both_ways.short_ways(are_open=has_short_ways), wrapped(_wrappers(scene)):
        try:
            with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
                loop = runner.get_loop()
                try:
                    runner.run(scene.run())
                finally:
                    outcome.virtual_s = scene.ended_at_s or loop.time()
        except Exception as error:
            outcome.broken = f"{type(error).__name__}: {error}"
    outcome.cpu_s = time.process_time() - began_at_s
    outcome.messages = scene.ledger.read_messages
    outcome.bytes = scene.ledger.read_bytes + scene.speeches.read_bytes
    outcome.packets = scene.wire_laws.packets
    outcome.digest = scene.wire_laws.digest
    outcome.read_digest = scene.ledger.read_digest
    outcome.marks = scene.marks + scene.wire_laws.counters
    outcome.faults = scene.faults + scene.network.counters
    outcome.last_packets = scene.network.trace.lines(LAST_PACKETS)
    return outcome


def _wrappers(scene: Scene) -> list[tuple[str, Maker]]:
    def now() -> float:
        return scene._loop.time()

    return [
        *serials.wrappers(Random(f"{scene.seed}/serials"), scene.character),
        *marks.counting(scene.marks),
        *both_ways.wrappers(scene.wire_laws.counters, are_open=shortcuts.are_open),
        *scene.ledger.wrappers(),
        *EngineLaws(scene.judge).wrappers(),
        *ReactionLaws(scene.judge, now).wrappers(),
        *scene.wire_laws.wrappers(),
        *SchedulerLaws(scene.judge, scene.wire_laws.counters).wrappers(),
    ]

"""`Stack.sysctl`: what each variable changes, on the wire, in the peer or in time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import NamedTuple

import pytest

import aiosctp
from aiosctp.events import PeerAddressChange
from aiosctp.testing import Link, Packet
from aiosctp.wire.causes import OutOfResource
from aiosctp.wire.chunks import Chunk, Init, decode_chunks
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.parameters import ForwardTsnSupported, SupportedExtensions
from tests.surface.two_hosts import PORT, TwoHosts, has_user_data
from tests.surface.virtual_time import virtual_time

PREFIX = "net.inet.sctp."
CLIENT, SERVER = "192.0.2.1", "192.0.2.2"


class Sent(NamedTuple):
    at_s: float
    source: str
    destination: str
    chunks: tuple[Chunk, ...]

    def has(self, kind: int) -> bool:
        return any(chunk.type == kind for chunk in self.chunks)


class Bench(TwoHosts):
    """Two hosts, and when each packet was sent."""

    def __init__(self, server_addresses: tuple[str, ...] = (SERVER,)) -> None:
        super().__init__(server_addresses=server_addresses)
        self.sent: list[Sent] = []
        self.network.observers.append(self._note)

    def _note(self, packet: Packet) -> None:
        chunks = tuple(chunk for chunk in decode_chunks(packet.data) if not isinstance(chunk, DecodeError))
        self.sent.append(Sent(asyncio.get_running_loop().time(), packet.source, packet.destination, chunks))

    def set(self, stack: aiosctp.Stack, variables: dict[str, int]) -> None:
        for name, value in variables.items():
            stack.sysctl[PREFIX + name] = value

    def times_of(self, kind: int, source: str = CLIENT) -> list[float]:
        return [sent.at_s for sent in self.sent if sent.source == source and sent.has(kind)]

    def gaps_of(self, kind: int, source: str = CLIENT) -> list[float]:
        times = self.times_of(kind, source)
        return [round(later - sooner, 3) for sooner, later in pairwise(times)]


@asynccontextmanager
async def benched(
    client: dict[str, int] | None = None, server: dict[str, int] | None = None, *, listens: bool = True
) -> AsyncIterator[Bench]:
    """The hosts, with these variables set before anything else is."""
    hosts = Bench()
    async with hosts:
        hosts.set(hosts.client, client or {})
        hosts.set(hosts.server, server or {})
        if listens:
            await hosts.serve()
        yield hosts


async def init_of(variables: dict[str, int]) -> Init:
    """What a client says first."""
    async with benched(variables) as hosts:
        await hosts.connect()
        (init,) = hosts.sent[0].chunks
        assert isinstance(init, Init)
        return init


# -- what the peer is told --


@virtual_time
async def test_streams_and_window_are_in_the_init() -> None:
    """G37, G38, G68: how many streams are asked for and taken, and a_rwnd."""
    told = await init_of({"outgoing_streams": 7, "incoming_streams": 9, "recvspace": 54321})
    assert (told.outbound_streams, told.inbound_streams, told.a_rwnd) == (7, 9, 54321)
    usual = await init_of({})
    assert (usual.outbound_streams, usual.inbound_streams, usual.a_rwnd) == (256, 65535, 2**20)


@virtual_time
async def test_extensions_are_announced_or_not() -> None:
    """G66: partial reliability; and those that the manual leaves out."""
    usual = await init_of({})
    changed = await init_of({"pr_enable": 0, "reconfig_enable": 0, "nrsack_enable": 1})
    listed = []
    for init in (usual, changed):
        (extensions,) = (one for one in init.parameters if isinstance(one, SupportedExtensions))
        kinds = (ChunkType.FORWARD_TSN, ChunkType.RE_CONFIG, ChunkType.NR_SACK)
        listed.append([kind in extensions.chunk_types for kind in kinds])
        assert (ForwardTsnSupported() in init.parameters) is listed[-1][0]
    assert listed == [[True, True, False], [False, False, True]]


@virtual_time
async def test_what_is_set_holds_for_what_comes_after() -> None:
    """G37: an association and a server that there are keep what they began with; a config of one's own comes first."""
    async with benched() as hosts:
        first, _ = await hosts.pair()
        hosts.set(hosts.client, {"outgoing_streams": 3})
        hosts.set(hosts.server, {"incoming_streams": 2})
        second, _ = await hosts.pair()
        third, _ = await hosts.pair(config=aiosctp.Config(outbound_streams=5))
        assert [each.outbound_streams for each in (first, second, third)] == [256, 3, 5]
        await aiosctp.serve(hosts.keep, None, PORT + 1, stack=hosts.server)
        fourth = await aiosctp.connect(SERVER, PORT + 1, stack=hosts.client)
        assert fourth.outbound_streams == 2


# -- timeouts --


@pytest.mark.parametrize(
    ("variables", "gaps"),
    [
        ({}, [1, 2, 4, 8, 16, 32, 60, 60]),
        ({"rto_initial": 2500, "init_rtx_max": 3}, [2.5, 5, 10]),
        ({"rto_max": 3000, "init_rtx_max": 4}, [1, 2, 3, 3]),
        ({"init_rto_max": 1500, "init_rtx_max": 3}, [1, 1.5, 1.5]),
    ],
)
@virtual_time
async def test_an_init_is_repeated_as_often_and_as_late(variables: dict[str, int], gaps: list[float]) -> None:
    """G43, G45, G46, G48: the times between the INITs of a client that nobody answers."""
    async with benched(variables) as hosts:
        hosts.drop = lambda packet: True
        with pytest.raises(aiosctp.ConnectTimeout):
            await hosts.connect()
        assert hosts.gaps_of(ChunkType.INIT) == gaps


@pytest.mark.parametrize("rto_min_s", [0.25, 1.0])
@virtual_time
async def test_data_is_not_sent_again_before_rto_min(rto_min_s: float) -> None:
    """G47: the RTT is a fiftieth of a second."""
    async with benched({"rto_min": round(rto_min_s * 1000)}) as hosts:
        ours, theirs = await hosts.pair()
        await ours.send(b"measured")
        await theirs.receive()
        await ours.wait_acknowledged()
        hosts.sent.clear()
        hosts.drop = has_user_data
        await ours.send(b"lost")
        await asyncio.sleep(1.5 * rto_min_s)
        assert hosts.gaps_of(ChunkType.I_DATA) == [rto_min_s]


@pytest.mark.parametrize(("path_rtx_max", "told_after_s"), [(0, 1), (2, 1 + 2 + 4)])
@virtual_time
async def test_a_path_is_given_up_after_so_many_timeouts(path_rtx_max: int, told_after_s: float) -> None:
    """G41: "UNREACHABLE", with one more than Path.Max.Retrans."""
    async with benched({"path_rtx_max": path_rtx_max}) as hosts:
        ours, _ = await hosts.pair()
        events = ours.events(PeerAddressChange)
        hosts.drop = has_user_data
        await ours.send(b"lost")
        began_s = asyncio.get_running_loop().time()
        event = await anext(events)
        assert isinstance(event, PeerAddressChange)
        assert event.change == "UNREACHABLE"
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(told_after_s)


@pytest.mark.parametrize(("assoc_rtx_max", "lost_after_s"), [(0, 1), (2, 1 + 2 + 4)])
@virtual_time
async def test_an_association_is_given_up_after_so_many_timeouts(assoc_rtx_max: int, lost_after_s: float) -> None:
    """G42: with one more than Association.Max.Retrans."""
    async with benched({"assoc_rtx_max": assoc_rtx_max}) as hosts:
        ours, _ = await hosts.pair()
        hosts.drop = has_user_data
        await ours.send(b"lost")
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(aiosctp.AssociationLost):
            await ours.receive()
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(lost_after_s)


@virtual_time
async def test_a_chunk_that_never_gets_through_ends_the_association() -> None:
    """G26: sent again twice, and then told, though everything else is acknowledged."""
    async with benched({"max_retran_chunk": 2}) as hosts:
        ours, _ = await hosts.pair()
        hosts.drop = has_user_data
        await ours.send(b"never gets through")
        with suppress(aiosctp.SCTPError):
            for _ in range(60):
                await asyncio.sleep(1)
                await ours.primary_path.heartbeat()
        assert ours.state is aiosctp.AssociationState.CLOSED
        assert len(hosts.times_of(ChunkType.I_DATA)) == 3


@pytest.mark.parametrize("interval_s", [5, 30])
@virtual_time
async def test_idle_paths_are_probed_each_interval(interval_s: int) -> None:
    """G52: HB.interval, RTO and jitter apart: an RTO is a second."""
    async with benched({"heartbeat_interval": interval_s * 1000}) as hosts:
        await hosts.pair()
        await asyncio.sleep(200)
        gaps = hosts.gaps_of(ChunkType.HEARTBEAT)
        assert len(gaps) > 4
        assert all(interval_s + 0.49 <= gap <= interval_s + 1.55 for gap in gaps)


@virtual_time
async def test_a_shutdown_is_guarded_for_so_long() -> None:
    """G50: then it ABORTs. By itself it would wait for five times RTO.Max."""
    for variables, guard_s in (({"shutdown_guard_time": 7}, 7), ({"rto_max": 2000}, 10)):
        async with benched({"assoc_rtx_max": 1000} | variables) as hosts:
            ours, _ = await hosts.pair()
            hosts.drop = lambda packet: packet.source == SERVER
            began_s = asyncio.get_running_loop().time()
            with suppress(aiosctp.SCTPError):
                await ours.shutdown()
            assert ours.state is aiosctp.AssociationState.CLOSED
            assert hosts.times_of(ChunkType.ABORT) == [pytest.approx(began_s + guard_s)]


async def transfer(sender: aiosctp.Association, receiver: aiosctp.Association) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(sender.send(bytes(100_000)))
        for _ in range(3):
            await receiver.receive()


@pytest.mark.parametrize(("raise_s", "mtu"), [(20, 9000), (600, 3000)])
@virtual_time
async def test_a_path_mtu_that_was_found_is_good_enough_for_so_long(raise_s: int, mtu: int) -> None:
    """G51: PMTU_RAISE_TIMER (RFC 8899 §5.1.1): data after that time begins another search."""
    async with benched({"pmtu_raise_time": raise_s}) as hosts:
        ours, theirs = await hosts.pair()
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(mtu=3000, icmp=False))
        await transfer(ours, theirs)
        await asyncio.sleep(10)
        assert ours.primary_path.mtu == 3000
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(mtu=9000))
        for _ in range(10):
            await asyncio.sleep(10)
            await transfer(ours, theirs)
        assert ours.primary_path.mtu == mtu


# -- acknowledging --


@pytest.mark.parametrize(("sack_freq", "sacks"), [(1, 6), (2, 3), (3, 2)])
@virtual_time
async def test_so_many_packets_are_acknowledged_by_one_sack(sack_freq: int, sacks: int) -> None:
    """G55: of the receiver, for six packets that come one after the other, before any delay is over."""
    async with benched(server={"sack_freq": sack_freq, "delayed_sack_time": 500}) as hosts:
        ours, theirs = await hosts.pair()
        await ours.send(b"the first is acknowledged at once")
        await theirs.receive()
        await asyncio.sleep(1)
        hosts.sent.clear()
        for _ in range(6):
            await ours.send(b"x")
            await asyncio.sleep(0.03)
        assert len(hosts.times_of(ChunkType.SACK, SERVER)) == sacks


@pytest.mark.parametrize("delay_ms", [0, 50, 500])
@virtual_time
async def test_a_sack_is_delayed_for_so_long(delay_ms: int) -> None:
    """G56: of the receiver, for a packet that comes alone."""
    async with benched(server={"delayed_sack_time": delay_ms}) as hosts:
        ours, _ = await hosts.pair()
        await ours.send(b"the first is acknowledged at once")
        await asyncio.sleep(1)
        hosts.sent.clear()
        await ours.send(b"x")
        await asyncio.sleep(1)
        ((data_s,), (sack_s,)) = hosts.times_of(ChunkType.I_DATA), hosts.times_of(ChunkType.SACK, SERVER)
        # The loop's timers fire a millisecond late at most.
        assert sack_s - data_s == pytest.approx(0.01 + delay_ms / 1000, abs=0.001)


@pytest.mark.parametrize("is_asked", [True, False])
@virtual_time
async def test_the_i_bit_is_set_or_not(is_asked: bool) -> None:
    """G19: on what fills the congestion window."""
    async with benched({"enable_sack_immediately": int(is_asked)}) as hosts:
        ours, theirs = await hosts.pair()
        await ours.send(bytes(20_000))
        await theirs.receive()
        chunks = [chunk for sent in hosts.sent for chunk in sent.chunks if chunk.type == ChunkType.I_DATA]
        assert any(getattr(chunk, "immediate", False) for chunk in chunks) is is_asked


# -- how much at once --


async def first_flight(variables: dict[str, int]) -> int:
    """How many packets of a large message go out before anything is acknowledged."""
    async with benched(variables) as hosts:
        ours, _ = await hosts.pair()
        await ours.send(bytes(100_000))
        await asyncio.sleep(0.015)
        return len(hosts.times_of(ChunkType.I_DATA))


@virtual_time
async def test_the_first_flight_is_bounded_by_window_and_burst() -> None:
    """G02, G63: the initial window in packets, and Max.Burst; 0 is what §7.2.1 allows, and no limit."""
    assert await first_flight({"initial_cwnd": 2}) == 2
    assert await first_flight({"initial_cwnd": 20}) == 4
    assert await first_flight({"initial_cwnd": 20, "maxburst": 7}) == 7
    assert await first_flight({"initial_cwnd": 20, "maxburst": 0}) == 20
    assert await first_flight({"initial_cwnd": 2, "maxburst": 1}) == 1
    assert await first_flight({}) == await first_flight({"initial_cwnd": 0, "maxburst": 4})


@virtual_time
async def test_one_sack_raises_the_window_so_far() -> None:
    """G33: L of §7.2.1, in slow start."""
    grown = []
    for limit in (1, 0):
        async with benched({"abc_l_var": limit, "initial_cwnd": 20, "maxburst": 0}, {"sack_freq": 20}) as hosts:
            ours, _ = await hosts.pair()
            before = ours.primary_path.cwnd
            await ours.send(bytes(100_000))
            # The first flight has been acknowledged, and nothing of the second.
            await asyncio.sleep(0.025)
            grown.append(ours.primary_path.cwnd - before)
    assert 0 < grown[0] < grown[1]


@pytest.mark.parametrize(("fr_maxburst", "second"), [(1, 1), (2, 2), (0, 22)])
@virtual_time
async def test_fast_recovery_begins_with_so_many_packets(fr_maxburst: int, second: int) -> None:
    """G62: forty go out, the first is lost, and the other half of the window was acknowledged: what goes then."""
    variables = {"fr_maxburst": fr_maxburst, "initial_cwnd": 40, "maxburst": 0}
    async with benched(variables, {"sack_freq": 12}) as hosts:
        ours, _ = await hosts.pair()
        lost: list[Packet] = []

        def is_first(packet: Packet) -> bool:
            if has_user_data(packet) and not lost:
                lost.append(packet)
                return True
            return False

        hosts.drop = is_first
        await ours.send(bytes(400_000))
        await asyncio.sleep(3)
        flights = Counter(round(at_s, 2) for at_s in hosts.times_of(ChunkType.I_DATA))
        assert [flights[at_s] for at_s in sorted(flights)][:2] == [40, second]


@virtual_time
async def test_so_many_heartbeats_verify_addresses_at_once() -> None:
    """G30: in the first RTO, of a client that is told of three more addresses."""
    found = {}
    for burst in (1, 3):
        addresses = (SERVER, "192.0.2.3", "192.0.2.4", "192.0.2.5")
        hosts = Bench(addresses)
        async with hosts, await hosts.serve():
            hosts.set(hosts.client, {"hb_max_burst": burst})
            hosts.drop = lambda packet: packet.destination != SERVER and packet.source == CLIENT
            await hosts.connect()
            await asyncio.sleep(0.5)
            probed = [sent for sent in hosts.sent if sent.source == CLIENT and sent.has(ChunkType.HEARTBEAT)]
            found[burst] = len({sent.destination for sent in probed})
    assert found == {1: 1, 3: 3}


@virtual_time
async def test_a_sender_waits_above_the_send_buffer() -> None:
    """G69: what is queued and not acknowledged, on one stream as on many."""
    counts = {}
    for sendspace in (10_000, 50_000, 900_000):
        async with benched({"sendspace": sendspace}) as hosts:
            ours, _ = await hosts.pair()
            hosts.drop = has_user_data
            with suppress(BlockingIOError):
                for sent in range(1000):
                    counts[sendspace] = sent
                    ours.send_nowait(bytes(1000))
    assert counts[50_000] - counts[10_000] == 40
    assert counts[900_000] - counts[10_000] == 890
    assert counts[10_000] in (10, 11)


@virtual_time
async def test_the_scheduler_decides_which_stream_goes_next() -> None:
    """G24: 3 is by priority, 0 first come first served."""
    orders = {}
    for scheduler in (0, 3):
        async with benched({"default_ss_module": scheduler}) as hosts:
            ours, theirs = await hosts.pair()
            ours.stream(1).configure(priority=9)
            ours.stream(2).configure(priority=1)
            for stream in (1, 1, 2, 2):
                ours.send_nowait(bytes(3000), stream=stream)
            orders[scheduler] = [(await theirs.receive()).stream for _ in range(4)]
    assert orders[0][0] == 1
    assert orders[3] == [2, 2, 1, 1]


def test_a_scheduler_of_the_programs_own_reads_as_none_of_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """G24: -1 stands for it."""
    stack = aiosctp.Stack()
    monkeypatch.setattr("aiosctp.config.SCHEDULERS", {"mine", "fcfs"})
    stack.config = stack.config.replace(scheduler="mine")
    assert stack.sysctl[PREFIX + "default_ss_module"] == -1


# -- cookies, tags, strangers --


@pytest.mark.parametrize(("life_ms", "is_stale"), [(1000, True), (600_000, False)])
@virtual_time
async def test_a_cookie_lives_so_long(life_ms: int, is_stale: bool) -> None:
    """G44: in milliseconds; up to an hour, for which what bounds it in the config makes room."""
    async with benched(server={"valid_cookie_life": life_ms}) as hosts:
        until_s = asyncio.get_running_loop().time() + (1.5 if is_stale else 400)
        hosts.drop = lambda packet: (
            packet.data[12] == ChunkType.COOKIE_ECHO and asyncio.get_running_loop().time() < until_s
        )
        with suppress(aiosctp.SCTPError):
            await hosts.connect(config=aiosctp.Config(max_init_retransmits=30))
        errors = hosts.times_of(ChunkType.ERROR, SERVER)
        assert bool(errors) is is_stale
        assert hosts.times_of(ChunkType.COOKIE_ACK, SERVER)


@pytest.mark.parametrize(("life_s", "is_known"), [(300, False), (3600, True)])
@virtual_time
async def test_the_key_of_the_cookies_changes_so_often(life_s: int, is_known: bool) -> None:
    """G49: of a server that runs; an old cookie is stale as long as its key is kept, and then is none of ours."""
    async with benched() as hosts:
        hosts.set(hosts.server, {"secret_lifetime": life_s})
        ours = await hosts.connect()
        (echo,) = (packet for packet in hosts.log if packet.data[12] == ChunkType.COOKIE_ECHO)
        ours.abort()
        await asyncio.sleep(601)
        hosts.server.open().receive(echo.data, "192.0.2.77", 9899, SERVER, hosts.server.now())
        statistics = hosts.server.statistics()
        assert (statistics.cookies_stale, statistics.cookies_invalid) == ((1, 0) if is_known else (0, 1))


@pytest.mark.parametrize("time_wait_s", [5, 60])
@virtual_time
async def test_a_tag_rests_so_long(time_wait_s: int) -> None:
    """G17: before that no other association may draw it."""
    async with benched({"vtag_time_wait": time_wait_s}) as hosts:
        ours, _ = await hosts.pair()
        tag = ours.engine.tcb.local_tag
        await ours.shutdown()
        engine, ended_s = hosts.client.open(), hosts.client.now()
        drawn: list[int] = []
        # The dice fall on the old tag first.
        for passed_s in (time_wait_s - 1, time_wait_s + 1):
            dice = [(tag ^ 1).to_bytes(4), tag.to_bytes(4)]
            engine._tags.entropy = lambda size, dice=dice: dice.pop()  # type: ignore[misc] # it takes a default
            drawn.append(engine._tags.draw(ended_s + passed_s))
        assert drawn == [tag ^ 1, tag]


@virtual_time
async def test_strangers_are_answered_as_the_stack_is_told() -> None:
    """G13, G14: a running stack hides its ports, and says why there is nobody."""
    async with benched(listens=False) as hosts:
        with pytest.raises(aiosctp.AssociationRefused) as plain:
            await hosts.connect()
        hosts.set(hosts.server, {"diag_info_code": 4660})
        with pytest.raises(aiosctp.AssociationRefused) as said:
            await hosts.connect()
        hosts.set(hosts.server, {"blackhole": 1})
        with pytest.raises(aiosctp.ConnectTimeout):
            await hosts.connect(timeout=10)
    assert plain.value.causes == ()
    assert said.value.causes == (aiosctp.Cause(4660, b"nobody listens on this port"),)


@virtual_time
async def test_a_full_backlog_is_told() -> None:
    """G29: with an ABORT, cause Out of Resource."""
    async with benched(server={"abort_at_limit": 1}, listens=False) as hosts:
        await hosts.serve(backlog=1)
        hosts.server.open().endpoints[PORT].unaccepted = 1
        with pytest.raises(aiosctp.AssociationRefused) as caught:
            await hosts.connect()
        assert caught.value.causes == (aiosctp.Cause(OutOfResource().code, b""),)

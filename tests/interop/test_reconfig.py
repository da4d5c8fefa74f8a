"""RE-CONFIG (RFC 6525) between aiosctp and usrsctp: each asks the other for everything.

How usrsctp behaves by itself is in test_peer_reconfig.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from typing import TypeAlias, TypeVar

import pytest

import aiosctp
from aiosctp.events import AssociationReset, StreamChange, StreamReset
from aiosctp.exceptions import NotSupported, RequestDenied
from aiosctp.subscriptions import EventSubscription
from tests.interop.pairs import CONNECTORS, Pair, associated
from tests.interop.processes import Peer
from tests.interop.tally import Tally
from tests.interop.usrsctp import Usrsctp
from tests.interop.watch import Watch

ReconfigEvent: TypeAlias = StreamReset | StreamChange | AssociationReset
E = TypeVar("E", bound=ReconfigEvent)

GRANT_ALL = 7
PEER_STREAMS = 10
GRANTING = aiosctp.Config(outbound_streams=20, peer_may_reset_association=True, shutdown_timeout_s=10.0)
# While what it has sent is not acknowledged usrsctp refuses to reset the association for its own program; and asked to
# by us, it resets it and then takes our SACK for a violation, though it ought to count all as acknowledged (§5.2.4 G3).
PROMPT = aiosctp.Config(outbound_streams=20, peer_may_reset_association=True, sack_frequency=1, shutdown_timeout_s=10.0)
DENYING = aiosctp.Config(
    peer_may_reset_streams=False,
    peer_may_reset_association=False,
    peer_may_add_streams=False,
    sack_frequency=1,
    shutdown_timeout_s=10.0,
)
# What is reset, of the streams 0 to 3 that carry messages; None is all there are.
RESETS = [[1], [3, 1], None]


@contextlib.asynccontextmanager
async def reconfigurable(
    usrsctp: Usrsctp,
    connector: str,
    *,
    config: aiosctp.Config = GRANTING,
    watch: Watch | None = None,
    grant: int = GRANT_ALL,
    streams: int = PEER_STREAMS,
    sysctl: str | None = None,
) -> AsyncIterator[Pair]:
    """An association, its relay watched, for a test bounded in time. `grant` and what follows it are usrsctp's."""
    sysctls = [] if sysctl is None else [sysctl]
    pairing = associated(
        usrsctp, connector, config=config, gate=watch, grant=grant, streams=streams, sysctl=sysctls, messages=True
    )
    async with asyncio.timeout(30.0), pairing as pair:
        await pair.peer.event("assoc_change", state="COMM_UP")
        yield pair


async def send_each(association: aiosctp.Association, streams: Iterable[int]) -> None:
    """One message of ours on each of these streams."""
    for stream in streams:
        await association.send(b"x" * 100, stream=stream)


async def peer_receives(peer: Peer, ssns: dict[int, int]) -> None:
    """Wait until a message with this SSN has come to the peer on each of these streams."""
    for stream, ssn in ssns.items():
        await peer.event("message", stream=stream, ssn=ssn)


async def we_receive(association: aiosctp.Association, peer: Peer, ssns: dict[int, int]) -> None:
    """Let the peer send one message on each of these streams, and see that it has this SSN."""
    for stream in ssns:
        await peer_does(peer, f"send {stream} 100 1", "sendv", errno.EAGAIN)
    received = {}
    for _ in ssns:
        message = await association.receive()
        received[message.stream] = message.ssn
    assert received == ssns


async def next_of(events: EventSubscription, kind: type[E]) -> E:
    event = await anext(events)
    assert isinstance(event, kind)
    return event


async def our_streams_reset(
    events: EventSubscription, *, incoming: Iterable[int] = (), outgoing: Iterable[int] = ()
) -> None:
    """Wait until events have told of the reset of all these streams and no others: usrsctp splits what it asks for."""
    left = set(incoming), set(outgoing)
    while any(left):
        event = await next_of(events, StreamReset)
        assert not event.denied
        assert not event.failed
        assert (set(event.incoming), set(event.outgoing)) <= left
        left = left[0] - set(event.incoming), left[1] - set(event.outgoing)


async def peer_streams_reset(peer: Peer, direction: str, streams: Iterable[int] | None) -> None:
    """Wait until the peer has told so of all these streams, in one piece or several; None is all there are."""
    left = set(range(PEER_STREAMS) if streams is None else streams)
    while left:
        event = await peer.event("stream_reset", **{direction: True}, denied=False, failed=False)
        left = left - set(event["streams"]) if event["streams"] else set()


async def peer_does(peer: Peer, command: str, call: str, refusal: int) -> None:
    """Give a command until it is not refused: usrsctp takes no messages for a stream that it is resetting, and does not
    reset the association before all it has sent is acknowledged."""
    refused = True
    while refused:
        await peer.command(command)
        await peer.command("status")
        await peer.event("status")
        refused = peer.seen("error", call=call, errno=refusal)
        if refused:
            await peer.event("error", call=call)


def ssns_after(reset: Sequence[int] | None, count: int) -> dict[int, int]:
    """The next SSN of each of four streams that have carried so many messages before the reset."""
    return {stream: 0 if reset is None or stream in reset else count for stream in range(4)}


# ---- We ask ----


@pytest.mark.parametrize("streams", RESETS, ids=["one", "several", "all"])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_we_reset_our_outgoing_streams(usrsctp: Usrsctp, connector: str, streams: list[int] | None) -> None:
    watch = Watch()
    async with reconfigurable(usrsctp, connector, watch=watch) as (association, peer, _):
        events = association.events(StreamReset)
        every = range(association.outbound_streams)
        await send_each(association, [*range(4), *range(4)])
        await association.reset_streams(outgoing=every if streams is None else streams)
        await send_each(association, range(4))
        for ssn in (0, 1):
            await peer_receives(peer, dict.fromkeys(range(4), ssn))
        reset = await peer.event("stream_reset", incoming=True, outgoing=False, denied=False, failed=False)
        assert reset["streams"] == ([] if streams is None else sorted(streams))
        await peer_receives(peer, ssns_after(streams, 2))
        ours = await next_of(events, StreamReset)
        assert (list(ours.outgoing), list(ours.incoming)) == (sorted(every if streams is None else streams), [])
        assert not ours.denied
    listed = "" if streams is None else "/" + ",".join(map(str, sorted(streams)))
    assert watch.reconfig == [f"> OUT-REQ:0,-1,7{listed}", "< RESP:0=1"]


@pytest.mark.parametrize("streams", RESETS, ids=["one", "several", "all"])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_we_ask_usrsctp_to_reset_its_outgoing_streams(
    usrsctp: Usrsctp, connector: str, streams: list[int] | None
) -> None:
    watch = Watch()
    async with reconfigurable(usrsctp, connector, watch=watch) as (association, peer, _):
        events = association.events(StreamReset)
        every = range(association.inbound_streams)
        await we_receive(association, peer, dict.fromkeys(range(4), 0))
        await association.reset_streams(incoming=every if streams is None else streams)
        await peer_streams_reset(peer, "outgoing", streams)
        await our_streams_reset(events, incoming=every if streams is None else streams)
        await we_receive(association, peer, ssns_after(streams, 1))
    listed = "" if streams is None else "/" + ",".join(map(str, sorted(streams)))
    # Its request and its response come in one packet; streams that are not acknowledged yet follow in another request.
    assert watch.reconfig[0] == f"> IN-REQ:0{listed}"
    assert watch.reconfig[1].startswith("< OUT-REQ:0,0,3")
    assert watch.reconfig[2:4] == ["< RESP:0=1", "> RESP:0=1"]
    assert watch.reconfig.count(f"> IN-REQ:0{listed}") == 1


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_we_reset_a_stream_both_ways(usrsctp: Usrsctp, connector: str) -> None:
    async with reconfigurable(usrsctp, connector) as (association, peer, _):
        await send_each(association, range(2))
        await we_receive(association, peer, {0: 0, 1: 0})
        await association.reset_streams(outgoing=[1], incoming=[1])
        await peer.event("stream_reset", incoming=True, streams=[1])
        await peer.event("stream_reset", outgoing=True, streams=[1])
        await send_each(association, range(2))
        await peer_receives(peer, {0: 0, 1: 0})
        await peer_receives(peer, {0: 1, 1: 0})
        await we_receive(association, peer, {0: 1, 1: 0})


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_we_add_streams_and_use_them(usrsctp: Usrsctp, connector: str) -> None:
    async with reconfigurable(usrsctp, connector) as (association, peer, _):
        events = association.events(StreamChange)
        outbound, inbound = association.outbound_streams, association.inbound_streams
        await association.add_streams(outgoing=4)
        assert association.outbound_streams == outbound + 4
        await peer.event("stream_change", inbound_streams=outbound + 4, outbound_streams=inbound)
        await association.add_streams(incoming=3)
        await peer.event("stream_change", inbound_streams=outbound + 4, outbound_streams=inbound + 3)
        await send_each(association, [outbound + 3, 0])
        await peer_receives(peer, {outbound + 3: 0, 0: 0})
        await we_receive(association, peer, {inbound + 2: 0, 0: 0})
        assert association.inbound_streams == inbound + 3
        assert [await anext(events), await anext(events)] == [
            StreamChange(inbound, outbound + 4),
            StreamChange(inbound + 3, outbound + 4),
        ]


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_we_add_streams_both_ways_in_one_call(usrsctp: Usrsctp, connector: str) -> None:
    async with reconfigurable(usrsctp, connector) as (association, peer, _):
        outbound, inbound = association.outbound_streams, association.inbound_streams
        await association.add_streams(outgoing=2, incoming=5)
        assert association.outbound_streams == outbound + 2
        await send_each(association, [outbound + 1])
        await peer_receives(peer, {outbound + 1: 0})
        await peer.event("stream_change", inbound_streams=outbound + 2, outbound_streams=inbound + 5)
        await we_receive(association, peer, {inbound + 4: 0})


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_we_reset_the_association(usrsctp: Usrsctp, connector: str) -> None:
    async with reconfigurable(usrsctp, connector, config=PROMPT) as (association, peer, _):
        events = association.events(AssociationReset)
        await send_each(association, [0, 1, 1])
        await we_receive(association, peer, {0: 0, 1: 0})
        await association.reset_association()
        theirs = await peer.event("association_reset", denied=False, failed=False)
        ours = await next_of(events, AssociationReset)
        assert ours.remote_tsn == theirs["local_tsn"]
        await send_each(association, [1, 0])
        first = await peer.event("message", stream=1, tsn=ours.local_tsn)
        assert first["ssn"] == 0
        await we_receive(association, peer, {1: 0, 0: 0})


# ---- usrsctp asks ----


@pytest.mark.parametrize("streams", RESETS, ids=["one", "several", "all"])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_usrsctp_resets_its_outgoing_streams(usrsctp: Usrsctp, connector: str, streams: list[int] | None) -> None:
    watch = Watch()
    async with reconfigurable(usrsctp, connector, watch=watch) as (association, peer, _):
        events = association.events(StreamReset)
        await we_receive(association, peer, dict.fromkeys(range(4), 0))
        await peer.command("reset", "outgoing", *(streams or []))
        await peer_streams_reset(peer, "outgoing", streams)
        await our_streams_reset(events, incoming=range(PEER_STREAMS) if streams is None else streams)
        await we_receive(association, peer, ssns_after(streams, 1))
    assert watch.reconfig[1] == "> RESP:0=1"
    assert {told.partition("=")[2] for told in watch.reconfig if told.startswith("> RESP")} == {"1"}


@pytest.mark.parametrize("streams", RESETS, ids=["one", "several", "all"])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_usrsctp_asks_us_to_reset_our_outgoing_streams(
    usrsctp: Usrsctp, connector: str, streams: list[int] | None
) -> None:
    async with reconfigurable(usrsctp, connector) as (association, peer, _):
        events = association.events(StreamReset)
        await send_each(association, range(4))
        await peer_receives(peer, dict.fromkeys(range(4), 0))
        await peer.command("reset", "incoming", *(streams or []))
        await peer_streams_reset(peer, "incoming", streams)
        await send_each(association, range(4))
        await peer_receives(peer, ssns_after(streams, 1))
        await our_streams_reset(events, outgoing=range(association.outbound_streams) if streams is None else streams)


@pytest.mark.parametrize("streams", [[2, 1], None], ids=["several", "all"])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_usrsctp_resets_streams_both_ways(usrsctp: Usrsctp, connector: str, streams: list[int] | None) -> None:
    """Both requests may be in one chunk."""
    async with reconfigurable(usrsctp, connector) as (association, peer, _):
        await send_each(association, range(4))
        await we_receive(association, peer, dict.fromkeys(range(4), 0))
        await peer_receives(peer, dict.fromkeys(range(4), 0))
        await peer.command("reset", "both", *(streams or []))
        await peer_streams_reset(peer, "incoming", streams)
        await peer_streams_reset(peer, "outgoing", streams)
        await send_each(association, range(4))
        await peer_receives(peer, ssns_after(streams, 1))
        await we_receive(association, peer, ssns_after(streams, 1))


@pytest.mark.parametrize(("incoming", "outgoing"), [(0, 4), (3, 0), (2, 5)], ids=["outgoing", "incoming", "both"])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_usrsctp_adds_streams_and_both_use_them(
    usrsctp: Usrsctp, connector: str, incoming: int, outgoing: int
) -> None:
    async with reconfigurable(usrsctp, connector) as (association, peer, _):
        outbound, inbound = association.outbound_streams, association.inbound_streams
        await peer.command("add_streams", incoming, outgoing)
        await peer.event(
            "stream_change",
            inbound_streams=outbound + incoming,
            outbound_streams=inbound + outgoing,
            denied=False,
            failed=False,
        )
        await we_receive(association, peer, {inbound + outgoing - 1: 0})
        await send_each(association, [outbound + incoming - 1])
        await peer_receives(peer, {outbound + incoming - 1: 0})
        assert (association.outbound_streams, association.inbound_streams) == (outbound + incoming, inbound + outgoing)


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_usrsctp_resets_the_association(usrsctp: Usrsctp, connector: str) -> None:
    async with reconfigurable(usrsctp, connector, config=PROMPT) as (association, peer, _):
        events = association.events(AssociationReset)
        await send_each(association, [0, 1, 1])
        await we_receive(association, peer, {0: 0, 1: 0})
        await peer_receives(peer, {0: 0, 1: 1})
        await peer_does(peer, "reset_association", "SCTP_RESET_ASSOC", errno.EBUSY)
        theirs = await peer.event("association_reset", denied=False, failed=False)
        ours = await next_of(events, AssociationReset)
        assert ours.remote_tsn == theirs["local_tsn"]
        await we_receive(association, peer, {1: 0, 0: 0})
        await send_each(association, [1, 0])
        message = await peer.event("message", stream=1, tsn=ours.local_tsn)
        assert message["ssn"] == 0


# ---- Denied, and not supported ----


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_what_usrsctp_denies_raises_and_changes_nothing(usrsctp: Usrsctp, connector: str) -> None:
    async with reconfigurable(usrsctp, connector, grant=0) as (association, peer, _):
        assert association.supports_stream_reset
        events = association.events(StreamReset, StreamChange, AssociationReset)
        streams = association.outbound_streams, association.inbound_streams
        await send_each(association, [1])
        await we_receive(association, peer, {1: 0})
        requests: list[tuple[Coroutine[object, object, None], type[ReconfigEvent]]] = [
            (association.reset_streams(outgoing=[1]), StreamReset),
            (association.reset_streams(incoming=[1]), StreamReset),
            (association.add_streams(outgoing=1), StreamChange),
            (association.add_streams(incoming=1), StreamChange),
            (association.reset_association(), AssociationReset),
        ]
        for request, event in requests:
            with pytest.raises(RequestDenied):
                await request
            assert (await next_of(events, event)).denied
        await send_each(association, [1])
        await peer_receives(peer, {1: 0})
        await peer_receives(peer, {1: 1})
        await we_receive(association, peer, {1: 1})
        assert streams == (association.outbound_streams, association.inbound_streams)


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_what_our_policy_denies_usrsctp_takes_as_denied(usrsctp: Usrsctp, connector: str) -> None:
    async with reconfigurable(usrsctp, connector, config=DENYING) as (association, peer, _):
        await send_each(association, [1])
        await we_receive(association, peer, {1: 0})
        await peer.command("reset", "outgoing", 1)
        await peer.event("stream_reset", outgoing=True, denied=True)
        await peer.command("reset", "incoming", 1)
        await peer.event("stream_reset", incoming=True, denied=True)
        await peer.command("reset", "both")
        await peer.event("stream_reset", outgoing=True, denied=True)
        await peer.event("stream_reset", incoming=True, denied=True)
        for command in ("add_streams 0 1", "add_streams 1 0"):
            await peer.command(command)
            await peer.event("stream_change", denied=True)
        await peer_does(peer, "reset_association", "SCTP_RESET_ASSOC", errno.EBUSY)
        await peer.event("association_reset", denied=True)
        await send_each(association, [1])
        await peer_receives(peer, {1: 0})
        await peer_receives(peer, {1: 1})
        await we_receive(association, peer, {1: 1})


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_a_peer_without_reconfig_is_asked_nothing(usrsctp: Usrsctp, connector: str) -> None:
    watch = Watch()
    async with reconfigurable(usrsctp, connector, watch=watch, sysctl="sctp_reconfig_enable=0") as (association, _, _):
        assert not association.supports_stream_reset
        assert "reconfig" not in association.negotiated
        for request in (
            association.reset_streams(outgoing=[1]),
            association.reset_association(),
            association.add_streams(outgoing=1),
        ):
            with pytest.raises(NotSupported):
                await request
    assert watch.reconfig == []


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_usrsctp_asks_nothing_of_us_without_reconfig(usrsctp: Usrsctp, connector: str) -> None:
    config = aiosctp.Config(reconfig=False, shutdown_timeout_s=10.0)
    async with reconfigurable(usrsctp, connector, config=config) as (association, peer, _):
        assert not association.supports_stream_reset
        await peer.command("reset", "outgoing", 1)
        await peer.event("error", call="SCTP_RESET_STREAMS", errno=95)


# ---- Losses ----


@pytest.mark.parametrize("lost", ["request", "response"])
@pytest.mark.parametrize("asker", CONNECTORS)
async def test_what_is_lost_goes_again_and_resets_once(usrsctp: Usrsctp, asker: str, lost: str) -> None:
    watch = Watch()
    async with reconfigurable(usrsctp, "aiosctp", watch=watch) as (association, peer, _):
        events = association.events(StreamReset)
        asker_is_first = asker == "aiosctp"
        loser_is_first = asker_is_first == (lost == "request")
        watch.lose("first" if loser_is_first else "second", "OUT-REQ" if lost == "request" else "RESP")
        if asker == "aiosctp":
            await association.reset_streams(outgoing=[1])
            await peer.event("stream_reset", incoming=True)
            await send_each(association, [1])
            await peer_receives(peer, {1: 0})
            assert not peer.seen("stream_reset")
        else:
            await peer.command("reset", "outgoing", 1)
            await peer.event("stream_reset", outgoing=True)
            assert (await next_of(events, StreamReset)).incoming == (1,)
            await we_receive(association, peer, {1: 0, 0: 0})
    assert watch.all_lost
    out, back = ("> ", "< ") if asker == "aiosctp" else ("< ", "> ")
    asked, answered = f"{out}OUT-REQ:0,-1,-1/1", f"{back}RESP:0=1"
    assert watch.reconfig == [asked, *([answered] if lost == "response" else []), asked, answered]


async def test_usrsctp_defers_our_reset_until_it_has_what_was_lost(usrsctp: Usrsctp) -> None:
    watch = Watch()
    async with reconfigurable(usrsctp, "aiosctp", watch=watch) as (association, peer, _):
        await send_each(association, [1])
        await peer_receives(peer, {1: 0})
        watch.lose("first", "DATA:1/")
        await association.send(b"x" * 100, stream=1)
        resetting = asyncio.create_task(association.reset_streams(outgoing=[1]))
        await asyncio.sleep(0)
        await send_each(association, [1])  # held
        await resetting
        await peer_receives(peer, {1: 1})
        await peer.event("stream_reset", incoming=True, streams=[1])
        await peer_receives(peer, {1: 0})
    assert watch.all_lost


async def test_usrsctp_that_defers_our_reset_while_a_hole_is_filled_goes_on_with_new_data(usrsctp: Usrsctp) -> None:
    """Of itself it never does (test_peer_reconfig.py)."""
    watch = Watch()
    async with reconfigurable(usrsctp, "aiosctp", watch=watch) as (association, peer, _):
        watch.lose("first", "DATA:1/0")
        await send_each(association, [1])
        await watch.saw("> DATA:1/0")
        await send_each(association, [1])
        resetting = asyncio.create_task(association.reset_streams(outgoing=[1]))
        await association.wait_acknowledged()
        await send_each(association, [2])
        await resetting
        await send_each(association, [1])
        await peer_receives(peer, {1: 0, 2: 0})
        await peer_receives(peer, {1: 1})
        await peer_receives(peer, {1: 0})
    assert watch.all_lost


async def test_we_defer_a_reset_of_usrsctp_until_we_have_what_was_lost(usrsctp: Usrsctp) -> None:
    """usrsctp asks when its stream is drained, but what another stream carried before may be missing."""
    watch = Watch()
    async with reconfigurable(usrsctp, "aiosctp", watch=watch) as (association, peer, _):
        await we_receive(association, peer, {1: 0, 2: 0})
        watch.lose("second", "DATA:2/")
        await peer.command("send", 2, 100, 2)
        await peer.command("reset", "outgoing", 1)
        await peer.event("stream_reset", outgoing=True, streams=[1])
        message = await association.receive()
        assert (message.stream, message.ssn) == (2, 1)
        await we_receive(association, peer, {1: 0, 2: 2})
    assert watch.all_lost
    assert watch.reconfig[:2] == ["< OUT-REQ:0,-1,2/1", "> RESP:0=6"]
    assert watch.reconfig[-1] == "> RESP:0=1"


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_resets_in_the_midst_of_data_lose_and_mix_nothing_over_a_lossy_path(
    usrsctp: Usrsctp, connector: str
) -> None:
    lossy = associated(usrsctp, connector, config=GRANTING, loss=0.03, grant=GRANT_ALL, streams=PEER_STREAMS)
    async with asyncio.timeout(60.0), lossy as (association, peer, relay):
        assert relay is not None
        await peer.event("assoc_change", state="COMM_UP")
        async with asyncio.TaskGroup() as both:
            ours = both.create_task(send_and_reset(association, rounds=4))
            theirs = both.create_task(let_send_and_reset(association, peer, rounds=4))
        sent = ours.result()
        assert (await peer.received(sent.bytes))["ordered"] == sent.event("sent")["ordered"]
        assert theirs.result()
        assert relay.lost > 0


async def send_and_reset(association: aiosctp.Association, *, rounds: int) -> Tally:
    """Messages on four streams, of which two are reset after each round, while the next is being sent."""
    sent = Tally()
    resetting: set[asyncio.Task[None]] = set()
    for round_ in range(rounds):
        for number in range(80):
            data = bytes([round_, number]) * 1000
            await association.send(data, stream=number % 4)
            sent.add(number % 4, data)
        resetting.add(asyncio.create_task(association.reset_streams(outgoing=[round_ % 3, 3])))
        await asyncio.sleep(0)
    # usrsctp that defers a reset notices only by new data that all it waited for has come (test_peer_reconfig.py).
    while resetting:
        await association.send(b"more", stream=4)
        sent.add(4, b"more")
        done, resetting = await asyncio.wait(resetting, timeout=0.1, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    return sent


async def let_send_and_reset(association: aiosctp.Association, peer: Peer, *, rounds: int) -> bool:
    """The same by usrsctp, which takes no messages while it resets; whether each stream brought what was sent."""
    sent_bytes = 50 * 2000
    for round_ in range(rounds):
        await peer.command("source", sent_bytes, 2000, 4)
        sent = await peer.event("sent", timeout_s=20)
        assert sent["bytes"] == sent_bytes
        await peer.command("reset", "outgoing", round_ % 3, 3)
        received = Tally()
        while received.bytes < sent_bytes:
            message = await association.receive()
            received.add(message.stream, message.data)
        assert received.event("sent")["ordered"] == sent["ordered"]
        await peer_streams_reset(peer, "outgoing", {round_ % 3, 3})
    return True


# ---- Both at once ----


@pytest.mark.parametrize("theirs", ["outgoing", "incoming", "both"])
@pytest.mark.parametrize("ours", ["outgoing", "incoming", "both"])
async def test_both_reset_the_same_stream_at_once(usrsctp: Usrsctp, ours: str, theirs: str) -> None:
    """Each has a request under way when the other's comes, for the first of each is lost."""
    watch = Watch()
    async with reconfigurable(usrsctp, "aiosctp", watch=watch) as (association, peer, _):
        await send_each(association, [1, 2])
        await peer_receives(peer, {1: 0, 2: 0})
        await we_receive(association, peer, {1: 0, 2: 0})
        watch.lose("first", "IN-REQ" if ours == "incoming" else "OUT-REQ")
        watch.lose("second", "IN-REQ" if theirs == "incoming" else "OUT-REQ")
        await peer.command("reset", theirs, 1)
        await association.reset_streams(
            outgoing=[1] if ours != "incoming" else [], incoming=[1] if ours != "outgoing" else []
        )
        # It tells of "Nothing to do", which §5.2.3 wants said where the other's reset did it, as of a failure.
        if theirs != "incoming":
            await peer.event("stream_reset", outgoing=True, denied=False)
        if theirs != "outgoing":
            await peer.event("stream_reset", incoming=True, denied=False)
        # Which streams were reset, whoever asked; the others were not.
        ours_reset = ours != "incoming" or theirs != "outgoing"
        theirs_reset = ours != "outgoing" or theirs != "incoming"
        await send_each(association, [1, 2])
        await peer_receives(peer, {1: 0 if ours_reset else 1, 2: 1})
        await we_receive(association, peer, {1: 0 if theirs_reset else 1, 2: 1})
    assert watch.all_lost


async def test_both_add_streams_at_once(usrsctp: Usrsctp) -> None:
    watch = Watch()
    async with reconfigurable(usrsctp, "aiosctp", watch=watch) as (association, peer, _):
        outbound, inbound = association.outbound_streams, association.inbound_streams
        watch.lose("first", "ADD_OUT_STRMS")
        watch.lose("second", "ADD_OUT_STRMS")
        await peer.command("add_streams", 0, 2)
        await association.add_streams(outgoing=3)
        await peer.event("stream_change", inbound_streams=outbound + 3, outbound_streams=inbound + 2)
        await send_each(association, [outbound + 2])
        await peer_receives(peer, {outbound + 2: 0})
        await we_receive(association, peer, {inbound + 1: 0})
    assert watch.all_lost


async def test_both_reset_the_association_at_once(usrsctp: Usrsctp) -> None:
    watch = Watch()
    async with reconfigurable(usrsctp, "aiosctp", config=PROMPT, watch=watch) as (association, peer, _):
        await send_each(association, [1])
        await we_receive(association, peer, {1: 0})
        watch.lose("first", "TSN-REQ")
        watch.lose("second", "TSN-REQ")
        await peer_does(peer, "reset_association", "SCTP_RESET_ASSOC", errno.EBUSY)
        await association.reset_association()
        # When our request is under way its own is refused, else performed.
        await peer.event("association_reset", denied=False, failed=False)
        await peer.event("association_reset", denied=False)
        await peer_receives(peer, {1: 0})
        await send_each(association, [1])
        await peer_receives(peer, {1: 0})
        await we_receive(association, peer, {1: 0})
    assert watch.all_lost


# ---- Bounds ----


@pytest.mark.parametrize("direction", ["outgoing", "incoming"])
async def test_more_streams_than_a_chunk_lists_are_reset(usrsctp: Usrsctp, direction: str) -> None:
    """usrsctp lists 200 in a chunk, we as many as a packet holds."""
    config = aiosctp.Config(outbound_streams=2000, shutdown_timeout_s=10.0)
    async with reconfigurable(usrsctp, "aiosctp", config=config, streams=2000) as (association, peer, _):
        streams = range(1, 1500)
        some = [0, 1, 2, 700, 1499]
        if direction == "outgoing":
            await send_each(association, some)
            await association.reset_streams(outgoing=streams)
            await send_each(association, some)
            await peer_receives(peer, dict.fromkeys(some, 0))
            await peer_receives(peer, {stream: int(stream == 0) for stream in some})
        else:
            await we_receive(association, peer, dict.fromkeys(some, 0))
            await association.reset_streams(incoming=streams)
            await we_receive(association, peer, {stream: int(stream == 0) for stream in some})


async def test_usrsctp_resets_more_streams_than_it_lists_in_a_chunk(usrsctp: Usrsctp) -> None:
    config = aiosctp.Config(outbound_streams=2000, shutdown_timeout_s=10.0)
    async with reconfigurable(usrsctp, "aiosctp", config=config, streams=2000) as (association, peer, _):
        some = [0, 1, 100, 600, 601]
        await we_receive(association, peer, dict.fromkeys(some, 0))
        await peer.command("reset", "outgoing", *range(1, 601))
        await peer_streams_reset(peer, "outgoing", range(1, 601))
        await we_receive(association, peer, {stream: int(stream not in range(1, 601)) for stream in some})

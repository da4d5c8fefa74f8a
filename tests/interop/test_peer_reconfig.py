"""RE-CONFIG (RFC 6525) of usrsctp against itself: what it asks, what it answers, and where it differs from the RFC.

The other tests of RE-CONFIG lean on this, and our engine has to get on with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from tests.interop.processes import Peer
from tests.interop.relay import Relay
from tests.interop.usrsctp import Usrsctp, free_udp_port
from tests.interop.watch import Watch

GRANT_ALL = 7
EVENTS = ("stream_reset", "stream_change", "association_reset")


class Peers(NamedTuple):
    client: Peer
    server: Peer
    watch: Watch


@contextlib.asynccontextmanager
async def connected(usrsctp: Usrsctp, *, grant: int = GRANT_ALL, **server_options: object) -> AsyncIterator[Peers]:
    """Two usrsctp peers and what they say; the client is the first. `grant` is the server's."""
    watch = Watch()
    server_udp_port, client_udp_port = free_udp_port(), free_udp_port()
    async with Relay(client_udp_port, server_udp_port, gate=watch) as relay:
        server = await usrsctp.server(udp_port=server_udp_port, messages=True, grant=grant, **server_options)
        client = await usrsctp.client(
            udp_port=client_udp_port, remote_udp_port=relay.port_for_first, messages=True, grant=GRANT_ALL
        )
        for peer in (client, server):
            await peer.event("assoc_change", state="COMM_UP")
        yield Peers(client, server, watch)


@pytest.mark.parametrize(
    ("command", "transcript"),
    [
        ("reset outgoing 1", ["> OUT-REQ:0,-1,-1/1", "< RESP:0=1"]),
        ("reset outgoing", ["> OUT-REQ:0,-1,-1", "< RESP:0=1"]),
        # A granted incoming request is answered twice: by its own request, and by a response that says "performed".
        ("reset incoming 1 3", ["> IN-REQ:0/1,3", "< OUT-REQ:0,0,-1/1,3", "< RESP:0=1", "> RESP:0=1"]),
        ("reset incoming", ["> IN-REQ:0", "< OUT-REQ:0,0,-1", "< RESP:0=1", "> RESP:0=1"]),
        (
            "reset both 1",
            ["> OUT-REQ:0,-1,-1/1|IN-REQ:1/1", "< OUT-REQ:0,1,-1/1", "< RESP:0=1|RESP:1=1", "> RESP:0=1"],
        ),
        ("reset both", ["> OUT-REQ:0,-1,-1|IN-REQ:1", "< OUT-REQ:0,1,-1", "< RESP:0=1|RESP:1=1", "> RESP:0=1"]),
        ("add_streams 0 4", ["> ADD_OUT_STRMS:0/4", "< RESP:0=1"]),
        ("add_streams 3 0", ["> ADD_IN_STRMS:0/3", "< ADD_OUT_STRMS:0/3", "< RESP:0=1", "> RESP:0=1"]),
        (
            "add_streams 2 5",
            ["> ADD_OUT_STRMS:0/5|ADD_IN_STRMS:1/2", "< ADD_OUT_STRMS:0/2", "< RESP:0=1|RESP:1=1", "> RESP:0=1"],
        ),
        # Its next TSN is one later than §5.2.4 G2 has it, and ours only 4096 later than the first: G1 says 2**31.
        ("reset_association", ["> TSN-REQ:0", "< RESP:0=1/S-TSN=1,R-TSN=4096"]),
    ],
)
async def test_what_usrsctp_asks_and_how_it_grants_it(usrsctp: Usrsctp, command: str, transcript: list[str]) -> None:
    async with connected(usrsctp) as (client, server, watch):
        await client.command(command)
        for peer in (client, server):
            await _all_events(peer, command)
    assert watch.reconfig == transcript


async def _all_events(peer: Peer, command: str) -> None:
    """Wait for every event that a granted command gives on either side."""
    match command.split():
        case ["reset", "both", *_]:
            await peer.event("stream_reset", incoming=True, denied=False, failed=False)
            await peer.event("stream_reset", outgoing=True, denied=False, failed=False)
        case ["reset", *_]:
            await peer.event("stream_reset", denied=False, failed=False)
        case ["add_streams", incoming, outgoing]:
            for _ in range((incoming != "0") + (outgoing != "0")):
                await peer.event("stream_change", denied=False, failed=False)
        case ["reset_association"]:
            await peer.event("association_reset", denied=False, failed=False)


async def test_events_of_usrsctp_name_streams_and_numbers(usrsctp: Usrsctp) -> None:
    async with connected(usrsctp) as (client, server, _):
        await client.command("reset", "outgoing", 1, 3)
        await client.event("stream_reset", incoming=False, outgoing=True, streams=[1, 3])
        await server.event("stream_reset", incoming=True, outgoing=False, streams=[1, 3])
        await client.command("reset", "incoming")
        await client.event("stream_reset", incoming=True, outgoing=False, streams=[])
        await server.event("stream_reset", incoming=False, outgoing=True, streams=[])
        await client.command("add_streams", 3, 0)
        await client.event("stream_change", inbound_streams=13, outbound_streams=10)
        await server.event("stream_change", inbound_streams=10, outbound_streams=13)
        await server.command("send", 12, 100, 1)
        await client.event("message", stream=12, ssn=0)
        await client.command("reset", "outgoing", 10)
        await client.event("error", call="SCTP_RESET_STREAMS", errno=22)


async def test_ssn_begins_at_0_after_the_reset_of_its_stream_alone(usrsctp: Usrsctp) -> None:
    async with connected(usrsctp) as (client, server, _):
        for stream in (1, 2):
            await client.command("send", stream, 100, 1)
            await server.event("message", stream=stream, ssn=0)
        await client.command("reset", "outgoing", 1)
        await client.event("stream_reset")
        for stream in (1, 2):
            await client.command("send", stream, 100, 1)
        await server.event("message", stream=1, ssn=0)
        await server.event("message", stream=2, ssn=1)


async def test_usrsctp_asks_only_when_what_the_stream_carried_is_acknowledged(usrsctp: Usrsctp) -> None:
    async with connected(usrsctp) as (client, server, watch):
        watch.lose("first", "DATA:1/")
        await client.command("send", 1, 100, 1)
        await client.command("reset", "outgoing", 1)
        # Until then it takes no messages for that stream: what it must queue by §5.1.2 A1 it refuses.
        await client.command("send", 1, 100, 1)
        await client.event("error", call="sendv", errno=11)
        await client.event("stream_reset")
        await server.event("message", stream=1, ssn=0)
    assert watch.all_lost
    assert watch.seen == ["> DATA:1/0", "> DATA:1/0", "> OUT-REQ:0,-1,0/1", "< RESP:0=1"]


async def test_usrsctp_denies_by_default(usrsctp: Usrsctp) -> None:
    async with connected(usrsctp, grant=0) as (client, _, watch):
        await client.command("reset", "both", 1, 2)
        await client.event("stream_reset", outgoing=True, denied=True)
        await client.event("stream_reset", incoming=True, denied=True)
        await client.command("add_streams", 1, 1)
        await client.event("stream_change", denied=True)
        await client.event("stream_change", denied=True)
        await client.command("reset_association")
        await client.event("association_reset", denied=True)
    assert watch.reconfig[:6] == [
        "> OUT-REQ:0,-1,-1/1,2|IN-REQ:1/1,2",
        "< RESP:0=2|RESP:1=2",
        "> ADD_OUT_STRMS:2/1|ADD_IN_STRMS:3/1",
        "< RESP:2=2|RESP:3=2",
        "> TSN-REQ:4",
        watch.reconfig[5],
    ]
    # Two TSNs of 0 that mean nothing: only a request that is performed has them.
    assert watch.reconfig[5].startswith("< RESP:4=2/S-TSN=")


async def test_usrsctp_denies_more_streams_than_it_has_room_for(usrsctp: Usrsctp) -> None:
    async with connected(usrsctp) as (client, _, watch):
        await client.command("add_streams", 0, 2048)
        await client.event("stream_change", denied=True, outbound_streams=10)
    assert watch.reconfig == ["> ADD_OUT_STRMS:0/2048", "< RESP:0=2"]


async def test_usrsctp_without_reconfig_is_asked_nothing(usrsctp: Usrsctp) -> None:
    async with connected(usrsctp, sysctl="sctp_reconfig_enable=0") as (client, _, watch):
        for command, option in (
            ("reset outgoing", "SCTP_RESET_STREAMS"),
            ("reset_association", "SCTP_RESET_ASSOC"),
            ("add_streams 0 1", "SCTP_ADD_STREAMS"),
        ):
            await client.command(command)
            await client.event("error", call=option, errno=95)
    assert watch.reconfig == []


@pytest.mark.parametrize("lost", ["request", "response"])
async def test_usrsctp_asks_again_and_answers_a_retransmission_as_before(usrsctp: Usrsctp, lost: str) -> None:
    async with connected(usrsctp) as (client, server, watch):
        watch.lose(*(("first", "OUT-REQ") if lost == "request" else ("second", "RESP")))
        await client.command("reset", "outgoing", 1)
        await client.event("stream_reset", denied=False, failed=False)
        await server.event("stream_reset")
        assert not server.seen("stream_reset")
    asked, answered = "> OUT-REQ:0,-1,-1/1", "< RESP:0=1"
    assert watch.reconfig == [asked, *([answered] if lost == "response" else []), asked, answered]


async def test_usrsctp_whose_request_in_place_of_a_response_is_lost_asks_again(usrsctp: Usrsctp) -> None:
    async with connected(usrsctp) as (client, _, watch):
        watch.lose("second", "OUT-REQ")
        await client.command("reset", "incoming", 1)
        await client.event("stream_reset", incoming=True)
    assert watch.reconfig[:3] == ["> IN-REQ:0/1", "< OUT-REQ:0,0,-1/1", "< RESP:0=1"]
    # Two timers run: a repeated incoming request gets the response alone, and its own request goes again by itself.
    assert "< OUT-REQ:0,0,-1/1" in watch.reconfig[3:]
    assert set(watch.reconfig[3:]) <= {"> IN-REQ:0/1", "< RESP:0=1", "< OUT-REQ:0,0,-1/1", "> RESP:0=1"}


async def test_usrsctp_defers_a_reset_and_answers_by_itself_when_it_is_done(usrsctp: Usrsctp) -> None:
    async with connected(usrsctp) as (client, server, watch):
        watch.lose("first", "DATA:2/")
        await client.command("send", 2, 100, 1)
        await client.command("reset", "outgoing", 1)
        await client.event("stream_reset", outgoing=True)
        await server.event("stream_reset", incoming=True)
    assert watch.all_lost
    assert watch.seen[:3] == ["> DATA:2/0", "> OUT-REQ:0,-1,0/1", "< RESP:0=6"]
    assert "< RESP:0=1" in watch.seen[3:]


async def test_usrsctp_that_defers_notices_only_by_new_data_that_a_hole_was_filled(usrsctp: Usrsctp) -> None:
    """§5.2.2 E2: it ought to go on when the cumulative TSN gets there; and meanwhile it holds *every* stream back."""
    async with connected(usrsctp) as (client, server, watch):
        watch.lose("first", "DATA:2/")
        for stream in (2, 3):
            await client.command("send", stream, 100, 1)
        await client.command("reset", "outgoing", 1)
        await client.command("send", 4, 100, 1)
        await server.event("message", stream=2)  # the hole is filled
        await client.command("send", 5, 100, 1)
        await server.event("message", stream=4)
        await server.event("message", stream=5)
        await client.event("stream_reset", outgoing=True)
    new_data = watch.seen.index("> DATA:5/0")
    before, after = watch.seen[:new_data], [told for told in watch.seen[new_data:] if told.startswith("< RESP")]
    answers_before = [told for told in before if told.startswith("< RESP")]
    # A request that the server had got, and not answered, when the new data passed here.
    owed = sum(told.startswith("> OUT-REQ:0,") for told in before) - len(answers_before)
    *in_progress, last = after
    assert last == "< RESP:0=1"
    assert len(in_progress) <= owed
    assert {*answers_before, *in_progress} <= {"< RESP:0=6"}


async def test_usrsctp_says_performed_where_nothing_is_to_do(usrsctp: Usrsctp) -> None:
    """§5.2.3 wants "Nothing to do" when our own request for the same streams is under way."""
    async with connected(usrsctp) as (client, server, watch):
        watch.lose("second", "OUT-REQ")
        await server.command("reset", "outgoing", 1)
        await watch.saw("< OUT-REQ:0,-1,-1/1")
        await client.command("reset", "incoming", 1)
        await client.event("stream_reset", incoming=True)
    assert watch.reconfig[:3] == ["< OUT-REQ:0,-1,-1/1", "> IN-REQ:0/1", "< RESP:0=1"]


async def test_usrsctp_sends_on_while_it_asks_for_an_association_reset_and_aborts_when_that_is_acknowledged(
    usrsctp: Usrsctp,
) -> None:
    """§5.1.4 C2: it MUST NOT. The old TSN comes after the new ones have begun, and can only be an old duplicate."""
    async with connected(usrsctp) as (client, server, watch):
        watch.lose("second", "RESP")
        await client.command("reset_association")
        await server.event("association_reset")
        # It tells that before it answers.
        await watch.saw("< RESP:0=1/S-TSN=1,R-TSN=4096")
        await client.command("send", 1, 100, 1)
        await client.event("send_failed", stream=1)
        await server.event("assoc_change", state="COMM_LOST", error=13)
    assert watch.seen == ["> TSN-REQ:0", "< RESP:0=1/S-TSN=1,R-TSN=4096", "> DATA:1/0"]


async def test_usrsctp_whose_association_reset_is_denied_keeps_asking(usrsctp: Usrsctp) -> None:
    async with connected(usrsctp, grant=0) as (client, _, watch):
        await client.command("reset_association")
        await client.event("association_reset", denied=True)
        await watch.saw("> TSN-REQ:0", times=3)
        await client.command("reset", "outgoing", 1)
        await client.command("send", 1, 100, 1)
        await client.event("error", call="sendv", errno=11)

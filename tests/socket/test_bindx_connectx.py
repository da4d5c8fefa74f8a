"""`bindx` and `connectx` (RFC 6458 §9.1, §9.9), with every rule they have."""

from __future__ import annotations

import asyncio
import errno

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.wire.chunks import Init
from aiosctp.wire.parameters import IPv4AddressParameter
from tests.socket.hosts import CLIENT_HOST, SERVER, SocketHosts, brings, ids, receive, refused
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time

ADD = sctp.SCTP_BINDX_ADD_ADDR
REMOVE = sctp.SCTP_BINDX_REM_ADDR
THREE = ("192.0.2.2", "192.0.2.12", "192.0.2.22")
STYLES = [sctp.SOCK_STREAM, sctp.SOCK_SEQPACKET]


async def told_addresses(hosts: SocketHosts, port: int = PORT, host: str = "192.0.2.2") -> list[str]:
    """What a new peer of a socket hears of its addresses."""
    client = hosts.one_to_one()
    await client.connect((host, port))
    addresses = sorted(client.getpaddrs())
    assert {each for _, each in addresses} == {port}
    await client.close()
    return [each for each, _ in addresses]


# -- bindx: adding --


@pytest.mark.parametrize("type", STYLES)
@virtual_time
async def test_bindx_binds_several_addresses_and_no_others(type: int) -> None:
    """A27: the peer is told these addresses, and an INIT to another one is refused."""
    async with SocketHosts(server_addresses=THREE) as hosts:
        server = hosts.socket(type, hosts.server)
        server.bindx([("192.0.2.2", PORT), ("192.0.2.12", PORT)], ADD)
        server.listen(5)
        assert await told_addresses(hosts) == ["192.0.2.12", "192.0.2.2"]
        with refused(errno.ECONNREFUSED):
            await hosts.one_to_one().connect(("192.0.2.22", PORT))


@virtual_time
async def test_bindx_adds_to_a_bound_socket() -> None:
    """A27: "to associate additional addresses with an endpoint after calling bind()", the port bound or 0."""
    async with SocketHosts(server_addresses=THREE) as hosts:
        server = hosts.one_to_one(hosts.server)
        server.bind(("192.0.2.2", PORT))
        server.bindx([("192.0.2.12", PORT)], ADD)
        server.bindx([("192.0.2.22", 0)], ADD)
        server.listen(5)
        assert await told_addresses(hosts) == ["192.0.2.12", "192.0.2.2", "192.0.2.22"]


@virtual_time
async def test_bindx_with_port_0_picks_one_for_all() -> None:
    """A27: "If the socket is unbound and the first port number ... is zero, the kernel will choose a port number." """
    async with SocketHosts(server_addresses=THREE) as hosts:
        server = hosts.one_to_one(hosts.server)
        server.bindx([("192.0.2.2", 0), ("192.0.2.12", 0)], ADD)
        server.listen(5)
        port = server.getsockname()[1]
        assert port != 0
        assert await told_addresses(hosts, port) == ["192.0.2.12", "192.0.2.2"]


@virtual_time
async def test_later_ports_of_bindx_may_be_0() -> None:
    """A27: "the following port numbers must be zero or have the same value as the first one"."""
    async with SocketHosts(server_addresses=THREE) as hosts:
        server = hosts.one_to_one(hosts.server)
        server.bindx([("192.0.2.2", PORT), ("192.0.2.12", 0), ("192.0.2.22", PORT)], ADD)
        server.listen(5)
        assert await told_addresses(hosts) == ["192.0.2.12", "192.0.2.2", "192.0.2.22"]


@virtual_time
async def test_a_wildcard_alone_may_be_bound_by_bindx() -> None:
    """A27, L05: "A single address may be specified as INADDR_ANY"."""
    async with SocketHosts(server_addresses=THREE) as hosts:
        server = hosts.one_to_one(hosts.server)
        server.bindx([("0.0.0.0", PORT)], ADD)
        server.listen(5)
        assert await told_addresses(hosts) == ["192.0.2.12", "192.0.2.2", "192.0.2.22"]


@pytest.mark.parametrize(
    ("addresses", "flags", "number"),
    [
        ([("192.0.2.2", PORT), ("192.0.2.12", PORT + 1)], ADD, errno.EINVAL),
        ([("192.0.2.2", 0), ("192.0.2.12", PORT)], ADD, errno.EINVAL),
        ([("192.0.2.2", PORT)], ADD | REMOVE, errno.EINVAL),
        ([("192.0.2.2", PORT)], 0x40000000, errno.EINVAL),
        ([("192.0.2.2", PORT), ("0.0.0.0", PORT)], ADD, errno.EINVAL),
        ([("0.0.0.0", PORT), ("192.0.2.2", PORT)], ADD, errno.EINVAL),
        ([], ADD, errno.EINVAL),
        ([("192.0.2.2", PORT), ("192.0.2.99", PORT)], ADD, errno.EADDRNOTAVAIL),
        ([("192.0.2.2", PORT), ("224.0.0.1", PORT)], ADD, errno.EADDRNOTAVAIL),
        ([("192.0.2.2", PORT), ("2001:db8::2", PORT)], ADD, errno.EAFNOSUPPORT),
        ([("192.0.2.2", PORT)], REMOVE, errno.EINVAL),
        ([("192.0.2.2", 65536)], ADD, errno.EINVAL),
        ("192.0.2.2", ADD, errno.EINVAL),
        (None, ADD, errno.EINVAL),
        ([("192.0.2.2", PORT)], "add", errno.EINVAL),
    ],
)
@virtual_time
async def test_a_bindx_that_is_refused_binds_nothing(addresses: list[tuple[str, int]], flags: int, number: int) -> None:
    """A27, I05: one port for all, not both flags, no wildcard beside others; "either succeed on all addresses or fail
    on all"."""
    async with SocketHosts(server_addresses=(*THREE, "2001:db8::2")) as hosts:
        server = hosts.one_to_one(hosts.server)
        with refused(number):
            server.bindx(addresses, flags)
        assert list(server.getladdrs()) == []
        server.bind(("192.0.2.22", PORT))
        server.listen(1)
        assert await told_addresses(hosts, host="192.0.2.22") == ["192.0.2.22"]


@virtual_time
async def test_the_port_of_a_bound_socket_cannot_be_changed_by_bindx() -> None:
    """A27, I05: "For an already bound socket, all port numbers provided must be the bound one or 0." """
    async with SocketHosts(server_addresses=THREE) as hosts:
        server = hosts.one_to_one(hosts.server)
        server.bind(("192.0.2.2", PORT))
        with refused(errno.EINVAL):
            server.bindx([("192.0.2.12", PORT + 1)], ADD)
        with refused(errno.EINVAL):
            server.bindx([("192.0.2.12", 0), ("192.0.2.22", PORT + 1)], ADD)
        server.listen(1)
        assert await told_addresses(hosts) == ["192.0.2.2"]


# -- bindx: removing --


@virtual_time
async def test_bindx_removes_addresses_so_that_no_new_association_has_them() -> None:
    """A27: "to remove some addresses with which a listening socket is associated, so that no new association accepted
    will be associated with these addresses"."""
    async with SocketHosts(server_addresses=THREE) as hosts:
        server = hosts.one_to_one(hosts.server)
        server.bindx([(host, PORT) for host in THREE], ADD)
        server.listen(5)
        server.bindx([("192.0.2.12", PORT)], REMOVE)
        assert await told_addresses(hosts) == ["192.0.2.2", "192.0.2.22"]
        with refused(errno.ECONNREFUSED):
            await hosts.one_to_one().connect(("192.0.2.12", PORT))
        server.bindx([("192.0.2.12", 0)], ADD)
        assert await told_addresses(hosts) == ["192.0.2.12", "192.0.2.2", "192.0.2.22"]


@virtual_time
async def test_bindx_takes_single_addresses_from_a_wildcard() -> None:
    """A27: a socket bound to all addresses can give one up."""
    async with SocketHosts(server_addresses=THREE) as hosts:
        server = hosts.listening()
        server.bindx([("192.0.2.22", PORT)], REMOVE)
        assert await told_addresses(hosts) == ["192.0.2.12", "192.0.2.2"]


@pytest.mark.parametrize(
    "addresses",
    [
        [("192.0.2.2", PORT), ("192.0.2.12", PORT)],  # all there are
        [("192.0.2.22", PORT)],  # not bound
        [("192.0.2.2", PORT), ("192.0.2.22", PORT)],  # one of them not bound
        [("192.0.2.2", PORT + 1)],
        [("0.0.0.0", PORT)],
    ],
)
@virtual_time
async def test_a_removal_that_is_refused_removes_nothing(addresses: list[tuple[str, int]]) -> None:
    """A27, I05: "A caller may not remove all addresses from a socket; sctp_bindx() will reject such an attempt with
    EINVAL." """
    async with SocketHosts(server_addresses=THREE) as hosts:
        server = hosts.one_to_one(hosts.server)
        server.bindx([("192.0.2.2", PORT), ("192.0.2.12", PORT)], ADD)
        server.listen(5)
        with refused(errno.EINVAL):
            server.bindx(addresses, REMOVE)
        assert await told_addresses(hosts) == ["192.0.2.12", "192.0.2.2"]


@pytest.mark.parametrize("flags", [ADD, REMOVE])
@virtual_time
async def test_addresses_of_a_live_association_need_asconf(flags: int) -> None:
    """A27, I07: "Implementations that do not support this functionality should return -1 and set errno to EOPNOTSUPP";
    the association keeps the addresses it has."""
    async with SocketHosts(server_addresses=THREE) as hosts:
        listener = hosts.one_to_one(hosts.server)
        listener.bindx([("192.0.2.2", PORT), ("192.0.2.12", PORT)], ADD)
        listener.listen(5)
        client = hosts.one_to_one()
        await client.connect(SERVER)
        server = await hosts.accept(listener)
        with refused(errno.EOPNOTSUPP):
            server.bindx([("192.0.2.22" if flags == ADD else "192.0.2.12", PORT)], flags)
        assert sorted(server.getladdrs()) == [("192.0.2.12", PORT), ("192.0.2.2", PORT)]
        await asyncio.sleep(2)
        await client.sendmsg([b"this way too"], address=("192.0.2.12", PORT))
        assert await server.recv(100) == b"this way too"


@virtual_time
async def test_a_taken_port_is_eaddrinuse_for_bindx_too() -> None:
    """A27, I04: and nothing is bound."""
    async with SocketHosts(server_addresses=THREE) as hosts:
        first, second = hosts.one_to_one(hosts.server), hosts.one_to_one(hosts.server)
        first.bind(("192.0.2.2", PORT))
        with refused(errno.EADDRINUSE):
            second.bindx([("192.0.2.12", PORT), ("192.0.2.2", PORT)], ADD)
        assert list(second.getladdrs()) == []


# -- connectx --


@pytest.mark.parametrize("type", STYLES)
@virtual_time
async def test_connectx_tries_all_addresses(type: int) -> None:
    """A28: "the stack will try to make use of all of the addresses in the list when needed": the first is dead."""
    async with SocketHosts(server_addresses=THREE) as hosts:
        listener = hosts.listening()
        hosts.network.partition(hosts.client_host, "192.0.2.2")
        client = hosts.socket(type)
        assoc_id = await client.connectx([("192.0.2.2", PORT), ("192.0.2.12", PORT)])
        assert assoc_id >= 3
        server = await hosts.accept(listener)
        assert server.getpeername()[0] == CLIENT_HOST
        tried = {packet.destination for packet in hosts.log if brings(packet, Init)}
        assert tried == {"192.0.2.2", "192.0.2.12"}


@virtual_time
async def test_the_peers_addresses_are_those_it_tells_not_those_of_connectx() -> None:
    """A28, A30: "the list of addresses passed in is only used for setting up the association"."""
    async with SocketHosts(server_addresses=THREE) as hosts:
        hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        assoc_id = await client.connectx([("192.0.2.2", PORT), ("192.0.2.12", PORT)])
        assert sorted(client.getpaddrs(assoc_id)) == sorted((host, PORT) for host in THREE)


@virtual_time
async def test_the_id_of_connectx_is_the_associations() -> None:
    """A28: it is what sends go to, and what notifications name."""
    async with SocketHosts() as hosts:
        servers = [hosts.listening(sctp.SOCK_SEQPACKET, port=PORT + number) for number in range(2)]
        client = hosts.one_to_many()
        found = [await client.connectx([("192.0.2.2", PORT + number)]) for number in range(2)]
        assert ids(client) == tuple(found)
        assert len(set(found)) == 2
        for number, assoc_id in reversed(list(enumerate(found))):
            await client.sendv(b"%d" % number, sndinfo=sctp.sctp_sndinfo(snd_assoc_id=assoc_id))
            assert await receive(servers[number]) == b"%d" % number


@pytest.mark.parametrize("type", STYLES)
@pytest.mark.parametrize(
    ("addresses", "number"),
    [
        ([], errno.EINVAL),
        ([("192.0.2.2", PORT), ("192.0.2.12", PORT + 1)], errno.EINVAL),
        ([("192.0.2.2", 0)], errno.EINVAL),
        ([("192.0.2.2", PORT), ("224.0.0.1", PORT)], errno.EINVAL),
        ([("192.0.2.2", PORT), ("2001:db8::2", PORT)], errno.EAFNOSUPPORT),
        ([("0.0.0.0", PORT)], errno.EINVAL),
        ([("192.0.2.2", 65536)], errno.EINVAL),
        (["192.0.2.2"], errno.EINVAL),
        (None, errno.EINVAL),
        (7, errno.EINVAL),
    ],
)
@virtual_time
async def test_a_list_that_is_no_peer_is_refused_before_anything_is_sent(
    addresses: list[tuple[str, int]], number: int, type: int
) -> None:
    """A28, I05: one port, unicast addresses, of the socket's family, and at least one."""
    async with SocketHosts(server_addresses=THREE) as hosts:
        hosts.listening()
        client = hosts.socket(type)
        with refused(number):
            await client.connectx(addresses)
        assert not hosts.log
        assert await client.connectx([SERVER]) >= 3


@virtual_time
async def test_connectx_that_nobody_answers_is_etimedout() -> None:
    """A28, I02: after all attempts, all addresses having been tried."""
    config = aiosctp.Config(max_init_retransmits=3)
    async with SocketHosts(server_addresses=THREE, config=config) as hosts:
        hosts.network.partition(hosts.client_host)
        client = hosts.one_to_many()
        with refused(errno.ETIMEDOUT):
            await client.connectx([("192.0.2.2", PORT), ("192.0.2.12", PORT)])
        assert {packet.destination for packet in hosts.log} == {"192.0.2.2", "192.0.2.12"}
        assert ids(client) == ()


@virtual_time
async def test_what_bindx_bound_is_what_the_init_offers() -> None:
    """A27: the addresses are presented to the peer in the INIT, those and no others."""
    hosts_of_client = ("192.0.2.1", "192.0.2.11", "192.0.2.21")
    async with SocketHosts(client_addresses=hosts_of_client) as hosts:
        hosts.listening()
        client = hosts.one_to_one()
        client.bindx([("192.0.2.1", 0), ("192.0.2.21", 0)], ADD)
        await client.connect(SERVER)
        (init,) = hosts.said(Init)
        offered = [each.host for each in init.parameters if isinstance(each, IPv4AddressParameter)]
        assert sorted(offered) == ["192.0.2.1", "192.0.2.21"]

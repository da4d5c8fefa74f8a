"""Families, scopes and names of sockets: who has which address, as each side sees it."""

from __future__ import annotations

import asyncio
import errno

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from tests.socket.hosts import CLIENT_HOST, ENOUGH, SERVER, SocketHosts, ids, one_to_one_pair, refused
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time

CLIENT_6 = "2001:db8::1"
SERVER_6 = "2001:db8::2"
BOTH = {"client_addresses": (CLIENT_HOST, CLIENT_6), "server_addresses": ("192.0.2.2", SERVER_6)}
STYLES = [sctp.SOCK_STREAM, sctp.SOCK_SEQPACKET]

# -- families --


@pytest.mark.parametrize("host", ["192.0.2.2", SERVER_6])
@virtual_time
async def test_an_ipv6_socket_uses_both_families(host: str) -> None:
    """A03: "PF_INET6 creates an endpoint that can use both IPv6 and IPv4 addresses"."""
    async with SocketHosts(**BOTH) as hosts:
        listener = hosts.socket(sctp.SOCK_STREAM, hosts.server, sctp.AF_INET6)
        listener.bind(("::", PORT))
        listener.listen(1)
        client = hosts.socket(sctp.SOCK_STREAM, hosts.client, sctp.AF_INET6)
        await client.connect((host, PORT))
        server = await hosts.accept(listener)
        await client.send(b"x")
        assert await server.recv(10) == b"x"
        assert {each for each, _ in client.getpaddrs()} == {"192.0.2.2", SERVER_6}
        assert {each for each, _ in server.getpaddrs()} == {CLIENT_HOST, CLIENT_6}


@pytest.mark.parametrize("type", STYLES)
@virtual_time
async def test_an_ipv4_socket_uses_ipv4_alone(type: int) -> None:
    """A03, I05: "an endpoint that can use only IPv4 addresses": no IPv6 address is bound, told, or spoken to."""
    async with SocketHosts(**BOTH) as hosts:
        listener = hosts.socket(sctp.SOCK_STREAM, hosts.server, sctp.AF_INET6)
        listener.bind(("::", PORT))
        listener.listen(1)
        client = hosts.socket(type)
        with refused(errno.EAFNOSUPPORT):
            client.bind((CLIENT_6, 0))
        with refused(errno.EAFNOSUPPORT):
            await client.connect((SERVER_6, PORT))
        with refused(errno.EAFNOSUPPORT):
            await client.sendto(b"x", 0, (SERVER_6, PORT))
        assert not hosts.log
        assoc_id = await client.connectx([SERVER])
        server = await hosts.accept(listener)
        assert list(server.getpaddrs()) == [(CLIENT_HOST, client.getsockname()[1])]
        assert list(client.getpaddrs(assoc_id)) == [SERVER]


@virtual_time
async def test_an_ipv6_socket_bound_to_an_ipv4_address_has_that_one_alone() -> None:
    """A03, A05: "the address passed can either be an IPv4 or an IPv6 address"."""
    async with SocketHosts(**BOTH) as hosts:
        listener = hosts.socket(sctp.SOCK_STREAM, hosts.server, sctp.AF_INET6)
        listener.bind(("192.0.2.2", PORT))
        listener.listen(1)
        client = hosts.socket(sctp.SOCK_STREAM, hosts.client, sctp.AF_INET6)
        with refused(errno.ECONNREFUSED):
            await client.connect((SERVER_6, PORT))
        await client.connect(SERVER)
        assert list(client.getpaddrs()) == [SERVER]


@virtual_time
async def test_an_ipv4_wildcard_means_ipv4_addresses() -> None:
    """A06: of an IPv6 socket too; the IPv6 wildcard means both."""
    async with SocketHosts(**BOTH) as hosts:
        for number, (wildcard, expected) in enumerate([("0.0.0.0", {"192.0.2.2"}), ("::", {"192.0.2.2", SERVER_6})]):
            listener = hosts.socket(sctp.SOCK_STREAM, hosts.server, sctp.AF_INET6)
            listener.bind((wildcard, PORT + number))
            listener.listen(1)
            client = hosts.socket(sctp.SOCK_STREAM, hosts.client, sctp.AF_INET6)
            await client.connect(("192.0.2.2", PORT + number))
            assert {host for host, _ in client.getpaddrs()} == expected


@pytest.mark.parametrize("mapped", [0, 1])
@virtual_time
async def test_addresses_are_mapped_when_it_is_asked_for(mapped: int) -> None:
    """A30, A31: "IPv4 addresses returned according to the SCTP_I_WANT_MAPPED_V4_ADDR option setting"."""
    async with SocketHosts(**BOTH) as hosts:
        listener = hosts.socket(sctp.SOCK_STREAM, hosts.server, sctp.AF_INET6)
        listener.bind(("::", PORT))
        listener.listen(1)
        client = hosts.socket(sctp.SOCK_STREAM, hosts.client, sctp.AF_INET6)
        client.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_I_WANT_MAPPED_V4_ADDR, mapped)
        await client.connect(SERVER)
        prefix = "::ffff:" if mapped else ""
        assert set(client.getpaddrs()) == {(f"{prefix}192.0.2.2", PORT), (SERVER_6, PORT)}
        assert {host for host, _ in client.getladdrs()} == {f"{prefix}{CLIENT_HOST}", CLIENT_6}
        assert client.getpeername() == (f"{prefix}192.0.2.2", PORT)
        server = await hosts.accept(listener)
        await server.send(b"x")
        _, address = await client.recvfrom(10)
        assert address in client.getpaddrs()


@pytest.mark.parametrize("type", STYLES)
@virtual_time
async def test_a_mapped_address_is_the_ipv4_one(type: int) -> None:
    """A03: "::ffff:192.0.2.2" on an IPv6 socket goes over IPv4."""
    async with SocketHosts(**BOTH) as hosts:
        listener = hosts.listening()
        client = hosts.socket(type, hosts.client, sctp.AF_INET6)
        await client.connectx([("::ffff:192.0.2.2", PORT)])
        server = await hosts.accept(listener)
        assert server.getpeername()[0] in (CLIENT_HOST, CLIENT_6)
        assert all(":" not in packet.destination for packet in hosts.log)


# -- scopes --


@virtual_time
async def test_a_wildcard_tells_the_addresses_in_the_peers_scope() -> None:
    """A06: a public peer is not told private addresses; a private one is told both."""
    public, private = ("93.184.216.34", "93.184.216.35"), "10.1.2.3"
    async with SocketHosts(client_addresses=(*public, private), server_addresses=("93.184.217.1", "10.1.2.4")) as hosts:
        listener = hosts.listening()
        for peer, told in (("93.184.217.1", sorted(public)), ("10.1.2.4", sorted((*public, private)))):
            client = hosts.one_to_one()
            await client.connect((peer, PORT))
            server = await hosts.accept(listener)
            assert sorted(host for host, _ in server.getpaddrs()) == told


@virtual_time
async def test_sockets_of_a_stack_use_only_its_addresses() -> None:
    """A06: a stack that was given local addresses bounds what a wildcard means."""
    async with (
        SocketHosts(client_addresses=("192.0.2.1", "192.0.2.11", "192.0.2.21")) as hosts,
        aiosctp.Stack(udp_port=9900, local_addresses=["192.0.2.1", "192.0.2.21"], network=hosts.client_host) as some,
    ):
        listener = hosts.listening()
        client = hosts.one_to_one(some)
        with refused(errno.EADDRNOTAVAIL):
            client.bind(("192.0.2.11", 0))
        await client.connect(SERVER)
        server = await hosts.accept(listener)
        assert sorted(host for host, _ in server.getpaddrs()) == ["192.0.2.1", "192.0.2.21"]
        await client.close()
        await asyncio.sleep(1)


@pytest.mark.parametrize("host", ["224.0.0.1", "255.255.255.255", "ff02::1", "239.1.2.3"])
@pytest.mark.parametrize("type", STYLES)
@virtual_time
async def test_multicast_and_broadcast_are_refused(type: int, host: str) -> None:
    """A43, I05: "it does not support broadcast or multicast communications": neither as ours nor as a peer's."""
    async with SocketHosts(**BOTH) as hosts:
        socket = hosts.socket(type, hosts.client, sctp.AF_INET6)
        with refused(errno.EADDRNOTAVAIL):
            socket.bind((host, 5555))
        with refused(errno.EINVAL):
            await socket.connect((host, PORT))
        with refused(errno.EINVAL):
            await socket.connectx([(host, PORT)])
        with refused(errno.EINVAL):
            await socket.sendto(b"x", 0, (host, PORT))
        with refused(errno.EINVAL):
            await socket.sendv(b"x", [(host, PORT)])
        assert not hosts.log


# -- names --


@virtual_time
async def test_getpeername_is_the_primary_address() -> None:
    """A22: and it follows SCTP_PRIMARY_ADDR, as what is sent does."""
    async with one_to_one_pair(server_addresses=("192.0.2.2", "192.0.2.12")) as pair:
        assert pair.client.getpeername() == SERVER
        await asyncio.sleep(2)
        other = ("192.0.2.12", PORT)
        pair.client.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_PRIMARY_ADDR, sctp.sctp_setprim(ssp_addr=other))
        assert pair.client.getpeername() == other
        pair.hosts.log.clear()
        await pair.client.send(b"x")
        await pair.server.recv(10)
        assert {packet.destination for packet in pair.hosts.log if packet.source == CLIENT_HOST} == {"192.0.2.12"}


@virtual_time
async def test_getpeername_is_for_one_to_one_sockets() -> None:
    """A22: a one-to-many socket has no peer; EOPNOTSUPP."""
    async with SocketHosts() as hosts:
        hosts.listening()
        many = hosts.one_to_many()
        await many.connect(SERVER)
        with refused(errno.EOPNOTSUPP):
            many.getpeername()


@virtual_time
async def test_getpeername_of_an_accepted_socket_is_whom_it_talks_to() -> None:
    """A22: until the end of the association and after it, as long as the socket is open ENOTCONN or the address."""
    async with one_to_one_pair() as pair:
        assert pair.server.getpeername() == pair.client.getsockname()
        with refused(errno.ENOTCONN):
            pair.listener.getpeername()


@pytest.mark.parametrize("type", STYLES)
@virtual_time
async def test_getsockname_is_one_local_address(type: int) -> None:
    """A23: port 0 while unbound; what was bound; and what the system chose."""
    async with SocketHosts() as hosts:
        listener = hosts.listening()
        socket = hosts.socket(type)
        assert socket.getsockname()[1] == 0
        socket.bind((CLIENT_HOST, 5555))
        assert socket.getsockname() == (CLIENT_HOST, 5555)
        await socket.connect(SERVER)
        server = await hosts.accept(listener)
        assert server.getpeername() == socket.getsockname()
        assert server.getsockname() == SERVER
        unbound = hosts.socket(type)
        await unbound.connect(SERVER)
        assert (await hosts.accept(listener)).getpeername() == unbound.getsockname()


# -- lists --


@virtual_time
async def test_getpaddrs_lists_the_peer_of_an_association() -> None:
    """A30: of a one-to-many socket by id; where there is no association, no addresses."""
    async with SocketHosts(server_addresses=("192.0.2.2", "192.0.2.12")) as hosts:
        hosts.listening()
        client = hosts.one_to_many()
        assert list(hosts.one_to_one().getpaddrs()) == []
        first = await client.connectx([SERVER])
        assert sorted(client.getpaddrs(first)) == [("192.0.2.12", PORT), ("192.0.2.2", PORT)]
        for wrong in (first + 1, 99, -1):
            with refused(errno.EINVAL):
                client.getpaddrs(wrong)


@virtual_time
async def test_getpaddrs_of_a_one_to_one_socket_ignores_the_id() -> None:
    """A30, A31: "For one-to-one style sockets, id is ignored." """
    async with one_to_one_pair() as pair:
        for assoc_id in (0, 3, 99):
            assert list(pair.client.getpaddrs(assoc_id)) == [SERVER]
            assert list(pair.client.getladdrs(assoc_id)) == [pair.client.getsockname()]


@virtual_time
async def test_getladdrs_lists_the_bound_addresses() -> None:
    """A31: id 0 "without regard to any particular association"; none while unbound; those of an association by id."""
    addresses = ("192.0.2.1", "192.0.2.11", "192.0.2.21")
    async with SocketHosts(client_addresses=addresses) as hosts:
        listener = hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        assert list(client.getladdrs()) == []
        client.bindx([("192.0.2.1", 5555), ("192.0.2.21", 5555)], sctp.SCTP_BINDX_ADD_ADDR)
        bound = [("192.0.2.1", 5555), ("192.0.2.21", 5555)]
        assert sorted(client.getladdrs(0)) == bound
        assoc_id = await client.connectx([SERVER])
        assert sorted(client.getladdrs(assoc_id)) == bound
        await asyncio.sleep(1)
        (server_id,) = ids(listener)
        assert sorted(listener.getpaddrs(server_id)) == bound
        with refused(errno.EINVAL):
            client.getladdrs(assoc_id + 1)


# -- privileged ports --


@virtual_time
async def test_ports_below_1024_are_for_who_may_have_them() -> None:
    """A44, I06: "restrict the ability to call bind() or sctp_bindx() on these port numbers": EPERM, nothing bound."""
    async with (
        SocketHosts() as hosts,
        aiosctp.Stack(udp_port=9900, network=hosts.server_host, port_policy=lambda port: port >= 1024) as strict,
    ):
        for type in STYLES:
            socket = hosts.socket(type, strict)
            with refused(errno.EPERM):
                socket.bind(("0.0.0.0", 80))
            with refused(errno.EPERM):
                socket.bindx([("192.0.2.2", 1023)], sctp.SCTP_BINDX_ADD_ADDR)
            assert list(socket.getladdrs()) == []
            socket.bind(("0.0.0.0", 0))
            assert socket.getsockname()[1] >= 1024
            await socket.close()
        free = hosts.one_to_one(hosts.server)
        free.bind(("0.0.0.0", 80))
        free.listen(1)
        await hosts.one_to_one().connect(("192.0.2.2", 80))


@virtual_time
async def test_an_inherited_socket_on_a_privileged_port_accepts_and_opens_nothing() -> None:
    """A44: "accepting new associations might be permitted, but opening new associations should not be permitted"."""
    privileged = True

    def policy(port: int) -> bool:
        return privileged or port >= 1024

    async with (
        SocketHosts() as hosts,
        aiosctp.Stack(udp_port=9900, network=hosts.server_host, port_policy=policy) as stack,
    ):
        inherited = hosts.one_to_many(stack)
        inherited.bind(("0.0.0.0", 80))
        inherited.listen(5)
        privileged = False
        peer = hosts.one_to_many()
        encaps = sctp.sctp_udpencaps(sue_port=9900)
        peer.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, encaps)
        peer.bind((CLIENT_HOST, 5555))
        peer.listen(5)
        await peer.sendto(b"taken in", 0, ("192.0.2.2", 80))
        received = await inherited.recvv(ENOUGH)
        assert received.data == b"taken in"
        assert received.address is not None
        await inherited.sendto(b"answered", 0, received.address)
        assert (await peer.recvv(ENOUGH)).data == b"answered"
        stranger: SCTPSocket = hosts.one_to_many()
        stranger.bind((CLIENT_HOST, 6666))
        stranger.listen(5)
        with refused(errno.EPERM):
            await inherited.sendto(b"opening", 0, (CLIENT_HOST, 6666))
        with refused(errno.EPERM):
            await inherited.connect((CLIENT_HOST, 6666))
        assert len(ids(inherited)) == 1
        await inherited.close()
        await asyncio.sleep(1)

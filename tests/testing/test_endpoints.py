"""asyncio's datagram endpoints and name look-ups, on the simulated network."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

from aiosctp.core.datagram import Received
from aiosctp.network import current_network
from aiosctp.testing import Host, Link, Network
from aiosctp.testing.endpoints import SimulatedDatagramTransport
from tests.surface.virtual_time import virtual_time

A, A_SIX = "192.0.2.1", "2001:db8::1"
Z, Z_SIX, Z_OTHER = "192.0.2.2", "2001:db8::2", "192.0.2.22"
PORT = 5000


class Endpoint(asyncio.DatagramProtocol):
    """A protocol that keeps what it hears, and what is current when it does."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.hosts: list[object] = []
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._note("made")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._note((data, addr))

    def error_received(self, exc: Exception) -> None:
        assert isinstance(exc, OSError)
        self._note(exc.errno)

    def connection_lost(self, exc: Exception | None) -> None:
        self._note(("lost", exc))

    def _note(self, event: object) -> None:
        self.heard.append(event)
        self.hosts.append(current_network.get())


class Echo(Endpoint):
    def datagram_received(self, data: bytes, addr: Any) -> None:
        super().datagram_received(data, addr)
        self.transport.sendto(data.upper(), addr)


def two_hosts(**options: Any) -> tuple[Network, Host, Host]:
    network = Network(link=Link(delay_s=0.01), **options)
    return network, network.host("a", A, A_SIX), network.host("z", Z, Z_SIX, Z_OTHER)


async def endpoint(host: Host, protocol: type[Endpoint] = Endpoint, **options: Any) -> Endpoint:
    with host:
        loop = asyncio.get_running_loop()
        transport, made = await loop.create_datagram_endpoint(protocol, **options)
    assert isinstance(transport, SimulatedDatagramTransport)
    assert made.transport is transport
    return made


# -- datagrams --


@virtual_time
async def test_a_datagram_protocol_runs_unchanged_over_the_simulated_network() -> None:
    _, a, z = two_hosts()
    server = await endpoint(z, Echo, local_addr=("0.0.0.0", PORT))
    client = await endpoint(a, remote_addr=("z", PORT))
    client.transport.sendto(b"hello")
    await asyncio.sleep(1)
    port = client.transport.get_extra_info("sockname")[1]
    assert server.heard == ["made", (b"hello", (A, port))]
    assert client.heard == ["made", (b"HELLO", (Z, PORT))]


@virtual_time
async def test_ipv6_addresses_come_as_asyncio_has_them() -> None:
    _, a, z = two_hosts()
    server = await endpoint(z, Echo, local_addr=("::", PORT))
    client = await endpoint(a, remote_addr=(Z_SIX, PORT))
    client.transport.sendto(b"hello")
    await asyncio.sleep(1)
    port = client.transport.get_extra_info("sockname")[1]
    assert server.heard == ["made", (b"hello", (A_SIX, port, 0, 0))]
    assert client.heard == ["made", (b"HELLO", (Z_SIX, PORT, 0, 0))]


@virtual_time
async def test_protocols_are_called_in_the_context_of_their_own_host() -> None:
    _, a, z = two_hosts()
    server = await endpoint(z, Echo, local_addr=(Z, PORT))
    client = await endpoint(a, remote_addr=(Z, PORT))
    client.transport.sendto(b"hello")
    await asyncio.sleep(1)
    client.transport.close()
    server.transport.close()
    await asyncio.sleep(1)
    assert server.hosts == [z] * 3
    assert client.hosts == [a] * 3


@virtual_time
async def test_an_endpoint_answers_from_the_network_that_it_was_asked_on() -> None:
    network, a, z = two_hosts()
    await endpoint(z, Echo, local_addr=(None, PORT))
    client = await endpoint(a, local_addr=("0.0.0.0", 0))
    client.transport.sendto(b"hello", (Z, PORT))
    await asyncio.sleep(1)
    assert client.heard[1:] == [(b"HELLO", (Z, PORT))]
    assert network.counters["delivered"] == 2


@pytest.mark.parametrize(
    ("options", "sockname"),
    [
        ({"local_addr": (Z, PORT)}, (Z, PORT)),
        ({"local_addr": ("z", PORT)}, (Z, PORT)),
        ({"local_addr": (Z_SIX, PORT)}, (Z_SIX, PORT, 0, 0)),
        ({"local_addr": ("0.0.0.0", PORT)}, ("0.0.0.0", PORT)),
        ({"local_addr": ("::", PORT)}, (Z_SIX, PORT, 0, 0)),
        ({"local_addr": ("z", PORT), "family": socket.AF_INET6}, (Z_SIX, PORT, 0, 0)),
    ],
)
@virtual_time
async def test_an_endpoint_says_where_it_is_bound(options: dict[str, Any], sockname: object) -> None:
    _, _, z = two_hosts()
    bound = await endpoint(z, **options)
    assert bound.transport.get_extra_info("sockname") == sockname
    assert bound.transport.get_extra_info("peername") is None
    assert bound.transport.get_extra_info("socket", "none") == "none"


@virtual_time
async def test_a_connected_endpoint_says_to_whom() -> None:
    _, a, _ = two_hosts()
    client = await endpoint(a, remote_addr=("z", PORT), family=socket.AF_INET6)
    assert client.transport.get_extra_info("peername") == (Z_SIX, PORT, 0, 0)


@virtual_time
async def test_the_family_alone_gives_a_free_port_on_its_addresses() -> None:
    _, _, z = two_hosts()
    bound = await endpoint(z, family=socket.AF_INET)
    host, port = bound.transport.get_extra_info("sockname")
    assert (host, port > 1023) == ("0.0.0.0", True)
    assert {each.local_host for each in z.ports} == {Z, Z_OTHER}


@virtual_time
async def test_a_connected_endpoint_takes_nothing_from_others() -> None:
    _, a, z = two_hosts()
    client = await endpoint(a, local_addr=(A, 6000), remote_addr=(Z, PORT))
    stranger = await endpoint(z, local_addr=(Z, PORT + 1))
    stranger.transport.sendto(b"psst", (A, 6000))
    await asyncio.sleep(1)
    assert client.heard == ["made"]


@virtual_time
async def test_a_connected_endpoint_hears_that_nobody_listens() -> None:
    _, a, _ = two_hosts()
    client = await endpoint(a, remote_addr=(Z, PORT))
    client.transport.sendto(b"hello?")
    await asyncio.sleep(1)
    assert client.heard == ["made", errno.ECONNREFUSED]


@virtual_time
async def test_an_endpoint_that_is_not_connected_hears_nothing_of_it() -> None:
    """As on Linux."""
    network, a, _ = two_hosts()
    client = await endpoint(a, local_addr=(A, 0))
    client.transport.sendto(b"hello?", (Z, PORT))
    await asyncio.sleep(1)
    assert client.heard == ["made"]
    assert network.counters["port closed"] == 1


@virtual_time
async def test_a_datagram_larger_than_the_mtu_is_fragmented() -> None:
    network, a, z = two_hosts()
    server = await endpoint(z, local_addr=(Z, PORT))
    client = await endpoint(a, remote_addr=(Z, PORT))
    client.transport.sendto(bytearray(60_000))
    client.transport.sendto(memoryview(bytes(1)))
    await asyncio.sleep(1)
    assert [len(data) for data, _ in server.heard[1:]] == [60_000, 1]
    assert network.counters["fragmented"] == 1


@virtual_time
async def test_what_can_not_be_sent_is_told_as_an_error() -> None:
    _, a, _ = two_hosts()
    client = await endpoint(a, local_addr=(A, 0))
    client.transport.sendto(bytes(65_508), (Z, PORT))
    client.transport.sendto(b"", (Z_SIX, PORT))
    assert client.heard == ["made"]  # never while it sends
    await asyncio.sleep(0)
    assert client.heard == ["made", errno.EMSGSIZE, errno.ENETUNREACH]


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize(
    ("data", "addr", "error"),
    [
        ("text", (Z, PORT), TypeError("data")),
        (b"", Z, TypeError("addr")),
        (b"", (Z,), TypeError("addr")),
        (b"", ("z", PORT), ValueError("addr")),
        (b"", (Z, 0), ValueError("addr")),
        (b"", (Z, 65536), ValueError("addr")),
    ],
)
@virtual_time
async def test_a_mistake_in_sendto_names_the_argument(data: Any, addr: Any, error: Exception, connected: bool) -> None:
    network, a, _ = two_hosts()
    client = await (endpoint(a, remote_addr=(Z, PORT)) if connected else endpoint(a, local_addr=(A, PORT)))
    with pytest.raises(type(error), match=str(error)):
        client.transport.sendto(data, addr)
    assert network.counters["sent"] == 0


@virtual_time
async def test_who_is_sent_to_must_be_told_once() -> None:
    _, a, _ = two_hosts()
    client = await endpoint(a, local_addr=(A, 0))
    with pytest.raises(ValueError, match="addr must be given"):
        client.transport.sendto(b"")
    client = await endpoint(a, remote_addr=(Z, PORT))
    client.transport.sendto(b"", (Z, PORT))
    with pytest.raises(ValueError, match="addr must be remote_addr"):
        client.transport.sendto(b"", (Z_OTHER, PORT))


@virtual_time
async def test_closing_frees_the_port_and_is_told_once() -> None:
    _, a, z = two_hosts()
    server = await endpoint(z, local_addr=(Z, PORT))
    client = await endpoint(a, remote_addr=(Z, PORT))
    client.transport.sendto(b"too late")
    server.transport.close()
    server.transport.abort()
    assert server.transport.is_closing()
    server.transport.sendto(b"ignored", (A, PORT))
    assert server.heard == ["made"]
    await endpoint(z, local_addr=(Z, PORT))
    await asyncio.sleep(1)
    assert server.heard == ["made", ("lost", None)]


@virtual_time
async def test_nothing_is_heard_after_closing() -> None:
    """Not even what had come before: as when a socket is closed with datagrams in its buffer."""
    _, _, z = two_hosts()
    server = await endpoint(z, local_addr=(Z, PORT))
    server.transport.datagrams_received([Received(b"hello", A, PORT)], Z)
    server.transport.close()
    await asyncio.sleep(1)
    assert server.heard == ["made", ("lost", None)]


@virtual_time
async def test_a_protocol_that_raises_harms_no_other() -> None:
    class Fragile(Endpoint):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            super().datagram_received(data, addr)
            raise ZeroDivisionError

    _, a, z = two_hosts()
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["exception"]))
    fragile = await endpoint(z, Fragile, local_addr=(Z, PORT))
    sturdy = await endpoint(z, local_addr=(Z, PORT + 1))
    client = await endpoint(a, local_addr=(A, 0))
    for port in (PORT, PORT, PORT + 1):
        client.transport.sendto(b"hello", (Z, port))
    await asyncio.sleep(1)
    assert [len(each.heard) for each in (fragile, sturdy)] == [3, 2]
    assert [type(each) for each in told] == [ZeroDivisionError] * 2


@virtual_time
async def test_the_protocol_of_an_endpoint_can_be_changed() -> None:
    _, a, z = two_hosts()
    first = await endpoint(z, local_addr=(Z, PORT))
    second = Endpoint()
    first.transport.set_protocol(second)
    assert first.transport.get_protocol() is second
    client = await endpoint(a, remote_addr=(Z, PORT))
    client.transport.sendto(b"hello")
    await asyncio.sleep(1)
    assert (len(first.heard), len(second.heard)) == (1, 1)


@virtual_time
async def test_nothing_is_ever_buffered() -> None:
    _, a, _ = two_hosts()
    transport = (await endpoint(a, remote_addr=(Z, PORT))).transport
    transport.set_write_buffer_limits(high=10)
    transport.sendto(bytes(10_000))
    assert transport.get_write_buffer_size() == 0
    assert transport.get_write_buffer_limits() == (0, 0)


@virtual_time
async def test_a_crash_ends_what_was_heard() -> None:
    _, a, z = two_hosts()
    server = await endpoint(z, local_addr=(Z, PORT))
    client = await endpoint(a, remote_addr=(Z, PORT))
    z.crash()
    client.transport.sendto(b"hello?")
    await asyncio.sleep(1)
    assert server.heard == ["made", ("lost", None)]
    assert client.heard == ["made", errno.ECONNREFUSED]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, ValueError("local_addr, remote_addr or family")),
        ({"local_addr": "/run/socket"}, TypeError("local_addr")),
        ({"local_addr": (Z, -1)}, ValueError("local_addr")),
        ({"remote_addr": (Z, "domain")}, TypeError("remote_addr")),
        ({"remote_addr": (None, PORT)}, ValueError("remote_addr must name a host")),
        ({"remote_addr": (Z, 0)}, ValueError("remote_addr must have a port")),
        ({"local_addr": (Z, 0), "reuse_port": True}, NotImplementedError("reuse_port")),
        ({"local_addr": (Z, 0), "allow_broadcast": True}, NotImplementedError("allow_broadcast")),
        ({"sock": object(), "family": socket.AF_INET}, NotImplementedError("sock")),
        ({"local_addr": (A, 0)}, OSError("not an address")),
        ({"local_addr": ("nobody", 0)}, socket.gaierror("nobody")),
        ({"remote_addr": ("nobody", PORT)}, socket.gaierror("nobody")),
    ],
)
@virtual_time
async def test_an_endpoint_that_can_not_be_made_says_why(options: dict[str, Any], error: Exception) -> None:
    _, _, z = two_hosts()
    with pytest.raises(type(error), match=str(error)):
        await endpoint(z, **options)
    assert z.ports == []


@virtual_time
async def test_a_port_is_taken_once() -> None:
    _, _, z = two_hosts()
    await endpoint(z, local_addr=(Z, PORT))
    with pytest.raises(OSError, match="in use") as caught:
        await endpoint(z, local_addr=("0.0.0.0", PORT))
    assert caught.value.errno == errno.EADDRINUSE


@virtual_time
async def test_a_host_without_the_family_can_not_bind_it() -> None:
    network = Network()
    with pytest.raises(OSError, match="local_addr") as caught:
        await endpoint(network.host("four", A), local_addr=("::", PORT))
    assert caught.value.errno == errno.EADDRNOTAVAIL


@virtual_time
async def test_outside_of_every_host_there_is_no_network() -> None:
    loop = asyncio.get_running_loop()
    for name, call in {
        "create_datagram_endpoint": loop.create_datagram_endpoint(Endpoint, local_addr=(Z, PORT)),
        "getaddrinfo": loop.getaddrinfo("z", PORT),
        "getnameinfo": loop.getnameinfo((Z, PORT)),
    }.items():
        with pytest.raises(RuntimeError, match=rf"^{name}: no simulated host in this context: .* `with network.host"):
            await call


# -- names --


@virtual_time
async def test_names_resolve_to_the_addresses_of_their_hosts() -> None:
    network, a, _ = two_hosts()
    network.names["www.example.org"] = [Z]
    loop = asyncio.get_running_loop()
    with a:
        assert await loop.getaddrinfo("z", PORT, type=socket.SOCK_DGRAM) == [
            (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP, "", (Z, PORT)),
            (socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_UDP, "", (Z_SIX, PORT, 0, 0)),
            (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP, "", (Z_OTHER, PORT)),
        ]
        (found,) = await loop.getaddrinfo(b"www.example.org", "53", proto=socket.IPPROTO_UDP, flags=socket.AI_CANONNAME)
        assert found == (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP, "www.example.org", (Z, 53))
        streams = await loop.getaddrinfo("z", None, family=socket.AF_INET6, type=socket.SOCK_STREAM)
        assert streams == [(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (Z_SIX, 0, 0, 0))]


@pytest.mark.parametrize(
    ("host", "flags", "addresses"),
    [
        (None, 0, ["127.0.0.1", "::1"]),
        (None, socket.AI_PASSIVE, ["0.0.0.0", "::"]),
        ("198.51.100.7", socket.AI_NUMERICHOST, ["198.51.100.7"]),
        ("2001:DB8::0007", 0, ["2001:db8::7"]),
        ("::", 0, ["::"]),
    ],
)
@virtual_time
async def test_addresses_resolve_to_themselves(host: str | None, flags: int, addresses: list[str]) -> None:
    _, a, _ = two_hosts()
    with a:
        found = await asyncio.get_running_loop().getaddrinfo(host, 1, type=socket.SOCK_DGRAM, flags=flags)
    assert [address[0] for *_, address in found] == addresses


@pytest.mark.parametrize(
    ("host", "port", "options"),
    [
        ("nobody", 1, {}),
        ("z", 1, {"flags": socket.AI_NUMERICHOST}),
        (A_SIX, 1, {"family": socket.AF_INET}),
        (Z, "domain", {}),
    ],
)
@virtual_time
async def test_what_can_not_be_resolved_is_a_gaierror(host: str, port: Any, options: dict[str, int]) -> None:
    _, a, _ = two_hosts()
    with a, pytest.raises(socket.gaierror):
        await asyncio.get_running_loop().getaddrinfo(host, port, **options)


@virtual_time
async def test_addresses_have_the_names_of_their_hosts() -> None:
    _, a, _ = two_hosts()
    loop = asyncio.get_running_loop()
    with a:
        assert await loop.getnameinfo((Z_OTHER, PORT)) == ("z", str(PORT))
        assert await loop.getnameinfo((Z_SIX, PORT, 0, 0), socket.NI_NUMERICHOST) == (Z_SIX, str(PORT))
        assert await loop.getnameinfo(("198.51.100.7", PORT)) == ("198.51.100.7", str(PORT))
        with pytest.raises(socket.gaierror):
            await loop.getnameinfo(("198.51.100.7", PORT), socket.NI_NAMEREQD)


@virtual_time
async def test_endpoints_work_through_a_nat() -> None:
    network, a, z = two_hosts()
    nat = network.nat("203.0.113.1", inside=[a])
    server = await endpoint(z, Echo, local_addr=(Z, PORT))
    client = await endpoint(a, remote_addr=(Z, PORT))
    client.transport.sendto(b"hello")
    await asyncio.sleep(1)
    assert server.heard[1][1][0] == nat.public_address
    assert client.heard[1:] == [(b"HELLO", (Z, PORT))]

"""The paths of an association: one per address of the peer (§6.4, §8.2), and which of them to use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from aiosctp.config import Config
from aiosctp.core.addresses import is_ipv6, sources_for
from aiosctp.core.congestion import CongestionControl, make_congestion_control
from aiosctp.core.nothing import NO_DICT
from aiosctp.core.rto import RetransmissionTimeout
from aiosctp.core.states import PathState
from aiosctp.wire.packet import HEADER_BYTES

if TYPE_CHECKING:
    from aiosctp.core.heartbeat import Probe
    from aiosctp.core.path_mtu import Search

UDP_HEADER_BYTES = 8
IPV4_HEADER_BYTES = 20
IPV6_HEADER_BYTES = 40
DEFAULT_IPV4_MTU = 1500
# RFC 8200 §5: every IPv6 link carries this much; larger is for discovery to find.
DEFAULT_IPV6_MTU = 1280
MIN_IPV4_MTU = 576
NEVER = float("-inf")

RouteMtu = Callable[[str | None, str], int | None]
"""Of a source, or None for any, and a destination: the largest IP packet that the route between them takes as far as
this machine knows by itself, which is what its interface takes; None when it does not know."""


def no_route_known(source: str | None, destination: str) -> int | None:
    return None


def least_mtu(address: str) -> int:
    """No network makes a path to this address narrower: RFC 8200 §5, and what every IPv4 host takes (RFC 791)."""
    return DEFAULT_IPV6_MTU if is_ipv6(address) else MIN_IPV4_MTU


def initial_mtu(address: str, config: Config, route_mtu: int | None = None) -> int:
    """The path MTU to this address before anything is known of the path: the IP packet with all its headers."""
    fixed = fixed_mtu(address, config)
    return usual_mtu(address, route_mtu) if fixed is None else fixed


def fixed_mtu(address: str, config: Config) -> int | None:
    """The path MTU that the user has set."""
    if config.pmdcs_bytes is None:
        return config.path_mtu
    return config.pmdcs_bytes + HEADER_BYTES + UDP_HEADER_BYTES + _ip_header_bytes(address)


def usual_mtu(address: str, route_mtu: int | None) -> int:
    """What is taken for the path MTU where nothing but the route is known."""
    usual = DEFAULT_IPV6_MTU if is_ipv6(address) else DEFAULT_IPV4_MTU
    return usual if route_mtu is None else max(least_mtu(address), min(route_mtu, usual))


def largest_packet(address: str, mtu: int) -> int:
    """The largest SCTP packet to this address: what UDP and IP leave of the path MTU (RFC 6951 §5.6)."""
    return mtu - _ip_header_bytes(address) - UDP_HEADER_BYTES


def _ip_header_bytes(address: str) -> int:
    return IPV6_HEADER_BYTES if is_ipv6(address) else IPV4_HEADER_BYTES


class Path:
    """A destination address, the source it is used with, and all that belongs to the pair."""

    __slots__ = (
        "abandoned_bytes",
        "abandoned_until",
        "address",
        "awaits_ack_after_timeout",
        "congestion",
        "error_count",
        "flight_bytes",
        "hb_interval_s",
        "heartbeat",
        "is_confirmed",
        "is_cwnd_limited",
        "is_inactive",
        "last_data_sent_at_s",
        "local_address",
        "mtu",
        "mtu_is_fixed",
        "mtu_probed_at_s",
        "mtu_search",
        "mtu_settled_until_s",
        "packet_bytes",
        "path_max_retrans",
        "path_mtu_discovery",
        "pending_heartbeats",
        "probed_at_s",
        "rto",
        "udp_port",
        "udp_port_learnt",
        "unreachable_at_s",
    )

    def __init__(
        self,
        address: str,
        local_address: str | None,
        udp_port: int,
        config: Config,
        *,
        is_confirmed: bool,
        route_mtu: int | None = None,
    ) -> None:
        self.address: str = address
        self.local_address = local_address
        self.udp_port: int = udp_port
        self.udp_port_learnt: bool = False
        """Whether the port was seen in a packet from this address, or only assumed (RFC 6951 §5.4)."""
        self.is_confirmed: bool = is_confirmed
        self.is_inactive: bool = False
        self.error_count: int = 0
        self.path_max_retrans: int = config.path_max_retrans
        self.heartbeat: bool = config.heartbeat
        self.hb_interval_s: float = config.hb_interval_s
        self.rto: RetransmissionTimeout = RetransmissionTimeout(config)
        self._take_mtu(initial_mtu(address, config, route_mtu))
        self.mtu_is_fixed: bool = fixed_mtu(address, config) is not None
        """By the user: nothing that is found out changes it."""
        self.path_mtu_discovery: bool = config.path_mtu_discovery
        self.mtu_search: Search | None = None
        """RFC 8899: what is being found out about the MTU, if anything."""
        self.mtu_probed_at_s: float = NEVER
        """When the last probe of a size was sent, if its answer has not come."""
        self.mtu_settled_until_s: float = float("-inf")
        """Until then the MTU that was found is good enough."""
        self.congestion: CongestionControl = make_congestion_control(config, pmdcs=self.pmdcs, is_ipv6=is_ipv6(address))
        self.flight_bytes: int = 0
        """DATA chunks last sent here that are neither acknowledged nor marked for retransmission."""
        self.abandoned_bytes: int = 0
        """What was in flight when it was abandoned (RFC 3758): no longer outstanding, and in the network still. It
        takes room in cwnd until the peer has passed it over, or T3 expires."""
        self.abandoned_until: int = 0
        """The number of the last such chunk."""
        self.is_cwnd_limited: bool = False
        """Whether cwnd was fully utilized when DATA was last sent (§7.2.1)."""
        self.awaits_ack_after_timeout: bool = False
        """§7.2.3: until something sent here is acknowledged, only one packet may be in flight."""
        self.last_data_sent_at_s: float = float("-inf")
        self.pending_heartbeats: dict[bytes, Probe] = NO_DICT
        """The HEARTBEATs that await their answers, in the order of sending, by their nonces."""
        self.probed_at_s: float = float("-inf")
        """When the last HEARTBEAT to verify this address was sent (§5.4)."""
        self.unreachable_at_s: float = float("-inf")
        """When the network last said that this address can't be reached."""

    @property
    def state(self) -> PathState:
        if not self.is_confirmed:
            return PathState.UNCONFIRMED
        return PathState.INACTIVE if self.is_inactive else PathState.ACTIVE

    @property
    def discovers_mtu(self) -> bool:
        """Whether probes are to find out what it carries (RFC 8899)."""
        return self.path_mtu_discovery and not self.mtu_is_fixed

    @property
    def is_active(self) -> bool:
        return self.is_confirmed and not self.is_inactive

    @property
    def is_probed(self) -> bool:
        """§5.4: "an active UNCONFIRMED path", which is probed every RTO."""
        return not self.is_confirmed and not self.is_inactive

    def _take_mtu(self, mtu: int) -> None:
        self.mtu: int = mtu
        """The IP packet with all its headers."""
        self.packet_bytes: int = largest_packet(self.address, mtu)
        """The largest SCTP packet."""

    @property
    def pmdcs(self) -> int:
        """§1.4: the Path Maximum DATA Chunk Size, with its header. Chunks end on a 4-byte boundary."""
        return (self.packet_bytes - HEADER_BYTES) & ~3

    def set_mtu(self, mtu: int) -> None:
        self._take_mtu(mtu)
        self.congestion.set_pmdcs(self.pmdcs)

    def use_udp_port(self, udp_port: int) -> None:
        """The user says so; what comes may tell otherwise (RFC 6951 §5.4)."""
        self.udp_port, self.udp_port_learnt = udp_port, False

    def is_idle(self, now: float) -> bool:
        """§8.3: nothing that could update the RTT was sent within the current heartbeat period."""
        return self.flight_bytes == 0 and now - self.last_data_sent_at_s >= self.hb_interval_s

    def idle_rtos(self, now: float) -> int:
        """§7.2.1: for how many RTOs nothing was sent although it could have been. Waiting for T3 is not being idle."""
        idle_s = now - self.last_data_sent_at_s
        if idle_s < self.rto.rto_s or self.flight_bytes or self.awaits_ack_after_timeout or idle_s == float("inf"):
            return 0
        return int(idle_s / self.rto.rto_s)

    def rotate_source(self, local_addresses: Sequence[str]) -> None:
        """Try the next source address. §7.2.5.2: then the congestion control MUST start anew."""
        sources = sources_for(local_addresses, self.address)
        following = sources.index(self.local_address) + 1 if self.local_address in sources else 0
        ring = sources[following:] + sources[:following]
        if ring and ring[0] != self.local_address:
            self.local_address = ring[0]
            self.congestion.reset()

    def __repr__(self) -> str:
        return f"<Path {self.local_address} -> {self.address}:{self.udp_port} {self.state}>"


class Paths:
    """All paths of an association, one an address, and the choice among them. They are few, most often one: a tuple
    takes a quarter of what a dict does."""

    __slots__ = ("all", "primary")

    def __init__(self, primary: Path) -> None:
        self.all: tuple[Path, ...] = (primary,)
        """Another tuple whenever a path comes or goes."""
        self.primary: Path = primary

    def __iter__(self) -> Iterator[Path]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def __contains__(self, address: str) -> bool:
        return self.get(address) is not None

    def get(self, address: str) -> Path | None:
        for path in self.all:
            if path.address == address:
                return path
        return None

    def add(self, path: Path) -> None:
        """Its address is new."""
        self.all += (path,)

    def after(self, path: Path, *, confirmed: bool = False) -> Path:
        """The next address in turn, or the next CONFIRMED one: T1 retransmissions "SHOULD use all addresses" (§5.1)."""
        ring = list(self.all)
        start = ring.index(path) + 1 if path in ring else 0
        turn = ring[start:] + ring[:start]
        return next((found for found in turn if found.is_confirmed or not confirmed), turn[0])

    def replace_all(self, paths: Sequence[Path], primary: Path) -> None:
        """The peer named its addresses: these are the paths from now on."""
        self.all = tuple(paths)
        self.primary = primary

    def for_data(self) -> Path:
        """§6.4, §6.4.1: the primary path, else one active path, else a confirmed one, so as to keep trying.

        When all are inactive (§8.2 leaves it open) the one with the fewest errors is used, the primary among equals.
        """
        primary = self.primary
        if primary.is_confirmed and not primary.is_inactive:
            return primary
        confirmed = [path for path in self if path.is_confirmed]
        if not confirmed:
            return primary
        return min(confirmed, key=lambda path: (path.is_inactive, path.error_count, path is not primary))

    def for_retransmission(self, last: Path) -> Path:
        """§6.4: "an active destination transport address that is different from the last"; §6.4.1: the most divergent
        pair, here one that differs in the source too."""
        others = [path for path in self if path.is_active and path is not last]
        if not others:
            return last if last.is_confirmed else self.for_data()
        return min(
            others,
            key=lambda path: (
                path.local_address == last.local_address,
                path.error_count,
                path is not self.primary,
            ),
        )

    @property
    def amdcs(self) -> int:
        """§7.3: the Association Maximum DATA Chunk Size, "the smallest PMDCS discovered"."""
        least = self.primary.packet_bytes
        for path in self.all:
            if path.packet_bytes < least:
                least = path.packet_bytes
        return (least - HEADER_BYTES) & ~3

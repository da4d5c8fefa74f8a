"""A live view of one path of an association, and which of them an address names."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from aiosctp.arguments import check_address, check_range
from aiosctp.config import Config
from aiosctp.core.addresses import canonical_host
from aiosctp.core.association import AssociationEngine
from aiosctp.core.states import PathState
from aiosctp.lifetime import Lifetime

if TYPE_CHECKING:
    from aiosctp.core.heartbeat import Probe
    from aiosctp.core.paths import Path as EnginePath

PARAMETERS = frozenset(field.name for field in fields(Config))
CONFIGURABLE = frozenset({"heartbeat", "hb_interval_s", "path_max_retrans", "path_mtu", "path_mtu_discovery"})


class Path:
    """One address of the peer and what the association knows of it (RFC 9260 §6.4, §8.2). Its attributes are live."""

    __slots__ = ("_life", "_path")

    def __init__(self, life: Lifetime, path: EnginePath) -> None:
        self._life = life
        self._path = path

    @property
    def address(self) -> tuple[str, int]:
        return self._path.address, self._life.engine.peer_port

    @property
    def local_address(self) -> tuple[str, int] | None:
        """Where its packets leave from."""
        host = self._path.local_address
        return None if host is None else (host, self._life.engine.local_port)

    @property
    def udp_port(self) -> int:
        """The peer's UDP port at this address (RFC 6951 §5.4)."""
        return self._path.udp_port

    @property
    def state(self) -> PathState:
        return self._path.state

    @property
    def cwnd(self) -> int:
        """The congestion window, in bytes (§7.2)."""
        return self._path.congestion.cwnd

    @property
    def srtt(self) -> float | None:
        """The smoothed round-trip time in seconds; None before the first sample (§6.3.1)."""
        return self._path.rto.srtt_s

    @property
    def rto(self) -> float:
        """The retransmission timeout in seconds."""
        return self._path.rto.rto_s

    @property
    def mtu(self) -> int:
        """The largest IP packet, with all its headers, that is sent there: as discovery has it at this moment."""
        return self._path.mtu

    def configure(self, **changes: Any) -> None:
        """Change `heartbeat`, `hb_interval_s`, `path_max_retrans`, `path_mtu`, `path_mtu_discovery` (RFC 6458 §8.1.12)
        or `udp_port` (RFC 6951 §6.1) of this path.

        All but the last are named and bounded as in `Config`: a `path_mtu` stays what it is set to, until it is None.
        udp_port: where packets to this address of the peer go, 1 to 65535, until another is learnt from what comes.

        Raises ValueError or TypeError, and then changes nothing: also for a path that is gone since the peer restarted.
        """
        udp_port = changes.pop("udp_port", self._path.udp_port)
        check_configurable(changes, CONFIGURABLE)
        Config().replace(**changes)
        check_range("udp_port", udp_port, 1, 65535)
        path, discovery = self._path, self._life.engine.path_mtu
        self._check_is_current()
        if udp_port != path.udp_port:
            path.use_udp_port(udp_port)
        if "path_mtu" in changes:
            discovery.fix(path, changes["path_mtu"])
        discovery.switch(path, is_on=changes.get("path_mtu_discovery", path.path_mtu_discovery))
        path.path_max_retrans = changes.get("path_max_retrans", path.path_max_retrans)
        self._life.engine.configure_heartbeat(
            path,
            changes.get("heartbeat", path.heartbeat),
            changes.get("hb_interval_s", path.hb_interval_s),
            self._life.stack.now(),
        )
        self._life.touch()

    async def heartbeat(self) -> float:
        """Send a HEARTBEAT now (§8.3, §11.1.7) and wait for its answer; the round-trip time in seconds.

        Cancelling leaves the HEARTBEAT on its way. Raises TimeoutError when no answer comes within the path's RTO, or
        eight more were asked for meanwhile; AssociationShutdown when the association is shutting down, its ending when
        it ends, and ValueError for a path that is gone since the peer restarted.
        """
        life = self._life
        probe = self.request_heartbeat()
        try:
            async with asyncio.timeout(self._path.rto.rto_s):
                while probe.rtt_s is None:
                    await life.changes.wait()
                    life.check_established()
        except TimeoutError:
            raise TimeoutError(f"no HEARTBEAT ACK from {self._path.address}") from None
        return probe.rtt_s

    def request_heartbeat(self) -> Probe:
        """`heartbeat` without waiting."""
        life = self._life
        life.check_established()
        self._check_is_current()
        probe = life.engine.heartbeats.request(self._path, life.stack.now())
        life.touch()
        return probe

    def _check_is_current(self) -> None:
        """§5.2.4 A: a restart makes new paths; timers of an old one would count against an address it no longer has."""
        if self._life.engine.paths.get(self._path.address) is not self._path:
            raise ValueError(f"the path to {self._path.address} is gone since the peer restarted")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Path) and self._path is other._path

    def __hash__(self) -> int:
        return hash(self._path)

    def __repr__(self) -> str:
        return repr(self._path)


def path_to(engine: AssociationEngine, address: str | tuple[str, int]) -> EnginePath:
    """Raises ValueError for an address that is not the peer's, or still unconfirmed (§5.4)."""
    path = engine.paths.get(_host_of(engine, address))
    if path is None:
        raise ValueError(f"address must be one of the peer's, not {address!r}")
    if not path.is_confirmed:
        raise ValueError(f"address {path.address} is not confirmed yet")
    return path


def _host_of(engine: AssociationEngine, address: str | tuple[str, int]) -> str:
    host, port = (address, engine.peer_port) if isinstance(address, str) else check_address(address)
    if port != engine.peer_port:
        raise ValueError(f"address must have the peer's port {engine.peer_port}, not {port!r}")
    try:
        return canonical_host(host)
    except ValueError as error:
        raise ValueError(f"address: {error}") from None


def check_configurable(changes: dict[str, Any], allowed: frozenset[str]) -> None:
    for name in changes:
        if name not in PARAMETERS:
            raise ValueError(f"Config has no parameter {name}")
        if name not in allowed:
            raise ValueError(f"{name} can't be changed in the life of an association or path")

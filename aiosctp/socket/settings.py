"""What a socket has for associations to come (SCTP_FUTURE_ASSOC, RFC 6458 §7.2), and each association for itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from aiosctp.config import Config
from aiosctp.socket.structures import sctp_authinfo, sctp_prinfo, sctp_sndinfo
from aiosctp.stack import DEFAULT_UDP_PORT


@dataclass(slots=True)
class Settings:
    """An association begins with a copy of its socket's, and has it changed by the options that name it."""

    config: Config = field(default_factory=Config)
    """Of the engine, which has its own once there is one."""
    events: set[int] = field(default_factory=set)
    """The types of the notifications that were asked for (§6.2)."""
    sndinfo: sctp_sndinfo = field(default_factory=sctp_sndinfo)
    prinfo: sctp_prinfo = field(default_factory=sctp_prinfo)
    authinfo: sctp_authinfo = field(default_factory=sctp_authinfo)
    """Of sends that name none (§8.1.31 to §8.1.33)."""
    context: int = 0
    """SCTP_CONTEXT (§8.1.25)."""
    stream_values: dict[int, int] = field(default_factory=dict)
    """SCTP_STREAM_SCHEDULER_VALUE (RFC 8260 §4.3.3), by stream."""
    remote_udp_port: int = DEFAULT_UDP_PORT
    """Of peers to come (RFC 6951 §6.1)."""
    remote_udp_ports: dict[str, int] = field(default_factory=dict)
    """Where it was set for one address."""

    def copy(self) -> Settings:
        return replace(
            self,
            events=set(self.events),
            sndinfo=replace(self.sndinfo),
            prinfo=replace(self.prinfo),
            authinfo=replace(self.authinfo),
            stream_values=dict(self.stream_values),
            remote_udp_ports=dict(self.remote_udp_ports),
        )

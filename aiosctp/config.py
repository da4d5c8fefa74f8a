"""Every parameter of an endpoint, with the value RFC 9260 §16 recommends where it names one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from ipaddress import ip_address
from typing import Any

KIB = 1024
MIB = 1024 * KIB

# RFC 9260 §6.2: "MUST NOT allow the maximum delay ... to be configured to be more than 500 ms".
MAX_SACK_DELAY_S = 0.5
# RFC 9260 §3.3.2: an INIT with a smaller a_rwnd is refused by the peer.
MIN_RECEIVE_WINDOW_BYTES = 1500
# A path MTU that leaves room for one INIT ACK with our cookie, and is what every IPv4 host forwards (RFC 791).
MIN_PATH_MTU = 576
MAX_PATH_MTU = 65535
# Those that core/congestion has.
CONGESTION_CONTROLS = ("reno",)
# Those that core/tx/schedulers has; `aiosctp.schedulers.register` adds one of a program's own to both.
SCHEDULERS = {"fcfs", "rr", "rr_packet", "priority", "fair", "weighted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The parameters of an association, or the defaults of an endpoint or stack. Immutable and validated.

    Names are RFC 9260's (§16) with their unit: `_s` is seconds, `_bytes` bytes.

    Round-trip times and retransmission:
      rto_initial_s: the retransmission timeout (RTO) of a path before its first measurement (§6.3.1).
      rto_min_s, rto_max_s: the bounds of the RTO.
      rto_alpha, rto_beta: the weights of a new measurement in the smoothed round-trip time and in its variation.
      association_max_retrans: timeouts in a row, on all paths together, that the association survives (§8.1).
      path_max_retrans: timeouts in a row after which a path is still ACTIVE; with one more it is INACTIVE (§8.2).
      max_init_retransmits: how often INIT, or COOKIE ECHO, is repeated before `connect` gives up (§5.1.6).
      init_rto_max_s: how long an answer to an INIT is awaited at most before it is repeated (RFC 6458 §8.1.3), also
        below `rto_min_s`; None is `rto_max_s`.
      chunk_max_retrans: how often a DATA chunk is sent again that the peer does not acknowledge though it answers, as
        when one packet never gets through; then the association is aborted, and lost. None is without end.
      max_burst: packets that one opportunity may send beyond what was acknowledged (§6.1 D).
      fr_max_burst: packets with new data that one may send in Fast Recovery (§7.2.4), where nothing is beyond. What is
        retransmitted, cwnd alone limits.
      initial_cwnd_mtus: the congestion window that a path begins with, in chunks that fill a packet (PMDCS). None is
        what §7.2.1 allows: from 2 to 4; more is for networks that are known to carry it.
      slow_start_limit_mtus: how far one SACK may raise cwnd in slow start, in such chunks: L of §7.2.1. None is as far
        as it acknowledges, for it may stand for a whole batch.
      congestion_control: "reno", that of §7.2.
      nodelay: whether a small message goes at once. If not, it waits for others to fill a packet with while anything is
        outstanding (RFC 6458 §8.1.5), except in a shutdown and where `send` was told `sack_immediately`.
    Acknowledging:
      sack_delay_s: how long a SACK may be delayed; at most 0.5 (§6.2).
      sack_frequency: packets that one SACK acknowledges when none is missing (§6.2).
      sack_immediately: whether the peer is asked for a SACK at once, by the I bit, where §6.1 recommends it: with what
        fills a window, and with the last before a shutdown or reset. What `send` is told goes all the same.
    Probing paths:
      heartbeat: whether idle paths are sent a HEARTBEAT (§8.3). An unconfirmed path is probed all the same (§5.4).
      hb_interval_s: how long after the last, besides the RTO.
      hb_max_burst: HEARTBEATs in one RTO that verify addresses (§5.4).
    Buffers and messages:
      receive_window_bytes: what is held for the reader at most, and so what the peer may send ahead of it (a_rwnd).
      send_buffer_bytes: `send()` waits above this; a stream counts for at most `stream_send_buffer_bytes`.
      stream_send_buffer_bytes: `send()` on a stream waits above this, what is sent and not acknowledged included. Where
        a path holds more, the stream has nothing waiting that a scheduler could prefer.
      max_message_bytes: a larger message is not sent, and one that arrives whole ends the association.
      max_segment_bytes: how much user data one DATA chunk carries at most, its header not counted; None is as much as
        the paths take (RFC 6458 §8.1.16).
      fragmentation: whether a message may be sent in more than one chunk; if not, `send` raises MessageTooLarge for
        one that takes more than `AssociationStatus.fragmentation_point_bytes` (RFC 6458 §8.1.11). One that was queued
        before the path MTU fell is cut all the same; and so is a record, where its parts end.
      partial_delivery_point_bytes: a message is handed over in parts, to who asked for parts, once this much of it has
        come; None is a quarter of the window.
      event_queue_limit: events that one subscription holds; beyond, `NotificationsStopped` ends it.
    Messages that are not worth sending for ever: the default of `send`, of these three at most one. The bytes of byte
    streams are never abandoned:
      lifetime_s: how long after `send` was called a message is abandoned (RFC 3758 §4); None is never.
      max_retransmits: how often a chunk of a message is sent again before the message is abandoned (RFC 7496 §3.1);
        None is without end.
      buffer_priority: what needs room in the send buffer takes it from messages with a greater number than its own,
        and they are abandoned (RFC 7496 §3.2); None is before all numbers.
    Which stream's message goes next:
      scheduler: "fcfs", as they were given to `send`; "rr", a message of each stream in turn, or a chunk where both
        sides speak I-DATA; "rr_packet", a packet of each; "priority", the stream with the lowest number of
        `configure_stream` first; "fair", as many bytes of each stream; "weighted", in the ratio of their weights (RFC
        8260 §3.1 to §3.6); or one that was given to `aiosctp.schedulers.register`.
    What is told to the peer:
      outbound_streams: how many streams to ask for; the peer may grant fewer.
      max_inbound_streams: how many streams of the peer's to take.
      advertise_addresses: the addresses told: "auto" (all in the peer's scope), "none", or a list. One address alone is
        never told (RFC 6951 §5.7).
      adaptation_layer: a number of 32 bits for the peer's application (RFC 5061 §4.2.6); None tells none.
      stream_ppid: the payload protocol identifier that the bytes of byte streams are sent with: 32 bits for the peer's
        application, in which SCTP sees nothing.
    Paths:
      path_mtu: a fixed path MTU: the IP packet with all its headers, 1500 being 1472 bytes of UDP payload over IPv4.
        None begins with what the route takes, at most 1500 over IPv4 and 1280 over IPv6.
      pmdcs_bytes: a fixed path MTU, too, said by the bytes that it leaves for chunks (§1.4, PMDCS), over IPv4 and IPv6
        alike: 1460 is 1500 over IPv4. Of the two, one at most.
      path_mtu_discovery: whether larger packets are probed for once there is more to send than one takes, and smaller
        ones are used on a path that carries none so large any more (RFC 8899); without it, only ICMP is heeded. A fixed
        `path_mtu` switches it off. Off Linux, where packets go without DF, nothing larger is probed for.
      pmtu_raise_s: how long what was found is good enough: data sent after that begins another search (RFC 8899 §5.1.1,
        PMTU_RAISE_TIMER).
    Extensions of the data transfer, each spoken where both sides announce it:
      partial_reliability: whether the peer is told that we understand FORWARD TSN (RFC 3758), without which neither
        side can abandon what it has sent.
      interleaving: whether it is told that we understand I-DATA (RFC 8260): then all user messages go in it, and a
        large one does not keep those of other streams waiting.
      nrsack: whether it is told that we understand NR-SACK, which says what a receiver will not drop again, so that the
        sender can free it sooner; off, for its draft has expired.
    Streams that change (RFC 6525):
      reconfig: whether the peer is told that we speak RE-CONFIG, without which neither side can reset or add streams.
      peer_may_reset_streams: whether the peer may reset streams, its own outgoing ones and, by asking, ours; allowed,
        for that is how it ends one.
      peer_may_reset_association: whether it may have all TSNs and SSNs begin anew; not allowed, for programs may count
        on them.
      peer_may_add_streams: whether it may add streams, its own up to `max_inbound_streams`, and ours up to 65535.
    The beginning and the end:
      valid_cookie_life_s: how long a peer may take to return the cookie of our INIT ACK (§5.1.3).
      max_cookie_life_s: how far a peer's Cookie Preservative (§3.3.2.1.3) may stretch that.
      cookie_key_life_s: how often the cookie's secret key changes (§5.1.3), of a stack's config only; the previous one
        is accepted for as long again, so that no cookie outlives its key.
      autoclose_s: after how long without user data, sent or received, the association is shut down gracefully (RFC 6458
        §8.1.8); None is never. What waits to be sent or acknowledged puts it off.
      shutdown_timeout_s: the guard T5 of a graceful shutdown (§9.2): then it ends by ABORT; None is five times
        `rto_max_s`.
      vtag_quarantine_s: how long the tag of an association that ended is not used again (§5.3.1).
    Strangers:
      error_answers_per_s: how many ABORT, SHUTDOWN COMPLETE and ERROR chunks a second answer packets of no association
        (§8.4), INITs that are refused and stale cookies, all peers together, of a stack's config only; as many may go
        at once after a quiet second. 0 answers none.
      blackhole: what is kept from who looks for ports, of a stack's config only: 0 nothing, as the RFC has it; 1: no
        INIT to a port where nobody listens is answered; 2: nothing at all that belongs to no association (§8.4) is.
      abort_at_limit: whether a peer that finds the backlog full is refused, with an ABORT. If not, nothing is said, and
        it asks again.
      diagnostic_cause: the code of an error cause with a few words of ours, in an ABORT that would have none; None, the
        default, has none: the words make an answer to a stranger longer than what came may be.
    """

    rto_initial_s: float = 1.0
    rto_min_s: float = 1.0
    rto_max_s: float = 60.0
    rto_alpha: float = 1 / 8
    rto_beta: float = 1 / 4
    chunk_max_retrans: int | None = None
    max_burst: int = 4
    fr_max_burst: int = 4
    initial_cwnd_mtus: int | None = None
    slow_start_limit_mtus: int | None = None
    nodelay: bool = True
    valid_cookie_life_s: float = 60.0
    max_cookie_life_s: float = 300.0
    cookie_key_life_s: float = 3600.0
    association_max_retrans: int = 10
    path_max_retrans: int = 5
    max_init_retransmits: int = 8
    init_rto_max_s: float | None = None
    heartbeat: bool = True
    hb_interval_s: float = 30.0
    hb_max_burst: int = 1
    sack_delay_s: float = 0.2
    sack_frequency: int = 2
    sack_immediately: bool = True
    vtag_quarantine_s: float = 60.0
    error_answers_per_s: float = 100.0
    blackhole: int = 0
    abort_at_limit: bool = False
    diagnostic_cause: int | None = None

    receive_window_bytes: int = 1 * MIB
    partial_delivery_point_bytes: int | None = None
    send_buffer_bytes: int = 1 * MIB
    stream_send_buffer_bytes: int = 256 * KIB
    max_message_bytes: int = 64 * MIB
    max_segment_bytes: int | None = None
    fragmentation: bool = True
    shutdown_timeout_s: float | None = None
    autoclose_s: float | None = None
    event_queue_limit: int = 1024

    outbound_streams: int = 256
    max_inbound_streams: int = 65535
    advertise_addresses: str | tuple[str, ...] = "auto"
    adaptation_layer: int | None = None
    path_mtu: int | None = None
    pmdcs_bytes: int | None = None
    path_mtu_discovery: bool = True
    pmtu_raise_s: float = 600.0
    congestion_control: str = "reno"
    stream_ppid: int = 0

    lifetime_s: float | None = None
    max_retransmits: int | None = None
    buffer_priority: int | None = None
    scheduler: str = "fcfs"

    partial_reliability: bool = True
    interleaving: bool = True
    nrsack: bool = False

    reconfig: bool = True
    peer_may_reset_streams: bool = True
    peer_may_reset_association: bool = False
    peer_may_add_streams: bool = True

    def __post_init__(self) -> None:
        _check_kinds(self)
        _check_ranges(self)
        object.__setattr__(self, "advertise_addresses", _addresses(self.advertise_addresses))

    def replace(self, **changes: Any) -> Config:
        """A copy with some parameters changed. Raises TypeError for an unknown name, ValueError for a bad value."""
        return replace(self, **changes)

    @property
    def effective_shutdown_timeout_s(self) -> float:
        """§9.2: T5 "SHOULD be set to the RECOMMENDED value of 5 times 'RTO.Max'"."""
        return 5 * self.rto_max_s if self.shutdown_timeout_s is None else self.shutdown_timeout_s

    @property
    def effective_partial_delivery_point_bytes(self) -> int:
        if self.partial_delivery_point_bytes is None:
            return self.receive_window_bytes // 4
        return min(self.partial_delivery_point_bytes, self.receive_window_bytes)


_SWITCHES = {
    "abort_at_limit",
    "fragmentation",
    "heartbeat",
    "nodelay",
    "path_mtu_discovery",
    "partial_reliability",
    "interleaving",
    "nrsack",
    "reconfig",
    "peer_may_reset_streams",
    "peer_may_reset_association",
    "peer_may_add_streams",
    "sack_immediately",
}
# How long a message is worth sending: one of these at most.
POLICIES = ("lifetime_s", "max_retransmits", "buffer_priority")
_OPTIONAL = {
    "adaptation_layer",
    "autoclose_s",
    "chunk_max_retrans",
    "diagnostic_cause",
    "init_rto_max_s",
    "initial_cwnd_mtus",
    "max_segment_bytes",
    "partial_delivery_point_bytes",
    "path_mtu",
    "pmdcs_bytes",
    "shutdown_timeout_s",
    "slow_start_limit_mtus",
    *POLICIES,
}

# Inclusive bounds, by field. Seconds have no upper bound unless the RFC sets one.
_RANGES: dict[str, tuple[float, float]] = {
    "rto_initial_s": (0.05, 3600),
    "rto_min_s": (0.05, 3600),
    "rto_max_s": (0.05, 3600),
    "rto_alpha": (0, 1),
    "rto_beta": (0, 1),
    "chunk_max_retrans": (0, 65535),
    "max_burst": (1, 65535),
    "fr_max_burst": (1, 65535),
    "initial_cwnd_mtus": (1, 65535),
    "slow_start_limit_mtus": (1, 65535),
    "valid_cookie_life_s": (0.1, 3600),
    "max_cookie_life_s": (0.1, 3600),
    "cookie_key_life_s": (1, 10**9),
    "association_max_retrans": (0, 65535),
    "path_max_retrans": (0, 65535),
    "max_init_retransmits": (0, 65535),
    "init_rto_max_s": (0.05, 3600),
    "hb_interval_s": (0, 10**9),
    "hb_max_burst": (1, 65535),
    "sack_delay_s": (0, MAX_SACK_DELAY_S),
    "sack_frequency": (1, 65535),
    "vtag_quarantine_s": (0, 10**9),
    "error_answers_per_s": (0, 10**9),
    "blackhole": (0, 2),
    "diagnostic_cause": (1, 65535),
    "receive_window_bytes": (MIN_RECEIVE_WINDOW_BYTES, 2**31 - 1),
    "partial_delivery_point_bytes": (1, 2**31 - 1),
    "send_buffer_bytes": (1, 2**40),
    "stream_send_buffer_bytes": (1, 2**40),
    "max_message_bytes": (1, 2**31 - 1),
    "max_segment_bytes": (1, 2**32 - 1),
    "shutdown_timeout_s": (0, 10**9),
    "autoclose_s": (0.001, 10**9),
    "event_queue_limit": (1, 10**9),
    "outbound_streams": (1, 65535),
    "max_inbound_streams": (1, 65535),
    "adaptation_layer": (0, 2**32 - 1),
    "stream_ppid": (0, 2**32 - 1),
    "path_mtu": (MIN_PATH_MTU, MAX_PATH_MTU),
    # What IPv4, UDP and SCTP leave of the one, and IPv6 of the other.
    "pmdcs_bytes": (MIN_PATH_MTU - 40, MAX_PATH_MTU - 60),
    "pmtu_raise_s": (1, 10**9),
    "lifetime_s": (0.001, 10**9),
    "max_retransmits": (0, 65535),
    "buffer_priority": (0, 2**32 - 1),
}


def bounds(name: str) -> tuple[float, float]:
    """The least and the greatest value that a parameter with a number takes."""
    return _RANGES[name]


def _check_kinds(config: Config) -> None:
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name in _SWITCHES:
            if not isinstance(value, bool):
                raise TypeError(f"{field.name} must be a bool, not {type(value).__name__}")
        elif field.name in ("congestion_control", "scheduler"):
            if not isinstance(value, str):
                raise TypeError(f"{field.name} must be a str, not {type(value).__name__}")
        elif field.name in _RANGES:
            _check_number(field.name, value, whole=not field.name.endswith(("_s", "_alpha", "_beta")))


def _check_number(name: str, value: object, *, whole: bool) -> None:
    if value is None and name in _OPTIONAL:
        return
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        kind = "an int" if whole else "a number"
        raise TypeError(f"{name} must be {kind}, not {type(value).__name__}")


def _check_ranges(config: Config) -> None:
    for name, (low, high) in _RANGES.items():
        value = getattr(config, name)
        # The negated form refuses a NaN too.
        if value is not None and not low <= value <= high:
            raise ValueError(f"{name} must be between {low} and {high}, not {value!r}")
    if not config.rto_min_s <= config.rto_initial_s <= config.rto_max_s:
        raise ValueError("rto_initial_s must lie between rto_min_s and rto_max_s")
    if config.max_cookie_life_s < config.valid_cookie_life_s:
        raise ValueError("max_cookie_life_s must not be below valid_cookie_life_s")
    if config.cookie_key_life_s < config.max_cookie_life_s:
        raise ValueError("cookie_key_life_s must not be below max_cookie_life_s")
    if config.path_mtu is not None and config.pmdcs_bytes is not None:
        raise ValueError("path_mtu and pmdcs_bytes exclude each other: leave one None")
    named = [name for name in POLICIES if getattr(config, name) is not None]
    if len(named) > 1:
        raise ValueError(f"{' and '.join(named)} exclude each other: a message has one policy; leave the others None")
    if config.scheduler not in SCHEDULERS:
        known = ", ".join(sorted(SCHEDULERS))
        raise ValueError(f"scheduler must be one of {known}, not {config.scheduler!r}")
    if config.congestion_control not in CONGESTION_CONTROLS:
        known = ", ".join(CONGESTION_CONTROLS)
        raise ValueError(f"congestion_control must be one of {known}, not {config.congestion_control!r}")


def _addresses(value: object) -> str | tuple[str, ...]:
    if isinstance(value, str):
        if value not in ("auto", "none"):
            raise ValueError('advertise_addresses must be "auto", "none" or a list of addresses')
        return value
    hosts = tuple(value) if isinstance(value, Iterable) else (value,)
    for host in hosts:
        if not isinstance(host, str):
            raise TypeError(f"advertise_addresses must hold host strings, not {type(host).__name__}")
        # Found out here, not when a peer's INIT is answered.
        try:
            address = ip_address(host)
        except ValueError as error:
            raise ValueError(f"advertise_addresses: {error}") from None
        # §8.4, 1: SCTP speaks to unicast addresses only.
        if address.is_multicast or address.is_unspecified:
            raise ValueError(f"advertise_addresses must be unicast addresses, not {host}")
    return hosts

"""Every variable, in the order of FreeBSD's manual; then those of its extensions that the manual leaves out.

The values of what is fixed say what is so here: mostly 0, the feature is not there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from aiosctp.config import Config
from aiosctp.sysctl.variables import MS, UINT32, Choice, OfSockets, Told, Variable, fixed, of_config, switch

if TYPE_CHECKING:
    from aiosctp.stack import Stack

_NO_RTCC: Final = "it is of a congestion control with RTT and bandwidth samples (RTCC), and there is only RFC 9260's"
_NO_CMT: Final = "new data goes on one path at a time (RFC 9260 §6.4)"
_NO_NAT: Final = "the NAT extension is not built: over UDP, NATs know what to do"
_NO_ASCONF: Final = "dynamic addresses (RFC 5061) are not built"
_NO_MBUFS: Final = "there are no mbufs"
_NO_CACHE: Final = "Python's own allocator keeps what was freed"
_NO_HASH: Final = "dicts grow of themselves"
_FILLS_PACKETS: Final = "a message is cut where a packet is full, and small rests are sent as they are"


def _owner(stack: Stack) -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _associations(stack: Stack) -> int:
    return len(stack.associations())


def _packets(stack: Stack) -> int:
    statistics = stack.statistics()
    return statistics.datagrams_sent + statistics.datagrams_received


def _reset(stack: Stack) -> None:
    stack.reset_statistics()


def _udp_port(stack: Stack) -> int:
    return stack.udp_port


def _longer_cookie_life(config: Config, value: int) -> dict[str, Any]:
    """What bounds it in the config makes room."""
    life_s = value / MS
    longest_s = max(config.max_cookie_life_s, life_s)
    return {"max_cookie_life_s": longest_s, "cookie_key_life_s": max(config.cookie_key_life_s, longest_s)}


def _all_for_one_stream(_: Config, value: int) -> dict[str, Any]:
    """FreeBSD has no bound for each stream."""
    return {"stream_send_buffer_bytes": value}


_VARIABLES: Final[tuple[Variable, ...]] = (
    # -- G01-G09: congestion control --
    Choice(
        "default_cc_module",
        "the congestion control: 0 RFC 9260, 1 HighSpeed, 2 H-TCP, 3 RTCC",
        high=3,
        field="congestion_control",
        names=("reno",),
        why_no_other="only 0 is built",
    ),
    of_config(
        "initial_cwnd",
        "initial_cwnd_mtus",
        "the congestion window that a path begins with, in packets; 0: what RFC 9260 §7.2.1 allows",
        zero=None,
    ),
    fixed(
        "cwnd_maxburst",
        0,
        "whether the congestion window is cut down to limit a burst (1), or packets are counted (0)",
        "packets are counted, beyond what was acknowledged (RFC 9260 §6.1 D)",
        high=1,
    ),
    fixed("ecn_enable", 0, "explicit congestion notification", "ECN (RFC 9260 Appendix A) is not built", high=1),
    fixed("rttvar_steady_step", 20, "RTCC: samples of one bandwidth before a step down", _NO_RTCC, high=65535),
    fixed("rttvar_eqret", 0, "RTCC: whether the window changes where RTT and bandwidth do not", _NO_RTCC, high=1),
    fixed("rttvar_bw", 4, "RTCC: by how many bits bandwidth is shifted to tell a change", _NO_RTCC, high=32),
    fixed("rttvar_rtt", 5, "RTCC: by how many bits the RTT is shifted to tell a change", _NO_RTCC, high=32),
    fixed("use_dcccecn", 0, "RTCC: whether it heeds ECN", _NO_RTCC, high=1),
    # -- G10-G15: looking, and strangers --
    Told(
        "getcred",
        "the user whose program has the associations",
        why_fixed="it is the user id of this process, or 0 where there are none",
        tell=_owner,
    ),
    Told(
        "assoclist",
        "how many associations are established or shutting down",
        why_fixed="`Stack.associations()` gives them",
        tell=_associations,
    ),
    Told(
        "stats",
        "packets sent and received since counting began; writing 0 begins anew. `Stack.statistics()` has all counters",
        high=0,
        tell=_packets,
        reset=_reset,
    ),
    of_config(
        "diag_info_code",
        "diagnostic_cause",
        "the code of the error cause with words of explanation in an ABORT that would have none; 0: no such cause",
        zero=None,
    ),
    of_config(
        "blackhole",
        "blackhole",
        "1: no INIT to a port where nobody listens is answered; 2: nothing that comes out of the blue is",
    ),
    OfSockets(
        "sendall_limit",
        "the largest message that a socket sends to all its associations at once (SCTP_SENDALL); they share one copy",
        "bytes",
        high=UINT32,
        default=UINT32,
    ),
    # -- G16-G25 --
    fixed(
        "buffer_splitting",
        3,
        "whether the associations of a socket have buffers of their own: 1 to receive, 2 to send, 3 both",
        "each always has",
        high=3,
    ),
    of_config(
        "vtag_time_wait",
        "vtag_quarantine_s",
        "how long the tag of an association that has ended is not used again; 0: not at all",
        unit="s",
    ),
    fixed("nat_friendly_init", 0, "whether INITs announce the NAT extension", _NO_NAT, high=1),
    switch("enable_sack_immediately", "sack_immediately", "whether the peer is asked for SACKs at once, by the I bit"),
    fixed(
        "udp_tunneling_port",
        _udp_port,
        "the UDP port (RFC 6951); 0 until one is chosen",
        "the stack is bound to it: make another Stack(udp_port=...)",
        high=65535,
    ),
    fixed("mobility_fasthandoff", 0, "whether data moves at once to an address that appears", _NO_ASCONF, high=1),
    fixed("mobility_base", 0, "whether paths follow addresses that come and go", _NO_ASCONF, high=1),
    OfSockets(
        "default_frag_interleave",
        "the level of SCTP_FRAGMENT_INTERLEAVE that one-to-many sockets begin with (RFC 6458 §8.1.20); others: 0",
        high=2,
        default=1,
    ),
    Choice(
        "default_ss_module",
        "the stream scheduler, as RFC 8260 §3 counts: 0 first come first served, 1 round robin, 2 the same per packet, "
        "3 priority, 4 fair, 5 weighted; -1 is one that the program has registered",
        high=5,
        field="scheduler",
        names=("fcfs", "rr", "rr_packet", "priority", "fair", "weighted"),
    ),
    fixed(
        "log_level", 0, "which events are traced", "`aiosctp.testing` records packets, and Python's logging the rest"
    ),
    # -- G26-G36 --
    of_config(
        "max_retran_chunk",
        "chunk_max_retrans",
        "how often a chunk that does not get through is sent again before the association is aborted; 0: no limit",
        zero=None,
    ),
    fixed("min_residual", 0, "the least that is left of a message that is split", _FILLS_PACKETS, unit="bytes"),
    fixed(
        "strict_data_order",
        0,
        "whether control chunks behind DATA end the association",
        "all chunks are processed in their order (RFC 9260 §6.10)",
        high=1,
    ),
    switch("abort_at_limit", "abort_at_limit", "whether a peer that finds the backlog full is told so with an ABORT"),
    of_config("hb_max_burst", "hb_max_burst", "HEARTBEATs in one RTO that verify addresses"),
    fixed(
        "do_sctp_drain",
        0,
        "whether data that waits for what is missing is dropped where memory is short",
        "nobody says that memory is short: the receive window bounds what is held",
        high=1,
    ),
    fixed("max_chained_mbufs", 0, "the longest chain of mbufs", _NO_MBUFS),
    of_config(
        "abc_l_var",
        "slow_start_limit_mtus",
        "how far one SACK may raise the congestion window in slow start, in packets; 0: as far as it acknowledges",
        zero=None,
    ),
    fixed("nat_friendly", 0, "whether the NAT extension is taken note of", _NO_NAT, high=1),
    fixed("cmt_use_dac", 0, "delayed acknowledgements with concurrent transfer", _NO_CMT, high=1),
    fixed("cmt_on_off", 0, "concurrent transfer over several paths (CMT), and of which kind", _NO_CMT, high=4),
    # -- G37-G48: an association's parameters --
    of_config("outgoing_streams", "outbound_streams", "how many outgoing streams are asked for"),
    of_config("incoming_streams", "max_inbound_streams", "how many incoming streams are taken"),
    fixed(
        "add_more_on_output",
        0,
        "the least room in the send buffer for which a sender that waits is woken",
        "whoever waits goes on as soon as the buffer is below its mark, and then gives a whole message",
        unit="bytes",
    ),
    fixed(
        "path_pf_threshold",
        65535,
        "timeouts in a row after which a path is potentially failed; 65535: never",
        "potentially failed paths (RFC 7829) are not built",
        high=65535,
    ),
    of_config("path_rtx_max", "path_max_retrans", "Path.Max.Retrans: timeouts in a row that a path survives"),
    of_config(
        "assoc_rtx_max",
        "association_max_retrans",
        "Association.Max.Retrans: timeouts in a row that an association survives",
    ),
    of_config("init_rtx_max", "max_init_retransmits", "Max.Init.Retransmits: how often INIT is repeated"),
    of_config(
        "valid_cookie_life",
        "valid_cookie_life_s",
        "Valid.Cookie.Life: how long a peer may take to return a cookie",
        scale=MS,
        unit="ms",
        low=1000,
        also=_longer_cookie_life,
    ),
    of_config(
        "init_rto_max",
        "init_rto_max_s",
        "how long an answer to an INIT is awaited at most; 0: as `rto_max`, which is then read",
        scale=MS,
        unit="ms",
        zero=None,
        unset_is="rto_max_s",
    ),
    of_config("rto_initial", "rto_initial_s", "RTO.Initial", scale=MS, unit="ms"),
    of_config("rto_min", "rto_min_s", "RTO.Min", scale=MS, unit="ms"),
    of_config("rto_max", "rto_max_s", "RTO.Max", scale=MS, unit="ms"),
    # -- G49-G63: timers and limits --
    of_config("secret_lifetime", "cookie_key_life_s", "how often the key of the cookies changes", unit="s"),
    of_config(
        "shutdown_guard_time",
        "shutdown_timeout_s",
        "the guard T5 of a graceful shutdown; 0: five times RTO.Max",
        zero=None,
        unit="s",
    ),
    of_config("pmtu_raise_time", "pmtu_raise_s", "how long a path MTU that was found is good enough", unit="s"),
    of_config("heartbeat_interval", "hb_interval_s", "HB.interval", scale=MS, unit="ms"),
    fixed("asoc_resource", 0, "how many freed chunks an association keeps", _NO_CACHE),
    fixed("sys_resource", 0, "how many freed chunks all keep together", _NO_CACHE),
    of_config("sack_freq", "sack_frequency", "packets that one SACK acknowledges when none is missing"),
    of_config("delayed_sack_time", "sack_delay_s", "how long a SACK may be delayed", scale=MS, unit="ms"),
    fixed("chunkscale", 0, "how many chunks are kept for an association", _NO_CACHE),
    fixed("min_split_point", 0, "the least size of a message that is split", _FILLS_PACKETS, unit="bytes"),
    fixed("pcbhashsize", 0, "the size of the table of endpoints", _NO_HASH),
    fixed("tcbhashsize", 0, "the size of the table of associations", _NO_HASH),
    fixed(
        "maxchunks",
        0,
        "chunks that an association queues at most",
        "`sendspace` bounds what is queued, in bytes",
    ),
    of_config(
        "fr_maxburst", "fr_max_burst", "packets with new data in Fast Recovery; 0: no limit", high=65534, zero=65535
    ),
    of_config("maxburst", "max_burst", "packets that one opportunity may send; 0: no limit", high=65534, zero=65535),
    # -- G64-G69 --
    fixed(
        "peer_chkoh",
        256,
        "what each chunk in flight takes of the peer's window besides its data",
        "a chunk takes its data, and 256 bytes at least, as a receiver has to charge it",
        unit="bytes",
    ),
    fixed("strict_sacks", 1, "whether a SACK of what was never sent ends the association", "it always does", high=1),
    switch("pr_enable", "partial_reliability", "partial reliability (RFC 3758)"),
    fixed("auto_asconf", 0, "whether addresses that come and go are told to the peers", _NO_ASCONF, high=1),
    of_config("recvspace", "receive_window_bytes", "what is held for a reader at most: a_rwnd", unit="bytes"),
    of_config(
        "sendspace",
        "send_buffer_bytes",
        "what is queued above which a sender waits, on one stream as on many",
        unit="bytes",
        also=_all_for_one_stream,
    ),
    # -- not in the manual --
    fixed("auth_enable", 0, "authenticated chunks (RFC 4895)", "AUTH is not built", high=1),
    fixed("asconf_enable", 0, "dynamic addresses (RFC 5061)", "ASCONF is not built", high=1),
    switch("reconfig_enable", "reconfig", "streams that are reset and added (RFC 6525)"),
    switch("nrsack_enable", "nrsack", "acknowledgements that will not be taken back (NR-SACK)"),
    fixed("pktdrop_enable", 0, "reports of dropped packets", "packet drop reports are not built", high=1),
)

TABLE: Final[dict[str, Variable]] = {variable.full_name: variable for variable in _VARIABLES}

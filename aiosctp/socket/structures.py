"""The structures of the sockets API, named as in the RFCs, with their fields in their order and units.

They are mutable, as C's are: fill in what matters, the rest has its default. An address is `(host, SCTP port)` or a
host alone, and None is the wildcard. A field that counts a list is for reading: what is in the list counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple, TypeAlias

__all__ = [
    "linger",
    "sctp_add_streams",
    "sctp_assoc_ids",
    "sctp_assoc_stats",
    "sctp_assoc_value",
    "sctp_assocparams",
    "sctp_authchunk",
    "sctp_authchunks",
    "sctp_authinfo",
    "sctp_authkey",
    "sctp_authkeyid",
    "sctp_authsecrets",
    "sctp_cc_option",
    "sctp_default_prinfo",
    "sctp_event",
    "sctp_event_subscribe",
    "sctp_extrcvinfo",
    "sctp_hmacalgo",
    "sctp_initmsg",
    "sctp_nxtinfo",
    "sctp_paddrinfo",
    "sctp_paddrparams",
    "sctp_paddrthlds",
    "sctp_paddrthlds_v2",
    "sctp_prim",
    "sctp_prinfo",
    "sctp_probeinterval",
    "sctp_prstatus",
    "sctp_rcvinfo",
    "sctp_recvv_rn",
    "sctp_reset_streams",
    "sctp_rtoinfo",
    "sctp_sack_info",
    "sctp_setadaptation",
    "sctp_setadaption",
    "sctp_setpeerprim",
    "sctp_setprim",
    "sctp_sndinfo",
    "sctp_sndrcvinfo",
    "sctp_status",
    "sctp_stream_value",
    "sctp_timeouts",
    "sctp_udpencaps",
]


class Unsigned(NamedTuple):
    """What a field of these many bits takes."""

    bits: int


uint8_t: TypeAlias = Annotated[int, Unsigned(8)]
uint16_t: TypeAlias = Annotated[int, Unsigned(16)]
uint32_t: TypeAlias = Annotated[int, Unsigned(32)]
uint64_t: TypeAlias = Annotated[int, Unsigned(64)]
sctp_assoc_t: TypeAlias = Annotated[int, Unsigned(32)]
sockaddr: TypeAlias = tuple[str, int] | str | None


# RFC 6458 §5.3: ancillary data


@dataclass(slots=True)
class sctp_initmsg:
    """SCTP_INIT, and the option SCTP_INITMSG (§5.3.1, §8.1.3). 0 leaves a value as it is: the endpoint's default."""

    sinit_num_ostreams: uint16_t = 0
    sinit_max_instreams: uint16_t = 0
    sinit_max_attempts: uint16_t = 0
    sinit_max_init_timeo: uint16_t = 0
    """Milliseconds."""


@dataclass(slots=True)
class sctp_sndrcvinfo:
    """SCTP_SNDRCV (§5.3.2), deprecated: what is sent has `sctp_sndinfo` now, what is received `sctp_rcvinfo`."""

    sinfo_stream: uint16_t = 0
    sinfo_ssn: uint16_t = 0
    sinfo_flags: uint16_t = 0
    sinfo_ppid: uint32_t = 0
    sinfo_context: uint32_t = 0
    sinfo_timetolive: uint32_t = 0
    """Milliseconds; 0 for none."""
    sinfo_tsn: uint32_t = 0
    sinfo_cumtsn: uint32_t = 0
    sinfo_assoc_id: sctp_assoc_t = 0


@dataclass(slots=True)
class sctp_extrcvinfo:
    """SCTP_EXTRCV (§5.3.3), deprecated: `sctp_nxtinfo` tells of the next message now."""

    sinfo_stream: uint16_t = 0
    sinfo_ssn: uint16_t = 0
    sinfo_flags: uint16_t = 0
    sinfo_ppid: uint32_t = 0
    sinfo_context: uint32_t = 0
    sinfo_pr_value: uint32_t = 0
    sinfo_tsn: uint32_t = 0
    sinfo_cumtsn: uint32_t = 0
    serinfo_next_flags: uint16_t = 0
    serinfo_next_stream: uint16_t = 0
    serinfo_next_aid: uint32_t = 0
    serinfo_next_length: uint32_t = 0
    serinfo_next_ppid: uint32_t = 0
    sinfo_assoc_id: sctp_assoc_t = 0


@dataclass(slots=True)
class sctp_sndinfo:
    """SCTP_SNDINFO, and the option SCTP_DEFAULT_SNDINFO (§5.3.4, §8.1.31)."""

    snd_sid: uint16_t = 0
    snd_flags: uint16_t = 0
    snd_ppid: uint32_t = 0
    snd_context: uint32_t = 0
    snd_assoc_id: sctp_assoc_t = 0


@dataclass(slots=True)
class sctp_rcvinfo:
    """SCTP_RCVINFO (§5.3.5)."""

    rcv_sid: uint16_t = 0
    rcv_ssn: uint16_t = 0
    rcv_flags: uint16_t = 0
    rcv_ppid: uint32_t = 0
    rcv_tsn: uint32_t = 0
    rcv_cumtsn: uint32_t = 0
    rcv_context: uint32_t = 0
    rcv_assoc_id: sctp_assoc_t = 0


@dataclass(slots=True)
class sctp_nxtinfo:
    """SCTP_NXTINFO (§5.3.6)."""

    nxt_sid: uint16_t = 0
    nxt_flags: uint16_t = 0
    nxt_ppid: uint32_t = 0
    nxt_length: uint32_t = 0
    nxt_assoc_id: sctp_assoc_t = 0


@dataclass(slots=True)
class sctp_prinfo:
    """SCTP_PRINFO (§5.3.7, RFC 7496 §4.2). pr_value: milliseconds of SCTP_PR_SCTP_TTL, retransmissions of
    SCTP_PR_SCTP_RTX, the priority of SCTP_PR_SCTP_PRIO."""

    pr_policy: uint16_t = 0
    pr_value: uint32_t = 0


@dataclass(slots=True)
class sctp_authinfo:
    """SCTP_AUTHINFO (§5.3.8)."""

    auth_keynumber: uint16_t = 0


@dataclass(slots=True)
class sctp_recvv_rn:
    """What C's sctp_recvv fills in when both options are on (§9.13); `recvv` returns the two beside each other."""

    recvv_rcvinfo: sctp_rcvinfo = field(default_factory=sctp_rcvinfo)
    recvv_nxtinfo: sctp_nxtinfo = field(default_factory=sctp_nxtinfo)


# RFC 6458 §6.2: which notifications are wanted


@dataclass(slots=True)
class sctp_event:
    """SCTP_EVENT (§6.2.2). se_type: SCTP_ASSOC_CHANGE and its like. To read it, name the type."""

    se_assoc_id: sctp_assoc_t = 0
    se_type: uint16_t = 0
    se_on: uint8_t = 0


@dataclass(slots=True)
class sctp_event_subscribe:
    """SCTP_EVENTS (§6.2.1), deprecated: SCTP_EVENT sets one at a time. The last four are FreeBSD's and Linux's."""

    sctp_data_io_event: uint8_t = 0
    sctp_association_event: uint8_t = 0
    sctp_address_event: uint8_t = 0
    sctp_send_failure_event: uint8_t = 0
    sctp_peer_error_event: uint8_t = 0
    sctp_shutdown_event: uint8_t = 0
    sctp_partial_delivery_event: uint8_t = 0
    sctp_adaptation_layer_event: uint8_t = 0
    sctp_authentication_event: uint8_t = 0
    sctp_sender_dry_event: uint8_t = 0
    sctp_stream_reset_event: uint8_t = 0
    sctp_assoc_reset_event: uint8_t = 0
    sctp_stream_change_event: uint8_t = 0
    sctp_send_failure_event_event: uint8_t = 0

    @property
    def sctp_adaption_layer_event(self) -> int:
        """The drafts' spelling."""
        return self.sctp_adaptation_layer_event

    @sctp_adaption_layer_event.setter
    def sctp_adaption_layer_event(self, on: int) -> None:
        self.sctp_adaptation_layer_event = on


# RFC 6458 §8.1: options for reading and setting


@dataclass(slots=True)
class sctp_rtoinfo:
    """SCTP_RTOINFO (§8.1.1), in milliseconds. 0 leaves a value as it is."""

    srto_assoc_id: sctp_assoc_t = 0
    srto_initial: uint32_t = 0
    srto_max: uint32_t = 0
    srto_min: uint32_t = 0


@dataclass(slots=True)
class sctp_assocparams:
    """SCTP_ASSOCINFO (§8.1.2). 0 leaves a value as it is; the two windows and the count are for reading."""

    sasoc_assoc_id: sctp_assoc_t = 0
    sasoc_asocmaxrxt: uint16_t = 0
    sasoc_number_peer_destinations: uint16_t = 0
    sasoc_peer_rwnd: uint32_t = 0
    sasoc_local_rwnd: uint32_t = 0
    sasoc_cookie_life: uint32_t = 0
    """Milliseconds."""


@dataclass(slots=True)
class linger:
    """SO_LINGER (§8.1.4), in seconds."""

    l_onoff: int = 0
    l_linger: int = 0


@dataclass(slots=True)
class sctp_setprim:
    """SCTP_PRIMARY_ADDR (§8.1.9)."""

    ssp_assoc_id: sctp_assoc_t = 0
    ssp_addr: sockaddr = None


@dataclass(slots=True)
class sctp_setadaptation:
    """SCTP_ADAPTATION_LAYER (§8.1.10)."""

    ssb_adaptation_ind: uint32_t = 0

    @property
    def ssb_adaption_ind(self) -> int:
        """The drafts' spelling."""
        return self.ssb_adaptation_ind

    @ssb_adaption_ind.setter
    def ssb_adaption_ind(self, indication: int) -> None:
        self.ssb_adaptation_ind = indication


@dataclass(slots=True)
class sctp_paddrparams:
    """SCTP_PEER_ADDR_PARAMS (§8.1.12). 0 leaves an interval, a limit or an MTU as it is; times in milliseconds."""

    spp_assoc_id: sctp_assoc_t = 0
    spp_address: sockaddr = None
    spp_hbinterval: uint32_t = 0
    spp_pathmaxrxt: uint16_t = 0
    spp_pathmtu: uint32_t = 0
    """Bytes there are for chunks."""
    spp_flags: uint32_t = 0
    spp_ipv6_flowlabel: uint32_t = 0
    spp_dscp: uint8_t = 0
    spp_sackdelay: uint32_t = 0
    """The drafts' and Linux's; RFC 6458 has `sctp_sack_info` in its place."""


@dataclass(slots=True)
class sctp_assoc_value:
    """One value of one association: of SCTP_MAXSEG, SCTP_MAX_BURST, SCTP_CONTEXT and others (§8.1.16)."""

    assoc_id: sctp_assoc_t = 0
    assoc_value: uint32_t = 0


@dataclass(slots=True)
class sctp_hmacalgo:
    """SCTP_HMAC_IDENT (§8.1.17)."""

    shmac_number_of_idents: uint32_t = 0
    shmac_idents: Sequence[uint16_t] = ()


@dataclass(slots=True)
class sctp_authkeyid:
    """SCTP_AUTH_ACTIVE_KEY, SCTP_AUTH_DEACTIVATE_KEY, SCTP_AUTH_DELETE_KEY (§8.1.18, §8.3.4, §8.3.5)."""

    scact_assoc_id: sctp_assoc_t = 0
    scact_keynumber: uint16_t = 0


@dataclass(slots=True)
class sctp_sack_info:
    """SCTP_DELAYED_SACK (§8.1.19). sack_delay: milliseconds. sack_freq: packets. 0 leaves a value as it is."""

    sack_assoc_id: sctp_assoc_t = 0
    sack_delay: uint32_t = 0
    sack_freq: uint32_t = 0


@dataclass(slots=True)
class sctp_default_prinfo:
    """SCTP_DEFAULT_PRINFO (§8.1.32)."""

    pr_policy: uint16_t = 0
    pr_value: uint32_t = 0
    pr_assoc_id: sctp_assoc_t = 0


# RFC 6458 §8.2: options for reading


@dataclass(slots=True)
class sctp_paddrinfo:
    """SCTP_GET_PEER_ADDR_INFO (§8.2.2). Times in milliseconds."""

    spinfo_assoc_id: sctp_assoc_t = 0
    spinfo_address: sockaddr = None
    spinfo_state: int = 0
    spinfo_cwnd: uint32_t = 0
    spinfo_srtt: uint32_t = 0
    spinfo_rto: uint32_t = 0
    spinfo_mtu: uint32_t = 0
    """Bytes there are for chunks."""


@dataclass(slots=True)
class sctp_status:
    """SCTP_STATUS (§8.2.1)."""

    sstat_assoc_id: sctp_assoc_t = 0
    sstat_state: int = 0
    sstat_rwnd: uint32_t = 0
    sstat_unackdata: uint16_t = 0
    sstat_penddata: uint16_t = 0
    sstat_instrms: uint16_t = 0
    sstat_outstrms: uint16_t = 0
    sstat_fragmentation_point: uint32_t = 0
    sstat_primary: sctp_paddrinfo = field(default_factory=sctp_paddrinfo)


@dataclass(slots=True)
class sctp_authchunks:
    """SCTP_PEER_AUTH_CHUNKS, SCTP_LOCAL_AUTH_CHUNKS (§8.2.3, §8.2.4)."""

    gauth_assoc_id: sctp_assoc_t = 0
    gauth_number_of_chunks: uint32_t = 0
    gauth_chunks: Sequence[uint8_t] = ()


@dataclass(slots=True)
class sctp_assoc_ids:
    """SCTP_GET_ASSOC_ID_LIST (§8.2.6)."""

    gaids_number_of_ids: uint32_t = 0
    gaids_assoc_id: Sequence[sctp_assoc_t] = ()


# RFC 6458 §8.3: options for setting


@dataclass(slots=True)
class sctp_setpeerprim:
    """SCTP_SET_PEER_PRIMARY_ADDR (§8.3.1)."""

    sspp_assoc_id: sctp_assoc_t = 0
    sspp_addr: sockaddr = None


@dataclass(slots=True)
class sctp_authchunk:
    """SCTP_AUTH_CHUNK (§8.3.2)."""

    sauth_chunk: uint8_t = 0


@dataclass(slots=True)
class sctp_authkey:
    """SCTP_AUTH_KEY (§8.3.3)."""

    sca_assoc_id: sctp_assoc_t = 0
    sca_keynumber: uint16_t = 0
    sca_keylength: uint16_t = 0
    sca_key: bytes = b""

    @property
    def sca_secret(self) -> bytes:
        """Of the draft's sctp_authsecrets."""
        return self.sca_key

    @sca_secret.setter
    def sca_secret(self, secret: bytes) -> None:
        self.sca_key = secret


# RFC 6525, 6951, 7496, 7829, 8260


@dataclass(slots=True)
class sctp_reset_streams:
    """SCTP_RESET_STREAMS (RFC 6525 §6.3.2). srs_stream_list: () is all streams."""

    srs_assoc_id: sctp_assoc_t = 0
    srs_flags: uint16_t = 0
    srs_number_streams: uint16_t = 0
    srs_stream_list: Sequence[uint16_t] = ()


@dataclass(slots=True)
class sctp_add_streams:
    """SCTP_ADD_STREAMS (RFC 6525 §6.3.4): how many more."""

    sas_assoc_id: sctp_assoc_t = 0
    sas_instrms: uint16_t = 0
    sas_outstrms: uint16_t = 0


@dataclass(slots=True)
class sctp_udpencaps:
    """SCTP_REMOTE_UDP_ENCAPS_PORT (RFC 6951 §6.1). sue_port: in the host's byte order."""

    sue_assoc_id: sctp_assoc_t = 0
    sue_address: sockaddr = None
    sue_port: uint16_t = 0


@dataclass(slots=True)
class sctp_prstatus:
    """SCTP_PR_STREAM_STATUS, SCTP_PR_ASSOC_STATUS (RFC 7496 §4.3, §4.4)."""

    sprstat_assoc_id: sctp_assoc_t = 0
    sprstat_sid: uint16_t = 0
    sprstat_policy: uint16_t = 0
    sprstat_abandoned_unsent: uint64_t = 0
    sprstat_abandoned_sent: uint64_t = 0


@dataclass(slots=True)
class sctp_paddrthlds:
    """SCTP_PEER_ADDR_THLDS (RFC 7829 §7.2)."""

    spt_assoc_id: sctp_assoc_t = 0
    spt_address: sockaddr = None
    spt_pathmaxrxt: uint16_t = 0
    spt_pathpfthld: uint16_t = 0
    spt_pathcpthld: uint16_t = 0


@dataclass(slots=True)
class sctp_stream_value:
    """SCTP_STREAM_SCHEDULER_VALUE (RFC 8260 §4.3.3): a stream's priority or weight."""

    assoc_id: sctp_assoc_t = 0
    stream_id: uint16_t = 0
    stream_value: uint16_t = 0


# Options of the implementations


@dataclass(slots=True)
class sctp_assoc_stats:
    """SCTP_GET_ASSOC_STATS: Solaris' counters and four fields of Linux's. Reading begins a new period of sas_maxrto.

    sas_opackets and sas_ipackets stay 0: packets are counted by stack (`Stack.statistics`), and not by association."""

    sas_assoc_id: sctp_assoc_t = 0
    sas_obs_rto_ipaddr: sockaddr = None
    """The address of the peer at which sas_maxrto was seen."""
    sas_maxrto: uint64_t = 0
    """Milliseconds."""
    sas_isacks: uint64_t = 0
    sas_osacks: uint64_t = 0
    sas_opackets: uint64_t = 0
    sas_ipackets: uint64_t = 0
    sas_rtxchunks: uint64_t = 0
    sas_outseqtsns: uint64_t = 0
    sas_idupchunks: uint64_t = 0
    sas_gapcnt: uint64_t = 0
    sas_ouodchunks: uint64_t = 0
    sas_iuodchunks: uint64_t = 0
    sas_oodchunks: uint64_t = 0
    sas_iodchunks: uint64_t = 0
    sas_octrlchunks: uint64_t = 0
    sas_ictrlchunks: uint64_t = 0

    @property
    def sas_outofseqtsns(self) -> int:
        """Linux's name of sas_outseqtsns."""
        return self.sas_outseqtsns


@dataclass(slots=True)
class sctp_timeouts:
    """FreeBSD's SCTP_TIMEOUTS: how often each timer has expired."""

    stimo_assoc_id: sctp_assoc_t = 0
    stimo_init: uint32_t = 0
    stimo_data: uint32_t = 0
    stimo_sack: uint32_t = 0
    stimo_shutdown: uint32_t = 0
    stimo_heartbeat: uint32_t = 0
    stimo_cookie: uint32_t = 0
    stimo_shutdownack: uint32_t = 0


@dataclass(slots=True)
class sctp_cc_option:
    """FreeBSD's SCTP_CC_OPTION."""

    option: int = 0
    aid_value: sctp_assoc_value = field(default_factory=sctp_assoc_value)


@dataclass(slots=True)
class sctp_probeinterval:
    """Linux's SCTP_PLPMTUD_PROBE_INTERVAL, in milliseconds."""

    spi_assoc_id: sctp_assoc_t = 0
    spi_address: sockaddr = None
    spi_interval: uint32_t = 0


# The drafts' and Linux's names

sctp_setadaption = sctp_setadaptation
sctp_authsecrets = sctp_authkey
sctp_prim = sctp_setprim
sctp_paddrthlds_v2 = sctp_paddrthlds

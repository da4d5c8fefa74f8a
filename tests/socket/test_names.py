"""The constants and structures under their RFCs' names."""

from __future__ import annotations

import socket as standard
from dataclasses import MISSING, fields, is_dataclass
from itertools import combinations
from typing import Any, get_type_hints

import pytest

from aiosctp import socket as sctp
from aiosctp.socket import constants, notifications, structures


def names(listed: str) -> list[str]:
    return listed.split()


# Every name in capitals of the sockets parts of the RFCs, but for what is C's alone.
NAMES = names(
    """
    MSG_CTRUNC MSG_DONTROUTE MSG_EOF MSG_EOR MSG_NOTIFICATION MSG_PEEK SCTP_ABORT SCTP_ACTIVE
    SCTP_ADAPTATION_INDICATION SCTP_ADAPTATION_LAYER SCTP_ADDR_ADDED SCTP_ADDR_AVAILABLE SCTP_ADDR_MADE_PRIM
    SCTP_ADDR_OVER SCTP_ADDR_REMOVED SCTP_ADDR_UNREACHABLE SCTP_ALL_ASSOC SCTP_ASSOCINFO SCTP_ASSOC_CHANGE
    SCTP_ASSOC_SUPPORTS_ASCONF SCTP_ASSOC_SUPPORTS_AUTH SCTP_ASSOC_SUPPORTS_MULTIBUF SCTP_ASSOC_SUPPORTS_PR
    SCTP_AUTHENTICATION_EVENT SCTP_AUTHINFO SCTP_AUTH_ACTIVE_KEY SCTP_AUTH_CHUNK SCTP_AUTH_DEACTIVATE_KEY
    SCTP_AUTH_DELETE_KEY SCTP_AUTH_FREE_KEY SCTP_AUTH_HMAC_ID_SHA1 SCTP_AUTH_HMAC_ID_SHA256 SCTP_AUTH_KEY
    SCTP_AUTH_NEW_KEY SCTP_AUTH_NO_AUTH SCTP_AUTOCLOSE SCTP_AUTO_ASCONF SCTP_BINDX_ADD_ADDR SCTP_BINDX_REM_ADDR
    SCTP_BOUND SCTP_CANT_STR_ASSOC SCTP_CLOSED SCTP_COMM_LOST SCTP_COMM_UP SCTP_COMPLETE SCTP_CONTEXT
    SCTP_COOKIE_ECHOED SCTP_COOKIE_WAIT SCTP_CURRENT_ASSOC SCTP_DATA_LAST_FRAG SCTP_DATA_NOT_FRAG SCTP_DATA_SENT
    SCTP_DATA_UNSENT SCTP_DEFAULT_PRINFO SCTP_DEFAULT_SEND_PARAM SCTP_DEFAULT_SNDINFO SCTP_DELAYED_SACK
    SCTP_DISABLE_FRAGMENTS SCTP_DSTADDRV4 SCTP_DSTADDRV6 SCTP_EOF SCTP_EOR SCTP_ESTABLISHED SCTP_EVENT SCTP_EVENTS
    SCTP_EXPLICIT_EOR SCTP_EXTRCV SCTP_FRAGMENT_INTERLEAVE SCTP_FUTURE_ASSOC SCTP_GET_ASSOC_ID_LIST
    SCTP_GET_ASSOC_NUMBER SCTP_GET_PEER_ADDR_INFO SCTP_HMAC_IDENT SCTP_INACTIVE SCTP_INIT SCTP_INITMSG
    SCTP_I_WANT_MAPPED_V4_ADDR SCTP_LISTEN SCTP_LOCAL_AUTH_CHUNKS SCTP_MAXSEG SCTP_MAX_BURST SCTP_NEXT_MSG_AVAIL
    SCTP_NEXT_MSG_ISCOMPLETE SCTP_NEXT_MSG_IS_NOTIFICATION SCTP_NEXT_MSG_IS_UNORDERED SCTP_NODELAY SCTP_NOTIFICATION
    SCTP_NOTIFICATIONS_STOPPED_EVENT SCTP_NXTINFO SCTP_PARTIAL_DELIVERY_ABORTED SCTP_PARTIAL_DELIVERY_EVENT
    SCTP_PARTIAL_DELIVERY_POINT SCTP_PEER_ADDR_CHANGE SCTP_PEER_ADDR_PARAMS SCTP_PEER_AUTH_CHUNKS SCTP_PRIMARY_ADDR
    SCTP_PRINFO SCTP_PR_SCTP_NONE SCTP_PR_SCTP_TTL SCTP_RCVINFO SCTP_RECVNXTINFO SCTP_RECVRCVINFO SCTP_RECVV_NOINFO
    SCTP_RECVV_NXTINFO SCTP_RECVV_RCVINFO SCTP_RECVV_RN SCTP_REMOTE_ERROR SCTP_RESTART SCTP_REUSE_PORT SCTP_RTOINFO
    SCTP_SENDALL SCTP_SENDER_DRY_EVENT SCTP_SENDV_AUTHINFO SCTP_SENDV_NOINFO SCTP_SENDV_PRINFO SCTP_SENDV_SNDINFO
    SCTP_SENDV_SPA SCTP_SEND_AUTHINFO_VALID SCTP_SEND_FAILED SCTP_SEND_FAILED_EVENT SCTP_SEND_PRINFO_VALID
    SCTP_SEND_SNDINFO_VALID SCTP_SET_PEER_PRIMARY_ADDR SCTP_SHUTDOWN_ACK_SENT SCTP_SHUTDOWN_COMP SCTP_SHUTDOWN_EVENT
    SCTP_SHUTDOWN_PENDING SCTP_SHUTDOWN_RECEIVED SCTP_SHUTDOWN_SENT SCTP_SNDINFO SCTP_SNDRCV SCTP_STATUS
    SCTP_UNCONFIRMED SCTP_UNORDERED SCTP_USE_EXT_RCVINFO SO_LINGER SO_RCVBUF SO_SNDBUF SPP_DSCP SPP_HB_DEMAND
    SPP_HB_DISABLE SPP_HB_ENABLE SPP_HB_TIME_IS_ZERO SPP_IPV6_FLOWLABEL SPP_PMTUD_DISABLE SPP_PMTUD_ENABLE
    SCTP_ADD_STREAMS SCTP_ASSOC_RESET_DENIED SCTP_ASSOC_RESET_EVENT SCTP_ASSOC_RESET_FAILED
    SCTP_ASSOC_SUPPORTS_RE_CONFIG SCTP_ENABLE_CHANGE_ASSOC_REQ SCTP_ENABLE_RESET_ASSOC_REQ
    SCTP_ENABLE_RESET_STREAM_REQ SCTP_ENABLE_STREAM_RESET SCTP_RESET_ASSOC SCTP_RESET_STREAMS
    SCTP_STREAM_CHANGE_DENIED SCTP_STREAM_CHANGE_EVENT SCTP_STREAM_CHANGE_FAILED SCTP_STREAM_RESET_DENIED
    SCTP_STREAM_RESET_EVENT SCTP_STREAM_RESET_FAILED SCTP_STREAM_RESET_INCOMING SCTP_STREAM_RESET_INCOMING_SSN
    SCTP_STREAM_RESET_OUTGOING SCTP_STREAM_RESET_OUTGOING_SSN SCTP_REMOTE_UDP_ENCAPS_PORT SCTP_PR_ASSOC_STATUS
    SCTP_PR_SCTP_ALL SCTP_PR_SCTP_PRIO SCTP_PR_SCTP_RTX SCTP_PR_STREAM_STATUS SCTP_PR_SUPPORTED
    SCTP_ASSOC_SUPPORTS_INTERLEAVING SCTP_INTERLEAVING_SUPPORTED SCTP_SS_DEFAULT SCTP_SS_FB SCTP_SS_FC SCTP_SS_FCFS
    SCTP_SS_PRIO SCTP_SS_RR SCTP_SS_RR_PKT SCTP_SS_WFQ SCTP_STREAM_SCHEDULER SCTP_STREAM_SCHEDULER_VALUE
    SCTP_ADDR_POTENTIALLY_FAILED SCTP_EXPOSE_POTENTIALLY_FAILED_STATE SCTP_PEER_ADDR_THLDS SCTP_POTENTIALLY_FAILED
    SCTP_ACCEPT_ZERO_CHECKSUM
    """
)

# What took an older name's place.
OLD_NAMES = {
    "SCTP_ADAPTION_LAYER": "SCTP_ADAPTATION_LAYER",
    "SCTP_ADAPTION_INDICATION": "SCTP_ADAPTATION_INDICATION",
    "SCTP_USE_EXT_RECVINFO": "SCTP_USE_EXT_RCVINFO",
    "SCTP_DELAYED_ACK_TIME": "SCTP_DELAYED_SACK",
    "SCTP_MAXBURST": "SCTP_MAX_BURST",
    "SCTP_AUTH_SECRET": "SCTP_AUTH_KEY",
    "SCTP_AUTH_CHUNKS": "SCTP_AUTH_CHUNK",
    "SCTP_PLUGGABLE_SS": "SCTP_STREAM_SCHEDULER",
    "SCTP_SS_VALUE": "SCTP_STREAM_SCHEDULER_VALUE",
    "SCTP_PR_SCTP_BUF": "SCTP_PR_SCTP_PRIO",
    "MSG_UNORDERED": "SCTP_UNORDERED",
    "MSG_ADDR_OVER": "SCTP_ADDR_OVER",
    "MSG_ABORT": "SCTP_ABORT",
    "MSG_EOF": "SCTP_EOF",
    "MSG_SENDALL": "SCTP_SENDALL",
    "SPP_HB_ENABLED": "SPP_HB_ENABLE",
    "SPP_HB_DISABLED": "SPP_HB_DISABLE",
    "SPP_PMTUD_ENABLED": "SPP_PMTUD_ENABLE",
    "SPP_PMTUD_DISABLED": "SPP_PMTUD_DISABLE",
    "SPP_SACKDELAY_ENABLED": "SPP_SACKDELAY_ENABLE",
    "SPP_SACKDELAY_DISABLED": "SPP_SACKDELAY_DISABLE",
    "sctp_setadaption": "sctp_setadaptation",
    "sctp_adaption_event": "sctp_adaptation_event",
}

NOTIFICATION_TYPES = names(
    """
    SCTP_ASSOC_CHANGE SCTP_PEER_ADDR_CHANGE SCTP_REMOTE_ERROR SCTP_SEND_FAILED SCTP_SHUTDOWN_EVENT
    SCTP_ADAPTATION_INDICATION SCTP_PARTIAL_DELIVERY_EVENT SCTP_AUTHENTICATION_EVENT SCTP_STREAM_RESET_EVENT
    SCTP_SENDER_DRY_EVENT SCTP_NOTIFICATIONS_STOPPED_EVENT SCTP_ASSOC_RESET_EVENT SCTP_STREAM_CHANGE_EVENT
    SCTP_SEND_FAILED_EVENT
    """
)

# What is told apart by its number: a group, and within it two names never mean the same.
DISTINCT = {
    "options": names(
        """
        SCTP_RTOINFO SCTP_ASSOCINFO SCTP_INITMSG SCTP_NODELAY SCTP_AUTOCLOSE SCTP_PRIMARY_ADDR SCTP_ADAPTATION_LAYER
        SCTP_DISABLE_FRAGMENTS SCTP_PEER_ADDR_PARAMS SCTP_DEFAULT_SEND_PARAM SCTP_EVENTS SCTP_I_WANT_MAPPED_V4_ADDR
        SCTP_MAXSEG SCTP_DELAYED_SACK SCTP_FRAGMENT_INTERLEAVE SCTP_PARTIAL_DELIVERY_POINT SCTP_HMAC_IDENT
        SCTP_AUTH_ACTIVE_KEY SCTP_USE_EXT_RCVINFO SCTP_AUTO_ASCONF SCTP_MAX_BURST SCTP_CONTEXT SCTP_EXPLICIT_EOR
        SCTP_REUSE_PORT SCTP_EVENT SCTP_RECVRCVINFO SCTP_RECVNXTINFO SCTP_DEFAULT_SNDINFO SCTP_DEFAULT_PRINFO
        SCTP_STATUS SCTP_GET_PEER_ADDR_INFO SCTP_PEER_AUTH_CHUNKS SCTP_LOCAL_AUTH_CHUNKS SCTP_GET_ASSOC_NUMBER
        SCTP_GET_ASSOC_ID_LIST SCTP_SET_PEER_PRIMARY_ADDR SCTP_AUTH_CHUNK SCTP_AUTH_KEY SCTP_AUTH_DELETE_KEY
        SCTP_AUTH_DEACTIVATE_KEY SCTP_ENABLE_STREAM_RESET SCTP_RESET_STREAMS SCTP_RESET_ASSOC SCTP_ADD_STREAMS
        SCTP_REMOTE_UDP_ENCAPS_PORT SCTP_PR_SUPPORTED SCTP_PR_STREAM_STATUS SCTP_PR_ASSOC_STATUS SCTP_PEER_ADDR_THLDS
        SCTP_EXPOSE_POTENTIALLY_FAILED_STATE SCTP_INTERLEAVING_SUPPORTED SCTP_STREAM_SCHEDULER
        SCTP_STREAM_SCHEDULER_VALUE SCTP_ACCEPT_ZERO_CHECKSUM SCTP_ECN_SUPPORTED SCTP_AUTH_SUPPORTED
        SCTP_ASCONF_SUPPORTED SCTP_RECONFIG_SUPPORTED SCTP_NRSACK_SUPPORTED SCTP_PKTDROP_SUPPORTED SCTP_MAX_CWND
        SCTP_TIMEOUTS SCTP_CMT_ON_OFF SCTP_CMT_USE_DAC SCTP_PLUGGABLE_CC SCTP_CC_OPTION SCTP_GET_ASSOC_STATS
        SCTP_SOCKOPT_PEELOFF_FLAGS SCTP_SENDMSG_CONNECT SCTP_PLPMTUD_PROBE_INTERVAL
        """
    ),
    "ancillary data": names(
        """
        SCTP_INIT SCTP_SNDRCV SCTP_EXTRCV SCTP_SNDINFO SCTP_RCVINFO SCTP_NXTINFO SCTP_PRINFO SCTP_AUTHINFO
        SCTP_DSTADDRV4 SCTP_DSTADDRV6
        """
    ),
    "notifications": NOTIFICATION_TYPES,
    "association states": names(
        """
        SCTP_CLOSED SCTP_BOUND SCTP_LISTEN SCTP_COOKIE_WAIT SCTP_COOKIE_ECHOED SCTP_ESTABLISHED SCTP_SHUTDOWN_PENDING
        SCTP_SHUTDOWN_SENT SCTP_SHUTDOWN_RECEIVED SCTP_SHUTDOWN_ACK_SENT
        """
    ),
    "path states": names("SCTP_ACTIVE SCTP_INACTIVE SCTP_POTENTIALLY_FAILED SCTP_UNCONFIRMED"),
    "sac_state": names("SCTP_COMM_UP SCTP_COMM_LOST SCTP_RESTART SCTP_SHUTDOWN_COMP SCTP_CANT_STR_ASSOC"),
    "sac_info": names(
        """
        SCTP_ASSOC_SUPPORTS_PR SCTP_ASSOC_SUPPORTS_AUTH SCTP_ASSOC_SUPPORTS_ASCONF SCTP_ASSOC_SUPPORTS_MULTIBUF
        SCTP_ASSOC_SUPPORTS_RE_CONFIG SCTP_ASSOC_SUPPORTS_INTERLEAVING
        """
    ),
    "spc_state": names(
        """
        SCTP_ADDR_AVAILABLE SCTP_ADDR_UNREACHABLE SCTP_ADDR_REMOVED SCTP_ADDR_ADDED SCTP_ADDR_MADE_PRIM
        SCTP_ADDR_CONFIRMED SCTP_ADDR_POTENTIALLY_FAILED
        """
    ),
    "pr_policy": names(
        """
        SCTP_PR_SCTP_NONE SCTP_PR_SCTP_TTL SCTP_PR_SCTP_RTX SCTP_PR_SCTP_PRIO SCTP_PR_SCTP_ALL
        """
    ),
    "schedulers": names(
        """
        SCTP_SS_DEFAULT SCTP_SS_FCFS SCTP_SS_RR SCTP_SS_RR_PKT SCTP_SS_PRIO SCTP_SS_FB SCTP_SS_WFQ
        """
    ),
}

# Flags that one int holds together.
BITS = {
    "snd_flags": names(
        """
        SCTP_UNORDERED SCTP_ADDR_OVER SCTP_ABORT SCTP_EOF SCTP_SENDALL SCTP_EOR SCTP_SACK_IMMEDIATELY SCTP_PR_SCTP_ALL
        """
    ),
    "ssfe_info.snd_flags": names("SCTP_DATA_LAST_FRAG SCTP_DATA_NOT_FRAG SCTP_UNORDERED"),
    "spp_flags": names(
        """
        SPP_HB_ENABLE SPP_HB_DISABLE SPP_HB_DEMAND SPP_HB_TIME_IS_ZERO SPP_PMTUD_ENABLE SPP_PMTUD_DISABLE
        SPP_SACKDELAY_ENABLE SPP_SACKDELAY_DISABLE SPP_IPV6_FLOWLABEL SPP_DSCP
        """
    ),
    "nxt_flags": names(
        """
        SCTP_NEXT_MSG_AVAIL SCTP_NEXT_MSG_ISCOMPLETE SCTP_NEXT_MSG_IS_UNORDERED SCTP_NEXT_MSG_IS_NOTIFICATION
        """
    ),
    "msg_flags": names("MSG_EOR MSG_NOTIFICATION MSG_CTRUNC MSG_TRUNC MSG_PEEK"),
    "strreset_flags": names(
        """
        SCTP_STREAM_RESET_INCOMING_SSN SCTP_STREAM_RESET_OUTGOING_SSN SCTP_STREAM_RESET_DENIED
        SCTP_STREAM_RESET_FAILED
        """
    ),
}

_ALL = [getattr(module, name) for module in (structures, notifications) for name in module.__all__]
STRUCTURES: list[type[Any]] = [one for one in dict.fromkeys(_ALL) if isinstance(one, type) and is_dataclass(one)]
NOTIFICATIONS = [one for one in STRUCTURES if issubclass(one, sctp.sctp_notification)]


def number(name: str) -> int:
    value = getattr(sctp, name)
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_rfcs_is_an_int(name: str) -> None:
    assert number(name) >= 0


@pytest.mark.parametrize(("old", "new"), OLD_NAMES.items())
def test_an_old_name_is_an_alias(old: str, new: str) -> None:
    assert getattr(sctp, old) == getattr(sctp, new)


@pytest.mark.parametrize("group", DISTINCT)
def test_what_a_number_tells_apart_has_numbers_of_its_own(group: str) -> None:
    names = DISTINCT[group]
    assert len({number(name) for name in names}) == len(names)


@pytest.mark.parametrize("group", BITS)
def test_flags_that_go_together_share_no_bit(group: str) -> None:
    for one, other in combinations(BITS[group], 2):
        assert number(one) & number(other) == 0, (one, other)


def test_what_the_standard_library_has_too_is_its_own() -> None:
    for name in vars(constants):
        if not name.startswith("_") and not name.startswith(("SCTP_", "SPP_")) and hasattr(standard, name):
            assert number(name) == getattr(standard, name) or name == "MSG_EOF", name


def test_special_association_ids_leave_3_and_up_for_associations() -> None:
    assert (sctp.SCTP_FUTURE_ASSOC, sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC) == (0, 1, 2)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_field_of_a_structure_has_a_default_and_can_be_set(structure: type[Any]) -> None:
    one, other = structure(), structure()
    assert one == other
    for field in fields(structure):
        value = getattr(one, field.name)
        assert field.default is not MISSING or value is not getattr(other, field.name), "shared by all"
        setattr(one, field.name, value)
    with pytest.raises(AttributeError):
        one.misspelt = 1


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_field_says_what_it_takes(structure: type[Any]) -> None:
    hints = get_type_hints(structure, include_extras=True)
    assert all(field.name in hints for field in fields(structure))


def test_what_does_not_belong_to_the_api_is_not_among_its_names() -> None:
    assert not {"Final", "dataclass", "field", "Sequence", "annotations"} & set(dir(sctp))
    assert not hasattr(sctp, "socket")


def test_the_drafts_spelling_of_a_field_reads_and_sets_it() -> None:
    subscribe = sctp.sctp_event_subscribe()
    subscribe.sctp_adaption_layer_event = 1
    assert subscribe.sctp_adaptation_layer_event == subscribe.sctp_adaption_layer_event == 1
    setting = sctp.sctp_setadaption()
    setting.ssb_adaption_ind = 5
    assert setting.ssb_adaptation_ind == setting.ssb_adaption_ind == 5
    assert sctp.sctp_adaption_event(sai_adaptation_ind=6).sai_adaption_ind == 6
    key = sctp.sctp_authsecrets()
    key.sca_secret = b"k"
    assert key.sca_key == key.sca_secret == b"k"
    assert sctp.sctp_assoc_stats(sas_outseqtsns=3).sas_outofseqtsns == 3


@pytest.mark.parametrize("notification", NOTIFICATIONS)
def test_the_header_of_a_notification_is_its_first_three_fields(notification: type[Any]) -> None:
    """The type, the flags and the length of any notification, under the names of the union's first member."""
    first = [field.name for field in fields(notification)][:3]
    one = notification(**{first[0]: 7, first[1]: 8, first[2]: 9})
    assert one.sn_header == sctp.sctp_tlv(7, 8, 9)


def test_each_type_of_notification_has_its_structure() -> None:
    assert sorted(one().sn_header.sn_type for one in NOTIFICATIONS) == sorted(map(number, NOTIFICATION_TYPES))

"""Options that exist and are not built: each with the reason that EOPNOTSUPP comes with."""

from __future__ import annotations

import errno
from typing import Final

from aiosctp.socket import constants
from aiosctp.socket.constants import (
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SCTP_ASCONF_SUPPORTED,
    SCTP_AUTH_SUPPORTED,
    SCTP_CC_RFC2581,
    SCTP_CMT_OFF,
    SCTP_CMT_ON_OFF,
    SCTP_ECN_SUPPORTED,
    SCTP_PKTDROP_SUPPORTED,
    SCTP_PLUGGABLE_CC,
)
from aiosctp.socket.errors import error
from aiosctp.socket.options.table import Option, Scope, switch, value
from aiosctp.socket.options.target import Commit, Target, nothing

AUTH: Final = "authenticated chunks (RFC 4895) are planned"
ASCONF: Final = "addresses that change in the life of an association (RFC 5061) are planned"
ECN: Final = "ECN (RFC 9260 Appendix A, RFC 3168) is planned"
PF: Final = "the potentially failed state (RFC 7829) is planned"
PKTDROP: Final = "packet drop reports (draft-stewart-sctp-pktdrprep) are planned"
CONGESTION_CONTROL: Final = "another congestion control than that of RFC 9260 §7 is planned"
CMT: Final = "sending on several paths at once is planned"
ZERO_CHECKSUM: Final = "zero checksums (RFC 9653) are planned: the CRC is always there, and always verified"

_REASONS: Final = {
    "SCTP_AUTH_CHUNK": AUTH,
    "SCTP_AUTH_KEY": AUTH,
    "SCTP_AUTH_ACTIVE_KEY": AUTH,
    "SCTP_AUTH_DEACTIVATE_KEY": AUTH,
    "SCTP_AUTH_DELETE_KEY": AUTH,
    "SCTP_HMAC_IDENT": AUTH,
    "SCTP_PEER_AUTH_CHUNKS": AUTH,
    "SCTP_LOCAL_AUTH_CHUNKS": AUTH,
    "SCTP_SET_PEER_PRIMARY_ADDR": ASCONF,
    "SCTP_AUTO_ASCONF": ASCONF,
    "SCTP_PEER_ADDR_THLDS": PF,
    "SCTP_EXPOSE_POTENTIALLY_FAILED_STATE": PF,
    "SCTP_ACCEPT_ZERO_CHECKSUM": ZERO_CHECKSUM,
    "SCTP_CC_OPTION": CONGESTION_CONTROL,
    "SCTP_CMT_USE_DAC": CMT,
    # What follows has no meaning here.
    "SCTP_MAX_CWND": "RFC 9260 §7 has no bound of cwnd; SO_SNDBUF bounds what is in flight",
    "SCTP_TIMEOUTS": "timeouts are not counted by timer; SCTP_GET_ASSOC_STATS has what they lead to",
    "SCTP_PLPMTUD_PROBE_INTERVAL": "probes go when data calls for larger packets; SPP_PMTUD_ENABLE has them begin",
    "SCTP_SOCKOPT_PEELOFF_FLAGS": "`SCTPSocket.peeloff` peels off; what its flags set, setblocking does afterwards",
    "SCTP_SENDMSG_CONNECT": "`SCTPSocket.sendto` and `sendmsg` open associations",
}


def _stays(name: str, number: int, kept: int, errno_: int, reason: str, scope: Scope) -> Option:
    """It can be read, and set to what it is."""

    def write(target: Target, given: int) -> Commit:
        if given == kept:
            return nothing
        raise error(errno_, f"{name}: {reason}")

    return value(name, number, scope, lambda target: kept, write)


def _set_v6only(target: Target, on: bool) -> Commit:
    if on:
        raise error(errno.EOPNOTSUPP, "IPV6_V6ONLY: an IPv6 socket speaks IPv4, too; bind it to IPv6 addresses alone")
    return nothing


_FUTURE: Final = Scope.ONE_OR_FUTURE

OPTIONS: Final = (
    *(Option(name=name, number=getattr(constants, name), reason=reason) for name, reason in _REASONS.items()),
    _stays("SCTP_AUTH_SUPPORTED", SCTP_AUTH_SUPPORTED, 0, errno.EOPNOTSUPP, AUTH, _FUTURE),
    # RFC 5061 §4.2.7: who speaks ASCONF has to speak AUTH, too.
    _stays("SCTP_ASCONF_SUPPORTED", SCTP_ASCONF_SUPPORTED, 0, errno.EINVAL, f"it takes AUTH: {AUTH}", _FUTURE),
    _stays("SCTP_ECN_SUPPORTED", SCTP_ECN_SUPPORTED, 0, errno.EOPNOTSUPP, ECN, _FUTURE),
    _stays("SCTP_PKTDROP_SUPPORTED", SCTP_PKTDROP_SUPPORTED, 0, errno.EOPNOTSUPP, PKTDROP, _FUTURE),
    _stays("SCTP_PLUGGABLE_CC", SCTP_PLUGGABLE_CC, SCTP_CC_RFC2581, errno.EOPNOTSUPP, CONGESTION_CONTROL, Scope.ANY),
    _stays("SCTP_CMT_ON_OFF", SCTP_CMT_ON_OFF, SCTP_CMT_OFF, errno.EOPNOTSUPP, CMT, Scope.ANY),
    switch("IPV6_V6ONLY", IPV6_V6ONLY, lambda target: False, _set_v6only, level=IPPROTO_IPV6),
)


def planned() -> dict[str, str]:
    """The options that answer EOPNOTSUPP, each with the reason."""
    return dict(_REASONS)

"""The addresses of a peer: parameters, state, which of them is primary (RFC 6458 §8.1.9, §8.1.12, §8.2.1, §8.2.2), and
their UDP ports (RFC 6951 §6.1)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

from aiosctp.config import Config
from aiosctp.core.states import AssociationState, PathState
from aiosctp.socket.constants import (
    SCTP_ACTIVE,
    SCTP_BOUND,
    SCTP_CLOSED,
    SCTP_COOKIE_ECHOED,
    SCTP_COOKIE_WAIT,
    SCTP_ESTABLISHED,
    SCTP_GET_PEER_ADDR_INFO,
    SCTP_INACTIVE,
    SCTP_LISTEN,
    SCTP_PEER_ADDR_PARAMS,
    SCTP_PRIMARY_ADDR,
    SCTP_REMOTE_UDP_ENCAPS_PORT,
    SCTP_SHUTDOWN_ACK_SENT,
    SCTP_SHUTDOWN_PENDING,
    SCTP_SHUTDOWN_RECEIVED,
    SCTP_SHUTDOWN_SENT,
    SCTP_STATUS,
    SCTP_UNCONFIRMED,
    SPP_DSCP,
    SPP_HB_DEMAND,
    SPP_HB_DISABLE,
    SPP_HB_ENABLE,
    SPP_HB_TIME_IS_ZERO,
    SPP_IPV6_FLOWLABEL,
    SPP_PMTUD_DISABLE,
    SPP_PMTUD_ENABLE,
    SPP_SACKDELAY_DISABLE,
    SPP_SACKDELAY_ENABLE,
)
from aiosctp.socket.errors import error
from aiosctp.socket.options.table import Option, Scope
from aiosctp.socket.options.target import Commit, Target
from aiosctp.socket.options.units import given, milliseconds, seconds
from aiosctp.socket.structures import (
    sctp_paddrinfo,
    sctp_paddrparams,
    sctp_setprim,
    sctp_status,
    sctp_udpencaps,
)
from aiosctp.wire.packet import HEADER_BYTES

if TYPE_CHECKING:
    from aiosctp.core.paths import Path as EnginePath

_STATES: Final = {
    AssociationState.CLOSED: SCTP_CLOSED,
    AssociationState.COOKIE_WAIT: SCTP_COOKIE_WAIT,
    AssociationState.COOKIE_ECHOED: SCTP_COOKIE_ECHOED,
    AssociationState.ESTABLISHED: SCTP_ESTABLISHED,
    AssociationState.SHUTDOWN_PENDING: SCTP_SHUTDOWN_PENDING,
    AssociationState.SHUTDOWN_SENT: SCTP_SHUTDOWN_SENT,
    AssociationState.SHUTDOWN_RECEIVED: SCTP_SHUTDOWN_RECEIVED,
    AssociationState.SHUTDOWN_ACK_SENT: SCTP_SHUTDOWN_ACK_SENT,
}
_PATH_STATES: Final = {
    PathState.ACTIVE: SCTP_ACTIVE,
    PathState.INACTIVE: SCTP_INACTIVE,
    PathState.UNCONFIRMED: SCTP_UNCONFIRMED,
}
_UINT16: Final = 2**16 - 1


def _chunk_bytes(path: EnginePath) -> int:
    """§8.1.12: a path MTU is "the number of bytes available in an SCTP packet for chunks"."""
    return path.packet_bytes - HEADER_BYTES


# -- SCTP_STATUS, SCTP_GET_PEER_ADDR_INFO --


def _read_status(target: Target, _: object) -> sctp_status:
    if target.member is None:
        return sctp_status(sstat_state=_state_without_association(target))
    status = target.association.status()
    primary = target.association.engine.paths.primary
    return sctp_status(
        sstat_state=_STATES[status.state],
        sstat_rwnd=status.rwnd_bytes,
        sstat_unackdata=min(status.unacknowledged_chunks, _UINT16),
        sstat_penddata=min(status.pending_messages, _UINT16),
        sstat_instrms=status.inbound_streams,
        sstat_outstrms=status.outbound_streams,
        sstat_fragmentation_point=status.fragmentation_point_bytes,
        sstat_primary=_path_info(target, primary),
    )


def _state_without_association(target: Target) -> int:
    """Of a one-to-one socket (§8.2.1)."""
    sock = target.socket
    if sock.is_one_to_many:
        raise error(errno.EINVAL, "SCTP_STATUS needs an association")
    if sock.is_listening:
        return SCTP_LISTEN
    return SCTP_CLOSED if sock.endpoint is None else SCTP_BOUND


def _read_path_info(target: Target, _: object) -> sctp_paddrinfo:
    if target.host is None:
        raise error(errno.EINVAL, "spinfo_address must be an address of the peer")
    return _path_info(target, target.engine_path)


def _path_info(target: Target, path: EnginePath) -> sctp_paddrinfo:
    return sctp_paddrinfo(
        spinfo_assoc_id=target.association_id,
        spinfo_address=(target.socket.shown(path.address), target.association.engine.peer_port),
        spinfo_state=_PATH_STATES[path.state],
        spinfo_cwnd=path.congestion.cwnd,
        spinfo_srtt=milliseconds(path.rto.srtt_s or 0),
        spinfo_rto=milliseconds(path.rto.rto_s),
        spinfo_mtu=_chunk_bytes(path),
    )


# -- SCTP_PRIMARY_ADDR --


def _read_primary(target: Target, _: object) -> sctp_setprim:
    host, port = target.association.primary_path.address
    return sctp_setprim(ssp_addr=(target.socket.shown(host), port))


def _set_primary(target: Target, _: object) -> Commit:
    if target.host is None:
        raise error(errno.EINVAL, "ssp_addr must be an address of the peer, and no wildcard")
    host = target.host
    return lambda: target.association.set_primary(host)


# -- SCTP_PEER_ADDR_PARAMS --

_HEARTBEAT: Final = SPP_HB_ENABLE | SPP_HB_DISABLE
_DISCOVERY: Final = SPP_PMTUD_ENABLE | SPP_PMTUD_DISABLE
_SACK_DELAY: Final = SPP_SACKDELAY_ENABLE | SPP_SACKDELAY_DISABLE
_NOT_BUILT: Final = SPP_DSCP | SPP_IPV6_FLOWLABEL
_FLAGS: Final = _HEARTBEAT | _DISCOVERY | _SACK_DELAY | _NOT_BUILT | SPP_HB_DEMAND | SPP_HB_TIME_IS_ZERO


def _read_parameters(target: Target, _: object) -> sctp_paddrparams:
    config = target.config
    if target.host is None:
        heartbeat, interval_s, retrans = config.heartbeat, config.hb_interval_s, config.path_max_retrans
        discovers = config.path_mtu_discovery and config.path_mtu is None and config.pmdcs_bytes is None
        mtu = config.pmdcs_bytes or 0
        if target.member is not None:
            mtu = min(_chunk_bytes(path) for path in target.association.engine.paths)
    else:
        path = target.engine_path
        heartbeat, interval_s, retrans = path.heartbeat, path.hb_interval_s, path.path_max_retrans
        discovers, mtu = path.discovers_mtu, _chunk_bytes(path)
    return sctp_paddrparams(
        spp_hbinterval=milliseconds(interval_s),
        spp_pathmaxrxt=retrans,
        spp_pathmtu=mtu,
        spp_flags=(SPP_HB_ENABLE if heartbeat else SPP_HB_DISABLE)
        | (SPP_PMTUD_ENABLE if discovers else SPP_PMTUD_DISABLE)
        | (SPP_SACKDELAY_DISABLE if config.sack_frequency == 1 else SPP_SACKDELAY_ENABLE),
        spp_sackdelay=milliseconds(config.sack_delay_s),
    )


def _set_parameters(target: Target, parameters: sctp_paddrparams) -> Commit:
    """With a wildcard it is for "all current and future paths" (§8.1.12)."""
    flags = parameters.spp_flags
    _check_flags(flags, has_address=target.host is not None)
    changes = _changes(parameters)
    of_all = {} if target.host is not None else changes
    commits = [target.change(**of_all, **_sack_changes(target.config, parameters))]
    if target.member is not None:
        commits.append(target.change_paths(changes))
    if flags & SPP_HB_DEMAND:
        if target.member is None or target.association.state is not AssociationState.ESTABLISHED:
            raise error(errno.EINVAL, "SPP_HB_DEMAND needs an association that is established")
        commits.append(lambda: _beat(target))

    def commit() -> None:
        for each in commits:
            each()

    return commit


def _check_flags(flags: int, *, has_address: bool) -> None:
    if flags & ~_FLAGS:
        raise error(errno.EINVAL, f"spp_flags has unknown bits: {flags & ~_FLAGS:#x}")
    if flags & _NOT_BUILT:
        raise error(errno.EOPNOTSUPP, "SPP_DSCP, SPP_IPV6_FLOWLABEL: all associations of a stack share its UDP sockets")
    for both in (_HEARTBEAT, _DISCOVERY, _SACK_DELAY):
        if flags & both == both:
            raise error(errno.EINVAL, f"spp_flags has two bits that exclude each other: {both:#x}")
    if flags & SPP_HB_DEMAND and not has_address:
        raise error(errno.EINVAL, "SPP_HB_DEMAND needs an address: it is not for a wildcard")


def _changes(parameters: sctp_paddrparams) -> dict[str, Any]:
    """Of what each path has of `Config`."""
    flags = parameters.spp_flags
    changes = given(path_max_retrans=parameters.spp_pathmaxrxt)
    if flags & _HEARTBEAT:
        changes["heartbeat"] = bool(flags & SPP_HB_ENABLE)
    if flags & SPP_HB_TIME_IS_ZERO:
        changes["hb_interval_s"] = 0.0
    elif flags & SPP_HB_ENABLE and parameters.spp_hbinterval:
        changes["hb_interval_s"] = seconds(parameters.spp_hbinterval)
    if flags & SPP_PMTUD_ENABLE:
        changes |= {"path_mtu_discovery": True, "path_mtu": None, "pmdcs_bytes": None}
    elif flags & SPP_PMTUD_DISABLE:
        changes["path_mtu_discovery"] = False
        if parameters.spp_pathmtu:
            changes |= {"path_mtu": None, "pmdcs_bytes": parameters.spp_pathmtu}
    return changes


def _sack_changes(config: Config, parameters: sctp_paddrparams) -> dict[str, Any]:
    """The drafts' and Linux's: in RFC 6458 SCTP_DELAYED_SACK has taken their place. SACKs are not of one path."""
    flags = parameters.spp_flags
    if flags & SPP_SACKDELAY_DISABLE:
        return {"sack_frequency": 1}
    if not flags & SPP_SACKDELAY_ENABLE:
        return {}
    changes = given(sack_delay_s=seconds(parameters.spp_sackdelay))
    if config.sack_frequency == 1:
        changes["sack_frequency"] = Config().sack_frequency
    return changes


def _beat(target: Target) -> None:
    target.path.request_heartbeat()


# -- SCTP_REMOTE_UDP_ENCAPS_PORT (RFC 6951 §6.1) --


def _read_udp_port(target: Target, _: object) -> sctp_udpencaps:
    if target.member is not None and target.host is not None:
        port = target.engine_path.udp_port
    else:
        port = target.settings.remote_udp_ports.get(target.host or "", target.settings.remote_udp_port)
    return sctp_udpencaps(sue_port=port)


def _set_udp_port(target: Target, encapsulation: sctp_udpencaps) -> Commit:
    """A wildcard's is that of paths to come; paths that there are keep what they have learnt."""
    port = encapsulation.sue_port
    if not port:
        raise error(errno.EINVAL, "sue_port must not be 0: SCTP goes over UDP here")

    def commit() -> None:
        if target.host is None:
            target.settings.remote_udp_port = port
        elif target.member is None:
            target.settings.remote_udp_ports[target.host] = port
        else:
            target.path.configure(udp_port=port)

    return commit


OPTIONS: Final = (
    Option(
        name="SCTP_STATUS",
        number=SCTP_STATUS,
        structure=sctp_status,
        scope=Scope.ONE_OR_FUTURE,
        read=_read_status,
    ),
    Option(
        name="SCTP_GET_PEER_ADDR_INFO",
        number=SCTP_GET_PEER_ADDR_INFO,
        structure=sctp_paddrinfo,
        scope=Scope.ONE,
        address="spinfo_address",
        read=_read_path_info,
    ),
    Option(
        name="SCTP_PRIMARY_ADDR",
        number=SCTP_PRIMARY_ADDR,
        structure=sctp_setprim,
        scope=Scope.ONE,
        address="ssp_addr",
        finds_by_address=False,  # §8.1.9: SCTP_FUTURE_ASSOC is "not allowed"
        read=_read_primary,
        write=_set_primary,
    ),
    Option(
        name="SCTP_PEER_ADDR_PARAMS",
        number=SCTP_PEER_ADDR_PARAMS,
        structure=sctp_paddrparams,
        scope=Scope.ONE_OR_FUTURE,
        address="spp_address",
        read=_read_parameters,
        write=_set_parameters,
    ),
    Option(
        name="SCTP_REMOTE_UDP_ENCAPS_PORT",
        number=SCTP_REMOTE_UDP_ENCAPS_PORT,
        structure=sctp_udpencaps,
        scope=Scope.ONE_OR_FUTURE,
        address="sue_address",
        takes_strangers=True,
        read=_read_udp_port,
        write=_set_udp_port,
    ),
)

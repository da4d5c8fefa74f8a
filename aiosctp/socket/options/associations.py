"""Parameters of associations, those to come included (RFC 6458 §8.1.1 to §8.1.3, §8.1.5, §8.1.8, §8.1.10, §8.1.11,
§8.1.16, §8.1.19, §8.1.21, §8.1.24), the extensions they offer, and their counters."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Final

from aiosctp.config import MAX_SACK_DELAY_S
from aiosctp.socket.constants import (
    SCTP_ADAPTATION_LAYER,
    SCTP_ASSOCINFO,
    SCTP_AUTOCLOSE,
    SCTP_DELAYED_SACK,
    SCTP_DISABLE_FRAGMENTS,
    SCTP_FRAG_LEVEL_2,
    SCTP_GET_ASSOC_STATS,
    SCTP_INITMSG,
    SCTP_INTERLEAVING_SUPPORTED,
    SCTP_MAX_BURST,
    SCTP_MAXSEG,
    SCTP_NODELAY,
    SCTP_NRSACK_SUPPORTED,
    SCTP_PARTIAL_DELIVERY_POINT,
    SCTP_PR_SUPPORTED,
    SCTP_RECONFIG_SUPPORTED,
    SCTP_RTOINFO,
    SOCK_SEQPACKET,
)
from aiosctp.socket.errors import error
from aiosctp.socket.options.table import Option, Scope, number, switch, value
from aiosctp.socket.options.target import Commit, Target
from aiosctp.socket.options.units import check_ranges, given, milliseconds, seconds
from aiosctp.socket.structures import (
    sctp_assoc_stats,
    sctp_assocparams,
    sctp_initmsg,
    sctp_rtoinfo,
    sctp_sack_info,
    sctp_setadaptation,
)

# No burst has more packets: it stands for none that is bounded.
_UNBOUNDED_BURST: Final = 65535


# -- the RTO, retransmissions, the cookie (§8.1.1, §8.1.2) --


def _read_rtoinfo(target: Target, _: object) -> sctp_rtoinfo:
    config = target.config
    return sctp_rtoinfo(
        srto_initial=milliseconds(config.rto_initial_s),
        srto_max=milliseconds(config.rto_max_s),
        srto_min=milliseconds(config.rto_min_s),
    )


def _set_rtoinfo(target: Target, info: sctp_rtoinfo) -> Commit:
    changes = given(
        rto_initial_s=seconds(info.srto_initial),
        rto_max_s=seconds(info.srto_max),
        rto_min_s=seconds(info.srto_min),
    )
    check_ranges(changes)
    there = _read_rtoinfo(target, info)
    low, initial, high = (
        info.srto_min or there.srto_min,
        info.srto_initial or there.srto_initial,
        info.srto_max or there.srto_max,
    )
    if not low <= initial <= high:
        raise error(errno.EINVAL, f"srto_initial, {initial}, must lie between srto_min, {low}, and srto_max, {high}")
    return target.change(**changes)


def _read_associnfo(target: Target, _: object) -> sctp_assocparams:
    config = target.config
    info = sctp_assocparams(
        sasoc_asocmaxrxt=config.association_max_retrans,
        sasoc_local_rwnd=config.receive_window_bytes,
        sasoc_cookie_life=milliseconds(config.valid_cookie_life_s),
    )
    if target.member is not None:
        engine = target.association.engine
        info.sasoc_number_peer_destinations = len(engine.paths)
        info.sasoc_peer_rwnd = engine.sender.peer_rwnd_bytes
        info.sasoc_local_rwnd = engine.receiver.advertised_bytes
    return info


def _set_associnfo(target: Target, info: sctp_assocparams) -> Commit:
    config = target.config
    if target.member is not None and info.sasoc_asocmaxrxt > config.association_max_retrans:
        # RFC 9260 §8.2: "Otherwise, all of the destination addresses may become inactive while the endpoint still
        # considers the peer endpoint reachable."
        bound = sum(path.path_max_retrans for path in target.association.engine.paths)
        if info.sasoc_asocmaxrxt > bound:
            raise error(errno.EINVAL, f"sasoc_asocmaxrxt must not be above {bound}, the sum of those of the paths")
    changes = given(association_max_retrans=info.sasoc_asocmaxrxt, valid_cookie_life_s=seconds(info.sasoc_cookie_life))
    if changes.get("valid_cookie_life_s", 0) > config.max_cookie_life_s:
        changes["max_cookie_life_s"] = changes["valid_cookie_life_s"]
    return target.change(**changes)


# -- the handshake (§8.1.3, §8.1.10) --


def _read_initmsg(target: Target, _: object) -> sctp_initmsg:
    config = target.config
    ceiling_s = config.rto_max_s if config.init_rto_max_s is None else config.init_rto_max_s
    return sctp_initmsg(
        sinit_num_ostreams=config.outbound_streams,
        sinit_max_instreams=config.max_inbound_streams,
        sinit_max_attempts=config.max_init_retransmits,
        sinit_max_init_timeo=min(milliseconds(ceiling_s), 65535),
    )


def _set_initmsg(target: Target, message: sctp_initmsg) -> Commit:
    return target.change(
        **given(
            outbound_streams=message.sinit_num_ostreams,
            max_inbound_streams=message.sinit_max_instreams,
            max_init_retransmits=message.sinit_max_attempts,
            init_rto_max_s=seconds(message.sinit_max_init_timeo),
        )
    )


# -- acknowledging and sending (§8.1.16, §8.1.19, §8.1.24) --


def _read_sack_info(target: Target, _: object) -> sctp_sack_info:
    config = target.config
    return sctp_sack_info(sack_delay=milliseconds(config.sack_delay_s), sack_freq=config.sack_frequency)


def _set_sack_info(target: Target, info: sctp_sack_info) -> Commit:
    if seconds(info.sack_delay) > MAX_SACK_DELAY_S:
        raise error(errno.EINVAL, f"sack_delay must not be above {milliseconds(MAX_SACK_DELAY_S)}: {info.sack_delay}")
    return target.change(**given(sack_delay_s=seconds(info.sack_delay), sack_frequency=info.sack_freq))


def _read_max_burst(target: Target) -> int:
    burst = target.config.max_burst
    return 0 if burst == _UNBOUNDED_BURST else burst


def _set_partial_delivery_point(target: Target, size: int) -> Commit:
    """§8.1.21: "the call will fail if the user attempts to set this value larger than the socket receive buffer"."""
    if size > target.config.receive_window_bytes:
        raise error(errno.EINVAL, f"the partial delivery point must not be above SO_RCVBUF: {size}")
    return target.change(partial_delivery_point_bytes=size)


def _set_autoclose(target: Target, idle_s: int) -> Commit:
    return target.change(autoclose_s=idle_s or None)


# -- extensions: of an association it is told whether both sides speak them, of those to come whether we offer to --


def _check_nothing(target: Target) -> None:
    pass


def _check_level(target: Target) -> None:
    """RFC 8260 §4.3.1: "Setting the interleaving level to at least 2 before ... should work on all platforms"."""
    if target.socket.fragment_interleave != SCTP_FRAG_LEVEL_2:
        raise error(errno.EINVAL, "SCTP_INTERLEAVING_SUPPORTED takes level 2 of SCTP_FRAGMENT_INTERLEAVE")


def _extension(
    name: str, number: int, parameter: str, negotiated: str, check: Callable[[Target], None] = _check_nothing
) -> Option:
    """check: raises OSError where the socket may not offer it."""

    def read(target: Target) -> int:
        if target.member is None:
            return int(getattr(target.config, parameter))
        return int(negotiated in target.association.negotiated)

    def write(target: Target, on: int) -> Commit:
        if target.member is not None:
            raise error(errno.EINVAL, f"{name} is settled when an association begins")
        if on:
            check(target)
        return target.change(**{parameter: bool(on)})

    return value(name, number, Scope.ONE_OR_FUTURE, read, write)


# -- counters --


def _read_statistics(target: Target, _: object) -> sctp_assoc_stats:
    """Packets are counted by stack, and not by association: Linux's two counters of them stay 0."""
    engine = target.association.engine
    slowest = max(engine.paths, key=lambda path: path.rto.max_seen_s)
    counters = engine.take_counters()
    return sctp_assoc_stats(
        sas_obs_rto_ipaddr=(target.socket.shown(slowest.address), engine.peer_port),
        sas_maxrto=milliseconds(counters.maxrto),
        sas_isacks=counters.isacks,
        sas_osacks=counters.osacks,
        sas_rtxchunks=counters.rtxchunks,
        sas_outseqtsns=counters.outseqtsns,
        sas_idupchunks=counters.idupchunks,
        sas_gapcnt=counters.gapcnt,
        sas_ouodchunks=counters.ouodchunks,
        sas_iuodchunks=counters.iuodchunks,
        sas_oodchunks=counters.oodchunks,
        sas_iodchunks=counters.iodchunks,
        sas_octrlchunks=counters.octrlchunks,
        sas_ictrlchunks=counters.ictrlchunks,
    )


OPTIONS: Final = (
    Option(
        name="SCTP_RTOINFO",
        number=SCTP_RTOINFO,
        structure=sctp_rtoinfo,
        scope=Scope.ONE_OR_FUTURE,
        read=_read_rtoinfo,
        write=_set_rtoinfo,
    ),
    Option(
        name="SCTP_ASSOCINFO",
        number=SCTP_ASSOCINFO,
        structure=sctp_assocparams,
        scope=Scope.ONE_OR_FUTURE,
        read=_read_associnfo,
        write=_set_associnfo,
    ),
    Option(name="SCTP_INITMSG", number=SCTP_INITMSG, structure=sctp_initmsg, read=_read_initmsg, write=_set_initmsg),
    Option(
        name="SCTP_ADAPTATION_LAYER",
        number=SCTP_ADAPTATION_LAYER,
        structure=sctp_setadaptation,
        read=lambda target, _: sctp_setadaptation(target.config.adaptation_layer or 0),
        write=lambda target, given: target.change(adaptation_layer=given.ssb_adaptation_ind),
    ),
    switch(
        "SCTP_NODELAY",
        SCTP_NODELAY,
        lambda target: target.config.nodelay,
        lambda target, on: target.change(nodelay=on),
        scope=Scope.EVERYONE,
    ),
    switch(
        "SCTP_DISABLE_FRAGMENTS",
        SCTP_DISABLE_FRAGMENTS,
        lambda target: not target.config.fragmentation,
        lambda target, on: target.change(fragmentation=not on),
        scope=Scope.EVERYONE,
    ),
    number(
        "SCTP_AUTOCLOSE",
        SCTP_AUTOCLOSE,
        lambda target: round(target.config.autoclose_s or 0),
        _set_autoclose,
        scope=Scope.EVERYONE,
        socket_type=SOCK_SEQPACKET,
    ),
    number(
        "SCTP_PARTIAL_DELIVERY_POINT",
        SCTP_PARTIAL_DELIVERY_POINT,
        lambda target: target.config.effective_partial_delivery_point_bytes,
        _set_partial_delivery_point,
        scope=Scope.EVERYONE,
    ),
    value(
        "SCTP_MAXSEG",
        SCTP_MAXSEG,
        Scope.ONE_OR_FUTURE,
        lambda target: target.config.max_segment_bytes or 0,
        # §8.1.16: 0 "indicates that the user is not limiting fragmentation".
        lambda target, size: target.change(max_segment_bytes=size or None),
    ),
    value(
        "SCTP_MAX_BURST",
        SCTP_MAX_BURST,
        Scope.ANY,
        _read_max_burst,
        # §8.1.24: "Setting the value to 0 disables burst mitigation."
        lambda target, packets: target.change(max_burst=packets or _UNBOUNDED_BURST),
    ),
    Option(
        name="SCTP_DELAYED_SACK",
        number=SCTP_DELAYED_SACK,
        structure=sctp_sack_info,
        scope=Scope.ANY,
        read=_read_sack_info,
        write=_set_sack_info,
    ),
    _extension("SCTP_PR_SUPPORTED", SCTP_PR_SUPPORTED, "partial_reliability", "pr"),
    _extension("SCTP_RECONFIG_SUPPORTED", SCTP_RECONFIG_SUPPORTED, "reconfig", "reconfig"),
    _extension("SCTP_NRSACK_SUPPORTED", SCTP_NRSACK_SUPPORTED, "nrsack", "nrsack"),
    _extension("SCTP_INTERLEAVING_SUPPORTED", SCTP_INTERLEAVING_SUPPORTED, "interleaving", "idata", _check_level),
    Option(
        name="SCTP_GET_ASSOC_STATS",
        number=SCTP_GET_ASSOC_STATS,
        structure=sctp_assoc_stats,
        scope=Scope.ONE,
        read=_read_statistics,
    ),
)

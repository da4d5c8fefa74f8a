"""What messages have whose sending does not say it, and SCTP_CONTEXT (RFC 6458 §8.1.13, §8.1.25, §8.1.31, §8.1.32)."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Final

from aiosctp.policies import MAX_RETRANSMITS
from aiosctp.socket.constants import (
    SCTP_CONTEXT,
    SCTP_DEFAULT_PRINFO,
    SCTP_DEFAULT_SEND_PARAM,
    SCTP_DEFAULT_SNDINFO,
    SCTP_EOF,
    SCTP_PR_SCTP_NONE,
    SCTP_PR_SCTP_PRIO,
    SCTP_PR_SCTP_RTX,
    SCTP_PR_SCTP_TTL,
    SCTP_SENDALL,
    SCTP_UNORDERED,
)
from aiosctp.socket.errors import error
from aiosctp.socket.options.table import Option, Scope, value
from aiosctp.socket.options.target import Commit, Target
from aiosctp.socket.structures import sctp_default_prinfo, sctp_prinfo, sctp_sndinfo, sctp_sndrcvinfo

_FLAGS: Final = SCTP_UNORDERED | SCTP_EOF | SCTP_SENDALL
_POLICY: Final = 0x000F
"""The bits of the flags that name a policy (RFC 7496 §4.2)."""
_POLICIES: Final = frozenset({SCTP_PR_SCTP_NONE, SCTP_PR_SCTP_TTL, SCTP_PR_SCTP_RTX, SCTP_PR_SCTP_PRIO})


def _set_sndinfo(target: Target, info: sctp_sndinfo) -> Commit:
    _check_flags("snd_flags", info.snd_flags)
    kept = replace(info, snd_assoc_id=0)

    def commit() -> None:
        target.settings.sndinfo = kept

    return commit


def _check_flags(name: str, flags: int) -> None:
    """§8.1.31: "a bitwise OR of SCTP_UNORDERED, SCTP_EOF, and SCTP_SENDALL"."""
    if flags & ~_FLAGS:
        raise error(errno.EINVAL, f"{name} takes SCTP_UNORDERED, SCTP_EOF and SCTP_SENDALL, not {flags:#x}")


def _read_prinfo(target: Target, _: object) -> sctp_default_prinfo:
    prinfo = target.settings.prinfo
    return sctp_default_prinfo(pr_policy=prinfo.pr_policy, pr_value=prinfo.pr_value)


def _set_prinfo(target: Target, info: sctp_default_prinfo) -> Commit:
    kept = _checked_prinfo(info.pr_policy, info.pr_value)

    def commit() -> None:
        target.settings.prinfo = kept

    return commit


def _checked_prinfo(policy: int, number: int) -> sctp_prinfo:
    if policy not in _POLICIES:
        raise error(errno.EINVAL, f"pr_policy is unknown: {policy}")
    if policy == SCTP_PR_SCTP_RTX and number > MAX_RETRANSMITS:
        raise error(errno.EINVAL, f"pr_value must be {MAX_RETRANSMITS} at most with SCTP_PR_SCTP_RTX, not {number}")
    return sctp_prinfo(policy, 0 if policy == SCTP_PR_SCTP_NONE else number)


def _read_send_param(target: Target, _: object) -> sctp_sndrcvinfo:
    sndinfo, prinfo = target.settings.sndinfo, target.settings.prinfo
    return sctp_sndrcvinfo(
        sinfo_stream=sndinfo.snd_sid,
        sinfo_flags=sndinfo.snd_flags | prinfo.pr_policy,
        sinfo_ppid=sndinfo.snd_ppid,
        sinfo_context=sndinfo.snd_context,
        sinfo_timetolive=prinfo.pr_value,
    )


def _set_send_param(target: Target, info: sctp_sndrcvinfo) -> Commit:
    """§5.3.2: sinfo_timetolive is the value of the policy in the flags; without one, a lifetime, and 0 is for ever."""
    flags = info.sinfo_flags & ~_POLICY
    policy = info.sinfo_flags & _POLICY or (SCTP_PR_SCTP_TTL if info.sinfo_timetolive else SCTP_PR_SCTP_NONE)
    _check_flags("sinfo_flags", flags)
    sndinfo = sctp_sndinfo(info.sinfo_stream, flags, info.sinfo_ppid, info.sinfo_context)
    prinfo = _checked_prinfo(policy, info.sinfo_timetolive)

    def commit() -> None:
        target.settings.sndinfo, target.settings.prinfo = sndinfo, prinfo

    return commit


def _set_context(target: Target, context: int) -> Commit:
    def commit() -> None:
        target.settings.context = context

    return commit


OPTIONS: Final = (
    Option(
        name="SCTP_DEFAULT_SEND_PARAM",
        number=SCTP_DEFAULT_SEND_PARAM,
        structure=sctp_sndrcvinfo,
        scope=Scope.ANY,
        read=_read_send_param,
        write=_set_send_param,
    ),
    Option(
        name="SCTP_DEFAULT_SNDINFO",
        number=SCTP_DEFAULT_SNDINFO,
        structure=sctp_sndinfo,
        scope=Scope.ANY,
        read=lambda target, _: replace(target.settings.sndinfo),
        write=_set_sndinfo,
    ),
    Option(
        name="SCTP_DEFAULT_PRINFO",
        number=SCTP_DEFAULT_PRINFO,
        structure=sctp_default_prinfo,
        scope=Scope.ANY,
        read=_read_prinfo,
        write=_set_prinfo,
    ),
    value(
        "SCTP_CONTEXT",
        SCTP_CONTEXT,
        Scope.ANY,
        lambda target: target.settings.context,
        _set_context,
    ),
)

"""How long a message is worth sending (RFC 6458 §5.3.7, RFC 7496 §4.2), in the structures of the API and in ours."""

from __future__ import annotations

import errno
import math
from typing import TypeAlias

from aiosctp.policies import MAX_RETRANSMITS
from aiosctp.socket import constants
from aiosctp.socket.errors import error
from aiosctp.socket.structures import sctp_prinfo, sctp_sndinfo, sctp_sndrcvinfo

Policy: TypeAlias = dict[str, float | int]
"""The argument of `Association.send` that says it."""

RELIABLE: Policy = {"lifetime": math.inf}
"""Whatever the default is."""


def of_prinfo(prinfo: sctp_prinfo) -> Policy:
    """Raises OSError (EINVAL)."""
    match prinfo.pr_policy:
        case constants.SCTP_PR_SCTP_NONE:
            return RELIABLE
        case constants.SCTP_PR_SCTP_TTL:
            # §5.3.2: "the value of 0 is special in that it indicates no timeout should occur".
            return {"lifetime": prinfo.pr_value / 1000} if prinfo.pr_value else RELIABLE
        case constants.SCTP_PR_SCTP_RTX:
            if prinfo.pr_value > MAX_RETRANSMITS:
                raise error(errno.EINVAL, f"pr_value must be {MAX_RETRANSMITS} retransmissions at most")
            return {"max_retransmits": prinfo.pr_value}
        case constants.SCTP_PR_SCTP_PRIO:
            return {"buffer_priority": prinfo.pr_value}
    raise error(errno.EINVAL, f"pr_policy is unknown: {prinfo.pr_policy}")


def of_default(prinfo: sctp_prinfo) -> Policy:
    """That of SCTP_DEFAULT_PRINFO. Without one it is the config's."""
    return {} if prinfo.pr_policy == constants.SCTP_PR_SCTP_NONE else of_prinfo(prinfo)


def of_sndrcvinfo(sinfo: sctp_sndrcvinfo) -> tuple[sctp_sndinfo, Policy]:
    """The old structure in the new ones. Its lifetime has the place of any policy's value, and without a policy in its
    flags is one; 0 "will override any default value", too (§5.3.2)."""
    policy = sinfo.sinfo_flags & constants.SCTP_PR_SCTP_ALL
    if not policy and sinfo.sinfo_timetolive:
        policy = constants.SCTP_PR_SCTP_TTL
    info = sctp_sndinfo(
        snd_sid=sinfo.sinfo_stream,
        snd_flags=sinfo.sinfo_flags & ~constants.SCTP_PR_SCTP_ALL,
        snd_ppid=sinfo.sinfo_ppid,
        snd_context=sinfo.sinfo_context,
        snd_assoc_id=sinfo.sinfo_assoc_id,
    )
    return info, of_prinfo(sctp_prinfo(policy, sinfo.sinfo_timetolive))

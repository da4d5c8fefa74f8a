"""What this SCTP can do, in the names that a C program asks its headers for."""

from __future__ import annotations

from enum import StrEnum


class Feature(StrEnum):
    """The preprocessor constants of draft-ietf-tsvwg-sctpsocket-10 §9; a member equals its name."""

    HAVE_SCTP = "HAVE_SCTP"
    """There is an SCTP."""
    HAVE_KERNEL_SCTP = "HAVE_KERNEL_SCTP"
    """It is the operating system's own: this one runs in the program."""
    HAVE_SCTP_PRSCTP = "HAVE_SCTP_PRSCTP"
    """Partial reliability (RFC 3758)."""
    HAVE_SCTP_ADDIP = "HAVE_SCTP_ADDIP"
    """Addresses that come and go while an association lives (RFC 5061)."""
    HAVE_SCTP_CANSET_PRIMARY = "HAVE_SCTP_CANSET_PRIMARY"
    """The peer can be asked to use another of our addresses as its primary one (RFC 5061)."""
    HAVE_SCTP_SAT_NETWORK_CAPABILITY = "HAVE_SCTP_SAT_NETWORK_CAPABILITY"
    """Reports of packets that were dropped as corrupt, as a satellite's router sends them."""
    HAVE_SCTP_MULTIBUF = "HAVE_SCTP_MULTIBUF"
    """Each association has send and receive buffers of its own."""
    HAVE_SCTP_NOCONNECT = "HAVE_SCTP_NOCONNECT"
    """A one-to-one socket may open its association by sending, without `connect`."""


_FEATURES = frozenset(
    {Feature.HAVE_SCTP, Feature.HAVE_SCTP_PRSCTP, Feature.HAVE_SCTP_MULTIBUF, Feature.HAVE_SCTP_NOCONNECT}
)


def features() -> frozenset[Feature]:
    """What this SCTP can do; what is not in it, it can't. As with `#ifdef`, a name is asked for:

        if aiosctp.Feature.HAVE_SCTP_PRSCTP in aiosctp.features(): ...

    The bare string does as well. What a peer speaks besides is `Association.negotiated`.
    """
    return _FEATURES

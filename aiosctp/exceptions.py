"""What goes wrong, as exceptions that fit where asyncio programs already look: below OSError.

A caller's mistake is a ValueError or TypeError that names the argument; everything here is about the association.
"""

from __future__ import annotations

import errno
import os
from typing import NamedTuple


class Cause(NamedTuple):
    """One error cause of an ABORT or ERROR chunk (RFC 9260 §3.3.10)."""

    code: int
    data: bytes


class SCTPError(OSError):
    """The base of every exception of this package."""

    default_errno: int = errno.EIO

    def __init__(self, message: str | None = None) -> None:
        super().__init__(self.default_errno, message or os.strerror(self.default_errno))

    def __reduce__(self) -> tuple[object, ...]:
        # What a subclass or the user added, such as notes, travels as the instance's dict.
        return type(self), (self.strerror,), self.__dict__


class AssociationRefused(SCTPError, ConnectionRefusedError):
    """The peer answered INIT with ABORT, or nobody serves its UDP port. `causes` are those of the ABORT chunk."""

    default_errno: int = errno.ECONNREFUSED

    def __init__(self, message: str | None = None, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(message)
        self.causes = causes


class ConnectTimeout(SCTPError, TimeoutError):
    """No answer within the timeout, or within Max.Init.Retransmits (§5.1.6)."""

    default_errno: int = errno.ETIMEDOUT


class AssociationLost(SCTPError, ConnectionError):
    """The peer became unreachable: Association.Max.Retrans was exceeded (§8.1)."""

    default_errno: int = errno.ETIMEDOUT


class AssociationAborted(SCTPError, ConnectionResetError):
    """One side sent ABORT (§9.1). `causes` are those of the chunk, `local` tells whose it was."""

    default_errno: int = errno.ECONNRESET

    def __init__(self, message: str | None = None, causes: tuple[Cause, ...] = (), *, local: bool = False) -> None:
        super().__init__(message)
        self.causes = causes
        self.local = local


class AssociationShutdown(SCTPError, BrokenPipeError):
    """The association is shutting down or has ended gracefully (§9.2)."""

    default_errno: int = errno.ESHUTDOWN


class InvalidStream(SCTPError, ValueError):
    """The stream identifier is outside what was negotiated (§5.1.1)."""

    default_errno: int = errno.EINVAL


class MessageTooLarge(SCTPError):
    """The message exceeds `Config.max_message_bytes`, or one DATA chunk while `Config.fragmentation` is off."""

    default_errno: int = errno.EMSGSIZE


class RecordLost(SCTPError, ConnectionResetError):
    """The peer has restarted amid a message that was given to `send` part by part: it will not get what was sent of it,
    and so no more of it is taken. What is given to the stream next is another message."""

    default_errno: int = errno.ECONNRESET


class StreamEnded(SCTPError, EOFError):
    """The peer has reset the stream (RFC 6525): what comes next on it has nothing to do with what came before."""

    default_errno: int = errno.ENODATA


class NotSupported(SCTPError):
    """The peer did not negotiate what this call needs."""

    default_errno: int = errno.EOPNOTSUPP


class RequestDenied(SCTPError):
    """The peer refused the request."""

    default_errno: int = errno.EPERM

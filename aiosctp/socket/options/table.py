"""What an option is (RFC 6458 §8). What there is to say of one stands in its record; nothing else branches by it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum, auto
from typing import Any

from aiosctp.socket.constants import IPPROTO_SCTP, SOCK_SEQPACKET
from aiosctp.socket.errors import error
from aiosctp.socket.options.target import Commit, Target
from aiosctp.socket.structures import sctp_assoc_value


class Scope(Enum):
    """Whom an option may name, and so what it is read of and set for."""

    SOCKET = auto()
    """The socket as a whole: no association is named."""
    EVERYONE = auto()
    """None is named: it is set for the associations that live and for those to come."""
    ONE = auto()
    """An association."""
    ONE_OR_FUTURE = auto()
    """Or SCTP_FUTURE_ASSOC."""
    ANY = auto()
    """Or, to set it, SCTP_CURRENT_ASSOC or SCTP_ALL_ASSOC."""


Read = Callable[[Target, Any], Any]
"""Of a target, given the structure that was asked with: the value. Id and address are filled in afterwards."""
Write = Callable[[Target, Any], Commit]
"""For a target, a value whose types are right: what sets it. Raises OSError for a value that can't be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. Without `read` it can only be set, without `write` only read."""

    name: str
    number: int
    structure: type = int
    """`int`, or the dataclass of the RFC."""
    scope: Scope = Scope.SOCKET
    read: Read | None = None
    write: Write | None = None
    level: int = IPPROTO_SCTP
    address: str = ""
    """The field that names an address of the peer."""
    finds_by_address: bool = True
    """Whether that alone may name the association, too, with SCTP_FUTURE_ASSOC as the id."""
    takes_strangers: bool = False
    """Whether that may be the address of a peer to come."""
    socket_type: int | None = None
    """The one type of sockets that has it."""
    reason: str = ""
    """Why it is not built, if it is not."""

    def __post_init__(self) -> None:
        assert self.reason or self.read or self.write, self.name

    @property
    def association(self) -> str:
        """The field that names the association, if one does."""
        if self.scope in (Scope.SOCKET, Scope.EVERYONE) or self.structure is int:
            return ""
        return next(field.name for field in fields(self.structure) if field.name.endswith("assoc_id"))

    def check_style(self, socket_type: int) -> None:
        if self.socket_type not in (None, socket_type):
            style = "one-to-many" if socket_type == SOCK_SEQPACKET else "one-to-one"
            raise error(errno.EOPNOTSUPP, f"{self.name} means nothing to a {style} socket")


# -- options of one value --


def number(
    name: str, number: int, read: Callable[[Target], int], write: Callable[[Target, int], Commit], **rest: Any
) -> Option:
    """An option that is an int."""
    return Option(name=name, number=number, read=lambda target, _: read(target), write=write, **rest)


def switch(
    name: str, number: int, read: Callable[[Target], bool], write: Callable[[Target, bool], Commit], **rest: Any
) -> Option:
    """An int of which only matters whether it is 0."""
    return Option(
        name=name,
        number=number,
        read=lambda target, _: int(read(target)),
        write=lambda target, value: write(target, bool(value)),
        **rest,
    )


def value(
    name: str,
    number: int,
    scope: Scope,
    read: Callable[[Target], int],
    write: Callable[[Target, int], Commit],
    **rest: Any,
) -> Option:
    """An option of an association that is one number: `sctp_assoc_value`."""
    return Option(
        name=name,
        number=number,
        structure=sctp_assoc_value,
        scope=scope,
        read=lambda target, _: sctp_assoc_value(assoc_value=int(read(target))),
        write=lambda target, given: write(target, given.assoc_value),
        **rest,
    )

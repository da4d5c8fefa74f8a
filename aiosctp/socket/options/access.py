"""Options are read and set here, whatever they are: types, whom they name, and all or nothing (RFC 6458 §7.2, §8)."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiosctp.socket import constants
from aiosctp.socket.addresses import canonical, is_wildcard
from aiosctp.socket.constants import (
    IPPROTO_SCTP,
    SCTP_ALL_ASSOC,
    SCTP_CURRENT_ASSOC,
    SCTP_FUTURE_ASSOC,
    SOL_SOCKET,
)
from aiosctp.socket.errors import as_socket_errors, error
from aiosctp.socket.options.checking import checked
from aiosctp.socket.options.table import Option, Scope
from aiosctp.socket.options.target import Target
from aiosctp.socket.structures import sockaddr

if TYPE_CHECKING:
    from aiosctp.socket.socket_association import SocketAssociation
    from aiosctp.socket.socket_state import SocketState

Table = Mapping[tuple[int, int], Option]


def set_option(table: Table, sock: SocketState, level: int, number: int, value: object) -> None:
    """For all whom it names, or, raising OSError, for none."""
    option = _built(table, level, number)
    if option.write is None:
        raise error(errno.ENOPROTOOPT, f"{option.name} can only be read")
    option.check_style(sock.type)
    given = checked(option.name, option.structure, value)
    with as_socket_errors:
        commits = [option.write(target, given) for target in _to_set(option, sock, given)]
        for commit in commits:
            commit()


def get_option(table: Table, sock: SocketState, level: int, number: int, value: object) -> Any:
    """value: names an association or address; None names the endpoint, or the one association there is."""
    option = _readable(table, sock, level, number)
    asked = _asked(option, value)
    return _read(option, _to_read(option, sock, asked), asked)


def opt_info(table: Table, sock: SocketState, assoc_id: object, number: int, value: object) -> Any:
    """§8: "any association identifier in the structure provided as arg is ignored, and id takes precedence"."""
    option = _readable(table, sock, IPPROTO_SCTP, number)
    asked = _asked(option, value)
    association_id = checked("assoc_id", int, assoc_id)
    if option.association:
        asked = replace(asked, **{option.association: association_id})
        target = _to_read(option, sock, asked)
    else:
        named = _named(option, sock, association_id)
        target = Target(sock, None if option.scope is Scope.SOCKET else named)
    return _read(option, target, asked)


def _built(table: Table, level: int, number: int) -> Option:
    checked("level", int, level)
    checked("option", int, number)
    option = table.get((level, number))
    if option is None:
        raise error(errno.ENOPROTOOPT, f"there is no option {_called(level, number)} at level {level}")
    if option.reason:
        raise error(errno.EOPNOTSUPP, f"{option.name}: {option.reason}")
    return option


def _called(level: int, number: int) -> str:
    """C's name of an option of SOL_SOCKET whose constant is there and which itself is not."""
    names = [name for name, value in vars(constants).items() if name.startswith("SO_") and value == number]
    return f"{names[0]} ({number})" if names and level == SOL_SOCKET else str(number)


def _readable(table: Table, sock: SocketState, level: int, number: int) -> Option:
    option = _built(table, level, number)
    if option.read is None:
        raise error(errno.ENOPROTOOPT, f"{option.name} can only be set")
    option.check_style(sock.type)
    return option


def _asked(option: Option, value: object) -> Any:
    """What the structure names. An option that is an int names nothing, whatever stands there."""
    return checked(option.name, option.structure, option.structure() if value is None else value)


def _read(option: Option, target: Target, asked: Any) -> Any:
    assert option.read is not None
    with as_socket_errors:
        value = option.read(target, asked)
    if option.association:
        value = replace(value, **{option.association: target.association_id})
    if option.address and getattr(value, option.address) is None:
        value = replace(value, **{option.address: getattr(asked, option.address)})
    return value


# -- whom a value names --


def _to_read(option: Option, sock: SocketState, asked: Any) -> Target:
    if option.scope is Scope.SOCKET:
        return Target(sock)
    if option.scope is Scope.EVERYONE:
        return Target(sock, _only(sock))
    return _one_target(option, sock, asked)


def _to_set(option: Option, sock: SocketState, given: Any) -> list[Target]:
    if option.scope is Scope.SOCKET:
        return [Target(sock)]
    if option.scope is Scope.EVERYONE:
        return [Target(sock), *_living(sock)]
    if option.scope is Scope.ANY and sock.is_one_to_many:
        association_id = getattr(given, option.association)
        if association_id == SCTP_CURRENT_ASSOC:
            return _living(sock)
        if association_id == SCTP_ALL_ASSOC:
            return [Target(sock), *_living(sock)]
    return [_one_target(option, sock, given)]


def _living(sock: SocketState) -> list[Target]:
    return [Target(sock, member) for member in sock.associations.values()]


def _one_target(option: Option, sock: SocketState, value: Any) -> Target:
    """§8: an address names the association that has it, else the id does, else it is for those to come."""
    association_id = getattr(value, option.association) if option.association else value
    host, port = _host_and_port(getattr(value, option.address)) if option.address else (None, 0)
    finds = sock.is_one_to_many and option.finds_by_address and association_id == SCTP_FUTURE_ASSOC
    member = _at(sock, host, port) if finds and host is not None else _named(option, sock, association_id)
    if member is None and option.scope is Scope.ONE:
        raise error(errno.EINVAL, f"{option.name} needs an association")
    if host is not None and not (option.takes_strangers if member is None else _has(member, host, port)):
        raise error(errno.EINVAL, f"{option.address} is not an address of the peer: {host}")
    return Target(sock, member, host)


def _named(option: Option, sock: SocketState, association_id: int) -> SocketAssociation | None:
    """None is SCTP_FUTURE_ASSOC. §8: a one-to-one socket ignores the id."""
    if not sock.is_one_to_many:
        return _only(sock)
    if association_id == SCTP_FUTURE_ASSOC:
        return None
    if association_id in (SCTP_CURRENT_ASSOC, SCTP_ALL_ASSOC):
        raise error(errno.EINVAL, f"{option.name} does not take SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC here")
    return sock.association_of(association_id)


def _only(sock: SocketState) -> SocketAssociation | None:
    """The association of a one-to-one socket, if it lives."""
    if sock.is_one_to_many:
        return None
    return next(iter(sock.associations.values()), None)


def _host_and_port(address: sockaddr) -> tuple[str | None, int]:
    """None is the wildcard, and port 0 any."""
    host, port = address if isinstance(address, tuple) else (address, 0)
    if not host:
        return None, port
    host = canonical(host)
    return (None if is_wildcard(host) else host), port


def _at(sock: SocketState, host: str, port: int) -> SocketAssociation | None:
    if port:
        return sock.association_at(host, port)
    found = [member for member in sock.associations.values() if _has(member, host, 0)]
    if len(found) > 1:
        raise error(errno.EINVAL, f"several associations have the peer address {host}: name the port or the id")
    return found[0] if found else None


def _has(member: SocketAssociation, host: str, port: int) -> bool:
    engine = member.association.engine
    return port in (0, engine.peer_port) and host in engine.paths

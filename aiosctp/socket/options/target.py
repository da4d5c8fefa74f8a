"""Whom an option is read of or set for (RFC 6458 §7.2, §8)."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiosctp.association import Association
from aiosctp.config import Config
from aiosctp.core.paths import Path as EnginePath
from aiosctp.core.paths import fixed_mtu
from aiosctp.parameters import CONFIGURABLE
from aiosctp.path import Path
from aiosctp.socket.errors import as_socket_errors, error
from aiosctp.socket.options.units import check_ranges
from aiosctp.socket.settings import Settings

if TYPE_CHECKING:
    from aiosctp.socket.socket_association import SocketAssociation
    from aiosctp.socket.socket_state import SocketState

Commit = Callable[[], None]
"""Does what was checked before. It does not fail: so nothing changes when one of several can't be changed."""


def nothing() -> None:
    """To be done: no value is other than it was."""


class Target:
    """An association of a socket, or, without one, what its associations to come begin with (SCTP_FUTURE_ASSOC); of
    either one address of the peer, or, without that, all."""

    __slots__ = ("host", "member", "socket")

    def __init__(self, socket: SocketState, member: SocketAssociation | None = None, host: str | None = None) -> None:
        self.socket: SocketState = socket
        self.member: SocketAssociation | None = member
        self.host: str | None = host

    @property
    def association(self) -> Association:
        assert self.member is not None
        return self.member.association

    @property
    def association_id(self) -> int:
        return 0 if self.member is None else self.member.association_id

    @property
    def settings(self) -> Settings:
        return self.socket.settings if self.member is None else self.member.settings

    @property
    def config(self) -> Config:
        return self.settings.config if self.member is None else self.association.engine.config

    @property
    def path(self) -> Path:
        """The address's, which is one of the peer's."""
        for path in self.association.paths:
            if path.address[0] == self.host:
                return path
        raise error(errno.EINVAL, f"{self.host} is not an address of the peer")

    @property
    def engine_path(self) -> EnginePath:
        path = self.association.engine.paths.get(self.host or "")
        assert path is not None
        return path

    def change(self, **changes: Any) -> Commit:
        """What changes parameters of `Config`. Raises OSError (EINVAL) for a value that it does not take, and for what
        can't change in the life of an association."""
        before = self.config
        changed = {name: value for name, value in changes.items() if getattr(before, name) != value}
        if not changed:
            return nothing
        check_ranges(changed)
        with as_socket_errors:
            config = before.replace(**changed)
        if self.member is None:
            return lambda: self.socket.configure(config)
        for name in changed:
            if name not in CONFIGURABLE:
                raise error(errno.EINVAL, f"{name} of an association is settled when it begins")
        return lambda: self.association.configure(**changed)

    def change_paths(self, changes: dict[str, Any]) -> Commit:
        """The same of the path to the address alone, or, without one, of all that there are."""
        with as_socket_errors:
            wanted = Config().replace(**changes)
        others = {name: value for name, value in changes.items() if name not in ("path_mtu", "pmdcs_bytes")}
        has_mtu = len(others) < len(changes)

        def commit() -> None:
            for path in self.association.paths:
                host, _ = path.address
                if self.host in (None, host):
                    mtu = {"path_mtu": fixed_mtu(host, wanted)} if has_mtu else {}
                    path.configure(**others, **mtu)

        return commit

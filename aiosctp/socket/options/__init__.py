"""The options of sockets (RFC 6458 §8)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from aiosctp.socket.errors import error

if TYPE_CHECKING:
    from aiosctp.socket.sctp_socket import SCTPSocket


def set_option(sock: SCTPSocket, level: int, option: int, value: Any) -> None:
    raise error(errno.ENOPROTOOPT)


def get_option(sock: SCTPSocket, level: int, option: int, value: Any) -> Any:
    raise error(errno.ENOPROTOOPT)


def opt_info(sock: SCTPSocket, assoc_id: int, option: int, value: Any) -> Any:
    raise error(errno.ENOPROTOOPT)

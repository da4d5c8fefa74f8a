"""The options of sockets (RFC 6458 §8, and what RFC 6525, 6951, 7496 and 8260, FreeBSD and Linux add).

`table.py` says what an option is, `access.py` reads and sets one. The options themselves, by kind: `sockets.py`,
`events.py`, `associations.py`, `sends.py`, `paths.py`, `streams.py`, and `planned.py` for those that are not built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiosctp.socket.options import access, associations, events, paths, planned, sends, sockets, streams
from aiosctp.socket.options.table import Option

if TYPE_CHECKING:
    from aiosctp.socket.socket_state import SocketState

KINDS: Final = (sockets, events, associations, sends, paths, streams, planned)

TABLE: Final[dict[tuple[int, int], Option]] = {
    (option.level, option.number): option for kind in KINDS for option in kind.OPTIONS
}


def set_option(sock: SocketState, level: int, option: int, value: Any) -> None:
    access.set_option(TABLE, sock, level, option, value)


def get_option(sock: SocketState, level: int, option: int, value: Any) -> Any:
    return access.get_option(TABLE, sock, level, option, value)


def opt_info(sock: SocketState, assoc_id: int, option: int, value: Any) -> Any:
    return access.opt_info(TABLE, sock, assoc_id, option, value)

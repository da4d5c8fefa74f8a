"""`Stack.sysctl`: FreeBSD's net.inet.sctp variables, as far as a stack in user space has them."""

from __future__ import annotations

import errno
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING

from aiosctp.sysctl.table import TABLE
from aiosctp.sysctl.variables import PREFIX, OfSockets, Variable

if TYPE_CHECKING:
    from aiosctp.stack import Stack

__all__ = ["Sysctl", "Variable"]


class Sysctl(MutableMapping[str, int]):
    """The variables of one stack, by their whole names, `net.inet.sctp.` in front, as ints in FreeBSD's units. A name
    may be given without that; there are no others here.

    A variable begins with the stack's own `Config`, which need not be what FreeBSD begins with. What is written holds
    for the associations, servers and sockets that are made after that; `blackhole`, `diag_info_code`, `secret_lifetime`
    and `stats` at once. Where a variable has nothing to set here it has a fixed value, and its `Variable` says why.

    Names can be neither added nor removed. `describe` tells of one in words.

    Raises KeyError for an unknown name; OSError when writing: EINVAL for a value of another type or out of range,
    EOPNOTSUPP for a variable that has another fixed value, EPERM for one that can only be read.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.socket_defaults: dict[str, int] = {
            name: each.default for name, each in TABLE.items() if isinstance(each, OfSockets)
        }
        """What only sockets read."""

    def __getitem__(self, name: str) -> int:
        return self.describe(name).read(self._stack)

    def __setitem__(self, name: str, value: int) -> None:
        variable = self.describe(name)
        if not isinstance(value, int):
            raise OSError(errno.EINVAL, f"{name} must be an int, not {type(value).__name__}")
        variable.set(self._stack, int(value))

    def __delitem__(self, name: str) -> None:
        raise TypeError("the names of variables are fixed: none can be removed")

    def __iter__(self) -> Iterator[str]:
        return iter(TABLE)

    def __len__(self) -> int:
        return len(TABLE)

    def describe(self, name: str) -> Variable:
        """What it is, its unit and its range, and why it can't be changed if so. Raises KeyError."""
        variable = TABLE.get(name) or TABLE.get(PREFIX + name)
        if variable is None:
            raise KeyError(name)
        return variable

    def __repr__(self) -> str:
        return f"<Sysctl of {self._stack!r}, {len(self)} variables>"

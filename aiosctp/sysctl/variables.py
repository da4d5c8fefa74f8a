"""The kinds of variables: each reads an int of a stack, and writes it, or says why not."""

from __future__ import annotations

import errno
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiosctp.config import Config, bounds

if TYPE_CHECKING:
    from aiosctp.stack import Stack

PREFIX: Final = "net.inet.sctp."
UINT32: Final = 2**32 - 1
MS: Final = 1000
"""To the second."""


@dataclass(frozen=True)
class Variable(ABC):
    """One variable.

    name: without `net.inet.sctp.`. description: what it is. unit: what it counts; "" for a number, a code or a switch.
    low, high: what may be written. why_fixed: why nothing but its value may; None where it can be changed.
    """

    name: str
    description: str
    unit: str = ""
    low: int = 0
    high: int = 1
    why_fixed: str | None = None

    @property
    def full_name(self) -> str:
        return PREFIX + self.name

    @abstractmethod
    def read(self, stack: Stack) -> int: ...

    @abstractmethod
    def write(self, stack: Stack, value: int) -> None:
        """One that is in range."""

    def set(self, stack: Stack, value: int) -> None:
        """Raises OSError, and nothing has changed."""
        if not self.low <= value <= self.high:
            message = f"{self.full_name} must be between {self.low} and {self.high}, not {value}"
            raise OSError(errno.EINVAL, message)
        self.write(stack, value)

    def unsupported(self, why: str) -> OSError:
        return OSError(errno.EOPNOTSUPP, f"{self.full_name} has a fixed value here: {why}")


@dataclass(frozen=True)
class OfConfig(Variable):
    """A parameter of `Stack.config`, `scale` of whose unit are one of the variable's."""

    field: str = ""
    scale: int = 1
    zero: int | None = 0
    """What 0 stands for: itself, None, or a number that is as good as no limit."""
    unset_is: str = ""
    """The parameter that takes its place while it is None."""
    also: Callable[[Config, int], dict[str, Any]] | None = None
    """Other parameters that have to make room for a value."""

    def read(self, stack: Stack) -> int:
        value = getattr(stack.config, self.field)
        if value is None and self.unset_is:
            value = getattr(stack.config, self.unset_is)
        return 0 if value == self.zero else round(value * self.scale)

    def write(self, stack: Stack, value: int) -> None:
        changes = {} if self.also is None else self.also(stack.config, value)
        changes[self.field] = self._parameter(stack.config, value)
        try:
            stack.config = stack.config.replace(**changes)
        except ValueError as error:
            # It has to go with the others.
            raise OSError(errno.EINVAL, f"{self.full_name}: {error}") from None

    def _parameter(self, config: Config, value: int) -> Any:
        if value == 0 and self.zero != 0:
            return self.zero
        if isinstance(getattr(config, self.field), bool):
            return bool(value)
        return value if self.scale == 1 else value / self.scale


@dataclass(frozen=True)
class Choice(Variable):
    """A parameter of `Stack.config` that is one of several names, counted from 0."""

    field: str = ""
    names: Sequence[str] = ()
    why_no_other: str = ""
    """Of numbers in range that have no name."""

    def read(self, stack: Stack) -> int:
        """-1 for a name that the program has registered itself."""
        name = getattr(stack.config, self.field)
        return self.names.index(name) if name in self.names else -1

    def write(self, stack: Stack, value: int) -> None:
        if value >= len(self.names):
            raise self.unsupported(self.why_no_other)
        stack.config = stack.config.replace(**{self.field: self.names[value]})


@dataclass(frozen=True)
class OfSockets(Variable):
    """What `aiosctp.socket` asks for when it makes a socket, or sends."""

    default: int = 0

    def read(self, stack: Stack) -> int:
        return stack.sysctl.socket_defaults[self.full_name]

    def write(self, stack: Stack, value: int) -> None:
        stack.sysctl.socket_defaults[self.full_name] = value


@dataclass(frozen=True)
class Fixed(Variable):
    """One that has nothing to set: its value tells what is so."""

    value: int | Callable[[Stack], int] = 0

    def read(self, stack: Stack) -> int:
        return self.value if isinstance(self.value, int) else self.value(stack)

    def write(self, stack: Stack, value: int) -> None:
        if value != self.read(stack):
            assert self.why_fixed is not None
            raise self.unsupported(self.why_fixed)


@dataclass(frozen=True)
class Told(Variable):
    """One that is read of the stack, and is written by other means."""

    tell: Callable[[Stack], int] = lambda stack: 0
    reset: Callable[[Stack], None] | None = None
    """What writing 0 does."""

    def read(self, stack: Stack) -> int:
        return self.tell(stack)

    def set(self, stack: Stack, value: int) -> None:
        if self.reset is None:
            raise OSError(errno.EPERM, f"{self.full_name} can only be read: {self.why_fixed}")
        super().set(stack, value)

    def write(self, stack: Stack, value: int) -> None:
        assert self.reset is not None
        self.reset(stack)


def of_config(name: str, field: str, description: str, *, scale: int = 1, **other: Any) -> OfConfig:
    """A number, with the bounds that the config has; `low` may be lowered by what 0 stands for."""
    low, high = bounds(field)
    least = 0 if other.get("zero", 0) != 0 else math.ceil(low * scale)
    given = {"low": least, "high": min(math.floor(high * scale), UINT32)} | other
    return OfConfig(name, description, field=field, scale=scale, **given)


def switch(name: str, field: str, description: str) -> OfConfig:
    return OfConfig(name, description, field=field)


def fixed(
    name: str,
    value: int | Callable[[Stack], int],
    description: str,
    why: str,
    *,
    low: int = 0,
    high: int = UINT32,
    unit: str = "",
) -> Fixed:
    return Fixed(name, description, unit, low, high, why, value)

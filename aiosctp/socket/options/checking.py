"""Whether a value is what an option takes, by the annotations of its structure."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from aiosctp.socket.errors import error
from aiosctp.socket.structures import Unsigned, sockaddr

_LEAST_INT, _GREATEST_INT = -(2**31), 2**31 - 1
"""Those of C's int."""


def checked(name: str, structure: type, value: object) -> Any:
    """The value, or a copy of the structure. Raises OSError (EINVAL) naming the field that is wrong.

    name: the option's. structure: `int`, or the dataclass that it takes.
    """
    if structure is int:
        return _number(name, value, _LEAST_INT, _GREATEST_INT)
    if not isinstance(value, structure):
        raise error(errno.EINVAL, f"{name} takes {structure.__name__}, not {type(value).__name__}")
    copy: Any = object.__new__(structure)
    for field, kind, most in _kinds(structure):
        given = getattr(value, field)
        if not (type(given) is int and 0 <= given <= most):
            given = _field(field, kind, given)
        setattr(copy, field, given)
    return copy


@cache
def _kinds(structure: type) -> tuple[tuple[str, Any, int], ...]:
    """Name and type of each field, and up to which int its value needs no closer look, for every message that says how
    it is sent comes here; -1 where that is not an unsigned int."""
    hints = get_type_hints(structure, include_extras=True)
    assert is_dataclass(structure)
    return tuple((field.name, hints[field.name], _most(hints[field.name])) for field in fields(structure))


def _most(kind: Any) -> int:
    return next((2**width.bits - 1 for width in getattr(kind, "__metadata__", ())), -1)


def _field(name: str, kind: Any, value: object) -> Any:
    if kind == sockaddr:
        return _address(name, value)
    if get_origin(kind) is Sequence:
        return _sequence(name, get_args(kind)[0], value)
    if isinstance(kind, type) and is_dataclass(kind):
        return checked(name, kind, value)
    if kind is bytes:
        if not isinstance(value, bytes):
            raise error(errno.EINVAL, f"{name} must be bytes, not {type(value).__name__}")
        return value
    for width in getattr(kind, "__metadata__", ()):
        assert isinstance(width, Unsigned)
        if name.endswith("assoc_id"):
            # Linux's sctp_assoc_t is signed, and programs for one-to-one sockets, which ignore it, may have -1 there.
            return _number(name, value, _LEAST_INT, 2**width.bits - 1)
        return _number(name, value, 0, 2**width.bits - 1)
    assert kind is int, kind
    return _number(name, value, _LEAST_INT, _GREATEST_INT)


def _number(name: str, value: object, low: int, high: int) -> int:
    """A bool is one of C's ints, too."""
    if not isinstance(value, int):
        raise error(errno.EINVAL, f"{name} must be an int, not {type(value).__name__}")
    if not low <= value <= high:
        raise error(errno.EINVAL, f"{name} must be between {low} and {high}, not {value}")
    return int(value)


def _sequence(name: str, kind: Any, value: object) -> tuple[Any, ...]:
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence):
        raise error(errno.EINVAL, f"{name} must be a list, not {type(value).__name__}")
    return tuple(_field(name, kind, each) for each in value)


def _address(name: str, value: object) -> Any:
    """What it means is looked at where the peers are known."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, tuple) and len(value) in (2, 4) and isinstance(value[0], str):
        return value[0], _number(f"the port of {name}", value[1], 0, 65535)
    raise error(errno.EINVAL, f"{name} must be a host, (host, SCTP port) or None, not {value!r}")

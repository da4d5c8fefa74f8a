"""The RFC's names and units, and ours. In most of its fields 0 leaves a value as it is."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aiosctp.config import bounds
from aiosctp.socket.errors import error


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def seconds(milliseconds: int) -> float:
    return milliseconds / 1000


def given(**values: Any) -> dict[str, Any]:
    """Those of the values that are to change something: 0 is not."""
    return {name: value for name, value in values.items() if value}


class _Field(NamedTuple):
    """How an option calls a parameter of `Config`."""

    name: str
    scale: int = 1
    """How many of its units are one of the parameter's."""
    zero_is_none: bool = False
    """Whether it takes 0 for no limit, where the parameter begins above that."""


_FIELDS: Final[Mapping[str, _Field]] = {
    "rto_initial_s": _Field("srto_initial", 1000),
    "rto_max_s": _Field("srto_max", 1000),
    "rto_min_s": _Field("srto_min", 1000),
    "valid_cookie_life_s": _Field("sasoc_cookie_life", 1000),
    "init_rto_max_s": _Field("sinit_max_init_timeo", 1000),
    "autoclose_s": _Field("SCTP_AUTOCLOSE", zero_is_none=True),
    "partial_delivery_point_bytes": _Field("SCTP_PARTIAL_DELIVERY_POINT"),
    "max_burst": _Field("SCTP_MAX_BURST", zero_is_none=True),
    "receive_window_bytes": _Field("SO_RCVBUF"),
    "send_buffer_bytes": _Field("SO_SNDBUF"),
}


def check_ranges(changes: Mapping[str, Any]) -> None:
    """Of parameters of `Config`. Raises OSError (EINVAL) in the words of the option: who knows that need not know
    `Config`, which has its own."""
    for parameter, value in changes.items():
        field = _FIELDS.get(parameter)
        if field is None or value is None:
            continue
        low, high = bounds(parameter)
        if not low <= value <= high:
            low = 0 if field.zero_is_none else low
            least, greatest, wrong = (round(each * field.scale) for each in (low, high, value))
            raise error(errno.EINVAL, f"{field.name} must be between {least} and {greatest}, not {wrong}")

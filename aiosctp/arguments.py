"""Checks of what a program passes: they name the argument, and come before anything has changed."""

from __future__ import annotations

from collections.abc import Sequence

from aiosctp.core.addresses import canonical_host

Payload = bytes | bytearray | memoryview


def check_int(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")


def check_range(name: str, value: int, low: int, high: int) -> None:
    check_int(name, value)
    if not low <= value <= high:
        raise ValueError(f"{name} must be between {low} and {high}, not {value}")


def check_port(name: str, value: int) -> None:
    check_range(name, value, 0, 65535)


def check_timeout(timeout: float | None) -> None:
    # The negated form refuses a NaN too.
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"timeout must not be negative, and is {timeout!r}")


def host_list(name: str, hosts: str | Sequence[str]) -> tuple[str, ...]:
    """One host or several as canonical strings. Raises ValueError for what is no address."""
    listed = (hosts,) if isinstance(hosts, str) else tuple(hosts)
    if not listed:
        raise ValueError(f"{name} must not be empty")
    for host in listed:
        if not isinstance(host, str):
            raise TypeError(f"{name} must hold host strings, not {type(host).__name__}")
    try:
        return tuple(dict.fromkeys(canonical_host(host) for host in listed))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def bytes_of(name: str, data: object) -> bytes:
    """Bytes as they are, any other buffer copied: its owner may go on writing to it."""
    if isinstance(data, bytes):
        return data
    try:
        return memoryview(data).tobytes()  # type: ignore[arg-type]  # the check is that it is a buffer
    except TypeError:
        raise TypeError(f"{name} must be bytes or another buffer, not {type(data).__name__}") from None

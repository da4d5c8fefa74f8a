"""Checks of what a program passes: they name the argument, and come before anything has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from aiosctp.config import Config
from aiosctp.core.addresses import canonical_host, is_unicast

Payload = bytes | bytearray | memoryview


def check_int(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")


def check_range(name: str, value: int, low: int, high: int) -> None:
    check_int(name, value)
    if not low <= value <= high:
        raise ValueError(f"{name} must be between {low} and {high}, not {value}")


def check_callable(name: str, value: object) -> None:
    if not callable(value):
        raise TypeError(f"{name} must be callable, not {type(value).__name__}")


def check_reader_limit(limit: int) -> None:
    """asyncio's StreamReader refuses less, but only once it is made."""
    check_int("limit", limit)
    if limit <= 0:
        raise ValueError(f"limit must be positive, not {limit}")


def check_port(name: str, value: int) -> None:
    check_range(name, value, 0, 65535)


def check_timeout(timeout: float | None) -> None:
    check_seconds("timeout", timeout)


def check_seconds(name: str, value: float | None) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds or None, not {type(value).__name__}")
    # The negated form refuses a NaN too.
    if not value >= 0:
        raise ValueError(f"{name} must not be negative, and is {value!r}")


def check_address(address: tuple[str, int]) -> tuple[str, int]:
    match address:
        case (str() as host, int() as port):
            return host, port
    raise TypeError(f"address must be a host or (host, SCTP port), not {address!r}")


def check_config(config: Config | None) -> None:
    if config is not None and not isinstance(config, Config):
        raise TypeError(f"config must be a Config, not {type(config).__name__}")


def check_outbound_streams(count: int | None) -> None:
    if count is not None:
        check_range("outbound_streams", count, 1, 65535)


@lru_cache(maxsize=64)
def asking_for(outbound_streams: int, config: Config) -> Config:
    """The config with so many streams: made once for many calls, as all of it is validated anew."""
    return config.replace(outbound_streams=outbound_streams)


def strings(name: str, value: str | Sequence[str]) -> tuple[str, ...]:
    """One string or several, none of them empty."""
    listed: object = [value] if isinstance(value, str) else value
    if not isinstance(listed, Iterable) or isinstance(listed, bytes | bytearray):
        raise TypeError(f"{name} must be a string or a list of strings, not {type(value).__name__}")
    found = tuple(listed)
    for one in found:
        if not isinstance(one, str):
            raise TypeError(f"{name} must be a string or a list of strings, not {type(one).__name__}")
    if not found or not all(found):
        raise ValueError(f"{name} must not be empty")
    return found


def host_list(name: str, hosts: str | Sequence[str]) -> tuple[str, ...]:
    """One host or several as canonical strings. Raises ValueError for what is no address to speak from."""
    listed = strings(name, hosts)
    try:
        found = tuple(dict.fromkeys(canonical_host(host) for host in listed))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    for host in found:
        if not is_unicast(host):
            raise ValueError(f"{name} must be unicast addresses, not {host}")
    return found


def bytes_of(name: str, data: object) -> bytes:
    """Bytes as they are, any other buffer copied: its owner may go on writing to it."""
    if isinstance(data, bytes):
        return data
    try:
        return memoryview(data).tobytes()  # type: ignore[arg-type]  # the check is that it is a buffer
    except TypeError:
        raise TypeError(f"{name} must be bytes or another buffer, not {type(data).__name__}") from None

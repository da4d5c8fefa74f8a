"""That a call is refused, with the errno and a message that names what is wrong."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket


@contextmanager
def refused(code: int, match: str | None = None) -> Iterator[None]:
    """OSError with this errno, and with words for a person besides."""
    with pytest.raises(OSError, match=match) as caught:
        yield
    assert caught.value.errno == code, (errno.errorcode[caught.value.errno or 0], str(caught.value))
    assert caught.value.strerror


def set_is_refused(
    sock: SCTPSocket,
    option: int,
    value: object,
    code: int = errno.EINVAL,
    match: str | None = None,
    level: int = sctp.IPPROTO_SCTP,
) -> None:
    with refused(code, match):
        sock.setsockopt(level, option, value)


def get_is_refused(
    sock: SCTPSocket, option: int, value: object = None, code: int = errno.EINVAL, match: str | None = None
) -> None:
    with refused(code, match):
        sock.getsockopt(sctp.IPPROTO_SCTP, option, value)

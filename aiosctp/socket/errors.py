"""What goes wrong, as the sockets API tells it: an OSError with the errno of RFC 6458, and nothing else."""

from __future__ import annotations

import errno
import os

from aiosctp.exceptions import AssociationShutdown, SCTPError


def error(number: int, message: str | None = None) -> OSError:
    """The subclass of OSError that belongs to the errno, BlockingIOError of EAGAIN for example."""
    return OSError(number, message or os.strerror(number))


def closed() -> OSError:
    return error(errno.EBADF, "the socket is closed")


def would_block(what: str) -> OSError:
    return error(errno.EAGAIN, f"{what} would wait, and the socket does not block")


def check_int(name: str, value: object, low: int, high: int = 2**31 - 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise error(errno.EINVAL, f"{name} must be an int between {low} and {high}, not {value!r}")


def check_flags(flags: object, known: int) -> None:
    """Of a call that sends or receives: what it would ignore is refused."""
    if type(flags) is int and not flags:
        return
    check_int("flags", flags, 0)
    assert isinstance(flags, int)
    if flags & ~known:
        raise error(errno.EOPNOTSUPP, f"flags has bits that this call does not know: {flags & ~known:#x}")


def pending_errno(ending: SCTPError | None) -> int:
    """What SO_ERROR tells of how an association ended: 0 of a graceful end."""
    if ending is None or isinstance(ending, AssociationShutdown):
        return 0
    assert ending.errno is not None
    return ending.errno


class _AsSocketErrors:
    """What the plain API raises in here is raised as the sockets API has it. An ending keeps its own class, which is
    an OSError with the right errno.

    A class, for every message passes through it: a generator with @contextmanager costs more than the plain send.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, wrong: BaseException | None, traceback: object) -> None:
        if isinstance(wrong, TypeError | ValueError | OverflowError) and not isinstance(wrong, OSError):
            raise error(errno.EINVAL, str(wrong)) from None


as_socket_errors: _AsSocketErrors = _AsSocketErrors()


def is_end(ending: OSError) -> bool:
    """Whether nothing more will come, without that being an error."""
    return isinstance(ending, AssociationShutdown)

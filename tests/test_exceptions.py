"""Exceptions: found where asyncio programs look already, with the errno a socket would have."""

from __future__ import annotations

import copy
import errno
import inspect
import os
import pickle

import pytest

from aiosctp import exceptions
from aiosctp.exceptions import (
    AssociationAborted,
    AssociationLost,
    AssociationRefused,
    AssociationShutdown,
    Cause,
    ConnectTimeout,
    InvalidStream,
    MessageTooLarge,
    NotSupported,
    RecordLost,
    RequestDenied,
    SCTPError,
    StreamEnded,
)

EXPECTED: list[tuple[type[SCTPError], int, tuple[type[Exception], ...]]] = [
    (SCTPError, errno.EIO, (OSError,)),
    (AssociationRefused, errno.ECONNREFUSED, (ConnectionRefusedError, ConnectionError)),
    (ConnectTimeout, errno.ETIMEDOUT, (TimeoutError,)),
    (AssociationLost, errno.ETIMEDOUT, (ConnectionError,)),
    (AssociationAborted, errno.ECONNRESET, (ConnectionResetError, ConnectionError)),
    (AssociationShutdown, errno.ESHUTDOWN, (BrokenPipeError, ConnectionError)),
    (InvalidStream, errno.EINVAL, (ValueError,)),
    (MessageTooLarge, errno.EMSGSIZE, ()),
    (RecordLost, errno.ECONNRESET, (ConnectionResetError, ConnectionError)),
    (StreamEnded, errno.ENODATA, (EOFError,)),
    (NotSupported, errno.EOPNOTSUPP, ()),
    (RequestDenied, errno.EPERM, ()),
]
every_exception = pytest.mark.parametrize(("cls", "number", "bases"), EXPECTED, ids=str)


def test_every_exception_of_the_module_is_tested_here() -> None:
    classes = {value for value in vars(exceptions).values() if inspect.isclass(value) and issubclass(value, Exception)}
    assert classes == {cls for cls, _, _ in EXPECTED}


@every_exception
def test_an_exception_is_an_os_error_of_its_errno(
    cls: type[SCTPError], number: int, bases: tuple[type[Exception], ...]
) -> None:
    error = cls("in our words")
    assert issubclass(cls, (SCTPError, OSError))
    assert all(issubclass(cls, base) for base in bases)
    assert (error.errno, error.strerror) == (number, "in our words")
    assert error.args == (number, "in our words")
    assert str(error) == f"[Errno {number}] in our words"


@every_exception
def test_without_a_message_the_system_has_one(
    cls: type[SCTPError], number: int, bases: tuple[type[Exception], ...]
) -> None:
    assert cls().strerror == os.strerror(number)


def test_a_lost_association_is_no_timeout_and_a_timeout_no_connection_error() -> None:
    """`except TimeoutError` around a connect must not catch the loss of another association."""
    assert not issubclass(AssociationLost, TimeoutError)
    assert not issubclass(ConnectTimeout, ConnectionError)


@every_exception
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_exception_survives_pickling(
    cls: type[SCTPError], number: int, bases: tuple[type[Exception], ...], protocol: int
) -> None:
    error = cls("across a process boundary")
    error.add_note("kept")
    for twin in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is cls
        assert (twin.errno, twin.strerror, str(twin)) == (number, error.strerror, str(error))
        assert twin.__notes__ == ["kept"]


@pytest.mark.parametrize("local", [True, False])
def test_an_abort_keeps_its_causes_and_its_side_through_pickling(local: bool) -> None:
    causes = (Cause(12, b"enough"), Cause(13, b""))
    error = AssociationAborted("over", causes, local=local)
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert (twin.strerror, twin.causes, twin.local) == ("over", causes, local)
        assert twin.causes[0].code == 12
        assert twin.causes[0].data == b"enough"


def test_a_refusal_keeps_its_causes_through_pickling() -> None:
    error = AssociationRefused("no", (Cause(4, b""),))
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert (twin.strerror, twin.causes) == ("no", (Cause(4, b""),))
    assert AssociationRefused().causes == ()


def test_an_abort_without_causes_is_the_peers() -> None:
    error = AssociationAborted()
    assert (error.causes, error.local) == ((), False)

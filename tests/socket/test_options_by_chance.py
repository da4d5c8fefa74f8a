"""Any option with any value, of sockets in any state: it is set, or refused by an errno and nothing has changed."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import random
from collections.abc import Sequence
from typing import Any

import pytest

from aiosctp.socket import SCTPSocket
from aiosctp.socket.options import TABLE
from aiosctp.socket.options.table import Option
from tests.socket.pairs import SERVER, TWO_ADDRESSES, many, one_to_one
from tests.surface.virtual_time import virtual_time

INTS = (0, 1, 2, 3, 4, 5, 50, 100, 1000, 1468, 65535, 65536, 2**31, 2**32 - 1, 2**32, -1)
FLAGS = (0, 1, 2, 4, 5, 8, 9, 16, 32, 64, 128, 256, 512)
IDS = (0, 3, 3, 3, 1, 2, 99)
ADDRESSES: Sequence[object] = (
    *(None, SERVER, (TWO_ADDRESSES[1], 7777), "192.0.2.2", ("192.0.2.9", 7777), ("192.0.2.2", 0), "", "0.0.0.0", "::"),
    *(("192.0.2.2", 70000), ("192.0.2.2", "7"), ("192.0.2.2",), ("a name", 1), ("fe80::1%eth0", 3), 7),
)
LISTS: Sequence[object] = ((), (0,), (1, 2), (65535,), (-1,), (65536,), [0, 1], tuple(range(300)), ("x",))
WRONG: Sequence[object] = ("x", None, b"", 1.5, (), object(), float("nan"))

ERRNOS = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.EALREADY, errno.ESHUTDOWN}

# Reading them begins another period, or clears them, or they change as time goes on.
UNSTEADY = {"SCTP_GET_ASSOC_STATS", "SO_ERROR", "SCTP_STATUS", "SCTP_GET_PEER_ADDR_INFO"}


def any_value(dice: random.Random, structure: type) -> Any:
    if dice.random() < 0.02:
        return dice.choice(WRONG)
    if structure is int:
        return dice.choice(INTS)
    value = structure()
    for field in dataclasses.fields(structure):
        if dice.random() < 0.4:
            setattr(value, field.name, any_field(dice, field.name, getattr(value, field.name)))
    return value


def any_field(dice: random.Random, name: str, default: object) -> Any:
    if dice.random() < 0.02:
        return dice.choice(WRONG)
    if dataclasses.is_dataclass(default):
        return any_value(dice, type(default))
    if default is None:
        return dice.choice(ADDRESSES)
    if isinstance(default, tuple):
        return dice.choice(LISTS)
    if isinstance(default, bytes):
        return dice.choice((b"", b"key", bytes(70000)))
    return dice.choice(IDS if name.endswith("assoc_id") else FLAGS if name.endswith("flags") else INTS)


def all_that_can_be_read(sock: SCTPSocket) -> dict[tuple[str, int], object]:
    """Of the socket, and of an association: what each option says, or the errno."""
    told: dict[tuple[str, int], object] = {}
    for (level, number), option in TABLE.items():
        if option.reason or option.read is None or option.name in UNSTEADY:
            continue
        for assoc_id in (0, 3) if option.association else (0,):
            asked = option.structure()
            if option.association:
                setattr(asked, option.association, assoc_id)
            try:
                told[option.name, assoc_id] = sock.getsockopt(level, number, asked)
            except OSError as refusal:
                told[option.name, assoc_id] = ("refused", refusal.errno)
    return told


def try_one(dice: random.Random, sock: SCTPSocket, option: Option) -> bool:
    """Whether it was taken."""
    value = any_value(dice, option.structure)
    what = dice.choice(("set", "set", "get", "opt_info"))
    before = all_that_can_be_read(sock)
    refusal = None
    try:
        if what == "set":
            sock.setsockopt(option.level, option.number, value)
        elif what == "get":
            sock.getsockopt(option.level, option.number, value)
        else:
            sock.opt_info(dice.choice(IDS), option.number, value)
    except OSError as error:
        refusal = error
    if refusal is None and what == "set":
        return True
    assert refusal is None or (refusal.errno in ERRNOS and refusal.strerror), (option.name, value, refusal)
    assert all_that_can_be_read(sock) == before, (what, option.name, value)
    return False


@pytest.mark.parametrize("seed", range(3))
@virtual_time
async def test_an_option_is_set_or_refused_and_nothing_has_changed(seed: int) -> None:
    """A24, A25, I05: whatever the value, errors are OSError; what is refused, or only read, changes nothing."""
    dice = random.Random(seed)
    options = [option for option in TABLE.values() if not option.reason]
    async with (
        many(server_addresses=TWO_ADDRESSES) as (hosts, ours, theirs, _),
        SCTPSocket(stack=hosts.server) as listening,
        one_to_one(hosts) as unbound,
        one_to_one(hosts) as connected,
    ):
        listening.bind(("0.0.0.0", 9000))
        listening.listen(1)
        await connected.connect((SERVER[0], 9000))
        accepted, _ = await listening.accept()
        async with accepted:
            sockets = [ours, theirs, unbound, listening, connected, accepted]
            taken = 0
            for _ in range(300):
                taken += try_one(dice, dice.choice(sockets), dice.choice(options))
                if dice.random() < 0.05:
                    await asyncio.sleep(dice.choice((0, 0.3, 2)))
            assert taken > 20


@virtual_time
async def test_what_was_read_can_be_set_and_nothing_has_changed() -> None:
    """A24: as programs do that read a structure, change one field and set it: the other fields are as they were."""
    async with many(server_addresses=TWO_ADDRESSES) as (hosts, ours, theirs, _), one_to_one(hosts) as unbound:
        await asyncio.sleep(10)
        for sock in (ours, theirs, unbound):
            before = all_that_can_be_read(sock)
            for (level, number), option in TABLE.items():
                if option.write is None:
                    continue
                settled = option.name.endswith("_SUPPORTED")  # for an association, when it begins
                for assoc_id in (0,) if settled else (0, 3):
                    read = before.get((option.name, assoc_id))
                    if read is not None and type(read) is option.structure:
                        sock.setsockopt(level, number, read)
                        assert all_that_can_be_read(sock) == before, (option.name, read)

"""What holds for all options: types, whom they name, all or nothing (RFC 6458 §7.2, §8)."""

from __future__ import annotations

import errno
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest

from aiosctp.socket import (
    AF_INET6,
    IPPROTO_IPV6,
    IPPROTO_SCTP,
    SCTP_ALL_ASSOC,
    SCTP_CURRENT_ASSOC,
    SCTP_FUTURE_ASSOC,
    SCTP_NODELAY,
    SCTP_RTOINFO,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
    SCTPSocket,
    constants,
    options,
)
from aiosctp.socket.errors import error
from aiosctp.socket.options import KINDS, TABLE, access
from aiosctp.socket.options.checking import checked
from aiosctp.socket.options.planned import planned
from aiosctp.socket.options.table import Option, Scope
from aiosctp.socket.options.target import Commit, Target
from aiosctp.socket.structures import (
    sctp_assoc_t,
    sctp_assoc_value,
    sctp_rtoinfo,
    sockaddr,
    uint8_t,
    uint16_t,
    uint64_t,
)
from tests.surface.two_hosts import PORT, TwoHosts
from tests.surface.virtual_time import virtual_time

TWO_ADDRESSES = ("192.0.2.2", "192.0.2.3")


@contextmanager
def refused(number: int, words: str | None = None) -> Iterator[None]:
    with pytest.raises(OSError, match=words) as caught:
        yield
    assert caught.value.errno == number, caught.value


# -- types --


@dataclass(slots=True)
class inner:
    n: uint8_t = 0


@dataclass(slots=True)
class every_kind:
    e_assoc_id: sctp_assoc_t = 0
    e_address: sockaddr = None
    e_8: uint8_t = 0
    e_16: uint16_t = 0
    e_64: uint64_t = 0
    e_int: int = 0
    e_list: Sequence[uint16_t] = ()
    e_bytes: bytes = b""
    e_inner: inner = field(default_factory=inner)


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("e_8", 255, 255),
        ("e_8", True, 1),
        ("e_16", 65535, 65535),
        ("e_64", 2**64 - 1, 2**64 - 1),
        ("e_int", -(2**31), -(2**31)),
        ("e_list", [1, 65535], (1, 65535)),
        ("e_address", "192.0.2.1", "192.0.2.1"),
        ("e_address", ("192.0.2.1", 7), ("192.0.2.1", 7)),
        ("e_address", ("2001:db8::1", 7, 0, 0), ("2001:db8::1", 7)),
        ("e_inner", inner(3), inner(3)),
    ],
)
def test_a_field_takes_what_its_annotation_says(name: str, value: Any, taken: object) -> None:
    """A24: numbers from 0, lists as tuples, addresses and the rest by their types."""
    given = replace(every_kind(), **{name: value})
    assert getattr(checked("OPTION", every_kind, given), name) == taken


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("e_8", 256),
        ("e_8", -1),
        ("e_8", 1.0),
        ("e_8", "1"),
        ("e_8", None),
        ("e_16", 65536),
        ("e_64", 2**64),
        ("e_int", 2**31),
        ("e_list", b"\x00\x01"),
        ("e_list", "12"),
        ("e_list", 1),
        ("e_list", [65536]),
        ("e_list", ["1"]),
        ("e_bytes", "key"),
        ("e_address", 1),
        ("e_address", ("192.0.2.1",)),
        ("e_address", ("192.0.2.1", 65536)),
        ("e_address", ("192.0.2.1", "7")),
        ("e_address", (1, 7)),
        ("e_inner", 3),
    ],
)
def test_what_a_field_does_not_take_is_named(name: str, value: Any) -> None:
    """I05: never a TypeError or ValueError."""
    with refused(errno.EINVAL, name):
        checked("OPTION", every_kind, replace(every_kind(), **{name: value}))


def test_a_wrong_field_of_an_inner_structure_is_named() -> None:
    with refused(errno.EINVAL, "n must be between 0 and 255"):
        checked("OPTION", every_kind, every_kind(e_inner=inner(256)))


@pytest.mark.parametrize("value", [None, 1, b"\x00" * 16, every_kind, sctp_rtoinfo()])
def test_another_structure_is_refused(value: object) -> None:
    with refused(errno.EINVAL, "OPTION takes every_kind"):
        checked("OPTION", every_kind, value)


@pytest.mark.parametrize("value", [None, "1", 1.5, b"\x01\x00\x00\x00", 2**31, sctp_assoc_value()])
def test_what_is_no_int_is_refused(value: object) -> None:
    with refused(errno.EINVAL, "OPTION must be"):
        checked("OPTION", int, value)


def test_what_was_given_is_copied() -> None:
    """A program may go on with its structure, as in C."""
    given = every_kind(e_8=1)
    taken = checked("OPTION", every_kind, given)
    given.e_8 = 2
    assert taken.e_8 == 1


# -- the records --


def test_every_option_stands_under_its_name_and_number() -> None:
    """A24: the table finds it by the level and the number of its name."""
    for (level, number), option in TABLE.items():
        assert level in (SOL_SOCKET, IPPROTO_SCTP, IPPROTO_IPV6)
        assert option.number == number == getattr(constants, option.name)


def test_no_record_hides_another() -> None:
    assert len(TABLE) == sum(len(kind.OPTIONS) for kind in KINDS)


@pytest.mark.parametrize("option", TABLE.values(), ids=lambda option: option.name)
def test_the_fields_that_name_whom_an_option_is_for_are_there(option: Option) -> None:
    if option.address:
        assert option.address in {each.name for each in fields(option.structure)}
    if option.scope in (Scope.ONE_OR_FUTURE, Scope.ANY):
        assert option.association


def test_what_is_planned_has_a_reason() -> None:
    assert planned()
    for name, reason in planned().items():
        assert reason, name
        option = TABLE[IPPROTO_SCTP, getattr(constants, name)]
        for use in (lambda sock, one: sock.getsockopt(IPPROTO_SCTP, one), set_to_1):
            with refused(errno.EOPNOTSUPP, name):
                use(SCTPSocket(), option.number)


def set_to_1(sock: SCTPSocket, number: int) -> None:
    sock.setsockopt(IPPROTO_SCTP, number, 1)


# -- what there is, and what can be done with it --


def read_nothing(target: Target, asked: Any) -> Any:
    return asked


def set_nothing(target: Target, value: Any) -> Commit:
    return lambda: None


A_NUMBER = 7


def table_of(**of: Any) -> dict[tuple[int, int], Option]:
    option = Option(name="OPTION", number=A_NUMBER, **of)
    return {(option.level, option.number): option}


def test_an_unknown_option_and_level_are_enoprotoopt() -> None:
    """A24, I05: RFC 6458 leaves it to POSIX."""
    sock = SCTPSocket()
    for level, number in ((IPPROTO_SCTP, 9999), (SOL_SOCKET, 9999), (17, SCTP_NODELAY)):
        with refused(errno.ENOPROTOOPT):
            sock.getsockopt(level, number)
        with refused(errno.ENOPROTOOPT):
            sock.setsockopt(level, number, 1)
    with refused(errno.ENOPROTOOPT):
        sock.opt_info(0, 9999)


@pytest.mark.parametrize(
    ("level", "number"), [("IPPROTO_SCTP", SCTP_NODELAY), (IPPROTO_SCTP, "SCTP_NODELAY"), (None, 1)]
)
def test_a_level_and_an_option_are_ints(level: Any, number: Any) -> None:
    with refused(errno.EINVAL):
        SCTPSocket().getsockopt(level, number)
    with refused(errno.EINVAL):
        SCTPSocket().setsockopt(level, number, 1)


def test_what_can_only_be_read_or_set_is_not_done_the_other_way() -> None:
    """A24: whatever the value."""
    sock = SCTPSocket()
    with refused(errno.ENOPROTOOPT, "OPTION can only be read"):
        access.set_option(table_of(read=read_nothing), sock, IPPROTO_SCTP, A_NUMBER, "nonsense")
    with refused(errno.ENOPROTOOPT, "OPTION can only be set"):
        access.get_option(table_of(write=set_nothing), sock, IPPROTO_SCTP, A_NUMBER, "nonsense")
    with refused(errno.ENOPROTOOPT, "OPTION can only be set"):
        access.opt_info(table_of(write=set_nothing), sock, 0, A_NUMBER, None)


def test_an_option_of_one_style_is_not_supported_in_the_other() -> None:
    table = table_of(read=read_nothing, write=set_nothing, socket_type=SOCK_SEQPACKET)
    assert access.get_option(table, SCTPSocket(type=SOCK_SEQPACKET), IPPROTO_SCTP, A_NUMBER, None) == 0
    one_to_one = SCTPSocket()
    with refused(errno.EOPNOTSUPP, "one-to-one"):
        access.get_option(table, one_to_one, IPPROTO_SCTP, A_NUMBER, None)
    with refused(errno.EOPNOTSUPP, "one-to-one"):
        access.set_option(table, one_to_one, IPPROTO_SCTP, A_NUMBER, 1)


@virtual_time
async def test_a_closed_socket_has_no_options() -> None:
    sock = SCTPSocket()
    await sock.close()
    with refused(errno.EBADF):
        sock.getsockopt(IPPROTO_SCTP, SCTP_NODELAY)
    with refused(errno.EBADF):
        sock.setsockopt(IPPROTO_SCTP, SCTP_NODELAY, 1)
    with refused(errno.EBADF):
        sock.opt_info(0, SCTP_NODELAY)


# -- whom an option names: what is set is noted down, and then read again --


class Noted:
    """An option of `every_kind` that notes whom it was set for. Of `refuses` it can't be."""

    def __init__(self, scope: Scope, **of: Any) -> None:
        self.values: dict[tuple[int, str | None], int] = {}
        self.refuses: set[int] = set()
        self.table = table_of(structure=every_kind, scope=scope, read=self._read, write=self._write, **of)

    def _read(self, target: Target, asked: every_kind) -> every_kind:
        return every_kind(e_8=self.values.get((target.association_id, target.host), 0))

    def _write(self, target: Target, value: every_kind) -> Commit:
        if target.association_id in self.refuses:
            raise error(errno.EINVAL, "refused")
        return lambda: self.values.update({(target.association_id, target.host): value.e_8})

    def set_for(self, sock: SCTPSocket, association_id: int = 0, value: int = 1, address: sockaddr = None) -> None:
        given = every_kind(e_assoc_id=association_id, e_8=value, e_address=address)
        access.set_option(self.table, sock, IPPROTO_SCTP, A_NUMBER, given)

    def get_of(self, sock: SCTPSocket, association_id: int = 0, address: sockaddr = None) -> every_kind:
        asked = every_kind(e_assoc_id=association_id, e_address=address)
        got = access.get_option(self.table, sock, IPPROTO_SCTP, A_NUMBER, asked)
        assert isinstance(got, every_kind)
        return got

    @property
    def whom(self) -> set[int]:
        return {association_id for association_id, _ in self.values}


@asynccontextmanager
async def two_associations() -> AsyncIterator[tuple[SCTPSocket, int, int]]:
    """Of one one-to-many socket: with a peer that has two addresses, and with another port of it."""
    async with (
        TwoHosts(server_addresses=TWO_ADDRESSES) as hosts,
        SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.server) as first,
        SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.server) as second,
        SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.client) as sock,
    ):
        for peer, port in ((first, PORT), (second, PORT + 1)):
            peer.bind(("", port))
            peer.listen(1)
        one = await sock.connectx([(TWO_ADDRESSES[0], PORT)])
        other = await sock.connectx([(TWO_ADDRESSES[0], PORT + 1)])
        yield sock, one, other


@virtual_time
async def test_ids_and_constants_name_whom_an_option_is_set_for() -> None:
    """A25: RFC 6458 §7.2."""
    async with two_associations() as (sock, one, other):
        for named, whom in (
            (SCTP_FUTURE_ASSOC, {0}),
            (SCTP_CURRENT_ASSOC, {one, other}),
            (SCTP_ALL_ASSOC, {0, one, other}),
            (one, {one}),
            (other, {other}),
        ):
            noted = Noted(Scope.ANY)
            noted.set_for(sock, named)
            assert noted.whom == whom
            for each in (0, one, other):
                got = noted.get_of(sock, each)
                assert (got.e_assoc_id, got.e_8) == (each, each in whom)


@virtual_time
async def test_all_are_set_or_none_is() -> None:
    """A25: one association that can't be set leaves the others as they are."""
    async with two_associations() as (sock, one, other):
        for named in (SCTP_CURRENT_ASSOC, SCTP_ALL_ASSOC):
            for refusing in (one, other):
                noted = Noted(Scope.ANY)
                noted.refuses = {refusing}
                with refused(errno.EINVAL, "refused"):
                    noted.set_for(sock, named)
                assert noted.values == {}


@virtual_time
async def test_what_can_t_change_in_life_is_set_for_nobody() -> None:
    """A25: neither for those to come, though for them it could."""
    async with two_associations() as (sock, _, _):
        table = table_of(
            structure=sctp_assoc_value,
            scope=Scope.ANY,
            write=lambda target, value: target.change(outbound_streams=value.assoc_value),
        )
        for named in (SCTP_ALL_ASSOC, SCTP_CURRENT_ASSOC):
            with refused(errno.EINVAL, "outbound_streams"):
                access.set_option(table, sock, IPPROTO_SCTP, A_NUMBER, sctp_assoc_value(named, 3))
        assert sock.settings.config.outbound_streams != 3
        access.set_option(table, sock, IPPROTO_SCTP, A_NUMBER, sctp_assoc_value(SCTP_FUTURE_ASSOC, 3))
        assert sock.settings.config.outbound_streams == 3


@virtual_time
async def test_what_an_option_may_not_name_is_einval() -> None:
    """A25, I05: an id that there is not, and constants where they are an error."""
    async with two_associations() as (sock, one, _):
        unknown = max(sock.associations) + 1
        for scope, wrong in (
            (Scope.ANY, {unknown}),
            (Scope.ONE_OR_FUTURE, {unknown, SCTP_CURRENT_ASSOC, SCTP_ALL_ASSOC}),
            (Scope.ONE, {unknown, SCTP_CURRENT_ASSOC, SCTP_ALL_ASSOC, SCTP_FUTURE_ASSOC}),
        ):
            noted = Noted(scope)
            for named in wrong:
                with refused(errno.EINVAL):
                    noted.set_for(sock, named)
            for named in wrong | {SCTP_CURRENT_ASSOC, SCTP_ALL_ASSOC}:
                words = "SCTP_CURRENT_ASSOC" if named in (SCTP_CURRENT_ASSOC, SCTP_ALL_ASSOC) else None
                with refused(errno.EINVAL, words):
                    noted.get_of(sock, named)
            assert noted.values == {}
            noted.set_for(sock, one)
            assert noted.whom == {one}


@virtual_time
async def test_an_association_that_has_ended_is_no_longer_named() -> None:
    async with two_associations() as (sock, one, other):
        sock.associations[one].association.abort()
        noted = Noted(Scope.ANY)
        with refused(errno.EINVAL, str(one)):
            noted.set_for(sock, one)
        noted.set_for(sock, SCTP_CURRENT_ASSOC)
        assert noted.whom == {other}


@virtual_time
async def test_an_option_that_names_nobody_is_for_the_socket_or_for_everyone() -> None:
    """A24: "socket-level options hit every association of the socket"."""
    async with two_associations() as (sock, one, other):
        for scope, whom in ((Scope.SOCKET, {0}), (Scope.EVERYONE, {0, one, other})):
            noted = Noted(scope)
            noted.set_for(sock, association_id=one)  # which is not looked at
            assert noted.whom == whom
            assert noted.get_of(sock).e_8 == 1


@virtual_time
async def test_an_int_of_an_option_that_names_an_association_is_the_id() -> None:
    """RFC 6525 §6.3.3: SCTP_RESET_ASSOC."""
    async with two_associations() as (sock, one, _):
        named: list[int] = []

        def write(target: Target, value: int) -> Commit:
            return lambda: named.append(target.association_id)

        table = table_of(scope=Scope.ONE, write=write)
        access.set_option(table, sock, IPPROTO_SCTP, A_NUMBER, one)
        with refused(errno.EINVAL):
            access.set_option(table, sock, IPPROTO_SCTP, A_NUMBER, 99)
        assert named == [one]


@pytest.mark.parametrize("scope", [Scope.ONE, Scope.ONE_OR_FUTURE, Scope.ANY])
@virtual_time
async def test_a_one_to_one_socket_ignores_the_id(scope: Scope) -> None:
    """A25: "For one-to-one style sockets ... this association ID parameter is ignored"."""
    async with TwoHosts() as hosts, SCTPSocket(stack=hosts.server) as listener, SCTPSocket(stack=hosts.client) as sock:
        listener.bind(("", PORT))
        listener.listen(1)
        noted = Noted(scope)
        if scope is Scope.ONE:
            with refused(errno.EINVAL, "needs an association"):
                noted.set_for(sock)
        else:
            noted.set_for(sock, 99)
            assert noted.whom == {0}
        await sock.connect(("192.0.2.2", PORT))
        (own,) = sock.associations
        for named in (0, 1, 2, 99):
            noted.values.clear()
            noted.set_for(sock, named)
            assert noted.whom == {own}
            assert (noted.get_of(sock, named).e_8, noted.get_of(sock, named).e_assoc_id) == (1, own)


# -- addresses --


@virtual_time
async def test_an_address_names_the_association_that_has_it() -> None:
    """A25: with the port where several have it; the id stands in the answer."""
    async with two_associations() as (sock, one, other):
        noted = Noted(Scope.ONE_OR_FUTURE, address="e_address")
        for port, whom in ((PORT, one), (PORT + 1, other)):
            noted.values.clear()
            noted.set_for(sock, address=(TWO_ADDRESSES[1], port))
            assert noted.values == {(whom, TWO_ADDRESSES[1]): 1}
            got = noted.get_of(sock, address=(TWO_ADDRESSES[1], port))
            assert got == every_kind(e_assoc_id=whom, e_8=1, e_address=(TWO_ADDRESSES[1], port))
        with refused(errno.EINVAL, "several associations"):
            noted.get_of(sock, address=TWO_ADDRESSES[1])


@virtual_time
async def test_an_address_beside_an_id_is_one_of_that_association() -> None:
    """A25: any other is refused."""
    async with two_associations() as (sock, one, _):
        noted = Noted(Scope.ONE_OR_FUTURE, address="e_address")
        for good in (TWO_ADDRESSES[1], (TWO_ADDRESSES[1], PORT), (TWO_ADDRESSES[1], 0), f"::ffff:{TWO_ADDRESSES[1]}"):
            noted.values.clear()
            noted.set_for(sock, one, address=good)
            assert noted.values == {(one, TWO_ADDRESSES[1]): 1}
        for wrong in ("192.0.2.9", (TWO_ADDRESSES[1], PORT + 1), "nowhere"):
            with refused(errno.EINVAL):
                noted.set_for(sock, one, address=wrong)


@pytest.mark.parametrize("wildcard", [None, "", "0.0.0.0", "::", ("0.0.0.0", 0), ("::", PORT)])
@virtual_time
async def test_a_wildcard_is_all_addresses(wildcard: sockaddr) -> None:
    """A25: of the association that is named, or of those to come."""
    async with two_associations() as (sock, one, _):
        noted = Noted(Scope.ONE_OR_FUTURE, address="e_address")
        noted.set_for(sock, one, address=wildcard)
        noted.set_for(sock, SCTP_FUTURE_ASSOC, address=wildcard)
        assert noted.values == {(one, None): 1, (0, None): 1}


@virtual_time
async def test_the_address_of_a_stranger_is_for_those_options_that_take_it() -> None:
    """A25: RFC 6951 §6.1 sets the port before the association begins."""
    async with two_associations() as (sock, _, _):
        refusing = Noted(Scope.ONE_OR_FUTURE, address="e_address")
        with refused(errno.EINVAL, "e_address"):
            refusing.set_for(sock, address="192.0.2.9")
        taking = Noted(Scope.ONE_OR_FUTURE, address="e_address", takes_strangers=True)
        taking.set_for(sock, address="192.0.2.9")
        assert taking.values == {(0, "192.0.2.9"): 1}


@virtual_time
async def test_some_options_are_not_found_by_address() -> None:
    """RFC 6458 §8.1.9: SCTP_FUTURE_ASSOC is "not allowed", whatever the address."""
    async with two_associations() as (sock, one, _):
        noted = Noted(Scope.ONE, address="e_address", finds_by_address=False)
        with refused(errno.EINVAL):
            noted.set_for(sock, address=(TWO_ADDRESSES[0], PORT))
        noted.set_for(sock, one, address=(TWO_ADDRESSES[0], PORT))
        assert noted.values == {(one, TWO_ADDRESSES[0]): 1}


# -- opt_info --


@virtual_time
async def test_the_id_of_opt_info_takes_precedence() -> None:
    """A26: "any association identifier in the structure provided as arg is ignored"."""
    async with two_associations() as (sock, one, other):
        sock.setsockopt(IPPROTO_SCTP, SCTP_RTOINFO, sctp_rtoinfo(other, srto_initial=2000))
        asked = sctp_rtoinfo(srto_assoc_id=one)
        assert sock.opt_info(other, SCTP_RTOINFO, asked) == sctp_rtoinfo(other, 2000, 60_000, 1000)
        assert asked == sctp_rtoinfo(srto_assoc_id=one)
        assert sock.opt_info(SCTP_FUTURE_ASSOC, SCTP_RTOINFO, None).srto_initial == 1000
        for wrong in (99, SCTP_CURRENT_ASSOC, SCTP_ALL_ASSOC, "3", None):
            number: Any = wrong
            for option in (SCTP_RTOINFO, SCTP_NODELAY):
                with refused(errno.EINVAL):
                    sock.opt_info(number, option, None)


@virtual_time
async def test_opt_info_reads_an_int_of_the_association_that_is_named() -> None:
    """A26: SCTP_NODELAY has no field for it."""
    async with two_associations() as (sock, one, other):
        sock.associations[other].association.configure(nodelay=False)
        assert [sock.opt_info(each, SCTP_NODELAY, None) for each in (0, one, other)] == [1, 1, 0]


# -- what a socket is asked before there is anything --


@pytest.mark.parametrize("kind", [SOCK_STREAM, SOCK_SEQPACKET])
def test_options_need_no_event_loop(kind: int) -> None:
    """Every option that can be read of a socket that is neither bound nor has an association."""
    sock = SCTPSocket(AF_INET6, kind)
    for (level, number), option in TABLE.items():
        if option.read is None or option.scope is Scope.ONE or option.socket_type not in (None, kind):
            continue
        if option.name in ("SCTP_EVENT", "SCTP_STATUS"):
            continue  # they need to be told of what
        value = sock.getsockopt(level, number)
        assert isinstance(value, option.structure), option.name
        if option.write is not None:
            sock.setsockopt(level, number, value)
            assert sock.getsockopt(level, number) == value, option.name


# -- the page that `pydoc` shows --


def _row(option: Option) -> list[str]:
    """What the page says of an option, of SOL_SOCKET and IPPROTO_SCTP alike."""
    notes = []
    if option.write is None:
        notes.append("read only")
    if option.read is None:
        notes.append("set only")
    if option.socket_type is not None:
        notes.append("one-to-many" if option.socket_type == SOCK_SEQPACKET else "one-to-one")
    words = {Scope.SOCKET: "socket", Scope.EVERYONE: "everyone", Scope.ONE: "one"}
    words |= {Scope.ONE_OR_FUTURE: "one or future", Scope.ANY: "any"}
    return [option.name, option.structure.__name__, words[option.scope], ", ".join(notes)]


def test_the_page_lists_every_option_with_its_structure_and_whom_it_names() -> None:
    rows = [re.split(r" {2,}", line.strip()) for line in (options.__doc__ or "").splitlines() if "    S" in line]
    listed = [[*row, ""] if len(row) == 3 else row for row in rows]
    assert listed == [_row(each) for each in TABLE.values() if not each.reason and each.level != IPPROTO_IPV6]


def test_the_page_names_every_option_that_is_not_built() -> None:
    page = options.__doc__ or ""
    assert [name for name in planned() if not re.search(rf"\b{name}\b", page)] == []

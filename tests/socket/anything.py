"""Arguments of any type and value, apt ones among them, for every call of a socket (hypothesis)."""

from __future__ import annotations

import errno
import inspect
import socket as standard
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from hypothesis import strategies as st

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket, structures
from aiosctp.socket.options import TABLE
from tests.socket.hosts import CLIENT_HOST, ENOUGH, SERVER, SERVER_HOST

NUMBERS_THE_PAGES_KNOW = frozenset(
    {
        errno.EADDRINUSE,
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.EAGAIN,
        errno.EALREADY,
        errno.EBADF,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EINPROGRESS,
        errno.EINVAL,
        errno.EISCONN,
        errno.EMSGSIZE,
        errno.ENOPROTOOPT,
        errno.ENOTCONN,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EPROTONOSUPPORT,
        errno.ESHUTDOWN,
        errno.ETIMEDOUT,
        # Of looking a host up.
        errno.ENODEV,
        standard.EAI_NONAME,
    }
)

AT_ONCE = (
    "bind",
    "bindx",
    "listen",
    "setsockopt",
    "getsockopt",
    "opt_info",
    "getpaddrs",
    "getladdrs",
    "getpeername",
    "getsockname",
    "setblocking",
    "getblocking",
    "peeloff",
    "shutdown",
)
COROUTINES = (
    "accept",
    "connect",
    "connectx",
    "send",
    "sendto",
    "recv",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "sendv",
    "recvv",
    "sctp_sendmsg",
    "sctp_recvmsg",
    "sctp_send",
    "sctp_sendx",
    "close",
)

STRUCTURES: list[Any] = sorted(
    {one for one in vars(structures).values() if is_dataclass(one) and isinstance(one, type)},
    key=lambda one: one.__name__,
)


class _Number(int):
    """A subclass, as enumerations have it."""


def _released() -> memoryview:
    view = memoryview(b"released")
    view.release()
    return view


ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    1.0,
    0.5,
    float("nan"),
    float("inf"),
    2**64,
    -(2**63),
    _Number(3),
    "",
    "x",
    "192.0.2.2",
    "a\0b",
    "\ud800",
    "x" * 300 + ".example",
    "fe80::1%eth7",
    b"",
    b"x",
    bytearray(b"array"),
    memoryview(bytearray(40))[::2],
    (),
    [],
    {},
    {1},
    [[]],
    [None],
    ((),),
    range(3),
    object(),
    object,
    len,
    standard.AF_INET,
    sctp.sctp_sndinfo,
    iter([]),
)

odd = st.sampled_from(range(len(ODD))).map(ODD.__getitem__)
"""Not sampled themselves: not all have a hash."""
numbers = st.one_of(
    st.integers(0, 8),
    st.sampled_from(
        [
            -1,
            10,
            49,
            50,
            100,
            255,
            256,
            1000,
            1468,
            4096,
            60000,
            65535,
            65536,
            2**20,
            2**31 - 1,
            2**31,
            2**32 - 1,
            2**32,
        ]
    ),
)
MSG_FLAGS = [value for name, value in vars(sctp).items() if name.startswith("MSG_")]
SND_FLAGS = [
    sctp.SCTP_UNORDERED,
    sctp.SCTP_ADDR_OVER,
    sctp.SCTP_ABORT,
    sctp.SCTP_EOF,
    sctp.SCTP_SENDALL,
    sctp.SCTP_EOR,
    sctp.SCTP_SACK_IMMEDIATELY,
    sctp.SCTP_PR_SCTP_TTL,
    sctp.SCTP_PR_SCTP_RTX,
    sctp.SCTP_PR_SCTP_PRIO,
]


def some_of(flags: list[int]) -> st.SearchStrategy[int]:
    """None of them mostly, or one, or several ORed."""

    def together(chosen: list[int]) -> int:
        found = 0
        for flag in chosen:
            found |= flag
        return found

    return st.one_of(st.just(0), st.lists(st.sampled_from(flags), max_size=3).map(together))


message_flags = some_of(MSG_FLAGS)
send_flags = some_of(SND_FLAGS)
hosts = st.sampled_from(
    [SERVER_HOST] * 6
    + [CLIENT_HOST, "192.0.2.3", "192.0.2.99", "0.0.0.0", "", "::", "::1", "2001:db8::2", "::ffff:192.0.2.2"]
    + [
        "224.0.0.1",
        "255.255.255.255",
        "127.0.0.1",
        "localhost",
        "server",
        "nowhere.example",
        "a\0b",
        "\ud800",
        "x" * 300,
    ]
)
ports = st.one_of(st.sampled_from([SERVER[1]] * 4 + [SERVER[1] + 1, 5555]), numbers)
addresses = st.one_of(
    st.just(SERVER),
    st.tuples(hosts, ports),
    st.tuples(hosts, ports, odd, odd),
    hosts,
    st.tuples(st.one_of(hosts, odd), st.one_of(ports, odd)),
    odd,
)
address_lists = st.one_of(
    st.just([SERVER]), st.lists(addresses, max_size=3), st.lists(addresses, max_size=3).map(tuple), addresses, odd
)
payloads = st.one_of(
    st.integers(1, 3000).map(bytes),
    st.builds(_released),
    st.sampled_from([b"", b"x", bytearray(b"abc"), memoryview(b"view"), bytes(100_000), bytes(300_000)]),
    odd,
)
buffers = st.one_of(st.lists(payloads, max_size=3), payloads)
association_ids = st.one_of(st.integers(0, 5), numbers, odd)


@st.composite
def _structure(draw: st.DrawFn, structure: Any) -> Any:
    """Its fields apt or of any type and value, or left as they are."""
    filled = structure()
    for field in fields(structure):
        if draw(st.booleans()):
            setattr(filled, field.name, draw(_field(field.name, getattr(filled, field.name))))
    return filled


def _field(name: str, default: Any) -> st.SearchStrategy[Any]:
    if name.endswith("assoc_id"):
        return association_ids
    if name in ("snd_flags", "sinfo_flags"):
        return st.one_of(send_flags, send_flags, numbers, odd)
    if name.endswith(("address", "addr")):
        return addresses
    if is_dataclass(default):
        return st.one_of(_structure(type(default)), odd)
    if isinstance(default, int):
        return st.one_of(numbers, numbers, odd)
    return st.one_of(st.lists(numbers, max_size=3), odd)


structures_of_any_kind = st.sampled_from(STRUCTURES).flatmap(_structure)


def structure_or_odd(structure: Any) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), _structure(structure), _structure(structure), structures_of_any_kind, odd)


KINDS = {
    sctp.SCTP_INIT: sctp.sctp_initmsg,
    sctp.SCTP_SNDRCV: sctp.sctp_sndrcvinfo,
    sctp.SCTP_SNDINFO: sctp.sctp_sndinfo,
    sctp.SCTP_PRINFO: sctp.sctp_prinfo,
    sctp.SCTP_AUTHINFO: sctp.sctp_authinfo,
}
apt_items = st.one_of(
    st.sampled_from(list(KINDS)).flatmap(
        lambda kind: st.tuples(st.just(sctp.IPPROTO_SCTP), st.just(kind), _structure(KINDS[kind]))
    ),
    st.tuples(
        st.just(sctp.IPPROTO_SCTP), st.sampled_from([sctp.SCTP_DSTADDRV4, sctp.SCTP_DSTADDRV6]), st.one_of(hosts, odd)
    ),
)
any_item = st.tuples(
    st.one_of(st.just(sctp.IPPROTO_SCTP), odd), st.one_of(numbers, odd), st.one_of(structures_of_any_kind, odd)
)
ancillary_data = st.one_of(
    st.lists(apt_items, max_size=3), st.lists(st.one_of(apt_items, any_item, odd), max_size=3), odd
)

levels = st.one_of(st.just(sctp.IPPROTO_SCTP), st.just(sctp.SOL_SOCKET), numbers, odd)


@st.composite
def option_and_value(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """Level, number and value; mostly an option that there is, with the structure that it takes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(levels), draw(st.one_of(numbers, odd)), draw(st.one_of(numbers, structures_of_any_kind, odd))
    option = draw(st.sampled_from(list(TABLE.values())))
    if option.structure is int:
        return option.level, option.number, draw(st.one_of(numbers, numbers, odd))
    return option.level, option.number, draw(structure_or_odd(option.structure))


ARGUMENTS: dict[str, st.SearchStrategy[Any]] = {
    "address": addresses,
    "addresses": address_lists,
    "addresses_": address_lists,
    "addrs": address_lists,
    "ancbufsize": st.one_of(st.integers(0, 200), numbers, odd),
    "ancdata": ancillary_data,
    "assoc_id": association_ids,
    "authinfo": st.one_of(st.none(), st.none(), structure_or_odd(sctp.sctp_authinfo)),
    "backlog": st.one_of(st.integers(0, 3), numbers, odd),
    "buffers": buffers,
    "bufsize": st.one_of(st.just(ENOUGH), st.integers(1, 100), numbers, odd),
    "context": st.one_of(numbers, odd),
    "data": payloads,
    "flag": st.one_of(st.booleans(), odd),
    "flags": st.one_of(message_flags, message_flags, send_flags, numbers, odd),
    "how": st.one_of(st.integers(0, 2), odd),
    "ppid": st.one_of(numbers, odd),
    "prinfo": structure_or_odd(sctp.sctp_prinfo),
    "sinfo": structure_or_odd(sctp.sctp_sndrcvinfo),
    "sndinfo": structure_or_odd(sctp.sctp_sndinfo),
    "stream_no": st.one_of(numbers, odd),
    "timetolive": st.one_of(numbers, odd),
    "to": st.one_of(st.none(), addresses),
}


@dataclass(frozen=True, slots=True)
class Call:
    """Of one of the sockets that there are at that time."""

    name: str
    arguments: dict[str, Any]
    socket: int
    beside: bool = False
    """Whether what follows does not wait for it."""

    @property
    def is_coroutine(self) -> bool:
        return self.name in COROUTINES


@st.composite
def _call(draw: st.DrawFn, name: str) -> Call:
    parameters = list(inspect.signature(getattr(SCTPSocket, name)).parameters.values())[1:]
    arguments: dict[str, Any] = {}
    if name in ("setsockopt", "getsockopt", "opt_info"):
        level, option, value = draw(option_and_value())
        arguments = {"option": option, "value": value}
        arguments |= {"assoc_id": draw(association_ids)} if name == "opt_info" else {"level": level}
    for parameter in parameters:
        is_needed = parameter.default is parameter.empty
        if parameter.name not in arguments and (is_needed or draw(st.booleans())):
            arguments[parameter.name] = draw(ARGUMENTS[parameter.name])
    return Call(name, arguments, draw(st.integers(0, 3)), name in COROUTINES and draw(st.booleans()))


calls = st.sampled_from(AT_ONCE + COROUTINES + ("setsockopt",) * 3).flatmap(_call)

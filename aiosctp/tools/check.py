"""`aiosctp check`: what does that peer support?

One INIT and one ABORT by hand, without an association: what came back is shown as it came.
"""

from __future__ import annotations

import argparse
import secrets
import socket
import time
from collections.abc import Iterator

from aiosctp.tools import extensions
from aiosctp.tools.console import say
from aiosctp.tools.extensions import ExtensionParameter
from aiosctp.tools.notifications import cause_name
from aiosctp.tools.options import (
    ECHO_PORT,
    ENCAPSULATION_PORT,
    Commands,
    add_command,
    add_number,
    host_and_port,
    port,
    seconds,
)
from aiosctp.wire.causes import UserInitiatedAbort
from aiosctp.wire.chunks import Abort, Init, InitAck, decode_chunks
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import decode_header, encode_packet
from aiosctp.wire.parameters import (
    AdaptationLayerIndication,
    CookiePreservative,
    ForwardTsnSupported,
    HostNameAddress,
    IPv4AddressParameter,
    IPv6AddressParameter,
    Padding,
    Parameter,
    StateCookie,
    SupportedAddressTypes,
    SupportedExtensions,
    UnknownParameter,
    UnrecognizedParameter,
)

ANSWERED, REFUSED, SILENT = 0, 1, 2

MAX_STREAMS = 65535
A_RWND_BYTES = 1024 * 1024
RETRANSMISSION_INTERVAL_S = 1.0
DATAGRAM_BYTES = 65535
# IANA's dynamic ports (RFC 6335 §6).
FIRST_DYNAMIC_PORT = 49152

DESCRIPTION = """\
Ask a peer what it supports, without setting up an association.

Sends an INIT that offers 65535 streams both ways and every extension that has a
name here, and prints what the INIT ACK holds:

  streams       how many the peer will send on, and how many it takes
  a_rwnd        its receive window
  addresses     those it lists; a peer with one address need not list it
  extensions    parameters and chunk types, by name where they have one
  cookie        the size of the state cookie
  unrecognized  what it gave back of our INIT as not understood

A peer may leave out what it has but was not asked to use. An ABORT with the
peer's tag ends the exchange; an SCTP server keeps no state before the COOKIE
ECHO, which is never sent.

exit status: 0 answered; 1 refused (ABORT, or nobody serves the UDP port);
2 no answer"""


class NoAnswerError(Exception):
    """Nothing came that belongs to our INIT."""


class RefusedError(Exception):
    """The peer's answer was no. The message says in which form."""


def add_parser(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(commands, "check", run, help="ask a peer what it supports", description=DESCRIPTION)
    parser.add_argument(
        "peer", metavar="HOST[:PORT]", type=host_and_port, help=f"host and SCTP port (default: {ECHO_PORT}, echo)"
    )
    add_number(parser, "--udp-port", type=port, default=ENCAPSULATION_PORT, help="the peer's UDP port", metavar="N")
    add_number(parser, "--timeout", type=seconds, default=5.0, help="how long to wait for an answer", metavar="S")


def run(arguments: argparse.Namespace) -> int:
    """Try the addresses of the host in turn until one answers; tell what the last one said otherwise."""
    host, sctp_port = arguments.peer
    sctp_port = sctp_port or ECHO_PORT
    failure: Exception | None = None
    for family, address in _resolve(host, arguments.udp_port):
        probe = Probe(family, address, sctp_port)
        try:
            with probe:
                answer = probe.ask(arguments.timeout)
        except (RefusedError, NoAnswerError) as error:
            say("check", f"{address[0]}: {error}")
            # A peer that refuses is there, so its word counts for more than another address's silence.
            if not isinstance(failure, RefusedError):
                failure = error
            continue
        say("check", f"{address[0]} answers on SCTP port {sctp_port} over UDP port {address[1]}, {probe.took_s:.4f} s")
        for label, text in describe(answer):
            say(label, text)
        return ANSWERED
    return REFUSED if isinstance(failure, RefusedError) else SILENT


def _resolve(host: str, udp_port: int) -> Iterator[tuple[int, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(host, udp_port, type=socket.SOCK_DGRAM)
    except socket.gaierror as error:
        raise socket.gaierror(error.errno, f"host {host}: {error.strerror}") from None
    for family, _, _, _, address in found:
        if family in (socket.AF_INET, socket.AF_INET6):
            yield family, address  # type: ignore[misc]  # typeshed has one shape for every family


class Probe:
    """One INIT to one address: a connected UDP socket, so that the kernel tells of port unreachable."""

    def __init__(self, family: int, address: tuple[str, int], sctp_port: int) -> None:
        self._address = address
        self._sctp_port = sctp_port
        self._our_port = FIRST_DYNAMIC_PORT + secrets.randbelow(MAX_STREAMS + 1 - FIRST_DYNAMIC_PORT)
        self._tag = 1 + secrets.randbelow(0xFFFF_FFFF)  # §5.3.1: not 0
        self._unusable = 0
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self.took_s: float = 0.0

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, timeout_s: float) -> InitAck:
        """The peer's INIT ACK, after which the peer has been sent an ABORT; raises RefusedError or NoAnswerError."""
        try:
            self._socket.connect(self._address)
            answer = self._exchange(timeout_s)
        except ConnectionError:
            raise RefusedError(f"nobody serves UDP port {self._address[1]} there (ICMP port unreachable)") from None
        except OSError as error:
            raise NoAnswerError(f"it cannot be reached: {error.strerror or error}") from None
        if isinstance(answer, Abort):
            reasons = ", ".join(cause_name(cause.code) for cause in answer.causes) or "no reason given"
            raise RefusedError(f"SCTP is there and refuses port {self._sctp_port} (ABORT, {reasons})")
        if answer is None:
            raise NoAnswerError(self._silence(timeout_s))
        return answer

    def _exchange(self, timeout_s: float) -> InitAck | Abort | None:
        parameters = extensions.offer(secrets.token_bytes(extensions.RANDOM_BYTES))
        init = Init(self._tag, A_RWND_BYTES, MAX_STREAMS, MAX_STREAMS, secrets.randbits(32), parameters)
        # §8.5.1 A: "the Verification Tag in the packet ... set to 0".
        packet = encode_packet(self._our_port, self._sctp_port, 0, [init.encode()])
        start = now = time.monotonic()
        while now < start + timeout_s:
            self._socket.send(packet)
            answer = self._receive(min(now + RETRANSMISSION_INTERVAL_S, start + timeout_s))
            now = time.monotonic()
            if answer is not None:
                self.took_s = now - start
                if isinstance(answer, InitAck):
                    self._abort(answer.initiate_tag)
                return answer
        return None

    def _receive(self, deadline: float) -> InitAck | Abort | None:
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                datagram = self._socket.recv(DATAGRAM_BYTES)
            except TimeoutError:
                return None
            answer = self._answer_in(datagram)
            if answer is not None:
                return answer
            self._unusable += 1
        return None

    def _answer_in(self, datagram: bytes) -> InitAck | Abort | None:
        try:
            header = decode_header(datagram)
        except DecodeError:
            return None
        if (header.source_port, header.destination_port) != (self._sctp_port, self._our_port):
            return None
        for chunk in decode_chunks(datagram):
            if isinstance(chunk, InitAck) and header.verification_tag == self._tag:
                return chunk
            # §8.5.1 B: our tag, or with the T bit the one we sent, which was 0.
            if isinstance(chunk, Abort) and header.verification_tag == (0 if chunk.tag_reflected else self._tag):
                return chunk
        return None

    def _abort(self, peer_tag: int) -> None:
        abort = Abort((UserInitiatedAbort(b"aiosctp check"),))
        self._socket.send(encode_packet(self._our_port, self._sctp_port, peer_tag, [abort.encode()]))

    def _silence(self, timeout_s: float) -> str:
        heard = f"{self._unusable} datagrams came that are no answer to our INIT" if self._unusable else "no answer"
        return (
            f"{heard} within {timeout_s:g} s from UDP port {self._address[1]}. Is it the right UDP port, is a "
            f"firewall between, or does it speak SCTP directly over IP?"
        )


def describe(answer: InitAck) -> Iterator[tuple[str, str]]:
    """What an INIT ACK says, as pairs of a label and a text."""
    yield "streams", f"{answer.outbound_streams} from it, at most {answer.inbound_streams} to it"
    yield "a_rwnd", f"{answer.a_rwnd} bytes"
    parameters = answer.parameters
    hosts = [p.host for p in parameters if isinstance(p, IPv4AddressParameter | IPv6AddressParameter)]
    yield "addresses", ", ".join(hosts) or "none listed: the one that answered"
    yield "extensions", ", ".join(_extensions(parameters)) or "none"
    for parameter in parameters:
        yield from _rest(parameter)


def _extensions(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    for parameter in parameters:
        match parameter:
            case UnknownParameter(ExtensionParameter.REQUESTED_HMAC_ALGORITHMS as type, value):
                yield f"{extensions.parameter_name(type)} ({extensions.hmac_names(value)})"
            case UnknownParameter(ExtensionParameter.CHUNK_LIST as type, value):
                yield f"{extensions.parameter_name(type)} ({_chunk_names(value)})"
            case UnknownParameter(type):
                yield extensions.parameter_name(type)
            case ForwardTsnSupported():
                yield extensions.parameter_name(parameter.type)
            case SupportedExtensions(chunk_types):
                yield f"SUPPORTED-EXTENSIONS ({_chunk_names(chunk_types)})"


def _chunk_names(types: bytes | tuple[int, ...]) -> str:
    return ", ".join(map(extensions.chunk_name, types))


def _rest(parameter: Parameter) -> Iterator[tuple[str, str]]:
    match parameter:
        case StateCookie(cookie):
            yield "cookie", f"{len(cookie)} bytes"
        case UnrecognizedParameter(raw):
            yield "unrecognized", f"{extensions.parameter_name(int.from_bytes(raw[:2]))} of our INIT"
        case AdaptationLayerIndication(value):
            yield "adaptation", f"{value:#010x}"
        case SupportedAddressTypes() | CookiePreservative() | HostNameAddress() | Padding():
            yield "stray", f"{parameter.type.name}, which has no place in an INIT ACK"

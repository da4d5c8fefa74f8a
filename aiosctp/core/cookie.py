"""The State Cookie (§5.1.3, §5.1.5): all an endpoint needs to build an association, held by the peer.

The cookie is plain data followed by a truncated HMAC-SHA-256 of it under a key that never leaves the stack. It holds
only what the peer told us or what we told it, and random Tie-Tags; no pointer and no index. It is not encrypted.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

# §5.1.3: "A MAC with acceptable security properties SHOULD be used", and the cookie be "as small as possible":
# 128 of the 256 bits, the truncation that RFC 2104 §5 allows.
MAC_BYTES = 16
KEY_BYTES = 32

_FIXED = struct.Struct("!Bdd HH II II I HH II I? BBB")
_VERSION = 2
_MAX_ADDRESSES = 255


@dataclass(frozen=True, slots=True)
class Cookie:
    """What was agreed in INIT and INIT ACK. Times are those of the stack's clock."""

    created_at_s: float
    lifespan_s: float
    local_port: int
    peer_port: int
    local_tag: int
    peer_tag: int
    local_initial_tsn: int
    peer_initial_tsn: int
    peer_a_rwnd: int
    outbound_streams: int
    inbound_streams: int
    local_tie_tag: int
    peer_tie_tag: int
    peer_adaptation_layer: int | None
    peer_extensions: tuple[int, ...]
    """Chunk types, as in the TCB."""
    init_source: str
    """The only address confirmed by this handshake: the one the INIT ACK was sent to (§5.4, 2)."""
    peer_addresses: tuple[str, ...]
    """The addresses of the INIT, its source first."""
    offered_addresses: tuple[str, ...]
    """The addresses that our INIT ACK listed, the destination of the INIT first."""


class CookieError(Exception):
    """The bytes are not a cookie of this stack: silently discarded (§5.1.5, 2)."""


class CookieJar:
    """Seals and opens cookies, and changes the key (§5.1.3: "SHOULD be changed reasonably frequently").

    Two keys are kept, the present and the one before it, so that a cookie outlives one rotation.
    """

    def __init__(self, entropy: Callable[[int], bytes], key_life_s: float) -> None:
        self._entropy = entropy
        self.key_life_s = key_life_s
        """How long a cookie is sure to be opened; `Config` may bound the life of a cookie by another than ours."""
        self._keys: list[bytes] = []
        self._rotate_at_s = 0.0

    def seal(self, cookie: Cookie, now: float) -> bytes:
        self._rotate(now)
        body = _encode(cookie)
        return body + _mac(self._keys[0], body)

    def open(self, sealed: bytes, now: float) -> Cookie:
        """The cookie in these bytes from the network; raises CookieError. Whether it is stale is not asked here."""
        self._rotate(now)
        body, mac = sealed[:-MAC_BYTES], sealed[-MAC_BYTES:]
        # Both keys are always tried, and compared in constant time: the answer takes as long for any forgery.
        matches = [hmac.compare_digest(_mac(key, body), mac) for key in self._keys]
        if not any(matches):
            raise CookieError("the MAC does not match")
        return _decode(body)

    def _rotate(self, now: float) -> None:
        if self._keys and now < self._rotate_at_s:
            return
        fresh = self._entropy(KEY_BYTES)
        # After two whole lives without use, no cookie of the present key can be recent enough to keep it.
        keep = self._keys[:1] if now < self._rotate_at_s + self.key_life_s else []
        self._keys = [fresh, *keep]
        self._rotate_at_s = now + self.key_life_s


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, hashlib.sha256)[:MAC_BYTES]


def _encode(cookie: Cookie) -> bytes:
    peers = cookie.peer_addresses[:_MAX_ADDRESSES]
    offered = cookie.offered_addresses[:_MAX_ADDRESSES]
    fixed = _FIXED.pack(
        _VERSION,
        cookie.created_at_s,
        cookie.lifespan_s,
        cookie.local_port,
        cookie.peer_port,
        cookie.local_tag,
        cookie.peer_tag,
        cookie.local_initial_tsn,
        cookie.peer_initial_tsn,
        cookie.peer_a_rwnd,
        cookie.outbound_streams,
        cookie.inbound_streams,
        cookie.local_tie_tag,
        cookie.peer_tie_tag,
        cookie.peer_adaptation_layer or 0,
        cookie.peer_adaptation_layer is not None,
        len(cookie.peer_extensions),
        len(peers),
        len(offered),
    )
    hosts = map(_pack_host, (cookie.init_source, *peers, *offered))
    return b"".join((fixed, bytes(cookie.peer_extensions), *hosts))


def _decode(body: bytes) -> Cookie:
    """Undo `_encode`. The MAC proved the bytes ours, yet every length is checked again before it is believed."""
    if len(body) < _FIXED.size or body[0] != _VERSION:
        raise CookieError("not a cookie of this version")
    (
        _, created_at_s, lifespan_s, local_port, peer_port, local_tag, peer_tag, local_initial_tsn, peer_initial_tsn,
        peer_a_rwnd, outbound_streams, inbound_streams, local_tie_tag, peer_tie_tag,
        adaptation, has_adaptation, extension_count, peer_count, offered_count,
    ) = _FIXED.unpack_from(body)  # fmt: skip
    hosts_from = _FIXED.size + extension_count
    hosts = _unpack_hosts(body[hosts_from:])
    if len(hosts) != 1 + peer_count + offered_count:
        raise CookieError("the address list is not as long as the cookie says")
    return Cookie(
        created_at_s=created_at_s,
        lifespan_s=lifespan_s,
        local_port=local_port,
        peer_port=peer_port,
        local_tag=local_tag,
        peer_tag=peer_tag,
        local_initial_tsn=local_initial_tsn,
        peer_initial_tsn=peer_initial_tsn,
        peer_a_rwnd=peer_a_rwnd,
        outbound_streams=outbound_streams,
        inbound_streams=inbound_streams,
        local_tie_tag=local_tie_tag,
        peer_tie_tag=peer_tie_tag,
        peer_adaptation_layer=adaptation if has_adaptation else None,
        peer_extensions=tuple(body[_FIXED.size : hosts_from]),
        init_source=hosts[0],
        peer_addresses=tuple(hosts[1 : 1 + peer_count]),
        offered_addresses=tuple(hosts[1 + peer_count :]),
    )


@lru_cache(maxsize=4096)
def _pack_host(host: str) -> bytes:
    """One length byte, the packed address, and for a scoped one the interface's name after it."""
    address, _, scope = host.partition("%")
    packed = ipaddress.ip_address(address).packed + scope.encode()
    return bytes([len(packed)]) + packed


def _unpack_hosts(data: bytes) -> list[str]:
    hosts = []
    at = 0
    while at < len(data):
        length = data[at]
        packed = data[at + 1 : at + 1 + length]
        if len(packed) != length or (length != 4 and length < 16):
            raise CookieError("an address is cut short")
        hosts.append(_unpack_host(packed))
        at += 1 + length
    return hosts


@lru_cache(maxsize=4096)
def _unpack_host(packed: bytes) -> str:
    if len(packed) == 4:
        return str(ipaddress.IPv4Address(packed))
    scope = packed[16:].decode(errors="replace")
    return str(ipaddress.IPv6Address(packed[:16])) + (f"%{scope}" if scope else "")

"""Paths: what fits one, and which of them to use."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.paths import Path, Paths
from aiosctp.core.states import PathState
from aiosctp.wire.chunks import Heartbeat
from aiosctp.wire.packet import encode_packet
from tests.core.pair import Pair


def make_path(
    address: str = "192.0.2.1",
    source: str | None = "192.0.2.9",
    *,
    is_confirmed: bool = True,
    config: Config | None = None,
) -> Path:
    return Path(address, source, 9899, config or Config(), is_confirmed=is_confirmed)


def make_paths(*paths: Path) -> Paths:
    all_paths = Paths(paths[0])
    for path in paths[1:]:
        all_paths.add(path)
    return all_paths


# -- sizes --


@pytest.mark.parametrize(
    ("address", "path_mtu", "packet_bytes"),
    [
        ("192.0.2.1", 1500, 1472),
        ("192.0.2.1", None, 1472),
        ("192.0.2.1", 576, 548),
        ("192.0.2.1", 65535, 65507),
        ("2001:db8::1", 1500, 1452),
        ("2001:db8::1", None, 1232),
        ("fe80::1%eth0", 9000, 8952),
    ],
)
def test_the_path_mtu_counts_the_headers_of_ip_and_udp(address: str, path_mtu: int | None, packet_bytes: int) -> None:
    """S01: RFC 6951 §5.6: encapsulation takes the UDP header off the path MTU."""
    assert make_path(address, config=Config(path_mtu=path_mtu)).packet_bytes == packet_bytes


@pytest.mark.parametrize("path_mtu", range(1490, 1500))
def test_the_largest_data_chunk_ends_on_four_bytes_and_fits_behind_the_common_header(path_mtu: int) -> None:
    path = make_path(config=Config(path_mtu=path_mtu))
    assert path.pmdcs % 4 == 0
    assert 0 <= path.packet_bytes - 12 - path.pmdcs < 4


def test_another_mtu_changes_the_sizes() -> None:
    path = make_path()
    path.set_mtu(1280)
    assert (path.mtu, path.packet_bytes, path.pmdcs) == (1280, 1252, 1240)


@pytest.mark.parametrize(
    ("address", "path_mtu", "cwnd"),
    [
        ("192.0.2.1", 1500, 4404),
        ("2001:db8::1", 1500, 4344),
        ("192.0.2.1", 576, 4 * 536),
        ("2001:db8::1", 9000, 2 * 8940),
    ],
)
def test_the_first_cwnd_is_that_of_the_address_family_and_the_path_mtu(address: str, path_mtu: int, cwnd: int) -> None:
    """§7.2.1: 4404 bytes "if the peer address is an IPv4 address", 4344 "if ... an IPv6 address"; at most 4 PMDCS, at
    least 2."""
    assert make_path(address, config=Config(path_mtu=path_mtu)).congestion.cwnd == cwnd


def test_the_association_is_as_wide_as_its_narrowest_path() -> None:
    """§7.3: AMDCS is "the smallest PMDCS discovered for all of the peer's destination addresses"."""
    wide, narrow = make_path("192.0.2.1"), make_path("192.0.2.2")
    narrow.set_mtu(1000)
    assert make_paths(wide, narrow).amdcs == narrow.pmdcs == 960


# -- the state of one --


def test_a_path_takes_its_parameters_from_the_config() -> None:
    config = Config(path_max_retrans=2, heartbeat=False, hb_interval_s=7)
    path = make_path(config=config)
    assert (path.path_max_retrans, path.heartbeat, path.hb_interval_s) == (2, False, 7)
    assert (path.error_count, path.flight_bytes, path.udp_port_learnt) == (0, 0, False)


@pytest.mark.parametrize(
    ("is_confirmed", "is_inactive", "state", "is_active"),
    [
        (False, False, PathState.UNCONFIRMED, False),
        (False, True, PathState.UNCONFIRMED, False),
        (True, False, PathState.ACTIVE, True),
        (True, True, PathState.INACTIVE, False),
    ],
)
def test_the_state_of_a_path(is_confirmed: bool, is_inactive: bool, state: PathState, is_active: bool) -> None:
    path = make_path(is_confirmed=is_confirmed)
    path.is_inactive = is_inactive
    assert path.state is state
    assert path.is_active is is_active


def test_a_path_is_idle_when_nothing_was_sent_for_a_heartbeat_interval() -> None:
    path = make_path(config=Config(hb_interval_s=30))
    assert path.is_idle(0.0)
    path.last_data_sent_at_s = 100.0
    assert not path.is_idle(129.9)
    assert path.is_idle(130.0)
    path.flight_bytes = 1
    assert not path.is_idle(1000.0)


def test_a_silent_path_tries_the_next_source_and_begins_anew() -> None:
    """§7.2.5.2: the congestion control of another pair of addresses starts from its initial values."""
    path = make_path("192.0.2.1", "192.0.2.9")
    initial = path.congestion.cwnd
    path.congestion.timed_out()
    assert path.congestion.cwnd < initial
    path.rotate_source(["192.0.2.9", "10.0.0.1", "2001:db8::1"])
    assert path.local_address == "10.0.0.1"
    assert path.congestion.cwnd == initial
    path.rotate_source(["192.0.2.9", "10.0.0.1", "2001:db8::1"])
    assert path.local_address == "192.0.2.9"


@pytest.mark.parametrize("local_addresses", [["192.0.2.9"], ["2001:db8::1"], []])
def test_a_path_with_no_other_source_keeps_what_it_has(local_addresses: list[str]) -> None:
    path = make_path("192.0.2.1", "192.0.2.9")
    path.congestion.timed_out()
    before = path.congestion.cwnd
    path.rotate_source(local_addresses)
    assert (path.local_address, path.congestion.cwnd) == ("192.0.2.9", before)


def test_a_path_shows_what_it_is() -> None:
    assert repr(make_path()) == "<Path 192.0.2.9 -> 192.0.2.1:9899 ACTIVE>"


# -- the set of them --


def test_paths_are_found_by_address() -> None:
    one, two = make_path("192.0.2.1"), make_path("192.0.2.2")
    paths = make_paths(one, two)
    assert (len(paths), list(paths), paths.primary) == (2, [one, two], one)
    assert paths.get("192.0.2.2") is two
    assert paths.get("192.0.2.3") is None
    assert "192.0.2.1" in paths
    assert "192.0.2.3" not in paths


def test_the_peers_own_list_replaces_what_was_guessed() -> None:
    guessed, named = make_path("192.0.2.1"), make_path("192.0.2.2")
    paths = make_paths(guessed)
    paths.replace_all([named], named)
    assert (list(paths), paths.primary) == ([named], named)
    assert "192.0.2.1" not in paths


def test_the_handshake_goes_round_all_addresses() -> None:
    """§5.1: retransmissions of INIT and COOKIE ECHO SHOULD use all addresses."""
    ring = [make_path(f"192.0.2.{n}") for n in range(1, 4)]
    paths = make_paths(*ring)
    at, seen = ring[0], []
    for _ in range(4):
        at = paths.after(at)
        seen.append(at)
    assert seen == [ring[1], ring[2], ring[0], ring[1]]


def test_after_the_only_address_comes_the_same() -> None:
    path = make_path()
    assert make_paths(path).after(path) is path


def test_after_an_address_that_is_gone_the_round_begins_anew() -> None:
    paths = make_paths(make_path("192.0.2.1"), make_path("192.0.2.2"))
    assert paths.after(make_path("192.0.2.7")) is paths.get("192.0.2.1")


class Three:
    """Three paths, the first of them primary, each described by a word."""

    def __init__(self, *words: str) -> None:
        self.all = [make_path(f"192.0.2.{n}", f"10.0.0.{n}") for n in (1, 2, 3)]
        self.paths = make_paths(*self.all)
        for path, word in zip(self.all, words, strict=True):
            path.is_confirmed = "unconfirmed" not in word
            path.is_inactive = "inactive" in word
            path.error_count = int("".join(filter(str.isdigit, word)) or "0")

    def __getitem__(self, number: int) -> Path:
        return self.all[number - 1]


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        # §6.4: the primary, as long as it is active, however many errors it has.
        (("active", "active", "active"), 1),
        (("active 5", "active", "active"), 1),
        # §8.2: else ONE active path, the one with the fewest errors.
        (("inactive", "active 1", "active"), 3),
        (("inactive", "active", "active"), 2),
        (("inactive", "unconfirmed", "active 3"), 3),
        # All inactive: the fewest errors, the primary among equals.
        (("inactive 6", "inactive 5", "inactive 6"), 2),
        (("inactive 6", "inactive 6", "inactive 6"), 1),
        # §5.4: never an unconfirmed one where a confirmed one is, however bad.
        (("unconfirmed", "inactive 9", "unconfirmed"), 2),
        (("unconfirmed", "unconfirmed", "active"), 3),
        (("unconfirmed inactive", "inactive", "unconfirmed"), 2),
        # Nothing confirmed: the primary, for the chunks that may go there.
        (("unconfirmed", "unconfirmed", "unconfirmed"), 1),
    ],
)
def test_the_path_for_new_data(words: tuple[str, str, str], chosen: int) -> None:
    """§6.4, §6.4.1, §8.2: the primary, then one alternate, never an UNCONFIRMED address."""
    three = Three(*words)
    assert three.paths.for_data() is three[chosen]


@pytest.mark.parametrize(
    ("words", "last", "chosen"),
    [
        # Another active path, the one with fewest errors, the primary among equals.
        (("active", "active", "active"), 1, 2),
        (("active", "active", "active"), 2, 1),
        (("active", "active", "active"), 3, 1),
        (("active 1", "active", "active"), 3, 2),
        (("active", "active 2", "active 1"), 1, 3),
        (("active", "unconfirmed", "active 4"), 1, 3),
        (("active", "inactive", "active 4"), 1, 3),
        (("inactive", "active", "inactive"), 1, 2),
        # No other is active: the same again.
        (("active", "inactive", "unconfirmed"), 1, 1),
        (("inactive", "inactive", "inactive"), 3, 3),
        # ... unless that may not carry data at all.
        (("inactive", "unconfirmed", "unconfirmed"), 2, 1),
    ],
)
def test_the_path_for_a_retransmission(words: tuple[str, str, str], last: int, chosen: int) -> None:
    """§6.4: "an active destination transport address that is different from the last"."""
    three = Three(*words)
    assert three.paths.for_retransmission(three[last]) is three[chosen]


def test_the_most_divergent_pair_carries_the_retransmission() -> None:
    """§6.4.1: of two destinations the one with another source too, before errors and the primary count."""
    lost, same_source, other_source = (
        make_path("192.0.2.1", "10.0.0.1"),
        make_path("192.0.2.2", "10.0.0.1"),
        make_path("192.0.2.3", "10.0.0.2"),
    )
    other_source.error_count = 1
    paths = make_paths(lost, same_source, other_source)
    assert paths.for_retransmission(lost) is other_source


# -- the UDP port of a path --


def test_the_udp_port_is_learnt_from_packets_under_our_tag() -> None:
    """S01: RFC 6951 §5.4: a NAT gave the peer another port; what it sends tells us which, per path."""
    pair = Pair()
    ours, theirs = pair.established()
    (path,) = ours.paths
    assert (path.udp_port, path.udp_port_learnt) == (9899, True)
    pair.z.udp_port = 40000
    theirs.heartbeats.request(theirs.paths.primary, pair.now)
    pair.z.engine.touch(theirs)
    pair.run_for(0.05)
    assert path.udp_port == 40000
    ours.send(OutgoingMessage(b"to the new port", stream=0))
    pair.a.engine.touch(ours)
    pair.run_for(0.05)
    message = theirs.receiver.read()
    assert message is not None
    assert message.data == b"to the new port"


@pytest.mark.parametrize("source", ["192.0.2.2", "192.0.2.77"])
def test_no_udp_port_is_learnt_from_a_packet_that_proves_nothing(source: str) -> None:
    """S01: neither under a wrong tag, nor from an address that is not the peer's."""
    pair = Pair()
    ours, _ = pair.established()
    (path,) = ours.paths
    tag = ours.tcb.local_tag if source == "192.0.2.77" else ours.tcb.local_tag ^ 1
    packet = encode_packet(7777, 5000, tag, (Heartbeat(b"who am I").encode(),))
    pair.a.engine.receive(packet, source, 666, "192.0.2.1", pair.now)
    assert (path.udp_port, len(ours.paths)) == (9899, 1)
    assert all(datagram.destination == "192.0.2.2" for datagram in pair.a.engine.poll_datagrams(pair.now))

"""`Stack.sysctl`: names, ranges, and what has a fixed value."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

import aiosctp
from aiosctp.stack import Stack
from aiosctp.sysctl import Variable
from aiosctp.sysctl.table import TABLE
from aiosctp.sysctl.variables import Choice, Fixed, OfConfig, OfSockets, Told
from aiosctp.testing import Network
from tests.surface.two_hosts import TwoHosts, associated
from tests.surface.virtual_time import virtual_time

PREFIX = "net.inet.sctp."

# FreeBSD's, in the order of its manual; the last five are not in there.
LISTED = """
default_cc_module initial_cwnd cwnd_maxburst ecn_enable rttvar_steady_step rttvar_eqret rttvar_bw rttvar_rtt use_dcccecn
getcred assoclist stats diag_info_code blackhole sendall_limit buffer_splitting vtag_time_wait nat_friendly_init
enable_sack_immediately udp_tunneling_port mobility_fasthandoff mobility_base default_frag_interleave default_ss_module
log_level max_retran_chunk min_residual strict_data_order abort_at_limit hb_max_burst do_sctp_drain max_chained_mbufs
abc_l_var nat_friendly cmt_use_dac cmt_on_off outgoing_streams incoming_streams add_more_on_output path_pf_threshold
path_rtx_max assoc_rtx_max init_rtx_max valid_cookie_life init_rto_max rto_initial rto_min rto_max secret_lifetime
shutdown_guard_time pmtu_raise_time heartbeat_interval asoc_resource sys_resource sack_freq delayed_sack_time chunkscale
min_split_point pcbhashsize tcbhashsize maxchunks fr_maxburst maxburst peer_chkoh strict_sacks pr_enable auto_asconf
recvspace sendspace
auth_enable asconf_enable reconfig_enable nrsack_enable pktdrop_enable
"""
NAMES = LISTED.split()

# What is not here has nothing to set: its value, and a word of the reason.
FIXED = {
    "cwnd_maxburst": (0, "counted"),
    "ecn_enable": (0, "ECN"),
    "rttvar_steady_step": (20, "RTCC"),
    "rttvar_eqret": (0, "RTCC"),
    "rttvar_bw": (4, "RTCC"),
    "rttvar_rtt": (5, "RTCC"),
    "use_dcccecn": (0, "RTCC"),
    "buffer_splitting": (3, "each always has"),
    "nat_friendly_init": (0, "NAT"),
    "mobility_fasthandoff": (0, "RFC 5061"),
    "mobility_base": (0, "RFC 5061"),
    "log_level": (0, "logging"),
    "min_residual": (0, "packet is full"),
    "strict_data_order": (0, "in their order"),
    "do_sctp_drain": (0, "memory"),
    "max_chained_mbufs": (0, "mbufs"),
    "nat_friendly": (0, "NAT"),
    "cmt_use_dac": (0, "one path at a time"),
    "cmt_on_off": (0, "one path at a time"),
    "add_more_on_output": (0, "mark"),
    "path_pf_threshold": (65535, "RFC 7829"),
    "asoc_resource": (0, "allocator"),
    "sys_resource": (0, "allocator"),
    "chunkscale": (0, "allocator"),
    "min_split_point": (0, "packet is full"),
    "pcbhashsize": (0, "dicts"),
    "tcbhashsize": (0, "dicts"),
    "maxchunks": (0, "sendspace"),
    "peer_chkoh": (256, "256 bytes at least"),
    "strict_sacks": (1, "always"),
    "auto_asconf": (0, "RFC 5061"),
    "auth_enable": (0, "AUTH"),
    "asconf_enable": (0, "ASCONF"),
    "pktdrop_enable": (0, "not built"),
}


@pytest.fixture
def stack() -> Stack:
    return Stack(network=Network().host("a", "192.0.2.1"))


def test_the_names_are_freebsds_under_their_prefix(stack: Stack) -> None:
    assert len(NAMES) == 69 + 5
    assert sorted(stack.sysctl) == sorted(PREFIX + name for name in NAMES)
    assert len(stack.sysctl) == 74
    assert stack.sysctl is stack.sysctl
    assert {type(value) for value in stack.sysctl.values()} == {int}


@pytest.mark.parametrize("name", ["black_hole", "net.inet.sctp.", "net.inet.tcp.blackhole", "sctp.blackhole", ""])
def test_an_unknown_name_is_a_key_error(stack: Stack, name: str) -> None:
    for use in (
        lambda: stack.sysctl[name],
        lambda: stack.sysctl.__setitem__(name, 0),
        lambda: stack.sysctl.describe(name),
    ):
        with pytest.raises(KeyError):
            use()
    assert name not in stack.sysctl


def test_a_name_may_be_given_without_what_all_have_in_front(stack: Stack) -> None:
    """It is the same variable, which is listed once."""
    stack.sysctl["blackhole"] = 2
    assert stack.sysctl["net.inet.sctp.blackhole"] == stack.sysctl["blackhole"] == 2
    assert stack.config.blackhole == 2
    assert stack.sysctl.describe("blackhole") is stack.sysctl.describe("net.inet.sctp.blackhole")
    assert "auth_enable" in stack.sysctl
    assert "auth_enable" not in list(stack.sysctl)


def test_no_name_can_be_removed(stack: Stack) -> None:
    with pytest.raises(TypeError, match="removed"):
        del stack.sysctl[PREFIX + "blackhole"]
    with pytest.raises(TypeError):
        stack.sysctl.clear()
    assert len(stack.sysctl) == 74


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_is_described(stack: Stack, name: str) -> None:
    variable = stack.sysctl.describe(PREFIX + name)
    assert (variable.name, variable.full_name) == (name, PREFIX + name)
    assert len(variable.description) > 5
    assert variable.unit in ("", "s", "ms", "bytes")
    can_not_change = isinstance(variable, Fixed) or (isinstance(variable, Told) and variable.reset is None)
    assert (variable.why_fixed is not None) is can_not_change


def writable(kinds: tuple[type[Variable], ...]) -> list[str]:
    return [name for name in NAMES if isinstance(TABLE.get(PREFIX + name), kinds)]


@pytest.mark.parametrize("name", writable((OfConfig, Choice, OfSockets)))
def test_a_range_is_checked_at_both_ends(stack: Stack, name: str) -> None:
    sysctl, variable = stack.sysctl, stack.sysctl.describe(PREFIX + name)
    before = dict(sysctl)
    for value in (variable.low - 1, variable.high + 1):
        with pytest.raises(OSError, match=f"{name} must be between {variable.low} and {variable.high}") as caught:
            sysctl[PREFIX + name] = value
        assert caught.value.errno == errno.EINVAL
    assert dict(sysctl) == before


@pytest.mark.parametrize("name", ["path_rtx_max", "ecn_enable", "sendall_limit", "default_ss_module"])
@pytest.mark.parametrize("value", [1.0, "1", None, b"1"])
def test_a_value_that_is_no_int_is_refused(stack: Stack, name: str, value: Any) -> None:
    with pytest.raises(OSError, match=f"{name} must be an int") as caught:
        stack.sysctl[PREFIX + name] = value
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("name", writable((OfConfig,)))
def test_the_ends_of_a_range_are_of_it(name: str) -> None:
    """Of those that go together the others have to make room: here they are as wide as can be."""
    wide = aiosctp.Config(rto_min_s=0.05, rto_max_s=3600, max_cookie_life_s=3600)
    for end in ("low", "high"):
        stack = Stack(network=Network().host("a", "192.0.2.1"), config=wide)
        variable = stack.sysctl.describe(PREFIX + name)
        value = getattr(variable, end)
        if (name, end) == ("rto_min", "high"):
            stack.config = wide.replace(rto_initial_s=3600)
        elif (name, end) == ("rto_max", "low"):
            stack.config = wide.replace(rto_initial_s=0.05)
        elif (name, end) == ("secret_lifetime", "low"):
            stack.config = wide.replace(valid_cookie_life_s=1, max_cookie_life_s=1)
        stack.sysctl[PREFIX + name] = value
        # 0 is that of `rto_max`.
        is_other = (name, value) == ("init_rto_max", 0)
        assert stack.sysctl[PREFIX + name] == (3_600_000 if is_other else value)


def test_values_that_do_not_go_together_are_refused(stack: Stack) -> None:
    """G46-G49: and nothing has changed."""
    sysctl = stack.sysctl
    before = dict(sysctl)
    for name, value in (("rto_min", 2000), ("rto_max", 900), ("rto_initial", 900), ("secret_lifetime", 299)):
        with pytest.raises(OSError, match=name) as caught:
            sysctl[PREFIX + name] = value
        assert caught.value.errno == errno.EINVAL
    assert dict(sysctl) == before


@pytest.mark.parametrize("name", sorted(FIXED))
def test_what_has_nothing_to_set_has_a_fixed_value_and_says_why(stack: Stack, name: str) -> None:
    """G03-G09, G16, G18, G21, G22, G25, G27, G28, G31, G32, G34-G36, G39, G40, G53, G54, G57-G61, G64, G65, G67: not
    applicable here. It reads as what is so, takes that value, and refuses any other with the reason."""
    sysctl = stack.sysctl
    value, reason = FIXED[name]
    before = dict(sysctl)
    assert sysctl[PREFIX + name] == value
    sysctl[PREFIX + name] = value
    with pytest.raises(OSError, match=reason) as caught:
        sysctl[PREFIX + name] = value + 1 if value == 0 else value - 1
    assert caught.value.errno == errno.EOPNOTSUPP
    with pytest.raises(OSError, match="must be between") as caught:
        sysctl[PREFIX + name] = -1
    assert caught.value.errno == errno.EINVAL
    assert dict(sysctl) == before
    why = sysctl.describe(PREFIX + name).why_fixed
    assert why is not None
    assert reason in why


def test_these_and_no_others_are_fixed(stack: Stack) -> None:
    fixed = {name for name in NAMES if isinstance(stack.sysctl.describe(PREFIX + name), Fixed)}
    assert fixed == FIXED.keys() | {"udp_tunneling_port"}


@virtual_time
async def test_the_udp_port_is_told_and_stays() -> None:
    """G20: the one that packets come from."""
    async with associated() as (hosts, _, _):
        assert hosts.client.sysctl[PREFIX + "udp_tunneling_port"] == hosts.log[0].source_port == 9899
        with pytest.raises(OSError, match="Stack") as caught:
            hosts.client.sysctl[PREFIX + "udp_tunneling_port"] = 9900
        assert caught.value.errno == errno.EOPNOTSUPP
    async with aiosctp.Stack(udp_port=0, network=Network().host("a", "192.0.2.1")) as stack:
        assert stack.sysctl[PREFIX + "udp_tunneling_port"] == stack.udp_port > 0


@virtual_time
async def test_who_has_the_associations_and_how_many_can_only_be_read() -> None:
    """G10, G11: the user of this process; the associations themselves are `Stack.associations()`."""
    async with TwoHosts() as hosts, await hosts.serve():
        counts = [hosts.server.sysctl[PREFIX + "assoclist"]]
        for _ in range(2):
            await hosts.pair()
            counts.append(hosts.server.sysctl[PREFIX + "assoclist"])
        assert counts == [0, 1, 2]
        assert len(hosts.server.associations()) == 2
        assert hosts.server.sysctl[PREFIX + "getcred"] == os.geteuid()
        for name in ("assoclist", "getcred"):
            with pytest.raises(PermissionError, match="can only be read"):
                hosts.server.sysctl[PREFIX + name] = 0


def test_where_there_are_no_user_ids_it_is_0(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """G10: as on Windows."""
    monkeypatch.delattr(os, "geteuid", raising=False)
    assert stack.sysctl[PREFIX + "getcred"] == 0


@virtual_time
async def test_the_statistics_count_packets_and_can_begin_anew() -> None:
    """G12: `stats` is one number of many: how many packets went either way. Writing 0 begins anew."""
    async with associated() as (hosts, ours, theirs):
        sysctl = hosts.client.sysctl
        assert sysctl[PREFIX + "stats"] == len(hosts.log)
        sysctl[PREFIX + "stats"] = 0
        assert sysctl[PREFIX + "stats"] == 0
        before = len(hosts.log)
        await ours.send(b"x")
        await theirs.receive()
        await ours.wait_acknowledged()
        assert sysctl[PREFIX + "stats"] == len(hosts.log) - before > 1
        with pytest.raises(OSError, match="stats") as caught:
            sysctl[PREFIX + "stats"] = 1
        assert caught.value.errno == errno.EINVAL


def test_only_the_congestion_control_that_is_built_can_be_chosen(stack: Stack) -> None:
    """G01: 0, that of RFC 9260."""
    name = PREFIX + "default_cc_module"
    stack.sysctl[name] = 0
    assert stack.config.congestion_control == "reno"
    for value in (1, 2, 3):
        with pytest.raises(OSError, match="only 0 is built") as caught:
            stack.sysctl[name] = value
        assert caught.value.errno == errno.EOPNOTSUPP
    assert stack.sysctl[name] == 0


def test_a_switch_takes_a_bool(stack: Stack) -> None:
    stack.sysctl[PREFIX + "pr_enable"] = False
    assert stack.sysctl[PREFIX + "pr_enable"] == 0
    assert type(stack.sysctl[PREFIX + "pr_enable"]) is int

"""Config: the values of RFC 9260 §16, and a ValueError or TypeError by name for everything else."""

from __future__ import annotations

import math
import pickle
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from aiosctp.config import CONGESTION_CONTROLS as CONFIGURABLE
from aiosctp.config import Config
from aiosctp.core.congestion import CONGESTION_CONTROLS

# Every number, with the least and the largest value it may have.
BOUNDS: dict[str, tuple[float, float]] = {
    "rto_initial_s": (0.05, 3600),
    "rto_min_s": (0.05, 3600),
    "rto_max_s": (0.05, 3600),
    "rto_alpha": (0, 1),
    "rto_beta": (0, 1),
    "chunk_max_retrans": (0, 65535),
    "max_burst": (1, 65535),
    "fr_max_burst": (1, 65535),
    "initial_cwnd_mtus": (1, 65535),
    "slow_start_limit_mtus": (1, 65535),
    "valid_cookie_life_s": (0.1, 3600),
    "max_cookie_life_s": (0.1, 3600),
    "cookie_key_life_s": (1, 10**9),
    "association_max_retrans": (0, 65535),
    "path_max_retrans": (0, 65535),
    "max_init_retransmits": (0, 65535),
    "init_rto_max_s": (0.05, 3600),
    "hb_interval_s": (0, 10**9),
    "hb_max_burst": (1, 65535),
    "sack_delay_s": (0, 0.5),
    "sack_frequency": (1, 65535),
    "vtag_quarantine_s": (0, 10**9),
    "error_answers_per_s": (0, 10**9),
    "blackhole": (0, 2),
    "diagnostic_cause": (1, 65535),
    "receive_window_bytes": (1500, 2**31 - 1),
    "partial_delivery_point_bytes": (1, 2**31 - 1),
    "send_buffer_bytes": (1, 2**40),
    "stream_send_buffer_bytes": (1, 2**40),
    "max_message_bytes": (1, 2**31 - 1),
    "max_segment_bytes": (1, 2**32 - 1),
    "shutdown_timeout_s": (0, 10**9),
    "autoclose_s": (0.001, 10**9),
    "event_queue_limit": (1, 10**9),
    "outbound_streams": (1, 65535),
    "max_inbound_streams": (1, 65535),
    "adaptation_layer": (0, 2**32 - 1),
    "stream_ppid": (0, 2**32 - 1),
    "path_mtu": (576, 65535),
    "pmdcs_bytes": (536, 65475),
    "pmtu_raise_s": (1, 10**9),
    "lifetime_s": (0.001, 10**9),
    "max_retransmits": (0, 65535),
    "buffer_priority": (0, 2**32 - 1),
}
# What else has to change for a bound to be reachable: the order of the three RTOs, and of the three cookie lives.
WIDEST: dict[str, dict[str, float]] = {
    "rto_initial_s": {"rto_min_s": 0.05, "rto_max_s": 3600},
    "rto_min_s": {"rto_initial_s": 3600, "rto_max_s": 3600},
    "rto_max_s": {"rto_initial_s": 0.05, "rto_min_s": 0.05},
    "valid_cookie_life_s": {"max_cookie_life_s": 3600},
    "max_cookie_life_s": {"valid_cookie_life_s": 0.1},
    "cookie_key_life_s": {"valid_cookie_life_s": 1, "max_cookie_life_s": 1},
}
SWITCHES = (
    "abort_at_limit",
    "fragmentation",
    "heartbeat",
    "nodelay",
    "path_mtu_discovery",
    "partial_reliability",
    "interleaving",
    "nrsack",
    "reconfig",
    "peer_may_reset_streams",
    "peer_may_reset_association",
    "peer_may_add_streams",
    "sack_immediately",
)
POLICIES = ("lifetime_s", "max_retransmits", "buffer_priority")
OPTIONAL = (
    "adaptation_layer",
    "autoclose_s",
    "chunk_max_retrans",
    "diagnostic_cause",
    "init_rto_max_s",
    "initial_cwnd_mtus",
    "max_segment_bytes",
    "partial_delivery_point_bytes",
    "path_mtu",
    "pmdcs_bytes",
    "shutdown_timeout_s",
    "slow_start_limit_mtus",
    *POLICIES,
)
WHOLE = [name for name in BOUNDS if not name.endswith(("_s", "_alpha", "_beta"))]
FRACTIONAL = [name for name in BOUNDS if name not in WHOLE]


def with_value(name: str, value: Any) -> Config:
    others: dict[str, Any] = dict(WIDEST.get(name, {}))
    others[name] = value
    return Config(**others)


def test_the_defaults_are_those_that_section_16_recommends() -> None:
    """L11: the values of RFC 9260 §16; RTO.Initial is one second, no longer three."""
    config = Config()
    assert (config.rto_initial_s, config.rto_min_s, config.rto_max_s) == (1, 1, 60)
    assert (config.rto_alpha, config.rto_beta) == (1 / 8, 1 / 4)
    assert (config.max_burst, config.valid_cookie_life_s) == (4, 60)
    assert (config.association_max_retrans, config.path_max_retrans, config.max_init_retransmits) == (10, 5, 8)
    assert (config.hb_interval_s, config.hb_max_burst) == (30, 1)
    assert (config.sack_delay_s, config.sack_frequency) == (0.2, 2)


def test_every_number_has_bounds_that_are_tested_here() -> None:
    others = {*SWITCHES, "advertise_addresses", "congestion_control", "scheduler"}
    assert {field.name for field in fields(Config)} == set(BOUNDS) | others


@pytest.mark.parametrize("name", BOUNDS)
def test_both_bounds_of_a_number_are_allowed(name: str) -> None:
    for bound in BOUNDS[name]:
        assert getattr(with_value(name, bound), name) == bound


@pytest.mark.parametrize("name", BOUNDS)
def test_a_number_beyond_its_bounds_is_refused_by_name(name: str) -> None:
    low, high = BOUNDS[name]
    step = 1 if name in WHOLE else 0.001
    for value in (low - step, high + step):
        with pytest.raises(ValueError, match=f"^{name} must be between"):
            with_value(name, value)


@pytest.mark.parametrize("name", FRACTIONAL)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be between"):
        with_value(name, value)


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("value", ["5", True, b"5", [5]])
def test_a_number_of_another_type_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be an? "):
        with_value(name, value)


@pytest.mark.parametrize("name", WHOLE)
def test_a_count_or_size_must_be_whole(name: str) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be an int, not float"):
        with_value(name, float(BOUNDS[name][1]))


@pytest.mark.parametrize("name", FRACTIONAL)
def test_a_time_or_factor_may_be_a_whole_number(name: str) -> None:
    whole = 1 if BOUNDS[name][1] >= 1 else 0
    assert getattr(with_value(name, whole), name) == whole


@pytest.mark.parametrize("name", BOUNDS)
def test_none_stands_for_a_default_only_where_there_is_one(name: str) -> None:
    if name in OPTIONAL:
        assert getattr(with_value(name, None), name) is None
    else:
        with pytest.raises(TypeError, match=f"^{name} must be"):
            with_value(name, None)


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", [1, 0, None, "yes"])
def test_a_switch_is_a_bool(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be a bool"):
        with_value(name, value)


def test_congestion_control_is_a_name() -> None:
    not_a_name: Any = 1
    with pytest.raises(TypeError, match=r"^congestion_control must be a str"):
        Config(congestion_control=not_a_name)


def test_the_unknown_congestion_control_is_refused_by_name() -> None:
    """Not at the COOKIE ECHO of the first peer, when the congestion control is made."""
    with pytest.raises(ValueError, match=r"^congestion_control must be one of reno, not 'nonsense'"):
        Config(congestion_control="nonsense")


def test_every_congestion_control_there_is_may_be_named() -> None:
    assert set(CONFIGURABLE) == set(CONGESTION_CONTROLS)


def test_a_cookie_key_lives_as_long_as_any_cookie() -> None:
    """Else a cookie would be silently discarded before it is stale."""
    Config(cookie_key_life_s=10, max_cookie_life_s=10, valid_cookie_life_s=10)
    with pytest.raises(ValueError, match=r"^cookie_key_life_s must not be below max_cookie_life_s"):
        Config(cookie_key_life_s=9, max_cookie_life_s=10, valid_cookie_life_s=10)


@pytest.mark.parametrize(
    "rtos",
    [
        {"rto_initial_s": 0.5},
        {"rto_initial_s": 61},
        {"rto_min_s": 2},
        {"rto_max_s": 0.5},
        {"rto_min_s": 61, "rto_initial_s": 61},
    ],
)
def test_rto_initial_lies_between_rto_min_and_rto_max(rtos: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="rto_initial_s must lie between rto_min_s and rto_max_s"):
        Config().replace(**rtos)


def test_a_path_mtu_is_fixed_in_one_way() -> None:
    with pytest.raises(ValueError, match="path_mtu and pmdcs_bytes exclude each other"):
        Config(path_mtu=1500, pmdcs_bytes=1460)


def test_a_preservative_cannot_shorten_the_life_of_a_cookie() -> None:
    with pytest.raises(ValueError, match="max_cookie_life_s must not be below valid_cookie_life_s"):
        Config(valid_cookie_life_s=10, max_cookie_life_s=9.9)


@pytest.mark.parametrize("value", ["auto", "none"])
def test_the_addresses_to_tell_may_be_a_word(value: str) -> None:
    assert Config(advertise_addresses=value).advertise_addresses == value


def test_the_addresses_to_tell_may_be_any_list_and_are_kept_unchangeable() -> None:
    listed: Any = ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.7"]
    config = Config(advertise_addresses=listed)
    listed.append("192.0.2.9")
    assert config.advertise_addresses == ("192.0.2.1", "2001:db8::1", "::ffff:192.0.2.7")
    assert hash(config) == hash(config.replace())


@pytest.mark.parametrize(
    "value",
    [
        "",
        "all",
        "192.0.2.1",
        ["host.example"],
        ["192.0.2.1", ""],
        ["192.0.2.1%eth0"],
        ["ff02::1"],
        ["224.0.0.1"],
        ["::"],
    ],
)
def test_an_address_to_tell_that_is_none_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ValueError, match="advertise_addresses"):
        Config(advertise_addresses=value)


@pytest.mark.parametrize("value", [None, 5, b"192.0.2.1", [1], ["192.0.2.1", None]])
def test_addresses_to_tell_of_another_type_are_refused_by_name(value: Any) -> None:
    with pytest.raises(TypeError, match="advertise_addresses"):
        Config(advertise_addresses=value)


def test_a_config_cannot_be_changed() -> None:
    config = Config()
    name = "max_burst"
    with pytest.raises(FrozenInstanceError):
        setattr(config, name, 5)


def test_replace_changes_a_copy_and_validates_it() -> None:
    config = Config(max_burst=7)
    changed = config.replace(sack_frequency=1)
    assert (changed.max_burst, changed.sack_frequency, config.sack_frequency) == (7, 1, 2)
    with pytest.raises(ValueError, match="sack_delay_s"):
        config.replace(sack_delay_s=0.501)
    with pytest.raises(TypeError, match="no_such_name"):
        config.replace(no_such_name=1)


def test_arguments_have_names() -> None:
    positional: Any = Config
    with pytest.raises(TypeError):
        positional(1.0)


def test_configs_compare_by_value_and_survive_pickling() -> None:
    config = Config(path_mtu=1400, advertise_addresses=("192.0.2.1", "192.0.2.2"))
    assert pickle.loads(pickle.dumps(config)) == config
    assert config != Config()


def test_the_shutdown_guard_is_five_times_rto_max_unless_set() -> None:
    assert Config(rto_max_s=10).effective_shutdown_timeout_s == 50
    assert Config(shutdown_timeout_s=7.5).effective_shutdown_timeout_s == 7.5
    assert Config(shutdown_timeout_s=0).effective_shutdown_timeout_s == 0


def test_the_partial_delivery_point_is_a_quarter_of_the_window_unless_set_and_never_above_it() -> None:
    assert Config(receive_window_bytes=8000).effective_partial_delivery_point_bytes == 2000
    assert Config(partial_delivery_point_bytes=9).effective_partial_delivery_point_bytes == 9
    above = Config(receive_window_bytes=8000, partial_delivery_point_bytes=9000)
    assert above.effective_partial_delivery_point_bytes == 8000

"""What can be set in the life of an association (RFC 9260 §11.1.6, §11.1.12, §11.1.13)."""

from __future__ import annotations

from typing import Any

from aiosctp import policies
from aiosctp.arguments import check_int, check_range
from aiosctp.exceptions import InvalidStream
from aiosctp.lifetime import Lifetime
from aiosctp.path import check_configurable, path_to
from aiosctp.policies import MAX_STREAM_VALUE, NamedPolicy
from aiosctp.sending import Sending

CONFIGURABLE = frozenset(
    {
        "association_max_retrans",
        "autoclose_s",
        "buffer_priority",
        "chunk_max_retrans",
        "event_queue_limit",
        "fr_max_burst",
        "fragmentation",
        "hb_interval_s",
        "heartbeat",
        "lifetime_s",
        "max_burst",
        "max_cookie_life_s",
        "max_message_bytes",
        "max_retransmits",
        "max_segment_bytes",
        "nodelay",
        "partial_delivery_point_bytes",
        "path_max_retrans",
        "path_mtu",
        "path_mtu_discovery",
        "peer_may_add_streams",
        "peer_may_reset_association",
        "peer_may_reset_streams",
        "pmdcs_bytes",
        "pmtu_raise_s",
        "receive_window_bytes",
        "rto_initial_s",
        "rto_max_s",
        "rto_min_s",
        "sack_delay_s",
        "sack_frequency",
        "sack_immediately",
        "scheduler",
        "send_buffer_bytes",
        "shutdown_timeout_s",
        "slow_start_limit_mtus",
        "stream_send_buffer_bytes",
        "valid_cookie_life_s",
    }
)


def configure(life: Lifetime, sending: Sending, changes: dict[str, Any]) -> None:
    check_configurable(changes, CONFIGURABLE)
    config = life.engine.config.replace(**changes)
    if config.receive_window_bytes < life.engine.config.receive_window_bytes:
        # §3.3.2: "During the life of the association, this buffer space SHOULD NOT be reduced".
        raise ValueError("receive_window_bytes must not be reduced in the life of an association")
    life.engine.configure(config, life.stack.now())
    sending.configure(config)
    life.touch()


def configure_stream(
    life: Lifetime,
    sending: Sending,
    number: int,
    priority: int | None,
    weight: int | None,
    named: NamedPolicy,
) -> None:
    engine = life.engine
    check_int("number", number)
    if not 0 <= number < engine.tcb.outbound_streams:
        raise InvalidStream(f"number must be between 0 and {engine.tcb.outbound_streams - 1}, not {number}")
    if priority is not None:
        check_range("priority", priority, 0, MAX_STREAM_VALUE)
    if weight is not None:
        check_range("weight", weight, 1, MAX_STREAM_VALUE)
    policy = policies.checked(*named)
    if policy.is_named:
        sending.check_takes_messages(number)
    if engine.ending is not None:
        raise life.ending_error()
    engine.sender.queue.set_stream_values(number, priority=priority, weight=weight)
    if policy.is_named:
        sending.configure_stream(number, policy)


def set_primary(life: Lifetime, address: str | tuple[str, int]) -> None:
    if life.engine.ending is not None:
        raise life.ending_error()
    life.engine.set_primary(path_to(life.engine, address))
    life.touch()

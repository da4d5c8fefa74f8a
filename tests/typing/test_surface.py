"""Nothing public is left out of the programs that the type checker reads."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import aiosctp
from aiosctp import events, exceptions, schedulers, socket

HERE = Path(__file__).parent
MODULES = (aiosctp, events, exceptions, schedulers, socket)
# What the surface's modules call in one another, and programs do not.
WITHIN_THE_PACKAGE = {
    "SCTPError": {"default_errno"},
    "Association": {
        *("begin_shutdown", "byte_streams", "ending_error", "engine_changed", "raised", "release_held_events"),
        *("keep_to", "life", "peek_part", "take_part"),
    },
    "Path": {"request_heartbeat"},
    "Network": {"open_ports"},
    "SystemNetwork": {"open_ports"},
    "Server": {"bind", "engine_accepted", "listen", "stack_closed"},
    "Stack": {
        "tell_when_closed",
        "ask_port_policy",
        *("add", "call_before_flush", "close", "close_if_unused", "datagrams_received", "flush", "icmp_received"),
        *("is_closed", "listen", "loop", "network", "now", "open", "open_endpoint", "own", "owners", "send_failed"),
        *("sockets", "stop_listening", "tell_when_closed", "touch", "touch_to_send"),
    },
    "StreamTransport": {
        *("begin", "buffer", "cut_off", "data_arrived", "eof_arrived", "eof_was_written", "fail", "has_late_input"),
        *("incoming_is_over", "incoming_request", "is_behind_reset", "is_lost", "is_to_resume", "kept", "lose"),
        *("number", "outgoing_is_over", "outgoing_request", "owes_input", "paused_protocol", "resume_if_below", "shut"),
        *("shut_after", "take_up", "takes_input", "was_used"),
    },
    # A program's own has them, which are then the scheduler's to call.
    "Scheduler": {"add", "add_begun", "drop", "first", "in_order", "packet_ended", "sent", "values_changed"},
    "StreamByStream": {"add", "add_begun", "drop", "first", "in_order", "packet_ended", "sent", "values_changed"},
    "StreamValues": {"interleaves", "priorities", "weights"},
    "SCTPSocket": {"engine_accepted", "stack_closed"},
    "SocketState": {
        *("add_association", "association_at", "association_changed", "association_of", "check_may_connect"),
        *("check_open", "choose_stack", "configure", "connected", "is_closed", "is_listening", "is_one_to_many"),
        *(
            "is_cut_off",
            "open_stack",
            "pass_over",
            "peer_address",
            "reads_no_more",
            "shown",
            "take_over",
            "take_pending_errno",
        ),
    },
    "sctp_notification": {"PREFIX"},
    # A coroutine's own methods.
    "connect": {"attempt_delay_s", "close", "send", "start", "throw"},
}


@functools.cache
def _words() -> frozenset[str]:
    """Every name of the programs: of what they read, of keywords that they give, and of functions that they define."""
    words = set()
    for program in HERE.glob("[!_]*.py"):
        tree = ast.parse(program.read_text(encoding="utf-8") if program != Path(__file__) else "")
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(attr=word) | ast.Name(id=word) | ast.FunctionDef(name=word):
                    words.add(word)
                case ast.keyword(arg=str(word)):
                    words.add(word)
    return frozenset(words)


def _public_names(module: ModuleType) -> list[str]:
    """What it lists; else what it defines, or takes from modules of its own."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(listed)
    own = f"{module.__name__}."
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and f"{getattr(value, '__module__', module.__name__)}.".startswith(own)
    ]


def _classes() -> Iterator[type]:
    for module in MODULES:
        for name in _public_names(module):
            value = getattr(module, name)
            if inspect.isclass(value):
                yield value


def _members(cls: type) -> set[str]:
    """Its public methods and attributes, what it inherits from elsewhere left out; and the arguments that make it."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("aiosctp")]
    members = {name for base in ours for name in vars(base)}
    if dataclasses.is_dataclass(cls):
        members |= {field.name for field in dataclasses.fields(cls)}
    for base in ours:
        members -= WITHIN_THE_PACKAGE.get(base.__name__, set())
    return {name for name in members if not name.startswith("_")}


every_class = pytest.mark.parametrize("cls", list(dict.fromkeys(_classes())), ids=lambda cls: str(cls.__name__))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_name_of_the_module_is_used(module: ModuleType) -> None:
    assert set(_public_names(module)) - _words() - {"Event"} == set()


@every_class
def test_every_method_and_attribute_is_used(cls: type) -> None:
    assert _members(cls) - _words() == set()


@every_class
def test_every_argument_by_name_of_a_method_is_given(cls: type) -> None:
    methods = [method for name in _members(cls) if inspect.isfunction(method := getattr(cls, name, None))]
    assert _arguments_by_name(methods) - _words() == set()


def test_every_argument_by_name_of_a_function_is_given() -> None:
    functions = [value for name in _public_names(aiosctp) if inspect.isfunction(value := getattr(aiosctp, name))]
    made_by_programs = [aiosctp.Config, aiosctp.Stack, aiosctp.connect, schedulers.StreamByStream]
    assert _arguments_by_name([*functions, *made_by_programs]) - _words() == set()


def _arguments_by_name(functions: Iterable[Callable[..., object]]) -> set[str]:
    parameters = (parameter for function in functions for parameter in inspect.signature(function).parameters.values())
    return {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}

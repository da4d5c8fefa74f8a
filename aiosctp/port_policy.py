"""Which SCTP ports a program may bind (RFC 6458 §10)."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable

from aiosctp.arguments import check_callable

FIRST_UNPRIVILEGED_PORT = 1024

PortPolicy = Callable[[int], bool]
"""May this SCTP port be bound?"""


def privileged_ports(port: int) -> bool:
    """A `Stack.port_policy`: ports below 1024 are for the superuser (RFC 6458 §10), as with a kernel's SCTP.

    Over UDP nobody has to ask the operating system for an SCTP port, so a stack asks for none of itself. Where there
    are no user ids, as on Windows, every port may be bound.
    """
    if port >= FIRST_UNPRIVILEGED_PORT:
        return True
    # Asked anew each time: a server may bind its ports and then drop its privileges.
    return not hasattr(os, "geteuid") or os.geteuid() == 0


def check_port_policy(policy: PortPolicy | None) -> None:
    if policy is None:
        return
    check_callable("port_policy", policy)
    # A coroutine is true, and would allow every port.
    if inspect.iscoroutinefunction(policy):
        raise TypeError("port_policy must be a plain function of the port")

"""Network namespaces: a machine of our own, with loopback only and the addresses we choose."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.interop.toolchain import unavailable


class Namespace:
    """A network namespace whose loopback interface has these addresses, a context manager."""

    def __init__(self, addresses: Sequence[str] = ("127.0.0.2",)) -> None:
        self.name = f"aiosctp-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._addresses = addresses

    def __enter__(self) -> Self:
        if shutil.which("ip") is None:
            unavailable("there is no ip command (Debian: iproute2)")
        if shutil.which("setpriv") is None:
            unavailable("there is no setpriv command (Debian: util-linux)")
        added = subprocess.run(["ip", "netns", "add", self.name], capture_output=True, text=True, check=False)
        if added.returncode != 0:
            unavailable(f"network namespaces are not permitted here: {added.stderr.strip()}")
        try:
            self.run("ip", "link", "set", "lo", "up")
            for address in self._addresses:
                self.run("ip", "address", "add", f"{address}/8", "dev", "lo")
        except BaseException:
            self._delete()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._delete()

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command line so that it runs in here."""
        return ("ip", "netns", "exec", self.name)

    @property
    def unprivileged_prefix(self) -> tuple[str, ...]:
        """The same, as the user nobody: as root usrsctp would also open raw SCTP sockets."""
        return (*self.prefix, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")

    def has_udp_port(self, port: int) -> bool:
        """Whether some process in here has bound this UDP port."""
        table = self.run("cat", "/proc/net/udp", "/proc/net/udp6")
        local_addresses = [line.split()[1] for line in table.splitlines()]
        return any(address.endswith(f":{port:04X}") for address in local_addresses)

    def run(self, *argv: str) -> str:
        """Run a command in here to its end; what it printed."""
        return subprocess.run([*self.prefix, *argv], check=True, capture_output=True, text=True).stdout

    def _delete(self) -> None:
        subprocess.run(["ip", "netns", "delete", self.name], check=False, capture_output=True)


def connect(one: Namespace, other: Namespace, interface: str, addresses: tuple[str, str]) -> None:
    """Lay a cable between the two, which ends in an interface of this name in each, with one of the addresses."""
    other_end = ("peer", "name", interface, "netns", other.name)
    one.run("ip", "link", "add", interface, "type", "veth", *other_end)
    for namespace, address in zip((one, other), addresses, strict=True):
        # nodad: else an IPv6 address can't be bound for its first second.
        namespace.run("ip", "address", "add", address, "dev", interface, *(("nodad",) if ":" in address else ()))
        # Runs of datagrams are cut before the cable, which lets them through whatever their size.
        namespace.run("ip", "link", "set", interface, "gso_max_segs", "1", "up")

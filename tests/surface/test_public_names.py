"""What `import aiosctp` gives, and that the example in its docstring runs."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
import textwrap

import pytest

import aiosctp
from aiosctp.testing import Network
from aiosctp.testing.loop import VirtualTimeLoop

NAMES = """
Abandoned Association AssociationAborted AssociationLost AssociationRefused AssociationShutdown AssociationState
AssociationStatistics AssociationStatus Cause Config ConnectTimeout Feature InvalidStream Message MessageTooLarge
Network NotSupported Path PathState RecordLost RequestDenied SCTPError Server Stack StackStatistics Stream StreamEnded
StreamTransport SystemNetwork connect create_connection create_server events exceptions features open_connection
privileged_ports schedulers serve start_server
"""


def test_the_public_names_are_these() -> None:
    assert sorted(aiosctp.__all__) == NAMES.split()
    assert all(hasattr(aiosctp, name) for name in aiosctp.__all__)


def test_the_docstring_of_the_package_names_them_all() -> None:
    named = set(re.findall(r"\w+", aiosctp.__doc__ or ""))
    assert not set(aiosctp.__all__) - named


def test_every_public_method_says_what_it_does() -> None:
    classes = (aiosctp.Association, aiosctp.Path, aiosctp.Server, aiosctp.Stack, aiosctp.Stream)
    coroutines = [
        member
        for kind in classes
        for name, member in vars(kind).items()
        if asyncio.iscoroutinefunction(member) and not name.startswith("_")
    ]
    assert len(coroutines) > 10
    assert not [member.__qualname__ for member in coroutines if not member.__doc__]


def test_the_example_in_the_docstring_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert aiosctp.__doc__ is not None
    example = "\n".join(line for line in aiosctp.__doc__.splitlines() if line.startswith("    "))
    namespace: dict[str, object] = {"aiosctp": aiosctp}
    exec(textwrap.dedent(example), namespace)  # noqa: S102 - our own text
    main = namespace["main"]
    assert callable(main)
    # In memory, since the default UDP port of this machine may be somebody else's.
    with Network().host("a", "127.0.0.1"), asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
    assert "b'hello'" in capsys.readouterr().out


def test_importing_changes_nothing_of_the_program() -> None:
    """No event loop policy is installed, nothing is printed, and unconfigured logging stays silent, but for what goes
    wrong in the program's own functions, which `aiosctp.server` tells."""
    code = """
        import asyncio, logging, sys
        before = list(logging.root.handlers)
        import aiosctp
        assert logging.root.handlers == before
        assert "uvloop" not in sys.modules
        logging.getLogger("aiosctp").error("unheard")
        logging.getLogger("aiosctp.server").error("heard")
        logging.basicConfig(format="once: %(message)s")
        logging.getLogger("aiosctp.server").error("heard")
        logging.root.handlers.clear()
        logging.getLogger("aiosctp.server").addHandler(logging.NullHandler())
        logging.getLogger("aiosctp.server").disabled = True
        logging.getLogger("aiosctp.server").error("unheard")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=True, text=True)
    assert (done.stdout, done.stderr) == ("", "heard\nonce: heard\n")
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("aiosctp").handlers)

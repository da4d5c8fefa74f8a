"""The examples written for asyncio's streams do the same over TCP and over SCTP."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.surface.transports import Simulated, Tcp, World
from tests.tools.command import REPOSITORY, python, serving

CHAT, FILES = (REPOSITORY / "examples" / name for name in ("chat.py", "files.py"))

over_both = pytest.mark.parametrize("flags", [(), ("--sctp",)], ids=["tcp", "sctp"])


@over_both
async def test_the_chat_tells_everybody_what_everybody_says(flags: tuple[str, ...]) -> None:
    """A46: the program is the same, and which transport it is only a flag."""
    async with (
        serving("the room is open", CHAT, "serve", *flags) as room,
        python(CHAT, "join", "127.0.0.1", "alice", *flags) as alice,
    ):
        await room.line("^alice is here$")
        async with python(CHAT, "join", "127.0.0.1", "bob", *flags) as bob:
            await alice.line("^bob is here$")
            outcome = await bob.outcome(b"hello\nthat is all\n")
            assert (outcome.status, outcome.errors) == (0, "")
            assert outcome.output.splitlines() == ["bob: hello", "bob: that is all"]
        outcome = await alice.outcome(b"bye")
        assert (outcome.status, outcome.errors) == (0, "")
        assert outcome.output.splitlines() == [
            "bob is here",
            "bob: hello",
            "bob: that is all",
            "bob has left",
            "alice: bye",
        ]
        await room.line("^alice has left$")


@over_both
async def test_the_file_server_gives_several_files_on_one_connection(flags: tuple[str, ...], tmp_path: Path) -> None:
    """A46: the same for HTTP/1.1 with keep-alive."""
    large = "".join(f"{number:07}\n" for number in range(100_000))
    (tmp_path / "large").write_text(large)
    (tmp_path / "with spaces and ü").write_text("small\n")
    (tmp_path / "empty").touch()
    async with serving("serving", FILES, "serve", tmp_path, *flags):
        paths = ("/large", "/with spaces and ü", "/empty", "/large")
        async with python(FILES, "get", "127.0.0.1", *paths, *flags) as client:
            outcome = await client.outcome()
        assert (outcome.status, outcome.errors) == (0, "")
        assert outcome.output == large + "small\n" + large
        async with python(FILES, "get", "127.0.0.1", "/empty", "/missing", *flags) as client:
            outcome = await client.outcome()
        assert (outcome.status, outcome.output) == (1, "")
        assert outcome.errors == "/missing: HTTP/1.1 404 Not Found\n"


@pytest.fixture
def files() -> Any:
    """The module of the example."""
    spec = importlib.util.spec_from_file_location("files", FILES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REQUESTS = {
    "GET /inside HTTP/1.1\r\n\r\n": (200, "in"),
    "HEAD /inside HTTP/1.1\r\n\r\n": (200, ""),
    "GET /inside?a=/../outside HTTP/1.0\r\n\r\n": (200, "in"),
    "GET /folder/../inside HTTP/1.1\r\nConnection: close\r\n\r\n": (200, "in"),
    "GET /../outside HTTP/1.1\r\n\r\n": (404, ""),
    "GET /folder/../../outside HTTP/1.1\r\n\r\n": (404, ""),
    "GET /%2e%2e/outside HTTP/1.1\r\n\r\n": (404, ""),
    "GET /..%2foutside HTTP/1.1\r\n\r\n": (404, ""),
    "GET /link HTTP/1.1\r\n\r\n": (404, ""),
    "GET //etc/passwd HTTP/1.1\r\n\r\n": (404, ""),
    "GET /folder HTTP/1.1\r\n\r\n": (404, ""),
    f"GET /{'long' * 5000} HTTP/1.1\r\n\r\n": (404, ""),
    "DELETE /inside HTTP/1.1\r\n\r\n": (405, ""),
    "GET /%00 HTTP/1.1\r\n\r\n": (400, ""),
    "GET /inside\r\n\r\n": (400, ""),
}


@pytest.mark.parametrize("kind", [Tcp, Simulated])
def test_the_file_server_keeps_to_its_directory_and_to_http(kind: type[World], files: Any, tmp_path: Path) -> None:
    (tmp_path / "root" / "folder").mkdir(parents=True)
    (tmp_path / "root" / "inside").write_text("in")
    (tmp_path / "outside").write_text("out")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")

    async def ask_all(world: World) -> None:
        await world.start_server(files.FileServer(tmp_path / "root").handle)
        for request, (status, body) in REQUESTS.items():
            reader, writer = await world.open_connection()
            writer.write(request.encode())
            writer.write_eof()
            answer = (await reader.read()).decode()
            assert answer.startswith(f"HTTP/1.1 {status} "), request[:60]
            assert answer.partition("\r\n\r\n")[2] == body, request[:60]
            writer.close()
            await writer.wait_closed()

    kind().run(ask_all)


@pytest.mark.parametrize("kind", [Tcp, Simulated])
def test_a_body_that_nobody_expected_is_not_taken_for_a_request(kind: type[World], files: Any, tmp_path: Path) -> None:
    async def ask(world: World) -> None:
        await world.start_server(files.FileServer(tmp_path).handle)
        reader, writer = await world.open_connection()
        body = b"GET / HTTP/1.1\r\n\r\n"
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.write_eof()
        assert (await reader.read()).count(b"HTTP/1.1") == 1
        writer.close()

    kind().run(ask)

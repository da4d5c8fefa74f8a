"""A capture of the simulated network, as tshark reads it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import aiosctp
from aiosctp.testing import Link, LossWhere, Network
from aiosctp.testing.loop import run
from tests.interop.toolchain import unavailable

PORT = 7777
RE_CONFIG = "130"
GOOD = "1"  # tshark's word for a checksum that is right


async def echo(association: aiosctp.Association) -> None:
    async for message in association:
        await association.send(message.data)


async def ask(client_addresses: tuple[str, ...], server_addresses: tuple[str, ...]) -> Network:
    """A whole association, of which the first datagram is lost."""
    times = iter(range(1000))
    network = Network(seed=1, link=Link(delay_s=0.25, loss=LossWhere(lambda packet: next(times) == 0)))
    with network.host("server", *server_addresses):
        server = await aiosctp.serve(echo, port=PORT)
    with network.host("client", *client_addresses):
        async with server, aiosctp.connect("server", PORT) as association:
            await association.send(b"hello" * 500)
            assert (await association.receive()).data == b"hello" * 500
    return network


def tshark(file: Path, *fields: str) -> list[list[str]]:
    """These fields of each frame."""
    program = shutil.which("tshark")
    if program is None:
        unavailable("there is no tshark (Debian: tshark)")
    checks = [f"-o{layer}.check_checksum:TRUE" for layer in ("ip", "udp")] + ["-osctp.checksum:CRC-32C"]
    chosen = [argument for field in fields for argument in ("-e", field)]
    done = subprocess.run(
        [program, "-r", file, *checks, "-Tfields", "-Eseparator=|", *chosen], capture_output=True, text=True, check=True
    )
    return [frame.split("|") for frame in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("family", "hosts"),
    [("ip", ("192.0.2.1", "192.0.2.2")), ("ipv6", ("2001:db8::1", "2001:db8::2"))],
)
def test_tshark_dissects_every_packet_as_sctp_with_right_checksums(
    tmp_path: Path, family: str, hosts: tuple[str, str]
) -> None:
    network = run(ask(hosts[:1], hosts[1:]))
    file = tmp_path / "trace.pcapng"
    network.trace.write_pcapng(file)
    frames = tshark(
        file,
        *("frame.time_epoch", f"{family}.src", f"{family}.dst", "udp.checksum.status", "sctp.checksum.status"),
        *("sctp.chunk_type", "frame.comment", "_ws.malformed"),
    )
    assert len(frames) == len(network.trace) > 10
    for frame, passage in zip(frames, network.trace, strict=True):
        time, source, destination, udp_status, sctp_status, chunk_types, comment, malformed = frame
        assert float(time) == pytest.approx(946_684_800 + passage.sent_at_s, abs=1e-6)
        assert (source, destination) == (passage.packet.source, passage.packet.destination)
        assert (udp_status, sctp_status, malformed) == (GOOD, GOOD, "")
        assert chunk_types.split(",")[0] == str(passage.packet.data[12])
        assert comment == ("" if passage.fate == "delivered" else passage.fate)
    assert [frame[6] for frame in frames if frame[6]] == ["lost"]
    if family == "ip":
        assert {status for (status,) in tshark(file, "ip.checksum.status")} == {GOOD}


async def reconfigure() -> Network:
    """Every request of RFC 6525, granted."""
    network = Network(seed=1, link=Link(delay_s=0.01))
    config = aiosctp.Config(peer_may_reset_association=True)
    with network.host("server"):
        server = await aiosctp.serve(echo, port=PORT, config=config)
    with network.host("client"):
        async with server, aiosctp.connect("server", PORT, config=config) as association:
            await association.send(b"hello", stream=1)
            await association.receive()
            await association.reset_streams(outgoing=[1, 2], incoming=[0])
            await association.add_streams(outgoing=3, incoming=4)
            await association.reset_association()
    return network


def test_tshark_dissects_every_parameter_of_reconfig(tmp_path: Path) -> None:
    file = tmp_path / "trace.pcapng"
    run(reconfigure()).trace.write_pcapng(file)
    frames = tshark(file, "sctp.chunk_type", "sctp.parameter_type", "sctp.checksum.status", "_ws.malformed")
    reconfig = [frame for frame in frames if RE_CONFIG in frame[0].split(",")]
    assert {int(name, 16) for frame in reconfig for name in frame[1].split(",")} == set(range(13, 19))
    assert all(frame[2:] == [GOOD, ""] for frame in reconfig)


async def abandon(config: aiosctp.Config) -> Network:
    """A message that is lost and abandoned between two that are not; what comes after the hole is not dropped again."""
    network = Network(seed=1, link=Link(delay_s=0.01, loss=LossWhere(lambda packet: b"late" in packet.data)))
    with network.host("server"):
        server = await aiosctp.serve(echo, port=PORT, config=config)
    with network.host("client"):
        async with server, aiosctp.connect("server", PORT, config=config) as association:
            await association.send(b"hello" * 1000, stream=1)
            await association.receive()
            await association.send(b"late" * 10, stream=1, max_retransmits=0)
            for _ in range(5):
                await association.send(b"hello" * 1000, stream=2)
            for _ in range(5):
                await association.receive()
            await association.wait_acknowledged()
    return network


@pytest.mark.parametrize(("interleaving", "types"), [(False, {0, 192, 16}), (True, {64, 194, 16})])
def test_tshark_dissects_every_chunk_of_the_data_extensions(
    tmp_path: Path, interleaving: bool, types: set[int]
) -> None:
    config = aiosctp.Config(partial_reliability=True, interleaving=interleaving, nrsack=True)
    file = tmp_path / "trace.pcapng"
    run(abandon(config)).trace.write_pcapng(file)
    frames = tshark(file, "sctp.chunk_type", "sctp.checksum.status", "_ws.malformed")
    seen = {int(type_) for frame in frames for type_ in frame[0].split(",")}
    assert seen & {0, 3, 16, 64, 192, 194} == types
    assert all(frame[1:] == [GOOD, ""] for frame in frames)
    numbers = {0: "sctp.data_sid", 64: "sctp.data_mid", 192: "sctp.forward_tsn_sid", 194: "sctp.i_forward_tsn_sid"}
    for type_ in types - {16}:
        told = [value for (value,) in tshark(file, numbers[type_]) if value]
        assert told
    [forwarded] = {value for (value,) in tshark(file, numbers[max(types)]) if value}
    assert int(forwarded, 0) == 1

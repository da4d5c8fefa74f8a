"""Old names lead to the new, and where the sources of the sockets API disagree one was chosen."""

from __future__ import annotations

import asyncio
import dataclasses
import errno

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.wire.causes import StaleCookie
from aiosctp.wire.chunks import CookieEcho, Error, Init, Shutdown
from tests.socket.on_the_wire import USER_DATA, has, sent, times
from tests.socket.pairs import SERVER, connected, data, ids, listener, many, one_to_one, setting
from tests.socket.refusals import refused
from tests.surface.two_hosts import TwoHosts
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP
HOST_NAME_ADDRESS = 11
ECN_CAPABLE = 0x8000
"""Types of parameters."""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SCTP_ADAPTION_LAYER", "SCTP_ADAPTATION_LAYER"),
        ("SCTP_ADAPTION_INDICATION", "SCTP_ADAPTATION_INDICATION"),
        ("SCTP_DELAYED_ACK_TIME", "SCTP_DELAYED_SACK"),
        ("SCTP_MAXBURST", "SCTP_MAX_BURST"),
        ("SCTP_AUTH_SECRET", "SCTP_AUTH_KEY"),
        ("SCTP_USE_EXT_RECVINFO", "SCTP_USE_EXT_RCVINFO"),
        ("MSG_UNORDERED", "SCTP_UNORDERED"),
        ("MSG_ADDR_OVER", "SCTP_ADDR_OVER"),
        ("MSG_ABORT", "SCTP_ABORT"),
        ("MSG_EOF", "SCTP_EOF"),
        ("MSG_SENDALL", "SCTP_SENDALL"),
        ("SPP_HB_ENABLED", "SPP_HB_ENABLE"),
        ("SPP_HB_DISABLED", "SPP_HB_DISABLE"),
        ("SPP_PMTUD_ENABLED", "SPP_PMTUD_ENABLE"),
        ("SPP_PMTUD_DISABLED", "SPP_PMTUD_DISABLE"),
    ],
)
def test_an_old_name_is_the_new_one(old: str, new: str) -> None:
    """The same number: its effect stands with the new name."""
    assert getattr(sctp, old) == getattr(sctp, new)


@virtual_time
async def test_a_program_with_old_names_does_what_it_did() -> None:
    """B11, C14, D11, D14: the adaptation layer, unordered messages and the end, by their names of the draft."""
    layer = setting(sctp.SCTP_ADAPTION_LAYER, sctp.sctp_setadaptation(ssb_adaptation_ind=7))
    events = setting(sctp.SCTP_EVENTS, sctp.sctp_event_subscribe(sctp_adaptation_layer_event=1))
    async with many(client=layer, server=events) as (hosts, ours, theirs, assoc_id):
        await ours.sctp_sendmsg(b"hello", SERVER, 46, sctp.MSG_UNORDERED, 0, 0, 0)
        told, _, _, flags = await theirs.sctp_recvmsg(100)
        assert flags & sctp.MSG_NOTIFICATION
        assert (told.sai_type, told.sai_adaptation_ind) == (sctp.SCTP_ADAPTION_INDICATION, 7)
        assert await data(theirs) == b"hello"
        (chunk,) = [each.chunk for each in sent(hosts, "client", *USER_DATA)]
        assert (chunk.unordered, chunk.ppid) == (True, 46)
        await ours.sctp_send(b"", sctp.sctp_sndrcvinfo(sinfo_assoc_id=assoc_id, sinfo_flags=sctp.MSG_EOF), 0)
        await asyncio.sleep(1)
        assert len(sent(hosts, "client", Shutdown)) == 1
        assert ids(ours) == []


@virtual_time
async def test_the_end_of_a_one_to_one_association_is_close() -> None:
    """L04: MSG_EOF on a one-to-one socket ends it as close() does; what is sent after it is ESHUTDOWN."""
    async with connected() as (hosts, ours, theirs):
        await ours.sendv(b"last", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_EOF))
        with refused(errno.ESHUTDOWN):
            await ours.send(b"too late")
        assert await data(theirs) == b"last"
        assert await theirs.recv(100) == b""
        assert len(sent(hosts, "client", Shutdown)) == 1


@virtual_time
async def test_a_wildcard_is_taken_by_bindx_alone() -> None:
    """L05: the draft forbids it in one sentence and allows it in another: alone it is all addresses."""
    async with TwoHosts(client_addresses=("192.0.2.1", "192.0.2.7")) as hosts, one_to_one(hosts) as sock:
        with refused(errno.EINVAL):
            sock.bindx([("0.0.0.0", 5000), ("192.0.2.1", 5000)], sctp.SCTP_BINDX_ADD_ADDR)
        sock.bindx([("0.0.0.0", 5000)], sctp.SCTP_BINDX_ADD_ADDR)
        sock.setblocking(False)
        with refused(errno.EINPROGRESS):
            await sock.connect(SERVER)
        await asyncio.sleep(0.005)
        (init,) = sent(hosts, "client", Init)
        assert len([each for each in init.chunk.parameters if hasattr(each, "host")]) == 2


@virtual_time
async def test_an_address_that_has_an_association_is_sent_to() -> None:
    """L13, A15: sendmsg() by address to an existing association sends to it, as RFC 6458 does, and Solaris does not."""
    async with many() as (hosts, ours, theirs, assoc_id):
        for _ in range(2):
            await ours.sendmsg([b"hello"], [], 0, SERVER)
            assert await data(theirs) == b"hello"
        assert ids(ours) == [assoc_id]
        assert len(sent(hosts, "client", Init)) == 1


@virtual_time
async def test_rfc_9260_is_the_law_where_a_source_follows_an_older_one() -> None:
    """L11, L12: the second INIT goes after one second and not three; of host names (RFC 9260 §3.3.2.1.4, deprecated)
    and ECN (RFC 4960 Appendix A, removed) there is no word."""
    async with TwoHosts() as hosts, one_to_one(hosts) as sock:
        hosts.drop = lambda packet: True
        sock.setblocking(False)
        with refused(errno.EINPROGRESS):
            await sock.connect(SERVER)
        await asyncio.sleep(2)
        inits = sent(hosts, "client", Init)
        assert times(inits) == pytest.approx([0, 1])
        for init in inits:
            assert not {parameter.type for parameter in init.chunk.parameters} & {HOST_NAME_ADDRESS, ECN_CAPABLE}


@virtual_time
async def test_a_stack_has_the_units_and_the_bounds_of_today() -> None:
    """L06, L07, L11: valid_cookie_life and rto_initial are in milliseconds; there are the modules 0 to 3 of congestion
    control, of which 0 is built."""
    async with TwoHosts() as hosts:
        client, server = hosts.client.sysctl, hosts.server.sysctl
        with refused(errno.EINVAL, "default_cc_module"):
            client["net.inet.sctp.default_cc_module"] = 4
        with refused(errno.EOPNOTSUPP, "default_cc_module"):
            client["net.inet.sctp.default_cc_module"] = 3
        assert (client["net.inet.sctp.rto_initial"], server["net.inet.sctp.valid_cookie_life"]) == (1000, 60_000)
        client["net.inet.sctp.rto_initial"] = 2000
        server["net.inet.sctp.valid_cookie_life"] = 1000
        begun_s = hosts.client.now()
        hosts.drop = lambda packet: hosts.client.now() < begun_s + (3 if has(packet, CookieEcho) else 1)
        async with listener(hosts), one_to_one(hosts) as sock:
            await sock.connect(SERVER)
        assert times(sent(hosts, "client", Init))[:2] == pytest.approx([0, 2])
        (error,) = sent(hosts, "server", Error)
        assert isinstance(error.chunk.causes[0], StaleCookie)


def test_every_structure_has_a_default_for_each_field_and_can_be_changed() -> None:
    """D22: 0, None for an address, () for a list, an empty structure where nested."""
    structures = [
        value
        for name, value in vars(sctp).items()
        if isinstance(value, type)
        and dataclasses.is_dataclass(value)
        and (name.startswith("sctp_") or name == "linger")
    ]
    assert len(structures) > 35
    for structure in structures:
        made = structure()
        for field in dataclasses.fields(structure):
            if hasattr(made, "sn_header") and field.name.endswith(("_type", "_length")):
                continue  # of a notification, its own
            value = getattr(made, field.name)
            assert value in (0, None, (), b"", "") or dataclasses.is_dataclass(value), (structure, field.name, value)
            setattr(made, field.name, value)
        assert made == structure()


def test_the_names_are_there_and_every_type_of_notification_has_a_number_of_its_own() -> None:
    """The module has the names of the RFC and of the standard library."""
    import socket

    for name in ("SOL_SOCKET", "SO_LINGER", "SO_RCVBUF", "SO_SNDBUF", "SO_ERROR", "SHUT_RD", "SHUT_WR", "SHUT_RDWR"):
        assert getattr(sctp, name) == getattr(socket, name)
    assert (sctp.SCTP_FUTURE_ASSOC, sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC) == (0, 1, 2)
    assert aiosctp.socket is sctp

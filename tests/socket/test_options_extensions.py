"""The switch of each extension, and the options of extensions that are not built yet."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.wire.chunks import ForwardTsn, IData, IForwardTsn, Init, InitAck, NrSack, Sack
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.parameters import ForwardTsnSupported, SupportedExtensions
from tests.socket.on_the_wire import USER_DATA, sent
from tests.socket.pairs import Prepare, connected, data, many, one_to_one, setting, several
from tests.socket.refusals import get_is_refused, set_is_refused
from tests.surface.two_hosts import TwoHosts
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP


def switch(name: str, value: Any, assoc_id: int = 0) -> Prepare:
    return setting(getattr(sctp, name), sctp.sctp_assoc_value(assoc_id=assoc_id, assoc_value=value))


def announced(hosts: TwoHosts, by: str) -> set[int]:
    """The chunk types in its INIT or INIT ACK, and FORWARD TSN if that parameter says so."""
    (init,) = sent(hosts, by, Init, InitAck)
    types: set[int] = set()
    for parameter in init.chunk.parameters:
        if isinstance(parameter, SupportedExtensions):
            types |= set(parameter.chunk_types)
        if isinstance(parameter, ForwardTsnSupported):
            types.add(ChunkType.FORWARD_TSN)
    return types


INTERLEAVED = several(
    setting(sctp.SCTP_RECVRCVINFO, 1),
    setting(sctp.SCTP_FRAGMENT_INTERLEAVE, 2),
)

SWITCHES = {
    "SCTP_PR_SUPPORTED": ChunkType.FORWARD_TSN,
    "SCTP_RECONFIG_SUPPORTED": ChunkType.RE_CONFIG,
    "SCTP_NRSACK_SUPPORTED": ChunkType.NR_SACK,
    "SCTP_INTERLEAVING_SUPPORTED": ChunkType.I_DATA,
}


@pytest.mark.parametrize("ours_on", [0, 1])
@pytest.mark.parametrize("theirs_on", [0, 1])
@pytest.mark.parametrize("name", SWITCHES)
@virtual_time
async def test_an_extension_is_announced_where_it_is_on_and_spoken_where_both_do(
    name: str, ours_on: int, theirs_on: int
) -> None:
    """RFC 7496 §4.5, RFC 8260 §4.3.1 and FreeBSD's switches: of associations to come; a living one tells whether it was
    negotiated."""
    client = several(INTERLEAVED, switch(name, ours_on))
    server = several(INTERLEAVED, switch(name, theirs_on))
    async with connected(client=client, server=server) as (hosts, ours, theirs):
        assert (SWITCHES[name] in announced(hosts, "client")) is bool(ours_on)
        if ours_on:
            assert (SWITCHES[name] in announced(hosts, "server")) is bool(theirs_on)
        for sock in (ours, theirs):
            read = sock.getsockopt(IPPROTO_SCTP, getattr(sctp, name))
            assert read.assoc_value == (ours_on and theirs_on)
        await ours.send(b"still works")
        assert await data(theirs) == b"still works"


@virtual_time
async def test_what_is_negotiated_is_what_is_used() -> None:
    """E01, E05: I-DATA in place of DATA, NR-SACK in place of SACK, FORWARD TSN or none."""
    both = several(INTERLEAVED, switch("SCTP_INTERLEAVING_SUPPORTED", 1), switch("SCTP_NRSACK_SUPPORTED", 1))
    async with connected(client=both, server=both) as (hosts, ours, theirs):
        await ours.send(bytes(5000))
        assert await data(theirs) == bytes(5000)
        await asyncio.sleep(1)
        assert {type(each.chunk) for each in sent(hosts, "client", *USER_DATA)} == {IData}
        assert sent(hosts, "server", NrSack)
        assert not sent(hosts, "server", Sack)
    async with connected(client=switch("SCTP_PR_SUPPORTED", 0)) as (hosts, ours, _):
        hosts.drop = lambda packet: True
        await ours.sendv(b"lost", prinfo=sctp.sctp_prinfo(pr_policy=sctp.SCTP_PR_SCTP_TTL, pr_value=100))
        await asyncio.sleep(5)
        assert not sent(hosts, "client", ForwardTsn, IForwardTsn)
        # What can't be abandoned goes on being sent.
        assert len(sent(hosts, "client", *USER_DATA)) == 3


@virtual_time
async def test_interleaving_is_off_at_first_and_asks_for_level_2() -> None:
    """RFC 8260 §4.3.1: "Since the default fragment interleave level is not 2, user message interleaving is disabled
    per default"."""
    async with connected() as (hosts, ours, _):
        assert ChunkType.I_DATA not in announced(hosts, "client") | announced(hosts, "server")
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_INTERLEAVING_SUPPORTED).assoc_value == 0
        async with one_to_one(hosts) as sock:
            set_is_refused(sock, sctp.SCTP_INTERLEAVING_SUPPORTED, sctp.sctp_assoc_value(assoc_value=1))
            INTERLEAVED(sock)
            switch("SCTP_INTERLEAVING_SUPPORTED", 1)(sock)
            set_is_refused(sock, sctp.SCTP_FRAGMENT_INTERLEAVE, 1)


@virtual_time
async def test_a_switch_is_of_associations_to_come() -> None:
    """A25: "it is an error to use SCTP_{CURRENT|ALL}_ASSOC"; what was negotiated can't be changed."""
    async with many() as (_, ours, _, assoc_id):
        for name in SWITCHES:
            for which in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, 99):
                wrong = sctp.sctp_assoc_value(assoc_id=which, assoc_value=1)
                set_is_refused(ours, getattr(sctp, name), wrong)
                get_is_refused(ours, getattr(sctp, name), wrong)
            set_is_refused(ours, getattr(sctp, name), sctp.sctp_assoc_value(assoc_id=assoc_id, assoc_value=1))
            set_is_refused(ours, getattr(sctp, name), 1)
        switch("SCTP_PR_SUPPORTED", 0, sctp.SCTP_FUTURE_ASSOC)(ours)
        of_one = sctp.sctp_assoc_value(assoc_id=assoc_id)
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_PR_SUPPORTED, of_one).assoc_value == 1
        assert ours.getsockopt(IPPROTO_SCTP, sctp.SCTP_PR_SUPPORTED).assoc_value == 0


PLANNED: dict[str, Any] = {
    "SCTP_SET_PEER_PRIMARY_ADDR": lambda: sctp.sctp_setpeerprim(sspp_addr=("192.0.2.1", 5000)),
    "SCTP_AUTH_CHUNK": lambda: sctp.sctp_authchunk(sauth_chunk=0),
    "SCTP_AUTH_KEY": lambda: sctp.sctp_authkey(sca_keynumber=1, sca_keylength=3, sca_key=b"key"),
    "SCTP_HMAC_IDENT": lambda: sctp.sctp_hmacalgo(shmac_number_of_idents=1, shmac_idents=(1,)),
    "SCTP_AUTH_ACTIVE_KEY": lambda: sctp.sctp_authkeyid(scact_keynumber=1),
    "SCTP_AUTH_DEACTIVATE_KEY": lambda: sctp.sctp_authkeyid(scact_keynumber=1),
    "SCTP_AUTH_DELETE_KEY": lambda: sctp.sctp_authkeyid(scact_keynumber=1),
    "SCTP_AUTO_ASCONF": lambda: 1,
    "SCTP_AUTH_SUPPORTED": lambda: sctp.sctp_assoc_value(assoc_value=1),
    "SCTP_ECN_SUPPORTED": lambda: sctp.sctp_assoc_value(assoc_value=1),
    "SCTP_PKTDROP_SUPPORTED": lambda: sctp.sctp_assoc_value(assoc_value=1),
    "SCTP_PEER_ADDR_THLDS": lambda: sctp.sctp_paddrthlds(spt_pathmaxrxt=1),
    "SCTP_EXPOSE_POTENTIALLY_FAILED_STATE": lambda: sctp.sctp_assoc_value(assoc_value=1),
}


@pytest.mark.parametrize("name", PLANNED)
@virtual_time
async def test_what_is_planned_is_not_supported_yet_and_says_so(name: str) -> None:
    """I07: AUTH, ASCONF, ECN, PKTDROP and PF: EOPNOTSUPP, not a setting that nobody obeys."""
    async with connected() as (hosts, ours, _):
        set_is_refused(ours, getattr(sctp, name), PLANNED[name](), errno.EOPNOTSUPP)
        assert not announced(hosts, "client") & {0x0F, 0xC1, 0x80, 0x81}


@pytest.mark.parametrize(
    "name",
    [
        "SCTP_ACCEPT_ZERO_CHECKSUM",
        "SCTP_CC_OPTION",
        "SCTP_CMT_USE_DAC",
        "SCTP_MAX_CWND",
        "SCTP_TIMEOUTS",
        "SCTP_PEER_ADDR_THLDS_V2",
        "SCTP_PLPMTUD_PROBE_INTERVAL",
        "SCTP_SENDMSG_CONNECT",
        "SCTP_SOCKOPT_PEELOFF_FLAGS",
    ],
)
@virtual_time
async def test_what_other_stacks_have_and_means_nothing_here_says_so(name: str) -> None:
    """I07: of FreeBSD and of Linux: EOPNOTSUPP with the reason, both ways."""
    async with connected() as (_, ours, _):
        set_is_refused(ours, getattr(sctp, name), 1, errno.EOPNOTSUPP, name.removesuffix("_V2"))
        get_is_refused(ours, getattr(sctp, name), code=errno.EOPNOTSUPP, match=name.removesuffix("_V2"))


@pytest.mark.parametrize("name", ["SCTP_PLUGGABLE_CC", "SCTP_CMT_ON_OFF"])
@virtual_time
async def test_of_what_can_be_chosen_elsewhere_there_is_what_rfc_9260_has(name: str) -> None:
    """I07: congestion control as in RFC 9260, and one path at a time, are 0; there is no other yet."""
    async with connected() as (_, ours, _):
        switch(name, 0)(ours)
        assert ours.getsockopt(IPPROTO_SCTP, getattr(sctp, name)).assoc_value == 0
        set_is_refused(ours, getattr(sctp, name), sctp.sctp_assoc_value(assoc_value=1), errno.EOPNOTSUPP)


@virtual_time
async def test_addresses_cannot_change_without_authentication() -> None:
    """I05: SCTP_ASCONF_SUPPORTED without AUTH is EINVAL: RFC 5061 §4.1 asks for authenticated chunks."""
    async with connected() as (_, ours, _):
        set_is_refused(ours, sctp.SCTP_ASCONF_SUPPORTED, sctp.sctp_assoc_value(assoc_value=1))


@pytest.mark.parametrize("name", ["SCTP_PEER_AUTH_CHUNKS", "SCTP_LOCAL_AUTH_CHUNKS", "SCTP_HMAC_IDENT"])
@virtual_time
async def test_what_is_planned_is_not_read_either(name: str) -> None:
    """I07: EOPNOTSUPP."""
    async with connected() as (_, ours, _):
        get_is_refused(ours, getattr(sctp, name), code=errno.EOPNOTSUPP)


@virtual_time
async def test_the_old_names_of_authentication_lead_to_the_new() -> None:
    """I07: SCTP_AUTH_SECRET is SCTP_AUTH_KEY, SCTP_AUTH_CHUNKS the lists of the local endpoint."""
    assert sctp.SCTP_AUTH_SECRET == sctp.SCTP_AUTH_KEY
    async with connected() as (_, ours, _):
        get_is_refused(ours, sctp.SCTP_AUTH_CHUNKS, code=errno.EOPNOTSUPP)


@pytest.mark.parametrize(
    "name",
    ["SCTP_AUTH_SUPPORTED", "SCTP_ASCONF_SUPPORTED", "SCTP_ECN_SUPPORTED", "SCTP_PKTDROP_SUPPORTED"],
)
@virtual_time
async def test_the_switch_of_what_is_planned_is_off(name: str) -> None:
    """A program that asks whether it was negotiated is told that it was not, or that it can't be."""
    async with connected() as (_, ours, _):
        try:
            read = ours.getsockopt(IPPROTO_SCTP, getattr(sctp, name))
        except OSError as error:
            code = error.errno
        else:
            code = None
            assert read.assoc_value == 0
        assert code in (None, errno.EOPNOTSUPP)

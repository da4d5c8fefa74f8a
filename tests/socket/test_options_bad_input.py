"""Every option of the sockets API: what it takes of the wrong kind, of nobody, or on a closed socket."""

from __future__ import annotations

import errno
from typing import Any

import pytest

import aiosctp.socket as sctp
from tests.socket.pairs import connected, many, one_to_many, one_to_one
from tests.socket.refusals import get_is_refused, refused, set_is_refused
from tests.surface.two_hosts import TwoHosts
from tests.surface.virtual_time import virtual_time

IPPROTO_SCTP = sctp.IPPROTO_SCTP
SOL_SOCKET = sctp.SOL_SOCKET

# The structure of each option that can be set, and the name of its field for the association.
STRUCTURES = {
    "SCTP_RTOINFO": ("sctp_rtoinfo", "srto_assoc_id"),
    "SCTP_ASSOCINFO": ("sctp_assocparams", "sasoc_assoc_id"),
    "SCTP_INITMSG": ("sctp_initmsg", None),
    "SCTP_PRIMARY_ADDR": ("sctp_setprim", "ssp_assoc_id"),
    "SCTP_ADAPTATION_LAYER": ("sctp_setadaptation", None),
    "SCTP_PEER_ADDR_PARAMS": ("sctp_paddrparams", "spp_assoc_id"),
    "SCTP_DEFAULT_SEND_PARAM": ("sctp_sndrcvinfo", "sinfo_assoc_id"),
    "SCTP_DEFAULT_SNDINFO": ("sctp_sndinfo", "snd_assoc_id"),
    "SCTP_DEFAULT_PRINFO": ("sctp_default_prinfo", "pr_assoc_id"),
    "SCTP_EVENTS": ("sctp_event_subscribe", None),
    "SCTP_EVENT": ("sctp_event", "se_assoc_id"),
    "SCTP_MAXSEG": ("sctp_assoc_value", "assoc_id"),
    "SCTP_DELAYED_SACK": ("sctp_sack_info", "sack_assoc_id"),
    "SCTP_MAX_BURST": ("sctp_assoc_value", "assoc_id"),
    "SCTP_CONTEXT": ("sctp_assoc_value", "assoc_id"),
    "SCTP_RESET_STREAMS": ("sctp_reset_streams", "srs_assoc_id"),
    "SCTP_ADD_STREAMS": ("sctp_add_streams", "sas_assoc_id"),
    "SCTP_ENABLE_STREAM_RESET": ("sctp_assoc_value", "assoc_id"),
    "SCTP_REMOTE_UDP_ENCAPS_PORT": ("sctp_udpencaps", "sue_assoc_id"),
    "SCTP_STREAM_SCHEDULER": ("sctp_assoc_value", "assoc_id"),
    "SCTP_STREAM_SCHEDULER_VALUE": ("sctp_stream_value", "assoc_id"),
    "SCTP_PLUGGABLE_SS": ("sctp_assoc_value", "assoc_id"),
    "SCTP_PR_SUPPORTED": ("sctp_assoc_value", "assoc_id"),
    "SCTP_INTERLEAVING_SUPPORTED": ("sctp_assoc_value", "assoc_id"),
    "SCTP_RECONFIG_SUPPORTED": ("sctp_assoc_value", "assoc_id"),
    "SCTP_NRSACK_SUPPORTED": ("sctp_assoc_value", "assoc_id"),
}
INTS = (
    "SCTP_NODELAY",
    "SCTP_AUTOCLOSE",
    "SCTP_DISABLE_FRAGMENTS",
    "SCTP_FRAGMENT_INTERLEAVE",
    "SCTP_PARTIAL_DELIVERY_POINT",
    "SCTP_USE_EXT_RCVINFO",
    "SCTP_EXPLICIT_EOR",
    "SCTP_RECVRCVINFO",
    "SCTP_RECVNXTINFO",
)
WRITE_ONLY = ("SCTP_RESET_STREAMS", "SCTP_ADD_STREAMS")
NOT_READ_ALONE = (*WRITE_ONLY, "SCTP_STREAM_SCHEDULER_VALUE", "SCTP_EVENT")
"""A read names the stream, or the type."""
OF_ONE = {name: names for name, names in STRUCTURES.items() if names[1] is not None}


@pytest.mark.parametrize("name", STRUCTURES)
@virtual_time
async def test_an_option_takes_its_own_structure_alone(name: str) -> None:
    """I05, A24: another kind of value is EINVAL, with a message that names the structure."""
    structure, _ = STRUCTURES[name]
    async with TwoHosts() as hosts, one_to_many(hosts) as sock:
        wrong: Any
        for wrong in (1, "text", b"\0" * 16, None, 1.5, [], sctp.linger(), getattr(sctp, structure)):
            set_is_refused(sock, getattr(sctp, name), wrong, match=structure)


@pytest.mark.parametrize("name", INTS)
@virtual_time
async def test_an_option_that_is_a_number_takes_nothing_else(name: str) -> None:
    """I05, A24: another kind of value is EINVAL, and what was set stays."""
    async with TwoHosts() as hosts, one_to_many(hosts) as sock:
        before = sock.getsockopt(IPPROTO_SCTP, getattr(sctp, name))
        assert isinstance(before, int)
        for wrong in ("1", b"\1\0\0\0", None, 1.5, [1], sctp.sctp_assoc_value(assoc_value=1)):
            set_is_refused(sock, getattr(sctp, name), wrong)
        assert sock.getsockopt(IPPROTO_SCTP, getattr(sctp, name)) == before


@pytest.mark.parametrize("name", OF_ONE)
@virtual_time
async def test_an_association_that_is_none_is_refused(name: str) -> None:
    """I05, A25: an id that the call names and that nobody has is EINVAL, to set and to read."""
    structure, field = OF_ONE[name]
    assert field is not None
    async with many() as (_, sock, _, assoc_id):
        for wrong in (assoc_id + 1, 10**6, -1, "3", None):
            value = getattr(sctp, structure)(**{field: wrong})
            set_is_refused(sock, getattr(sctp, name), value)


@pytest.mark.parametrize("name", [name for name in OF_ONE if name not in WRITE_ONLY])
@virtual_time
async def test_to_read_of_an_association_that_is_none_or_of_several_is_refused(name: str) -> None:
    """I05, A25: "SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC cannot be used with sctp_opt_info() or in getsockopt()"."""
    structure, field = OF_ONE[name]
    assert field is not None
    async with many() as (_, sock, _, assoc_id):
        for wrong in (sctp.SCTP_CURRENT_ASSOC, sctp.SCTP_ALL_ASSOC, assoc_id + 1):
            value = getattr(sctp, structure)(**{field: wrong})
            get_is_refused(sock, getattr(sctp, name), value)
            with refused(errno.EINVAL):
                sock.opt_info(wrong, getattr(sctp, name), getattr(sctp, structure)())


@virtual_time
async def test_an_option_or_a_level_that_does_not_exist_is_enoprotoopt() -> None:
    """I05: to set and to read, at both levels."""
    async with TwoHosts() as hosts, one_to_one(hosts) as sock:
        for level, option in ((IPPROTO_SCTP, 0x7ABC), (SOL_SOCKET, 0x7ABC), (0x7ABC, 1), (IPPROTO_SCTP, -1)):
            with refused(errno.ENOPROTOOPT):
                sock.setsockopt(level, option, 1)
            with refused(errno.ENOPROTOOPT):
                sock.getsockopt(level, option)
        wrong: Any
        for wrong in ("SCTP_NODELAY", None, 1.0):
            with refused(errno.EINVAL):
                sock.setsockopt(IPPROTO_SCTP, wrong, 1)
            with refused(errno.EINVAL):
                sock.getsockopt(wrong, sctp.SCTP_NODELAY)


READ_ONLY = {
    "SCTP_STATUS": "sctp_status",
    "SCTP_GET_PEER_ADDR_INFO": "sctp_paddrinfo",
    "SCTP_GET_ASSOC_STATS": "sctp_assoc_stats",
    "SCTP_GET_ASSOC_ID_LIST": "sctp_assoc_ids",
    "SCTP_PR_STREAM_STATUS": "sctp_prstatus",
    "SCTP_PR_ASSOC_STATUS": "sctp_prstatus",
}


@pytest.mark.parametrize("name", READ_ONLY)
@virtual_time
async def test_what_can_only_be_read_is_not_set(name: str) -> None:
    """B33, B34, B38: what they tell is not to be set: ENOPROTOOPT."""
    async with many() as (_, sock, _, _):
        set_is_refused(sock, getattr(sctp, name), getattr(sctp, READ_ONLY[name])(), errno.ENOPROTOOPT)


@virtual_time
async def test_a_closed_socket_has_no_options() -> None:
    """I08, B38: EBADF."""
    async with connected() as (_, ours, _):
        await ours.close()
        set_is_refused(ours, sctp.SCTP_NODELAY, 1, errno.EBADF)
        get_is_refused(ours, sctp.SCTP_NODELAY, code=errno.EBADF)
        get_is_refused(ours, sctp.SCTP_STATUS, code=errno.EBADF)
        with refused(errno.EBADF):
            ours.opt_info(0, sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo())


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("SCTP_RTOINFO", {"srto_initial": 2**32}),
        ("SCTP_RTOINFO", {"srto_max": -1}),
        ("SCTP_RTOINFO", {"srto_min": "100"}),
        ("SCTP_RTOINFO", {"srto_min": 1.5}),
        ("SCTP_ASSOCINFO", {"sasoc_asocmaxrxt": 65536}),
        ("SCTP_ASSOCINFO", {"sasoc_cookie_life": -1}),
        ("SCTP_ASSOCINFO", {"sasoc_cookie_life": None}),
        ("SCTP_ADAPTATION_LAYER", {"ssb_adaptation_ind": 2**32}),
        ("SCTP_ADAPTATION_LAYER", {"ssb_adaptation_ind": -1}),
        ("SCTP_MAXSEG", {"assoc_value": -1}),
        ("SCTP_MAXSEG", {"assoc_value": 2**32}),
        ("SCTP_MAX_BURST", {"assoc_value": 2**32}),
        ("SCTP_MAX_BURST", {"assoc_value": "4"}),
        ("SCTP_DELAYED_SACK", {"sack_delay": 501}),
        ("SCTP_DELAYED_SACK", {"sack_freq": -1}),
        ("SCTP_PEER_ADDR_PARAMS", {"spp_pathmaxrxt": -1}),
        ("SCTP_DEFAULT_SNDINFO", {"snd_ppid": b"\0\0\0\7"}),
        ("SCTP_DEFAULT_PRINFO", {"pr_value": -1}),
        ("SCTP_STREAM_SCHEDULER", {"assoc_value": 99}),
        ("SCTP_REMOTE_UDP_ENCAPS_PORT", {"sue_port": 70_000}),
    ],
)
@virtual_time
async def test_a_field_out_of_range_is_named(name: str, fields: dict[str, Any]) -> None:
    """I05: EINVAL, with a message that names the field, and nothing changes."""
    structure, _ = STRUCTURES[name]
    async with connected() as (_, ours, _):
        before = ours.getsockopt(IPPROTO_SCTP, getattr(sctp, name))
        (field,) = fields
        set_is_refused(ours, getattr(sctp, name), getattr(sctp, structure)(**fields), match=field)
        assert ours.getsockopt(IPPROTO_SCTP, getattr(sctp, name)) == before


@pytest.mark.parametrize("name", [name for name in STRUCTURES if name not in NOT_READ_ALONE])
@virtual_time
async def test_a_value_that_was_read_is_a_copy(name: str) -> None:
    """A24: changing what getsockopt gave, or what setsockopt took, changes nothing until it is set."""
    async with connected() as (_, ours, _):
        structure, _ = STRUCTURES[name]
        first = ours.getsockopt(IPPROTO_SCTP, getattr(sctp, name))
        second = ours.getsockopt(IPPROTO_SCTP, getattr(sctp, name))
        assert type(first).__name__ == structure
        assert first == second
        assert first is not second


# -- words: a person who knows RFC 6458 has not read `Config` --

OUT_OF_RANGE = {
    "srto_initial must be between 50 and 3600000, not 7": ("SCTP_RTOINFO", sctp.sctp_rtoinfo(srto_initial=7)),
    "srto_max must be between 50 and 3600000, not 7": ("SCTP_RTOINFO", sctp.sctp_rtoinfo(srto_max=7)),
    "srto_min must be between 50 and 3600000, not 7": ("SCTP_RTOINFO", sctp.sctp_rtoinfo(srto_min=7)),
    "srto_initial, 1000, must lie between srto_min, 2000, and srto_max, 60000": (
        "SCTP_RTOINFO",
        sctp.sctp_rtoinfo(srto_min=2000),
    ),
    "sasoc_cookie_life must be between 100 and 3600000, not 7": (
        "SCTP_ASSOCINFO",
        sctp.sctp_assocparams(sasoc_cookie_life=7),
    ),
    "sinit_max_init_timeo must be between 50 and 3600000, not 7": (
        "SCTP_INITMSG",
        sctp.sctp_initmsg(sinit_max_init_timeo=7),
    ),
    "SCTP_AUTOCLOSE must be between 0 and 1000000000, not -1": ("SCTP_AUTOCLOSE", -1),
    "SCTP_PARTIAL_DELIVERY_POINT must be between 1 and 2147483647, not -1": ("SCTP_PARTIAL_DELIVERY_POINT", -1),
    "SCTP_MAX_BURST must be between 0 and 65535, not 70000": (
        "SCTP_MAX_BURST",
        sctp.sctp_assoc_value(assoc_value=70_000),
    ),
}


@pytest.mark.parametrize("words", OUT_OF_RANGE)
@virtual_time
async def test_a_value_out_of_range_is_told_by_the_options_own_names_and_in_its_unit(words: str) -> None:
    name, value = OUT_OF_RANGE[words]
    async with TwoHosts() as hosts, one_to_many(hosts) as sock:
        set_is_refused(sock, getattr(sctp, name), value, match=f"{words}$")


@pytest.mark.parametrize("option", ["SO_RCVBUF", "SO_SNDBUF"])
@virtual_time
async def test_a_buffer_out_of_range_is_told_by_its_own_name(option: str) -> None:
    async with TwoHosts() as hosts, one_to_one(hosts) as sock:
        set_is_refused(sock, getattr(sctp, option), -1, match=f"{option} must be between .*, not -1$", level=SOL_SOCKET)


@pytest.mark.parametrize("name", ["SO_RCVTIMEO", "SO_SNDTIMEO", "SO_KEEPALIVE", "SO_RCVLOWAT", "SO_SNDLOWAT"])
@virtual_time
async def test_an_option_that_is_not_here_is_told_by_its_name(name: str) -> None:
    async with TwoHosts() as hosts, one_to_one(hosts) as sock:
        words = f"there is no option {name} "
        with refused(errno.ENOPROTOOPT, words):
            sock.setsockopt(SOL_SOCKET, getattr(sctp, name), 1)
        with refused(errno.ENOPROTOOPT, words):
            sock.getsockopt(SOL_SOCKET, getattr(sctp, name))


@virtual_time
async def test_the_name_of_an_option_is_not_told_for_one_of_another_level() -> None:
    async with TwoHosts() as hosts, one_to_one(hosts) as sock:
        with refused(errno.ENOPROTOOPT, f"^.*there is no option {sctp.SO_RCVTIMEO} at level 6$"):
            sock.getsockopt(6, sctp.SO_RCVTIMEO)

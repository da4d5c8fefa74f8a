"""The options of sockets (RFC 6458 §8, and what RFC 6525, 6951, 7496 and 8260, FreeBSD and Linux add).

Each with what it takes and gives, an int or a structure, and whom it is read of and set for:

- socket: the socket as a whole; what is set of the handshake is for associations to come.
- everyone: the associations that live and those to come; of a one-to-one socket it is read of the one that it has.
- one: an association, which a one-to-many socket names by the structure's `assoc_id`, or where the option is an int by
  that; a one-to-one socket has only its own.
- one or future: or, with SCTP_FUTURE_ASSOC, which is 0, those to come. A one-to-one socket names none: it is set for
  the association if there is one, else for that to come.
- any: or, to set it, SCTP_CURRENT_ASSOC or SCTP_ALL_ASSOC.

Those whose names begin with SO_ are of the level SOL_SOCKET, the others of IPPROTO_SCTP. Of IPPROTO_IPV6 there is
IPV6_V6ONLY, which is off.

    SO_LINGER                    linger                socket
    SO_RCVBUF                    int                   everyone
    SO_SNDBUF                    int                   everyone
    SO_REUSEADDR                 int                   socket
    SO_TYPE                      int                   socket         read only
    SO_PROTOCOL                  int                   socket         read only
    SO_DOMAIN                    int                   socket         read only
    SO_ACCEPTCONN                int                   socket         read only
    SO_ERROR                     int                   socket         read only
    SCTP_I_WANT_MAPPED_V4_ADDR   int                   socket
    SCTP_FRAGMENT_INTERLEAVE     int                   socket
    SCTP_USE_EXT_RCVINFO         int                   socket
    SCTP_EXPLICIT_EOR            int                   socket
    SCTP_REUSE_PORT              int                   socket         one-to-one
    SCTP_RECVRCVINFO             int                   socket
    SCTP_RECVNXTINFO             int                   socket
    SCTP_GET_ASSOC_NUMBER        int                   socket         read only, one-to-many
    SCTP_GET_ASSOC_ID_LIST       sctp_assoc_ids        socket         read only, one-to-many
    SCTP_EVENT                   sctp_event            any
    SCTP_EVENTS                  sctp_event_subscribe  everyone
    SCTP_RTOINFO                 sctp_rtoinfo          one or future
    SCTP_ASSOCINFO               sctp_assocparams      one or future
    SCTP_INITMSG                 sctp_initmsg          socket
    SCTP_ADAPTATION_LAYER        sctp_setadaptation    socket
    SCTP_NODELAY                 int                   everyone
    SCTP_DISABLE_FRAGMENTS       int                   everyone
    SCTP_AUTOCLOSE               int                   everyone       one-to-many
    SCTP_PARTIAL_DELIVERY_POINT  int                   everyone
    SCTP_MAXSEG                  sctp_assoc_value      one or future
    SCTP_MAX_BURST               sctp_assoc_value      any
    SCTP_DELAYED_SACK            sctp_sack_info        any
    SCTP_PR_SUPPORTED            sctp_assoc_value      one or future
    SCTP_RECONFIG_SUPPORTED      sctp_assoc_value      one or future
    SCTP_NRSACK_SUPPORTED        sctp_assoc_value      one or future
    SCTP_INTERLEAVING_SUPPORTED  sctp_assoc_value      one or future
    SCTP_GET_ASSOC_STATS         sctp_assoc_stats      one            read only
    SCTP_DEFAULT_SEND_PARAM      sctp_sndrcvinfo       any
    SCTP_DEFAULT_SNDINFO         sctp_sndinfo          any
    SCTP_DEFAULT_PRINFO          sctp_default_prinfo   any
    SCTP_CONTEXT                 sctp_assoc_value      any
    SCTP_STATUS                  sctp_status           one or future  read only
    SCTP_GET_PEER_ADDR_INFO      sctp_paddrinfo        one            read only
    SCTP_PRIMARY_ADDR            sctp_setprim          one
    SCTP_PEER_ADDR_PARAMS        sctp_paddrparams      one or future
    SCTP_REMOTE_UDP_ENCAPS_PORT  sctp_udpencaps        one or future
    SCTP_STREAM_SCHEDULER        sctp_assoc_value      any
    SCTP_STREAM_SCHEDULER_VALUE  sctp_stream_value     any
    SCTP_PR_STREAM_STATUS        sctp_prstatus         one            read only
    SCTP_PR_ASSOC_STATUS         sctp_prstatus         one            read only
    SCTP_ENABLE_STREAM_RESET     sctp_assoc_value      any
    SCTP_RESET_STREAMS           sctp_reset_streams    one            set only
    SCTP_RESET_ASSOC             int                   one            set only
    SCTP_ADD_STREAMS             sctp_add_streams      one            set only
    SCTP_AUTH_SUPPORTED          sctp_assoc_value      one or future
    SCTP_ASCONF_SUPPORTED        sctp_assoc_value      one or future
    SCTP_ECN_SUPPORTED           sctp_assoc_value      one or future
    SCTP_PKTDROP_SUPPORTED       sctp_assoc_value      one or future
    SCTP_PLUGGABLE_CC            sctp_assoc_value      any
    SCTP_CMT_ON_OFF              sctp_assoc_value      any

EOPNOTSUPP, for they are planned: SCTP_AUTH_CHUNK, SCTP_AUTH_KEY, SCTP_AUTH_ACTIVE_KEY, SCTP_AUTH_DEACTIVATE_KEY,
SCTP_AUTH_DELETE_KEY, SCTP_HMAC_IDENT, SCTP_PEER_AUTH_CHUNKS, SCTP_LOCAL_AUTH_CHUNKS, SCTP_SET_PEER_PRIMARY_ADDR,
SCTP_AUTO_ASCONF, SCTP_PEER_ADDR_THLDS, SCTP_EXPOSE_POTENTIALLY_FAILED_STATE, SCTP_ACCEPT_ZERO_CHECKSUM, SCTP_CC_OPTION,
SCTP_CMT_USE_DAC. EOPNOTSUPP, for they mean nothing here, and the error says why: SCTP_MAX_CWND, SCTP_TIMEOUTS,
SCTP_PLPMTUD_PROBE_INTERVAL, SCTP_SOCKOPT_PEELOFF_FLAGS, SCTP_SENDMSG_CONNECT.

SCTP_AUTH_SUPPORTED, SCTP_ASCONF_SUPPORTED, SCTP_ECN_SUPPORTED, SCTP_PKTDROP_SUPPORTED, SCTP_PLUGGABLE_CC and
SCTP_CMT_ON_OFF are 0, and can be set to nothing else.

SCTP_ENABLE_STREAM_RESET begins as 0: until a socket sets it, what its peer asks to reset or to add is denied.

One stream may fill all of SO_SNDBUF, whatever `Config.stream_send_buffer_bytes` says. There is no SO_RCVTIMEO and no
SO_SNDTIMEO: `asyncio.timeout` bounds any call.

`table.py` says what an option is, `access.py` reads and sets one. The options themselves, by kind: `sockets.py`,
`events.py`, `associations.py`, `sends.py`, `paths.py`, `streams.py`, and `planned.py` for those that are not built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiosctp.socket.options import access, associations, events, paths, planned, sends, sockets, streams
from aiosctp.socket.options.table import Option

if TYPE_CHECKING:
    from aiosctp.socket.socket_state import SocketState

KINDS: Final = (sockets, events, associations, sends, paths, streams, planned)

TABLE: Final[dict[tuple[int, int], Option]] = {
    (option.level, option.number): option for kind in KINDS for option in kind.OPTIONS
}


def set_option(sock: SocketState, level: int, option: int, value: Any) -> None:
    access.set_option(TABLE, sock, level, option, value)


def get_option(sock: SocketState, level: int, option: int, value: Any) -> Any:
    return access.get_option(TABLE, sock, level, option, value)


def opt_info(sock: SocketState, assoc_id: int, option: int, value: Any) -> Any:
    return access.opt_info(TABLE, sock, assoc_id, option, value)

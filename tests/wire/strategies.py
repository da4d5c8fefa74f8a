"""Hypothesis strategies for every value of the wire."""

from __future__ import annotations

from hypothesis import strategies as st

from aiosctp.wire import causes, chunks, parameters, reconfig
from aiosctp.wire.codepoints import CauseCode, ChunkType, ParameterType

uint8 = st.integers(0, 0xFF)
uint16 = st.integers(0, 0xFFFF)
uint32 = st.integers(0, 0xFFFF_FFFF)
raw = st.binary(max_size=40)

addresses: st.SearchStrategy[parameters.AddressParameter] = st.one_of(
    st.ip_addresses(v=4).map(str).map(parameters.IPv4AddressParameter),
    st.ip_addresses(v=6).map(str).map(parameters.IPv6AddressParameter),
)

any_parameter: st.SearchStrategy[parameters.Parameter] = st.one_of(
    addresses,
    raw.map(parameters.HeartbeatInfo),
    raw.map(parameters.StateCookie),
    raw.map(parameters.UnrecognizedParameter),
    uint32.map(parameters.CookiePreservative),
    raw.map(parameters.HostNameAddress),
    st.lists(uint16, max_size=5).map(tuple).map(parameters.SupportedAddressTypes),
    raw.map(parameters.Padding),
    st.lists(uint8, max_size=9).map(tuple).map(parameters.SupportedExtensions),
    st.just(parameters.ForwardTsnSupported()),
    uint32.map(parameters.AdaptationLayerIndication),
    st.builds(parameters.UnknownParameter, uint16.filter(lambda type: type not in set(ParameterType)), raw),
)

any_cause: st.SearchStrategy[causes.Cause] = st.one_of(
    uint16.map(causes.InvalidStreamIdentifier),
    st.lists(uint16, max_size=5).map(tuple).map(causes.MissingMandatoryParameter),
    uint32.map(causes.StaleCookie),
    st.just(causes.OutOfResource()),
    raw.map(causes.UnresolvableAddress),
    raw.map(causes.UnrecognizedChunkType),
    st.just(causes.InvalidMandatoryParameter()),
    raw.map(causes.UnrecognizedParameters),
    uint32.map(causes.NoUserData),
    st.just(causes.CookieReceivedWhileShuttingDown()),
    st.lists(addresses, max_size=4).map(tuple).map(causes.RestartWithNewAddresses),
    raw.map(causes.UserInitiatedAbort),
    raw.map(causes.ProtocolViolation),
    st.builds(causes.RestartWithNewEncapsulationPort, uint16, uint16),
    st.builds(causes.UnknownCause, uint16.filter(lambda code: code not in set(CauseCode)), raw),
)

_stream_lists = st.lists(uint16, max_size=6).map(tuple)

any_reconfiguration_parameter: st.SearchStrategy[reconfig.ReconfigurationParameter | parameters.UnknownParameter] = (
    st.one_of(
        st.builds(reconfig.OutgoingSsnResetRequest, uint32, uint32, uint32, _stream_lists),
        st.builds(reconfig.IncomingSsnResetRequest, uint32, _stream_lists),
        uint32.map(reconfig.SsnTsnResetRequest),
        st.builds(reconfig.ReconfigurationResponse, uint32, uint32),
        st.builds(reconfig.ReconfigurationResponse, uint32, uint32, uint32, uint32),
        st.builds(reconfig.AddOutgoingStreamsRequest, uint32, uint16),
        st.builds(reconfig.AddIncomingStreamsRequest, uint32, uint16),
        st.builds(parameters.UnknownParameter, uint16.filter(lambda type: not 13 <= type <= 18), raw),
    )
)

_parameter_lists = st.lists(any_parameter, max_size=6).map(tuple)
_cause_lists = st.lists(any_cause, max_size=6).map(tuple)
_gap_lists = st.lists(st.tuples(uint16, uint16), max_size=8).map(tuple)
_tsn_lists = st.lists(uint32, max_size=8).map(tuple)

_bits = {"unordered": st.booleans(), "ending": st.booleans(), "immediate": st.booleans()}
_i_data: st.SearchStrategy[chunks.IData] = st.one_of(
    # The first has the PPID, the others the FSN.
    st.builds(chunks.IData, uint32, uint16, uint32, uint32, st.just(0), raw, beginning=st.just(True), **_bits),
    st.builds(chunks.IData, uint32, uint16, uint32, st.just(0), uint32, raw, beginning=st.just(False), **_bits),
)

any_chunk: st.SearchStrategy[chunks.Chunk] = st.one_of(
    st.builds(
        chunks.Data,
        uint32,
        uint16,
        uint16,
        uint32,
        raw,
        unordered=st.booleans(),
        beginning=st.booleans(),
        ending=st.booleans(),
        immediate=st.booleans(),
    ),
    _i_data,
    st.builds(chunks.ForwardTsn, uint32, st.lists(st.tuples(uint16, uint16), max_size=5).map(tuple)),
    st.builds(chunks.IForwardTsn, uint32, st.lists(st.tuples(uint16, st.booleans(), uint32), max_size=5).map(tuple)),
    st.builds(chunks.NrSack, uint32, uint32, _gap_lists, _gap_lists, _tsn_lists),
    st.builds(chunks.Init, uint32, uint32, uint16, uint16, uint32, _parameter_lists),
    st.builds(chunks.InitAck, uint32, uint32, uint16, uint16, uint32, _parameter_lists),
    st.builds(chunks.Sack, uint32, uint32, _gap_lists, _tsn_lists),
    raw.map(chunks.Heartbeat),
    raw.map(chunks.HeartbeatAck),
    st.builds(chunks.Abort, _cause_lists, st.booleans()),
    uint32.map(chunks.Shutdown),
    st.just(chunks.ShutdownAck()),
    _cause_lists.map(chunks.Error),
    raw.map(chunks.CookieEcho),
    st.just(chunks.CookieAck()),
    st.booleans().map(chunks.ShutdownComplete),
    raw.map(chunks.Pad),
    st.lists(any_reconfiguration_parameter, max_size=3).map(tuple).map(chunks.ReConfig),
    st.builds(chunks.UnknownChunk, uint8.filter(lambda type: type not in set(ChunkType)), uint8, raw),
)

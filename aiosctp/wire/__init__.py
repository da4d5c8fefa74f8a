"""The bytes of SCTP: packets, chunks, parameters and error causes (RFC 9260 §3).

The contract, for the whole of this package:

* A packet is rejected whole only for its common header or its checksum (`packet.decode_header`). Otherwise
  its chunks are an iterator, each a value or a `DecodeError` of its own, because §6.10 and Table 2 want the
  chunks before a bad, partial or unknown one processed (`chunks.decode_chunks`).
* Whatever the bytes, nothing but `DecodeError` is ever raised while decoding, and every length is checked
  before what it covers is read. Nothing nested is followed: the work is linear in the bytes.
* What must be echoed keeps its raw bytes: cookies, heartbeat info, unknown chunks, parameters and causes.
* `decode(encode(x)) == x` for every value; `encode(decode(b)) == b` for canonical bytes: reserved bits and
  padding zero, no surplus after a body of fixed length, addresses as `ipaddress` writes them.
* Encoding trusts its caller for the range of every field (`struct.error` else); only what outgrows a 16-bit
  length is checked, and is a ValueError.

Chunks, parameters and causes are frozen slotted dataclasses. DATA and SACK can also be written and read
without making an object (`chunks.encode_data_header`, `chunks.encode_sack`, `chunks.decode_sack`). What a
value *means* (a zero Initiate Tag, an inverted gap, an unknown type) is for the core to judge.
"""

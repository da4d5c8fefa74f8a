"""Messages given to a sender part by part."""

from __future__ import annotations

from aiosctp.core.messages import OutgoingMessage, Part, Record
from aiosctp.core.tx.queue import SendQueue


def part(
    queue: SendQueue,
    data: bytes,
    *,
    stream: int = 0,
    ppid: int = 0,
    unordered: bool = False,
    context: int = 0,
    sack_immediately: bool = False,
    is_last: bool = False,
) -> OutgoingMessage:
    """The next part of the record that is open on the stream, or the first of a new one."""
    record = (queue.records.open.get(stream) if queue.records is not None else None) or Record(ppid, unordered)
    terms = Part(record, is_last=is_last)
    return OutgoingMessage(data, stream, record.ppid, record.unordered, context, sack_immediately, terms)

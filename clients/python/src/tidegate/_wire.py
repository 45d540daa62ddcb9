"""Messages of the wire contract as values of this package, and back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tidegate._events import Finality, Position
from tidegate._values import to_datetime
from tidegate.errors import BrokenPromise
from tidegate.v1 import view_service_pb2 as pb


def position_of(message: pb.Position) -> Position:
    return Position(
        message.incarnation,
        {entry.partition: entry.seq for entry in message.partitions},
    )


def position_message(position: Position) -> pb.Position:
    return pb.Position(
        incarnation=position.incarnation,
        partitions=[
            pb.PartitionSeq(partition=partition, seq=seq)
            for partition, seq in sorted(position.seqs.items())
        ],
    )


def finality_of(number: int) -> Finality:
    """A number that this client does not know is NONE."""
    known = number in Finality.__members__.values()
    return Finality(number) if known else Finality.NONE


def time_of(message: Any, field: str) -> datetime | None:
    """A Timestamp of a message, None if absent."""
    if not message.HasField(field):
        return None
    try:
        return to_datetime(getattr(message, field))
    except OverflowError as error:
        raise BrokenPromise(f"{field} is out of range") from error

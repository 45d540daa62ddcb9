"""SubscribeResponses, as a script says them."""

from typing import Any

from google.protobuf import duration_pb2

from conformance.contract import PB
from conformance.views import timestamp

INCARNATION = b"\x01\xab\x00\xff"

# {partition: seq}; a number alone is of partition 0.
Seqs = int | dict[int, int]
# (partition, from, to)
RangeOf = tuple[int, int, int]


def token(name: object) -> bytes:
    """Opaque, and no text."""
    return b"\x00\xfe" + str(name).encode() + b"\xff"


def position(seqs: Seqs, incarnation: bytes = INCARNATION) -> Any:
    by_partition = seqs if isinstance(seqs, dict) else {0: seqs}
    return PB.Position(
        incarnation=incarnation,
        partitions=[
            PB.PartitionSeq(partition=partition, seq=seq)
            for partition, seq in by_partition.items()
        ],
    )


def milliseconds(ms: int) -> duration_pb2.Duration:
    duration = duration_pb2.Duration()
    duration.FromMilliseconds(ms)
    return duration


def _finish(response: Any, watermark: str | None) -> Any:
    if watermark is not None:
        response.watermark.CopyFrom(timestamp(watermark))
    response.sent_at.CopyFrom(timestamp("2026-01-02T03:04:05Z"))
    return response


def chunk(
    *changes: Any,
    name: object = None,
    at: Seqs | None = None,
    watermark: str | None = None,
) -> Any:
    """Rows of a snapshot; `name` is of the token, `at` of a first response."""
    response = PB.SubscribeResponse(changes=changes, snapshot=True)
    if name is not None:
        response.resume_token = token(name)
    if at is not None:
        response.position.CopyFrom(position(at))
    return _finish(response, watermark)


def end(
    at: Seqs,
    name: object = None,
    *changes: Any,
    watermark: str | None = None,
    incarnation: bytes = INCARNATION,
) -> Any:
    """A snapshot's end; the token is named after the position."""
    response = PB.SubscribeResponse(
        changes=changes,
        snapshot=bool(changes),
        snapshot_end=True,
        position=position(at, incarnation),
        resume_token=token(at if name is None else name),
    )
    return _finish(response, watermark)


def delta(
    *changes: Any,
    ranges: list[RangeOf],
    name: object,
    at: Seqs | None = None,
    watermark: str | None = None,
    incarnation: bytes = INCARNATION,
) -> Any:
    response = PB.SubscribeResponse(
        changes=changes,
        ranges=[
            PB.Range(**{"partition": partition, "from": after, "to": to})
            for partition, after, to in ranges
        ],
        resume_token=token(name),
    )
    if at is not None:
        response.position.CopyFrom(position(at, incarnation))
    response.committed_at.CopyFrom(timestamp("2026-01-02T03:04:04Z"))
    return _finish(response, watermark)


def batch(
    after: int,
    to: int,
    *changes: Any,
    name: object = None,
    **members: Any,
) -> Any:
    """A range of partition 0; the token is named after its end."""
    return delta(
        *changes,
        ranges=[(0, after, to)],
        name=to if name is None else name,
        **members,
    )


def resumed(seq: int, name: object, **members: Any) -> Any:
    """The first response of a stream that goes on at `seq`."""
    return batch(seq, seq, name=name, at=seq, **members)


def fragment(*changes: Any) -> Any:
    """More of the same follows."""
    return _finish(PB.SubscribeResponse(changes=changes, fragment=True), None)


def reset(cause: str, at: Seqs, detail: str = "as scripted") -> Any:
    return _finish(
        PB.SubscribeResponse(
            reset=PB.Reset(cause=PB.Reset.Cause.Value(cause), detail=detail),
            position=position(at),
        ),
        None,
    )


def drain(retry_after_ms: int, name: object = None) -> Any:
    response = PB.SubscribeResponse(
        drain=PB.Drain(retry_after=milliseconds(retry_after_ms))
    )
    if name is not None:
        response.resume_token = token(name)
    return _finish(response, None)


def with_unknown_fields(message: Any) -> Any:
    """The same, with a text in field 900 and a number in field 901."""
    unknown = b"\xa2\x38\x05later" + b"\xa8\x38\x07"
    return type(message).FromString(message.SerializeToString() + unknown)

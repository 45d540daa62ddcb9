"""Two views as a server describes them, and responses as it sends them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from google.protobuf import timestamp_pb2
from google.protobuf.descriptor_pb2 import (
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

import tidegate
from tidegate.v1 import view_service_pb2 as pb

_FIELD = FieldDescriptorProto
_TYPES = {
    "string": _FIELD.TYPE_STRING,
    "int64": _FIELD.TYPE_INT64,
    "int32": _FIELD.TYPE_INT32,
    "double": _FIELD.TYPE_DOUBLE,
    "bool": _FIELD.TYPE_BOOL,
}

COLUMNS = {
    "tally": {"k": "string", "n": "int64", "note": "string"},
    "windows": {
        "region": "string", "id": "int32", "total": "double", "open": "bool",
        "window_end": "time",
    },
    "driver_totals": {
        "driver_id": "int64", "orders": "int64", "region": "string",
    },
}  # fmt: skip
KEYS = {
    "tally": ["k"],
    "windows": ["region", "id"],
    "driver_totals": ["driver_id"],
}

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def _add_message(
    file: FileDescriptorProto, name: str, columns: dict[str, str]
) -> None:
    message = file.message_type.add(name=name)
    for number, (column, kind) in enumerate(columns.items(), 1):
        field = message.field.add(
            name=column,
            number=number * 2,  # with gaps
            label=_FIELD.LABEL_OPTIONAL,
            proto3_optional=True,
            oneof_index=number - 1,
        )
        message.oneof_decl.add(name=f"_{column}")
        if kind == "time":
            field.type = _FIELD.TYPE_MESSAGE
            field.type_name = ".google.protobuf.Timestamp"
        else:
            field.type = _TYPES[kind]


def descriptors(
    view: str, columns: dict[str, str] | None = None
) -> FileDescriptorSet:
    """Self-contained, as DescribeView has them; perhaps of other columns."""
    files = FileDescriptorSet()
    time = files.file.add()
    timestamp_pb2.DESCRIPTOR.CopyToProto(time)
    file = files.file.add(
        name=f"tidegate/views/{view}.proto",
        package="tidegate.views",
        syntax="proto3",
        dependency=[time.name],
    )
    columns = columns or COLUMNS[view]
    name = "".join(part.capitalize() for part in view.split("_"))
    _add_message(file, name + "Row", columns)
    _add_message(
        file,
        name + "Key",
        {column: columns[column] for column in KEYS[view]},
    )
    return files


def description(
    view: str, columns: dict[str, str] | None = None
) -> pb.DescribeViewResponse:
    return pb.DescribeViewResponse(
        view=pb.ViewInfo(name=view, key_columns=KEYS[view]),
        descriptors=descriptors(view, columns),
    )


def make_view(
    name: str = "tally", columns: dict[str, str] | None = None
) -> tidegate.View[Any]:
    return tidegate.View.from_descriptors(
        name, KEYS[name], descriptors(name, columns)
    )


# The tally, built anew with a key of another type: that has a field of its own.
RETYPED = {"old": "string", "n": "int64", "note": "string", "k": "int64"}


TALLY = make_view()
WINDOWS = make_view("windows")


def row(k: str, n: int = 1) -> bytes:
    data: bytes = TALLY.row_class(k=k, n=n).SerializeToString()
    return data


def upsert(k: str, n: int = 1, **more: Any) -> pb.Change:
    return pb.Change(upsert=row(k, n), **more)


def deleted(k: str) -> pb.Change:
    return pb.Change(deleted=TALLY.encode_key(k))


def left(k: str) -> pb.Change:
    return pb.Change(left=TALLY.encode_key(k))


def position(seq: int) -> pb.Position:
    return pb.Position(
        incarnation=b"i", partitions=[pb.PartitionSeq(partition=0, seq=seq)]
    )


def range_(from_seq: int, to_seq: int, partition: int = 0) -> pb.Range:
    made = pb.Range(partition=partition, to=to_seq)
    setattr(made, "from", from_seq)
    return made


def chunk(
    *changes: pb.Change, token: bytes = b"", at: int | None = None
) -> pb.SubscribeResponse:
    """Rows of a snapshot."""
    response = pb.SubscribeResponse(
        changes=changes, snapshot=True, resume_token=token
    )
    if at is not None:
        response.position.CopyFrom(position(at))
    return response


def end(seq: int, *changes: pb.Change) -> pb.SubscribeResponse:
    return pb.SubscribeResponse(
        changes=changes,
        snapshot=bool(changes),
        snapshot_end=True,
        position=position(seq),
        resume_token=b"t%d" % seq,
    )


def delta(
    from_seq: int, to_seq: int, *changes: pb.Change
) -> pb.SubscribeResponse:
    return pb.SubscribeResponse(
        changes=changes,
        ranges=[range_(from_seq, to_seq)],
        resume_token=b"t%d" % to_seq,
    )


def fragment(*changes: pb.Change) -> pb.SubscribeResponse:
    return pb.SubscribeResponse(changes=changes, fragment=True)


def reset(cause: Any = pb.Reset.HISTORY_TRIMMED) -> pb.SubscribeResponse:
    return pb.SubscribeResponse(reset=pb.Reset(cause=cause, detail="why"))


def drain(token: bytes = b"", millis: int = 1) -> pb.SubscribeResponse:
    response = pb.SubscribeResponse(resume_token=token)
    response.drain.retry_after.FromMilliseconds(millis)
    return response


def at_watermark(
    response: pb.SubscribeResponse, second: int
) -> pb.SubscribeResponse:
    response.watermark.FromSeconds(second)
    return response


def keys_of(changes: Iterable[tidegate.Change[Any]]) -> list[tidegate.Key]:
    return [change.key for change in changes]


def counts(mirror: tidegate.Mirror[Any]) -> dict[Any, int]:
    """k -> n of the view tally."""
    return {key: held.n for key, held in mirror.items()}

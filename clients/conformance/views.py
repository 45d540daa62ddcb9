"""The views that the scripted server has, and the changes of their rows."""

import json
from datetime import UTC, datetime
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf import timestamp_pb2
from google.protobuf.message import Message

from conformance.contract import PB

Row = dict[str, Any]

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "VARCHAR": _Field.TYPE_STRING,
    "BIGINT": _Field.TYPE_INT64,
    "INT": _Field.TYPE_INT32,
    "DOUBLE": _Field.TYPE_DOUBLE,
    "BOOLEAN": _Field.TYPE_BOOL,
    "TIMESTAMP": _Field.TYPE_MESSAGE,
}


def canonical(value: Any) -> str:
    """JSON text, the same for equal values."""
    return json.dumps(value, sort_keys=True)


def timestamp(text: str) -> timestamp_pb2.Timestamp:
    """Of RFC 3339 text in whole seconds."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return timestamp_pb2.Timestamp(seconds=int(moment.timestamp()))


def _text(moment: timestamp_pb2.Timestamp) -> str:
    when = datetime.fromtimestamp(moment.seconds, UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class View:
    """Columns in order: (name, field number, type). Immutable."""

    def __init__(
        self,
        name: str,
        columns: list[tuple[str, int, str]],
        key_columns: list[str],
    ) -> None:
        self.name = name
        self.columns = [column for column, _, _ in columns]
        self.key_columns = key_columns
        camel = "".join(part.capitalize() for part in name.split("_"))
        file = descriptor_pb2.FileDescriptorProto(
            name=f"tidegate/views/{name}.proto",
            package="tidegate.views",
            syntax="proto3",
            dependency=["google/protobuf/timestamp.proto"],
        )
        for suffix, wanted in (("Row", self.columns), ("Key", key_columns)):
            message = file.message_type.add(name=camel + suffix)
            by_name = {column[0]: column for column in columns}
            for column in wanted:
                self._add_field(message, *by_name[column])
        self.descriptors = descriptor_pb2.FileDescriptorSet()
        timestamp_pb2.DESCRIPTOR.CopyToProto(self.descriptors.file.add())
        self.descriptors.file.append(file)
        pool = descriptor_pool.DescriptorPool()
        for each in self.descriptors.file:
            pool.Add(each)
        self._row_class, self._key_class = (
            message_factory.GetMessageClass(
                pool.FindMessageTypeByName(f"tidegate.views.{camel}{suffix}")
            )
            for suffix in ("Row", "Key")
        )

    @staticmethod
    def _add_field(message: Any, name: str, number: int, kind: str) -> None:
        field = message.field.add(
            name=name,
            number=number,
            label=_Field.LABEL_OPTIONAL,
            type=_TYPES[kind],
            proto3_optional=True,
            oneof_index=len(message.oneof_decl),
        )
        if kind == "TIMESTAMP":
            field.type_name = ".google.protobuf.Timestamp"
        message.oneof_decl.add(name=f"_{name}")

    def row(self, *values: Any) -> Row:
        """As a client prints it; columns that are not given are NULL."""
        row: Row = dict.fromkeys(self.columns)
        row.update(zip(self.columns, values))
        return row

    def key(self, *values: Any) -> Row:
        return dict(zip(self.key_columns, values, strict=True))

    def key_of(self, row: Row) -> Row:
        return {column: row[column] for column in self.key_columns}

    def encode_row(self, row: Row) -> bytes:
        return self._encode(self._row_class, row)

    def encode_key(self, key: Row) -> bytes:
        return self._encode(self._key_class, key)

    @staticmethod
    def _encode(message_class: Any, values: Row) -> bytes:
        message = message_class()
        for column, value in values.items():
            if value is None:
                continue
            field = message.DESCRIPTOR.fields_by_name[column]
            if field.message_type is None:
                setattr(message, column, value)
            else:
                getattr(message, column).seconds = timestamp(value).seconds
        data: bytes = message.SerializeToString(deterministic=True)
        return data

    def decode_row(self, data: bytes) -> Row:
        return self._decode(self._row_class.FromString(data), self.columns)

    def decode_key(self, data: bytes) -> Row:
        return self._decode(self._key_class.FromString(data), self.key_columns)

    @staticmethod
    def _decode(message: Message, columns: list[str]) -> Row:
        row: Row = {}
        for column in columns:
            row[column] = None
            if message.HasField(column):
                value = getattr(message, column)
                is_time = isinstance(value, Message)
                row[column] = _text(value) if is_time else value
        return row

    def put(
        self, *values: Any, finality: str = "", extra: bytes = b""
    ) -> Any:
        """An upsert. `extra` is put behind the row's bytes."""
        change = PB.Change(upsert=self.encode_row(self.row(*values)) + extra)
        if finality:
            change.finality = PB.Finality.Value(f"FINALITY_{finality.upper()}")
        return change

    def gone(self, *key: Any) -> Any:
        return PB.Change(deleted=self.encode_key(self.key(*key)))

    def left(self, *key: Any) -> Any:
        return PB.Change(left=self.encode_key(self.key(*key)))

    def info(self) -> Any:
        return PB.ViewInfo(
            name=self.name,
            definition=f"SELECT * FROM {self.name}_source",
            key_columns=self.key_columns,
            pipeline="scripted",
            version=1,
        )


# Numbers have gaps, as after columns have been dropped.
TALLY = View(
    "tally",
    [("k", 1, "VARCHAR"), ("n", 3, "BIGINT"), ("note", 7, "VARCHAR")],
    ["k"],
)
WINDOWS = View(
    "windows",
    [
        ("region", 2, "VARCHAR"),
        ("id", 3, "INT"),
        ("total", 4, "DOUBLE"),
        ("open", 6, "BOOLEAN"),
        ("window_end", 9, "TIMESTAMP"),
    ],
    ["region", "id"],
)
VIEWS = {view.name: view for view in (TALLY, WINDOWS)}

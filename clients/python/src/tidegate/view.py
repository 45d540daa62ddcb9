"""The messages of one view: how its rows and keys are read and written."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Generic

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError, Message

from tidegate._events import Key, KeyLike, RowT, Scalar
from tidegate._values import (
    Field,
    field_value,
    is_timestamp,
    parse_rfc3339,
    set_timestamp,
)
from tidegate.errors import BrokenPromise, InvalidKey, ViewChanged

# All NaNs are one key.
_NAN = float("nan")


def _squeeze(name: str) -> str:
    """ "driver_totals" and "DriverTotals" alike."""
    return name.replace("_", "").lower()


def _fields(message: Any, columns: Sequence[str]) -> tuple[Field, ...]:
    missing = [name for name in columns if name not in message.fields_by_name]
    if missing:
        raise ValueError(
            f"{message.full_name} has no field for key column {missing[0]}"
        )
    return tuple(message.fields_by_name[name] for name in columns)


class View(Generic[RowT]):
    """A view's name, and the messages that its rows and keys are.

    Immutable, so safe to use from several threads.
    """

    def __init__(
        self,
        name: str,
        row: type[RowT],
        key: type[Message],
        key_columns: Sequence[str] | None = None,
    ) -> None:
        """`row` and `key` are <View>Row and <View>Key, e.g. generated ones.

        Without `key_columns` the key's fields are taken in their order.
        """
        self.name = name
        self.row_class = row
        self.key_class = key
        if key_columns is None:
            key_columns = [field.name for field in key.DESCRIPTOR.fields]
        self.key_columns = tuple(key_columns)
        self.columns = tuple(field.name for field in row.DESCRIPTOR.fields)
        if not self.key_columns:
            raise ValueError(f"{key.DESCRIPTOR.full_name} has no fields")
        self._key_fields = _fields(key.DESCRIPTOR, self.key_columns)
        self._row_fields = _fields(row.DESCRIPTOR, self.key_columns)

    @staticmethod
    def from_descriptors(
        name: str, key_columns: Sequence[str], descriptors: FileDescriptorSet
    ) -> View[Message]:
        """With classes made from what DescribeView answers."""
        pool = descriptor_pool.DescriptorPool()
        found: dict[str, Any] = {}
        for file in descriptors.file:
            pool.AddSerializedFile(file.SerializeToString())
            made = pool.FindFileByName(file.name)
            for message in made.message_types_by_name.values():
                found[_squeeze(message.name)] = message
        try:
            row = found[_squeeze(name) + "row"]
            key = found[_squeeze(name) + "key"]
        except KeyError as error:
            raise ValueError(
                f'descriptors without the message {error} of view "{name}"'
            ) from None
        return View(
            name,
            message_factory.GetMessageClass(row),
            message_factory.GetMessageClass(key),
            key_columns,
        )

    def check_key(self, now: View[Any]) -> None:
        """ViewChanged if the key of the view, as it is by now, is another.

        It is also if a column has only another type: then it has another field,
        which the classes of before do not see.
        """
        if self._key_shape() != now._key_shape():
            columns = ", ".join(
                f"{field.name}: {_type_name(field)}"
                for field in now._key_fields
            )
            raise ViewChanged(
                f"the view has another key by now: ({columns})",
                view=self.name,
            )

    def _key_shape(self) -> set[tuple[Any, ...]]:
        """What has to be the same for rows to be told apart by it."""
        return {
            (
                in_key.name,
                in_key.number,
                in_row.number,
                in_key.type,
                is_timestamp(in_key),
            )
            for in_key, in_row in zip(
                self._key_fields, self._row_fields, strict=True
            )
        }

    # Reading.

    def decode_row(self, data: bytes) -> RowT:
        """BrokenPromise if that is no row of this view."""
        row: RowT = self._decode(self.row_class, data)
        return row

    def decode_key(self, data: bytes) -> Key:
        """BrokenPromise if that is no key of this view."""
        key = self._decode(self.key_class, data)
        return self._key(key, self._key_fields)

    def key_of(self, row: RowT) -> Key:
        """The key of a row: a value if there is one key column, else a tuple.

        A timestamp is a datetime in UTC, NULL is None.
        """
        return self._key(row, self._row_fields)

    def key_dict(self, key: Key) -> dict[str, Scalar]:
        """The key by the names of its columns."""
        values = key if isinstance(key, tuple) else (key,)
        return dict(zip(self.key_columns, values, strict=True))

    def _decode(self, kind: type[Any], data: bytes) -> Any:
        message = kind()
        try:
            message.ParseFromString(data)
        except DecodeError as error:
            raise BrokenPromise(
                f"malformed {kind.DESCRIPTOR.name} of {len(data)} bytes:"
                f" {error}",
                view=self.name,
            ) from error
        return message

    def _key(self, message: Message, fields: tuple[Field, ...]) -> Key:
        try:
            values = [field_value(message, field) for field in fields]
        except OverflowError as error:
            raise BrokenPromise(
                f"timestamp out of range in {message.DESCRIPTOR.name}",
                view=self.name,
            ) from error
        values = [value if value == value else _NAN for value in values]
        return values[0] if len(values) == 1 else tuple(values)

    # Writing.

    def encode_key(self, key: KeyLike, *, prefix: bool = False) -> bytes:
        """<View>Key; with `prefix`, leading columns are enough.

        InvalidKey says what is wrong, and shows the right shape.
        """
        if isinstance(key, Message):
            return self._encode_message(key)
        if isinstance(key, Mapping):
            values = self._named(key, prefix)
        else:
            values = self._ordered(key, prefix)
        message = self.key_class()
        for field, value in zip(self._key_fields, values, strict=False):
            self._set(message, field, value)
        return message.SerializeToString(deterministic=True)

    def normalize_key(self, key: KeyLike) -> Key:
        """As `key_of` has it. Values and tuples are taken as they are."""
        if isinstance(key, Mapping | Message):
            return self.decode_key(self.encode_key(key))
        if isinstance(key, tuple):
            key = key[0] if len(key) == 1 else key
        return key if key == key else _NAN

    def _encode_message(self, key: Message) -> bytes:
        wanted = self.key_class.DESCRIPTOR.full_name
        if key.DESCRIPTOR.full_name != wanted:
            raise self._invalid(f"key is a {key.DESCRIPTOR.full_name}")
        return key.SerializeToString(deterministic=True)

    def _named(self, key: Mapping[str, Scalar], prefix: bool) -> list[Scalar]:
        for name in key:
            if name not in self.key_columns:
                near = difflib.get_close_matches(name, self.key_columns, 1)
                hint = f'; did you mean "{near[0]}"?' if near else ""
                raise self._invalid(f'no key column "{name}"{hint}')
        given = [name for name in self.key_columns if name in key]
        if tuple(given) != self.key_columns[: len(given)]:
            raise self._invalid(f"key columns {given} are not leading ones")
        self._check_count(len(given), prefix)
        return [key[name] for name in given]

    def _ordered(self, key: Key, prefix: bool) -> list[Scalar]:
        values = list(key) if isinstance(key, tuple | list) else [key]
        self._check_count(len(values), prefix)
        return values

    def _check_count(self, count: int, prefix: bool) -> None:
        wanted = len(self.key_columns)
        if count == wanted or (prefix and 0 < count < wanted):
            return
        raise self._invalid(
            f"{count} of {wanted} key columns are given"
            " (a NULL is given as None)"
        )

    def _set(self, message: Message, field: Field, value: Scalar) -> None:
        if value is None:
            return
        try:
            if is_timestamp(field):
                if isinstance(value, str):
                    value = parse_rfc3339(value)
                if not isinstance(value, datetime):
                    raise TypeError("not a datetime")
                set_timestamp(getattr(message, field.name), value)
            else:
                setattr(message, field.name, value)
        except (TypeError, ValueError) as error:
            raise self._invalid(
                f"key column {field.name} cannot be {value!r}: {error}"
            ) from error

    def _invalid(self, what: str) -> InvalidKey:
        columns = ", ".join(
            f"{field.name}: {_type_name(field)}" for field in self._key_fields
        )
        return InvalidKey(
            f"{what}; the key of this view is ({columns})", view=self.name
        )


_TYPE_NAMES = {
    FieldDescriptor.CPPTYPE_BOOL: "bool",
    FieldDescriptor.CPPTYPE_INT32: "int",
    FieldDescriptor.CPPTYPE_INT64: "int",
    FieldDescriptor.CPPTYPE_UINT32: "int",
    FieldDescriptor.CPPTYPE_UINT64: "int",
    FieldDescriptor.CPPTYPE_FLOAT: "float",
    FieldDescriptor.CPPTYPE_DOUBLE: "float",
    FieldDescriptor.CPPTYPE_STRING: "str",
    FieldDescriptor.CPPTYPE_MESSAGE: "datetime",
}


def _type_name(field: Field) -> str:
    return _TYPE_NAMES.get(field.cpp_type, "?")

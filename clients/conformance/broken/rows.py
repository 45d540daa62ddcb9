"""Rows and keys as JSON, by the descriptors of DescribeView."""

import json
from datetime import UTC, datetime
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory

Json = dict[str, Any]


class Rows:
    def __init__(self, answer: Any) -> None:
        self.key_columns: list[str] = list(answer.view.key_columns)
        pool = descriptor_pool.DescriptorPool()
        for file in answer.descriptors.file:
            pool.Add(file)
        types = {
            message.name: f"{file.package}.{message.name}"
            for file in answer.descriptors.file
            for message in file.message_type
        }
        parts = answer.view.name.split("_")
        camel = "".join(part.capitalize() for part in parts)
        self._row_type, self._key_type = (
            message_factory.GetMessageClass(
                pool.FindMessageTypeByName(types[camel + suffix])
            )
            for suffix in ("Row", "Key")
        )

    def row(self, data: bytes) -> Json:
        return _to_json(self._row_type.FromString(data))

    def key(self, data: bytes) -> Json:
        fields = _to_json(self._key_type.FromString(data))
        return {column: fields[column] for column in self.key_columns}

    def key_of(self, row: Json) -> Json:
        return {column: row[column] for column in self.key_columns}

    def encode_key(self, key: Json) -> bytes:
        message = json_format.ParseDict(key, self._key_type())
        data: bytes = message.SerializeToString(deterministic=True)
        return data

    def parse_key(self, text: str) -> bytes:
        """`x`, `a=1,b=x`, or a JSON object."""
        if text.lstrip().startswith("{"):
            return self.encode_key(json.loads(text))
        if len(self.key_columns) == 1:
            return self.encode_key({self.key_columns[0]: text})
        pairs = (pair.partition("=") for pair in text.split(","))
        return self.encode_key({name: value for name, _, value in pairs})


def _to_json(message: Any) -> Json:
    row: Json = {}
    for field in message.DESCRIPTOR.fields:
        value = None
        if message.HasField(field.name):
            value = getattr(message, field.name)
            if field.message_type is not None:
                value = time_text(value)
        row[field.name] = value
    return row


def time_text(moment: Any) -> str:
    """RFC 3339; three or six decimals if there are any."""
    whole = datetime.fromtimestamp(moment.seconds, UTC)
    text = whole.strftime("%Y-%m-%dT%H:%M:%S")
    micros = moment.nanos // 1000
    if micros % 1000:
        text += f".{micros:06}"
    elif micros:
        text += f".{micros // 1000:03}"
    return text + "Z"

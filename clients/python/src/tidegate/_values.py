"""Values of columns: times, and messages as dictionaries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias

from google.protobuf.message import Message

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP = "google.protobuf.Timestamp"

# A FieldDescriptor, of whichever implementation of Protobuf.
Field: TypeAlias = Any

Timestamps = Literal["datetime", "rfc3339"]


class _Seconds(Protocol):
    """A Timestamp or a Duration, of whichever descriptor pool."""

    seconds: int
    nanos: int


def is_timestamp(field: Field) -> bool:
    kind = field.message_type
    return kind is not None and bool(kind.full_name == _TIMESTAMP)


def to_datetime(time: _Seconds) -> datetime:
    """In UTC, cut to microseconds. OverflowError outside of years 1..9999."""
    return _EPOCH + timedelta(
        seconds=time.seconds, microseconds=time.nanos // 1000
    )


def set_timestamp(time: _Seconds, value: datetime) -> None:
    """ValueError if `value` has no time zone."""
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    since = value - _EPOCH
    time.seconds = since.days * 86_400 + since.seconds
    time.nanos = since.microseconds * 1000


def to_seconds(duration: _Seconds) -> float:
    return duration.seconds + duration.nanos / 1e9


def set_duration(duration: _Seconds, seconds: float) -> None:
    micros = round(seconds * 1e6)
    duration.seconds, rest = divmod(micros, 1_000_000)
    duration.nanos = rest * 1000


def format_rfc3339(time: datetime) -> str:
    """With as many decimals as there are: none, three or six."""
    utc = time.astimezone(UTC)
    text = (
        f"{utc.year:04}-{utc.month:02}-{utc.day:02}"
        f"T{utc.hour:02}:{utc.minute:02}:{utc.second:02}"
    )
    if utc.microsecond % 1000:
        text += f".{utc.microsecond:06}"
    elif utc.microsecond:
        text += f".{utc.microsecond // 1000:03}"
    return text + "Z"


def parse_rfc3339(text: str) -> datetime:
    """In UTC. ValueError if it is none, or without a time zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return time.astimezone(UTC)


def field_value(message: Message, field: Field) -> Any:
    """A column's value; NULL is None, a timestamp a datetime in UTC."""
    if field.has_presence and not message.HasField(field.name):
        return None
    value = getattr(message, field.name)
    if is_timestamp(field):
        return to_datetime(value)
    return value


def to_dict(
    message: Message, *, timestamps: Timestamps = "datetime"
) -> dict[str, Any]:
    """All columns of a row or key, in the order of its message.

    NULL is None, a 64-bit integer an int, a timestamp a datetime in UTC or, for
    JSON, text as in RFC 3339.
    """
    columns = {}
    for field in message.DESCRIPTOR.fields:
        value = field_value(message, field)
        if timestamps == "rfc3339" and isinstance(value, datetime):
            value = format_rfc3339(value)
        columns[field.name] = value
    return columns

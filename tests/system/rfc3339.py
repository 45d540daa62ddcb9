"""Timestamps as text and as microseconds since 1970."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def format_micros(micros: int) -> str:
    at = _EPOCH + timedelta(microseconds=micros)
    return at.isoformat().replace("+00:00", "Z")


def parse_micros(text: str) -> int:
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (at - _EPOCH) // timedelta(microseconds=1)

"""When to come back, and when not to: of streams and of reads."""

import random
from typing import Any

from conformance.contract import PB

FOR_GOOD = {
    "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "UNAUTHENTICATED", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED",
}  # fmt: skip
_MIN_BACKOFF_S = 0.05
_MAX_BACKOFF_S = 5.0


def backoff_s(failures: int, fault: str) -> float:
    doubled = _MIN_BACKOFF_S * (1 << min(failures - 1, 20))
    whole = min(doubled, _MAX_BACKOFF_S)
    if fault == "does_not_back_off" or fault == "reads_without_backoff":
        whole = _MIN_BACKOFF_S
    if fault == "has_no_jitter" or fault == "reads_without_jitter":
        return whole
    return whole / 2 + (1 - random.random()) * whole / 2


def retry_delay_s(error: Any) -> float:
    """Of google.rpc.RetryInfo in the error's details; 0 if it is not there."""
    for name, value in error.trailing_metadata() or ():
        if name != "grpc-status-details-bin":
            continue
        at = value.find(b"google.rpc.RetryInfo")
        if at < 0:
            return 0
        # After the type's name: value of the Any (tag, length), retry_delay
        # (tag, length), a Duration.
        duration = PB.Drain().retry_after
        body = value[at + len(b"google.rpc.RetryInfo") + 2 :]
        duration.ParseFromString(body[2 : 2 + body[1]])
        return float(duration.ToMilliseconds()) / 1000
    return 0

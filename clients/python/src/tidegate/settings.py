"""What a client can be told about limits and patience."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a client holds for the server's sake, at most."""

    # One message of the server.
    max_message_bytes: int = 256 * _MIB
    # Changes of a range or commit that came in fragments and is not yet whole.
    max_pending_bytes: int = 256 * _MIB
    # Requests for keys of one watch that have no answer yet.
    max_pending_key_requests: int = 10_000
    # Rows of one mirror; while a snapshot replaces them, of the old and of the
    # new each.
    max_mirror_rows: int = 1_000_000
    max_watches_per_session: int = 10_000
    # Views whose types a client remembers.
    max_known_views: int = 1_000


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How long to wait between attempts.

    Doubles from min to max, each time a random part of its upper half, and is
    back at min once a response has come. A drain's or a refusal's own delay is
    kept, and lengthened by up to a tenth.
    """

    min_s: float = 0.05
    max_s: float = 5.0
    # How many attempts in a row may fail; 0: any number.
    max_failed_attempts: int = 0
    # Of the randomness, for tests; None: from the system.
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.min_s <= self.max_s:
            raise ValueError(
                f"backoff from {self.min_s} s to {self.max_s} s:"
                " wanted 0 < min_s <= max_s"
            )
        if self.max_failed_attempts < 0:
            raise ValueError("max_failed_attempts is negative")

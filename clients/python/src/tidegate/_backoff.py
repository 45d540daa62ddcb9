"""How long to wait. Knows no clock."""

from __future__ import annotations

import random

from tidegate.errors import Code, RpcError
from tidegate.settings import Backoff

# Of what a server asks for: those who were told the same do not come together.
_MAX_LENGTHENING = 0.25
_MAX_HINT_S = 600.0
# A drain that says "at once".
_MIN_DELAY_S = 0.001


def backoff_s(
    min_s: float, max_s: float, failures: int, uniform: float
) -> float:
    """The wait before attempt number `failures` + 1 (failures >= 1).

    `uniform` is in [0, 1); half of the whole < result <= the whole.
    """
    whole = min_s
    for _ in range(failures - 1):
        if whole >= max_s:
            break
        whole *= 2
    whole = min(whole, max_s)
    return whole - uniform * whole / 2


class Retries:
    """Counts failed attempts in a row. Of one thread."""

    def __init__(self, settings: Backoff) -> None:
        self._settings = settings
        self._random = random.Random(settings.seed)
        self._failures = 0

    def answered(self) -> None:
        """A response has come."""
        self._failures = 0

    def failed(self, error: RpcError) -> float | None:
        """Seconds until the next attempt; None: there shall be none."""
        self._failures += 1
        limit = self._settings.max_failed_attempts
        if error.permanent or 0 < limit < self._failures:
            return None
        wait = backoff_s(
            self._settings.min_s,
            self._settings.max_s,
            self._failures,
            self._random.random(),
        )
        if error.retry_after_s is not None:
            wait = max(wait, self._lengthened(error.retry_after_s))
        return wait

    def failed_read(self, error: RpcError, left_s: float) -> float | None:
        """As `failed`, of a call that has `left_s` until its deadline."""
        if error.code is not Code.UNAVAILABLE and error.retry_after_s is None:
            return None
        wait = self.failed(error)
        return wait if wait is not None and wait < left_s else None

    def drained(self, retry_after_s: float) -> float:
        """Seconds until the next attempt, after a drain."""
        self._failures = 0
        return self._lengthened(max(retry_after_s, _MIN_DELAY_S))

    def _lengthened(self, hint_s: float) -> float:
        seconds = min(hint_s, _MAX_HINT_S)
        return seconds * (1 + _MAX_LENGTHENING * self._random.random())

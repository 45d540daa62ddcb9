"""What a subscriber or session does next. Knows neither gRPC nor a clock: a
shell asks `next`, does it, and tells how it went."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from tidegate._backoff import Retries
from tidegate.errors import Error, RpcError


@dataclass(frozen=True, slots=True)
class Open:
    """Open a stream, then tell `opened`."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read a response; tell it, or that the stream has ended."""


@dataclass(frozen=True, slots=True)
class Check:
    """Ask what the view is by now; tell it, or the call's error."""

    view: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Cut the stream, then tell `left`."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Let these seconds pass, then tell `waited`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stop:
    """There is nothing more to do."""


class _State(Enum):
    CLOSED = auto()
    STREAMING = auto()
    LEAVING = auto()
    WAITING = auto()
    FAILED = auto()


class Lifecycle:
    """Stream after stream, until it fails for good. Of one thread."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._state = _State.CLOSED
        self._wait_s = 0.0
        self._drained = False
        self._retry_after_s = 0.0
        self.failure: Error | None = None

    @property
    def streaming(self) -> bool:
        return self._state is _State.STREAMING

    def next(self) -> Open | Read | Leave | Wait | Stop:
        match self._state:
            case _State.CLOSED:
                return Open()
            case _State.STREAMING:
                return Read()
            case _State.LEAVING:
                return Leave()
            case _State.WAITING:
                return Wait(self._wait_s)
            case _State.FAILED:
                return Stop()

    def opened(self) -> None:
        self._state = _State.STREAMING

    def answered(self) -> None:
        self._retries.answered()

    def drained(self, retry_after_s: float) -> None:
        """Go away, and come back after that long."""
        self._retry_after_s = max(self._retry_after_s, retry_after_s)
        self._drained = True
        self._state = _State.LEAVING

    def left(self) -> float:
        """The seconds until the next attempt."""
        assert self._drained
        self._drained = False
        self._wait_s = self._retries.drained(self._retry_after_s)
        self._retry_after_s = 0.0
        self._state = _State.WAITING
        return self._wait_s

    def ended(self, error: RpcError) -> float | None:
        """The seconds until the next attempt; None: it has failed for good."""
        wait_s = self._retries.failed(error)
        if wait_s is None:
            self.fail(error)
            return None
        self._wait_s = wait_s
        self._state = _State.WAITING
        return wait_s

    def waited(self) -> None:
        if self._state is _State.WAITING:
            self._state = _State.CLOSED

    def fail(self, error: Error) -> None:
        self.failure = error
        self._state = _State.FAILED

"""One watch of a session, as the application has it; sync and asyncio."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol

from google.protobuf.message import Message

from tidegate._events import KeyLike, RowT, WatchEvent
from tidegate._session_core import EmitWatch, WatchCore
from tidegate.mirror import Mirror


class _Session(Protocol):
    def _change_keys(
        self,
        watch: WatchCore[Any],
        add: tuple[bytes, ...],
        remove: tuple[bytes, ...],
    ) -> int: ...

    def _unwatch(self, watch: WatchCore[Any]) -> None: ...


class Watch(Generic[RowT]):
    """A view with keys that come and go, or with a prefix or condition.

    As thread-safe as its session; `rows` may be read from any thread.
    """

    def __init__(self, session: _Session, core: WatchCore[RowT]) -> None:
        self._session = session
        self._core = core

    @property
    def number(self) -> int:
        """From 1 on, in the order of `add_watch`."""
        return self._core.number

    @property
    def view(self) -> str:
        return self._core.view.name

    @property
    def rows(self) -> Mirror[RowT]:
        """What the events so far come to."""
        return self._core.mirror

    @property
    def token(self) -> bytes:
        """Resumes after the last event, with the keys applied then."""
        return self._core.token

    def change_keys(
        self, add: Iterable[KeyLike] = (), remove: Iterable[KeyLike] = ()
    ) -> int:
        """One request; the keys to remove go first. Returns its number.

        A `KeysApplied` event tells of each request once, in order. If a watch
        has had no keys at all, it starts again with a snapshot.
        """
        encode = self._core.view.encode_key
        return self._session._change_keys(
            self._core,
            tuple(encode(key) for key in add),
            tuple(encode(key) for key in remove),
        )

    def add_keys(self, keys: Iterable[KeyLike]) -> int:
        return self.change_keys(add=keys)

    def remove_keys(self, keys: Iterable[KeyLike]) -> int:
        """Their rows go with the request's `KeysApplied`."""
        return self.change_keys(remove=keys)

    def unwatch(self) -> None:
        """Nothing more is told of it."""
        self._session._unwatch(self._core)


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """What happened to a watch; to the session, if `watch` is None.

    Of the session there are `Drain` and `Disconnected`, which mean all watches.
    """

    watch: Watch[Any] | None
    event: WatchEvent[Message]


def event_of(emit: EmitWatch) -> SessionEvent:
    watch = None if emit.watch is None else emit.watch.handle
    return SessionEvent(watch, emit.event)

"""The keys of a session's watch: which the server has, and which it has been
asked for."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tidegate.errors import BrokenPromise
from tidegate.v1 import view_service_pb2 as pb


@dataclass(frozen=True)
class KeysRequest:
    """Keys as the wire has them; those to remove go first."""

    number: int
    add: tuple[bytes, ...]
    remove: tuple[bytes, ...]

    def message(self, wire_id: int) -> pb.SessionRequest:
        return pb.SessionRequest(
            request=self.number,
            keys=pb.SessionRequest.Keys(
                id=wire_id, add=self.add, remove=self.remove
            ),
        )


class WatchKeys:
    """`keyed` is False for a watch of all rows, a prefix or a condition."""

    def __init__(self, keyed: bool, keys: tuple[bytes, ...]) -> None:
        self.keyed = keyed
        self._keys = dict.fromkeys(keys)  # applied, in order
        self._pending: deque[KeysRequest] = deque()
        self._at_snapshot_end: list[int] = []

    @property
    def keys(self) -> tuple[bytes, ...]:
        return tuple(self._keys)

    @property
    def pending(self) -> tuple[KeysRequest, ...]:
        """To be sent after an opening."""
        return tuple(self._pending)

    @property
    def openable(self) -> bool:
        """A watch without keys is not asked for: there they mean all rows."""
        return not self.keyed or bool(self._keys)

    def ask(self, request: KeysRequest) -> None:
        self._pending.append(request)

    def adopt(self) -> None:
        """Before an opening: if there are no keys, those asked for are.

        The snapshot that follows answers their requests.
        """
        if not self.keyed or self._keys:
            return
        while self._pending:
            request = self._pending.popleft()
            self._apply(request)
            self._at_snapshot_end.append(request.number)

    def applied(self, number: int) -> KeysRequest:
        """BrokenPromise if that is not the next one."""
        if not self._pending or self._pending[0].number != number:
            expected = self._pending[0].number if self._pending else "none"
            raise BrokenPromise(
                f"keys of request {number} applied, expected {expected}"
            )
        request = self._pending.popleft()
        self._apply(request)
        return request

    def snapshot_ended(self) -> list[int]:
        """The requests that this has answered."""
        answered, self._at_snapshot_end = self._at_snapshot_end, []
        return answered

    def _apply(self, request: KeysRequest) -> None:
        for key in request.remove:
            self._keys.pop(key, None)
        self._keys.update(dict.fromkeys(request.add))

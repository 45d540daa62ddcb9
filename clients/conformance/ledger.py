"""What a right client holds of one watch, after each message sent to it."""

from typing import Any

from conformance.views import Row, View, canonical

# By the key's canonical text.
Rows = dict[str, Row]


class Ledger:
    """Written from the .proto's comments; knows nothing of any client."""

    def __init__(
        self, view: View, keys: list[Row] | None, prefix: Row | None, where: str
    ) -> None:
        self.view = view
        # Those applied; none: it is no watch of keys.
        self.keys = (
            None if keys is None else {view.encode_key(key) for key in keys}
        )
        self.prefix = b"" if prefix is None else view.encode_key(prefix)
        self.where = where
        self.rows: Rows = {}
        self.last_token = b""
        # What its lines come to where they show a token, and what it holds
        # when it comes back with it: without the keys that went at it.
        self.shown_at: dict[bytes, Rows] = {}
        self._held_at: dict[bytes, Rows] = {}
        # Of each marker with a token, in order: its token.
        self.told: list[bytes] = []
        # Of each stream that had a response: what it was asked for with.
        self.connects: list[bytes] = []
        self.ended = False
        self._first = True
        self._opened_with = b""
        self._pending: list[Any] = []

    def know(self, token: bytes) -> None:
        """Another process has come as far; what it held is not known."""
        self._held_at[token] = {}
        self.last_token = token

    def begin(self, token: bytes) -> None:
        """A stream was opened with `token`."""
        self.rows = dict(self._held_at[token]) if token else {}
        self.last_token = token
        self._opened_with = token
        self._first = True
        self._pending = []

    def take(self, response: Any) -> None:
        if self._first:
            self._first = False
            self.connects.append(self._opened_with)
        if response.HasField("reset"):
            self.rows = {}
            self._pending = []
            self.last_token = b""
        self._pending += response.changes
        if response.fragment:
            return
        for change in self._pending:
            self._apply(change)
        self._pending = []
        if response.resume_token:
            self._note(response.resume_token)

    def drained(self, token: bytes) -> None:
        """By the session's drain, which has no token of its own."""
        if not self._first and token:
            self.told.append(token)

    def _note(self, token: bytes) -> None:
        self.last_token = token
        self.told.append(token)
        self.shown_at[token] = dict(self.rows)
        self._held_at[token] = self.shown_at[token]

    def _apply(self, change: Any) -> None:
        kind = change.WhichOneof("kind")
        if kind == "upsert":
            row = self.view.decode_row(change.upsert)
            self.rows[canonical(self.view.key_of(row))] = row
        elif kind is not None:
            key = self.view.decode_key(getattr(change, kind))
            self.rows.pop(canonical(key), None)

    def keys_applied(self, add: list[bytes], remove: list[bytes]) -> None:
        assert self.keys is not None
        self.keys = (self.keys - set(remove)) | set(add)
        for key in remove:
            if key not in add:
                self.rows.pop(canonical(self.view.decode_key(key)), None)
        self._held_at[self.last_token] = dict(self.rows)

    def starts_over(self, keys: list[Row]) -> None:
        """It has had no keys; these are what it is opened with."""
        self.keys = {self.view.encode_key(key) for key in keys}
        self.last_token = b""

    def sorted_rows(self) -> list[Row]:
        """As a mirror's line has them."""
        entries = [
            {"key": self.view.key_of(row), "row": row}
            for row in self.rows.values()
        ]
        return sorted(entries, key=lambda entry: tuple(entry["key"].values()))

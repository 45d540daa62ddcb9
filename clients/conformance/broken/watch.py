"""One watch of the client: what it holds, which keys it has, what it prints."""

import base64
import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from conformance.broken.cursor import BrokenPromise, Cursor, Event
from conformance.broken.rows import Json, Rows, time_text
from conformance.contract import PB


@dataclass
class KeyRequest:
    number: int
    add: list[bytes]
    remove: list[bytes]


@dataclass
class Filter:
    keys: list[bytes]
    prefix: bytes = b""
    where: str = ""


class Watch:
    """`members` are those with which each of its lines begins."""

    def __init__(
        self,
        view: str,
        rows: Rows,
        what: Filter,
        token: bytes,
        members: Json,
        fault: str,
    ) -> None:
        self.view = view
        self.rows = rows
        self.cursor = Cursor(token, fault)
        self.keyed = bool(what.keys)
        self.keys = set(what.keys)  # applied
        self.pending: deque[KeyRequest] = deque()
        self.at_snapshot_end: list[KeyRequest] = []
        self.wire_id = 0  # 0: not open
        self.failures = 0
        self._what = what
        self.members = members
        self._fault = fault
        self._held: dict[str, Json] = {}  # rows by the key's text
        # As of the last token.
        self._last_token = token
        self._held_at_token: dict[str, Json] = {}
        self._asked_before = False
        self._removed: set[bytes] = set()  # ever

    # What to ask for.

    def request(self) -> Any:
        forgets = self._fault == "forgets_its_filter" and self._asked_before
        self._asked_before = True
        what = Filter([]) if forgets else self._what
        token = self.cursor.token
        if self._fault == "resumes_without_the_token" and self.cursor.position:
            token = b""
        return PB.SubscribeRequest(
            view=self.view,
            keys=sorted(self.keys) if not forgets else [],
            key_prefix=what.prefix,
            where=what.where,
            resume_token=token,
        )

    def key_request(self, pending: KeyRequest) -> Any:
        return PB.SessionRequest(
            request=pending.number,
            keys=PB.SessionRequest.Keys(
                id=self.wire_id, add=pending.add, remove=pending.remove
            ),
        )

    def may_open(self) -> bool:
        """Without keys it would be a watch of all rows."""
        if self.keyed and not self.keys:
            for pending in self.pending:
                self._apply(pending)
                self.at_snapshot_end.append(pending)
            self.pending.clear()
        if self._fault == "opens_without_keys":
            return True
        return not self.keyed or bool(self.keys)

    def begin(self) -> None:
        """A stream begins: of what was under way nothing counts."""
        if self.keyed and not self.keys:
            self.cursor = Cursor(b"", self._fault)
        self.cursor.begin()

    # What has come.

    def keys_applied(self, number: int) -> None:
        loose = self._fault == "takes_keys_in_any_order"
        if not loose and (
            not self.pending or self.pending[0].number != number
        ):
            raise BrokenPromise(f"keys of request {number} are not the next")
        for pending in list(self.pending):
            if pending.number == number:
                self.pending.remove(pending)
                if self._fault != "forgets_keys_applied":
                    self._apply(pending)
                self._told(pending)

    def snapshot_ended(self) -> None:
        answered, self.at_snapshot_end = self.at_snapshot_end, []
        for pending in answered:
            self._told(pending)

    def _apply(self, pending: KeyRequest) -> None:
        self.keys = (self.keys - set(pending.remove)) | set(pending.add)
        self._removed |= set(pending.remove)
        if self._fault == "adds_no_key_again":
            self.keys -= self._removed

    def _told(self, pending: KeyRequest) -> None:
        for key in set(pending.remove) - set(pending.add):
            if self._fault != "keeps_rows_of_removed_keys":
                self._held.pop(json.dumps(self.rows.key(key)), None)
        self.line(marker="keys_applied", request=pending.number)

    def show(self, event: Event) -> None:
        if event.kind == "connect":
            self._connected(event)
            return
        if event.kind == "reset":
            if self._fault != "keeps_rows_over_a_reset":
                self._held = {}
            if self._fault == "forgets_requests_at_a_reset":
                self.pending.clear()
        for change in self._chosen(event.changes):
            self._change(change)
        if event.token not in (b"", self._last_token):
            self._last_token = event.token
            self._held_at_token = dict(self._held)
        if event.kind == "half" or (event.kind == "rows" and not event.token):
            return
        marker = "progress" if event.kind == "rows" else event.kind
        members: Json = {"marker": marker}
        response = event.response
        if event.kind == "rows":
            members["snapshot"] = True
        elif event.kind == "progress":
            members["ranges"] = [
                {
                    "partition": each.partition,
                    "from": getattr(each, "from"),
                    "to": each.to,
                }
                for each in response.ranges
            ]
        elif event.kind == "reset":
            members["cause"] = PB.Reset.Cause.Name(response.reset.cause)
            members["detail"] = response.reset.detail
        elif event.kind == "drain":
            after = response.drain.retry_after
            members["retry_after_ms"] = after.ToMilliseconds()
        if event.kind == "reset" and response.HasField("position"):
            members["position"] = _position_said(response)
        elif event.position is not None and event.kind != "rows":
            members["position"] = _position(event)
        if event.token:
            members["token"] = base64.b64encode(event.token).decode()
        for name in ("watermark", "committed_at", "sent_at"):
            if response.HasField(name) and self._fault != f"hides_{name}":
                members[name] = time_text(getattr(response, name))
        self.line(**members)

    def _connected(self, event: Event) -> None:
        if not event.token:
            if self._fault != "keeps_rows_over_a_new_start":
                self._held = {}
        elif self.cursor.in_snapshot:
            # What came after the token comes again, if it is still so.
            if self._fault != "keeps_rows_that_came_after_a_token":
                self._held = dict(self._held_at_token)
        members: Json = {"marker": "connect", "view": self.view}
        if self.keys:
            members["keys"] = [self.rows.key(key) for key in sorted(self.keys)]
        if self._what.prefix:
            members["key_prefix"] = self.rows.key(self._what.prefix)
        if self._what.where:
            members["where"] = self._what.where
        members["resume"] = (
            base64.b64encode(event.token).decode() if event.token else None
        )
        if event.response.HasField("position"):
            members["position"] = _position_said(event.response)
        self.line(**members)

    def _chosen(self, changes: list[Any]) -> list[Any]:
        if self._fault != "tidies_batches_up":
            return changes
        last: dict[str, Any] = {}
        for change in changes:
            last[json.dumps(self._key(change))] = change
        return list(last.values())

    def _key(self, change: Any) -> Json:
        kind = change.WhichOneof("kind")
        if kind == "upsert":
            return self.rows.key_of(self.rows.row(change.upsert))
        return self.rows.key(getattr(change, kind))

    def _change(self, change: Any) -> None:
        kind = change.WhichOneof("kind")
        if self.cursor.in_snapshot and kind != "upsert":
            if self._fault == "takes_snapshots_for_rows_only":
                return
        if kind is None or self._fault == f"treats_{kind}_as_nothing":
            return
        key = self._key(change)
        if kind != "upsert":
            held = self._held.pop(json.dumps(key), None)
            if held is None and self._fault == "wants_to_hold_what_goes":
                raise BrokenPromise(f"{key} is gone, and was not there")
            self.line(op=kind, key=key)
            return
        row = self.rows.row(change.upsert)
        if self.cursor.in_snapshot and json.dumps(key) in self._held:
            if self._fault == "tidies_snapshots_up":
                return
        self._held[json.dumps(key)] = row
        members: Json = {"op": kind, "key": key, "row": row}
        if change.finality and self._fault != "hides_finality":
            name = PB.Finality.Name(change.finality)
            members["finality"] = name.removeprefix("FINALITY_").lower()
        self.line(**members)

    def mirror(self) -> None:
        rows = sorted(
            self._held.values(),
            key=lambda row: tuple(self.rows.key_of(row).values()),
        )
        entries = [{"key": self.rows.key_of(row), "row": row} for row in rows]
        self.line(marker="mirror", rows=entries)

    def line(self, **members: Any) -> None:
        print(json.dumps(self.members | members), flush=True)


def _position(event: Event) -> Json:
    assert event.position is not None
    return _position_text(event.incarnation, event.position)


def _position_said(response: Any) -> Json:
    partitions = response.position.partitions
    return _position_text(
        response.position.incarnation,
        {entry.partition: entry.seq for entry in partitions},
    )


def _position_text(incarnation: bytes, seqs: dict[int, int]) -> Json:
    return {
        "incarnation": incarnation.hex(),
        "partitions": [
            {"partition": partition, "seq": seq}
            for partition, seq in sorted(seqs.items())
        ],
    }

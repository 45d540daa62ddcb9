"""What a client knows of one stream: turns responses into events, proves
continuity. `fault` is what is wrong with it, "" if nothing is."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from conformance.contract import PB


class BrokenPromise(Exception):
    """The server has broken one. `members` are those of the watch's lines."""

    members: dict[str, Any] = {}


@dataclass
class Event:
    """`kind` is the marker's name, or "rows" of a snapshot."""

    kind: str
    response: Any
    changes: list[Any] = field(default_factory=list)
    token: bytes = b""
    incarnation: bytes = b""
    position: dict[int, int] | None = None


class Cursor:
    """Of one watch, over all its streams."""

    def __init__(self, token: bytes, fault: str) -> None:
        self.token = token
        self.position: dict[int, int] | None = None
        self.first = True
        self._fault = fault
        self._incarnation = b""
        # "snapshot", "live", or "unknown": resumed from another's token.
        self._phase = "unknown" if token else "snapshot"
        self._resumed = False
        self._pending: list[Any] = []

    @property
    def in_snapshot(self) -> bool:
        return self._phase == "snapshot"

    def begin(self) -> None:
        """A stream is asked for with `token`."""
        self.first = True
        self._resumed = bool(self.token)
        if self._fault != "keeps_fragments_over_a_cut":
            self._pending = []
        if not self.token:
            self._phase = "snapshot"
            self.position = None

    def take(self, response: Any) -> Iterator[Event]:
        if response.HasField("position"):
            incarnation = response.position.incarnation
            if (
                self._fault == "holds_on_to_an_incarnation"
                and self._incarnation not in (b"", incarnation)
            ):
                raise BrokenPromise("another incarnation")
            self._incarnation = incarnation
        if self.first:
            self.first = False
            yield self._event("connect", response)
        if not response.ListFields() and (
            self._fault == "fails_at_unknown_fields"
        ):
            raise BrokenPromise("a response that says nothing")
        if response.HasField("reset") and self._heeds(response.reset):
            yield self._reset(response)
            if self._fault == "takes_a_reset_for_all_of_a_response":
                return
        if response.snapshot or response.snapshot_end:
            yield from self._snapshot(response)
        else:
            yield from self._changes(response)
        if response.HasField("drain"):
            if self._fault != "ignores_the_drains_token":
                self.token = response.resume_token or self.token
            yield self._event("drain", response)

    def drained(self, drain: Any) -> Event:
        """By a session's drain, which has no token of its own."""
        return self._event("drain", PB.SubscribeResponse(drain=drain))

    def _event(self, kind: str, response: Any) -> Event:
        return Event(
            kind, response, [], self.token, self._incarnation, self.position
        )

    def _heeds(self, reset: Any) -> bool:
        return (
            self._fault != "knows_one_cause_of_a_reset"
            or reset.cause == PB.Reset.Cause.Value("HISTORY_TRIMMED")
        )

    def _reset(self, response: Any) -> Event:
        if self._fault != "keeps_the_token_over_a_reset":
            self.token = b""
        if self._fault != "keeps_fragments_over_a_reset":
            self._pending = []
        self.position = None
        self._phase = "snapshot"
        return self._event("reset", response)

    def _snapshot(self, response: Any) -> Iterator[Event]:
        if self._phase == "live":
            alone = response.snapshot_end and not response.changes
            if not (
                (self._fault == "takes_a_second_snapshot_end" and alone)
                or (self._fault == "takes_a_silent_snapshot" and not alone)
            ):
                raise BrokenPromise("a snapshot without a reset")
        self._phase = "snapshot"
        for change in response.changes:
            self._check_kind(change)
        drops = response.snapshot_end and self._fault == "drops_the_ends_rows"
        if response.changes and not drops:
            if response.resume_token and not response.snapshot_end:
                if self._fault != "takes_no_token_in_a_snapshot":
                    self.token = response.resume_token
            event = self._event("rows", response)
            event.changes = list(response.changes)
            if not response.resume_token or response.snapshot_end:
                event.token = b""
            yield event
        if not response.snapshot_end:
            return
        if not response.HasField("position"):
            if self._fault != "takes_an_end_without_a_position":
                raise BrokenPromise("a snapshot's end without a position")
        if self._fault == "takes_position_zero_for_none":
            if not any(entry.seq for entry in response.position.partitions):
                raise BrokenPromise("a snapshot's end without a position")
        self._phase = "live"
        self.position = {
            entry.partition: entry.seq for entry in response.position.partitions
        }
        self.token = response.resume_token
        yield self._event("snapshot_end", response)

    def _check_kind(self, change: Any) -> None:
        if change.WhichOneof("kind") is None:
            if self._fault != "takes_a_change_without_a_kind":
                raise BrokenPromise("a change without a kind")

    def _changes(self, response: Any) -> Iterator[Event]:
        says = response.changes or response.ranges
        pending = self._pending
        if response.HasField("reset"):
            pending = []  # but of a client that keeps it over a reset
        if not (says or response.fragment or pending):
            return  # a sign of life, a reset or a drain alone
        if self._phase == "snapshot":
            if self._fault != "does_not_wait_for_the_end":
                raise BrokenPromise("changes before the snapshot's end")
        self._phase = "live"
        for change in response.changes:
            self._check_kind(change)
        if response.fragment and self._fault == "takes_a_missing_token":
            self.token = response.resume_token
        if response.fragment and self._fault == "drops_fragments":
            return
        if self._fault == "applies_half_a_commit" and response.fragment:
            event = self._event("half", response)
            event.changes = list(response.changes)
            yield event
            return
        self._pending += response.changes
        if response.fragment:
            return
        if not response.ranges:
            if self._fault != "takes_changes_without_a_range":
                raise BrokenPromise("changes without a range")
        if self._fault == "shows_what_it_then_reports":
            event = self._event("half", response)
            event.changes = self._pending
            yield event
        self._advance(response.ranges)
        if self._fault == "resumes_from_the_snapshots_end":
            token, self.token = self.token, response.resume_token
            event = self._event("progress", response)
            self.token = token
        else:
            before = self.token
            self.token = response.resume_token or self.token
            event = self._event("progress", response)
            if self._fault == "skips_progress" and not self._pending:
                self.token = before
        event.changes, self._pending = self._pending, []
        yield event

    def _advance(self, ranges: Any) -> None:
        known = self.position is not None
        to = dict(self.position or {})
        for each in ranges:
            after = getattr(each, "from")
            at = to.get(each.partition)
            if at is None:
                at = 0 if known else after
                if self._fault == "knows_all_partitions" and known:
                    raise BrokenPromise("a partition that is new")
                if self._fault == "takes_partitions_anywhere":
                    at = after
            if not self._fits(each, after, at):
                raise BrokenPromise(
                    f"range ({after}, {each.to}] of partition"
                    f" {each.partition} does not continue {at}"
                )
            to[each.partition] = each.to
        self._resumed = False
        self.position = to

    def _fits(self, each: Any, after: int, at: int) -> bool:
        fault = self._fault
        if fault == "wants_every_commit" and each.to > after + 1:
            return False
        return (
            (after == at and each.to >= after)
            or (fault == "ignores_a_gap" and after > at)
            or (fault == "applies_duplicates" and after < at)
            or (fault == "takes_backward_ranges" and each.to < after)
            or (fault == "trusts_a_resumed_stream" and self._resumed)
            or (fault == "looks_at_one_partition" and each.partition > 0)
        )

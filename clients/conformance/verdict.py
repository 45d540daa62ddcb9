"""Judges what a driver printed, and what it holds in the end."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.failed import Failed
from conformance.ledger import Ledger, Rows
from conformance.play import Play
from conformance.views import Row, canonical

Line = dict[str, Any]

# Markers that `tidegate watch` does not have, and so not the checker.
_OF_THE_SUITE = ("mirror", "failed", "keys_applied")


def _token(line: Line, member: str = "token") -> bytes:
    text = line.get(member)
    return base64.b64decode(text) if text else b""


def lines_of(play: Play) -> Iterator[tuple[int, list[tuple[Line, str]]]]:
    """Each watch with its lines, and their text."""
    assert play.driver is not None
    lines = list(zip(play.driver.lines, play.driver.texts, strict=True))
    for number, ledger in play.ledgers.items():
        if len(play.ledgers) == 1:
            own = lines
        elif any("watch" in line for line, _ in lines):
            own = [pair for pair in lines if pair[0].get("watch") == number]
        else:
            name = ledger.view.name
            own = [pair for pair in lines if pair[0].get("view") == name]
        yield number, own


class _Reader:
    """Follows one watch's lines as a user would."""

    def __init__(self, play: Play, ledger: Ledger) -> None:
        self._play = play
        self._ledger = ledger
        self.rows: Rows = {}
        self.told: list[bytes] = []
        self.connects: list[bytes] = []
        self.applied: list[int] = []
        self._batch: list[Line] = []
        self._in_snapshot = True
        self._seqs: dict[int, int] | None = None
        # As of the last token.
        self._last_token = b""
        self._rows_at_token: Rows = {}

    def read(self, line: Line) -> None:
        if "op" in line:
            self._batch.append(line)
            if self._in_snapshot:
                self._apply()
            return
        marker = line.get("marker")
        if marker in ("connect", "reset", "keys_applied"):
            self.check_whole(line)
        if marker == "connect":
            self._connected(line)
        elif marker == "reset":
            self._forget()
        elif marker == "keys_applied":
            self._keys_applied(line["request"])
        elif marker in ("progress", "snapshot_end", "drain"):
            self._marked(line)
        elif marker not in ("mirror", "failed", "error"):
            raise Failed(f"a line that is not known: {line}")

    def _connected(self, line: Line) -> None:
        token = _token(line, "resume")
        self.connects.append(token)
        if not token:
            self._forget()
        elif self._in_snapshot:
            # What came after the token comes again, if it is still so.
            self.rows = dict(self._rows_at_token)

    def check_whole(self, before: object) -> None:
        """No changes are shown without the marker of their batch."""
        if self._batch:
            raise Failed(f"half a batch was shown, before {before}")

    def _forget(self) -> None:
        self.rows = {}
        self._batch = []
        self._in_snapshot = True
        self._seqs = None

    def _keys_applied(self, request: int) -> None:
        self.applied.append(request)
        add, remove = self._play.key_requests.get(request, ([], []))
        for key in set(remove) - set(add):
            decoded = self._ledger.view.decode_key(key)
            self.rows.pop(canonical(decoded), None)

    def _marked(self, line: Line) -> None:
        self._apply()
        if line["marker"] == "snapshot_end":
            self._in_snapshot = False
        if line["marker"] != "drain" and "position" in line:
            self._follow(line)
        if token := _token(line):
            self._note(token)
            self.told.append(token)
            wanted = self._ledger.shown_at.get(token)
            if wanted is not None and wanted != self.rows:
                raise Failed(
                    f"at {line} its lines come to {sorted(self.rows)},"
                    f" not to {sorted(wanted)}, or to other values of these"
                )

    def _note(self, token: bytes) -> None:
        # A drain may repeat one.
        if token != self._last_token:
            self._last_token = token
            self._rows_at_token = dict(self.rows)

    def _follow(self, line: Line) -> None:
        """Ranges continue one another, and lead to the position."""
        to = {
            entry["partition"]: entry["seq"]
            for entry in line["position"]["partitions"]
        }
        if self._seqs is not None and line["marker"] == "progress":
            for each in line.get("ranges", []):
                at = self._seqs.get(each["partition"], 0)
                if each["from"] != at:
                    raise Failed(f"a range that does not continue: {line}")
                self._seqs[each["partition"]] = each["to"]
            if self._seqs != to:
                raise Failed(f"not where the ranges lead: {line}")
        self._seqs = to

    def _apply(self) -> None:
        for line in self._batch:
            key = canonical(line["key"])
            if line["op"] == "upsert":
                self.rows[key] = line["row"]
            else:
                self.rows.pop(key, None)
        self._batch = []


def judge(play: Play, checker: Path, directory: Path) -> None:
    """Raises Failed."""
    assert play.driver is not None
    driver = play.driver
    play.check_nothing_is_left()
    if driver.unreadable:
        raise Failed(f"not a JSON object: {driver.unreadable[0]!r}")
    _judge_ending(play)
    for number, lines in lines_of(play):
        ledger = play.ledgers[number]
        reader = _Reader(play, ledger)
        for line, _ in lines:
            reader.read(line)
        reader.check_whole("the end")
        _judge_order(play, ledger, reader)
        if play.outcome.kind in ("reported", "refused"):
            continue
        if not play.key_requests:
            _check_history(play, lines, checker, directory, number)
        if play.outcome.kind == "kept" and not ledger.ended:
            _judge_rows(play, number, reader, [line for line, _ in lines])


def _judge_ending(play: Play) -> None:
    assert play.driver is not None
    driver = play.driver
    outcome = play.outcome
    errors = [line for line in driver.lines if line.get("marker") == "error"]
    status = driver.exit_status
    if outcome.kind == "reported":
        if not errors or driver.lines[-1] is not errors[0]:
            raise Failed("a broken promise, and no error as the last line")
        if not errors[0].get("detail"):
            raise Failed("an error without a detail")
        if status != 1:
            raise Failed(f"exit status {status} after a broken promise")
        return
    if errors:
        raise Failed(f"a promise that was kept is reported: {errors[0]}")
    wanted = 0
    if outcome.kind == "refused":
        usage = outcome.code == "INVALID_ARGUMENT"
        wanted = play.spec.usage_exit if usage else 1
        if outcome.message not in driver.stderr:
            raise Failed(f"stderr lacks the reason: {driver.stderr!r}")
        if play.spec.names_codes and outcome.code not in driver.stderr:
            raise Failed(f"stderr lacks {outcome.code}: {driver.stderr!r}")
    if status != wanted:
        raise Failed(f"exit status {status}, not {wanted}: {driver.stderr!r}")


def _judge_order(play: Play, ledger: Ledger, reader: _Reader) -> None:
    """Every marker with a token once and in order, and every stream's start."""
    if play.outcome.kind == "reported":
        # What it reports it does not show.
        if ledger.told[: len(reader.told)] != reader.told:
            raise Failed(f"tokens {reader.told} of {ledger.told}")
        return
    if ledger.ended:
        # What was under way may be shown, or not.
        del reader.told[len(ledger.told) :]
    if reader.told != ledger.told:
        raise Failed(f"showed tokens {reader.told}, not {ledger.told}")
    if reader.connects != ledger.connects:
        raise Failed(f"streams {reader.connects}, not {ledger.connects}")


def _check_history(
    play: Play,
    lines: list[tuple[Line, str]],
    checker: Path,
    directory: Path,
    number: int,
) -> None:
    history = directory / f"watch-{number}.jsonl"
    history.write_text(
        "".join(
            text
            for line, text in lines
            if line.get("marker") not in _OF_THE_SUITE
        )
    )
    done = subprocess.run([checker, history], capture_output=True, text=True)
    found = [
        text
        for text in done.stdout.splitlines()
        if text.startswith(f"{history}:")
    ]
    if play.outcome.kind == "shown":
        wanted = f": {play.outcome.invariant}: "
        if not any(wanted in text for text in found):
            raise Failed(f"neither reported nor shown; found {found}")
    elif found or done.returncode not in (0, 1):
        raise Failed(f"the history checker: {found} {done.stderr}")


def _judge_rows(
    play: Play, number: int, reader: _Reader, lines: list[Line]
) -> None:
    ledger = play.ledgers[number]
    wanted = ledger.sorted_rows()
    if number in play.expected:
        own = {canonical(row) for row in play.expected[number]}
        assert own == {canonical(entry["row"]) for entry in wanted}, (
            f"the script expects {own}, its messages come to {wanted}"
        )
    if reader.rows != ledger.rows:
        raise Failed(f"its lines come to {reader.rows}, not {ledger.rows}")
    if not play.spec.mirror:
        return
    mirrors = [line for line in lines if line.get("marker") == "mirror"]
    if len(mirrors) != 1 or lines[-1] is not mirrors[0]:
        raise Failed(f"{len(mirrors)} mirrors, or not as the last line")
    held: list[Row] = mirrors[0]["rows"]
    if held != wanted:
        raise Failed(f"its mirror holds {held}, not {wanted}")

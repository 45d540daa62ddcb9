"""The client's Get and Scan, as docs/CLIENTS.md has them."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from conformance.broken.cursor import BrokenPromise
from conformance.broken.rows import Json, Rows, time_text
from conformance.broken.settings import FOR_GOOD, backoff_s, retry_delay_s
from conformance.contract import PB

_MAX_SCAN_RESTARTS = 3


class _Failed(Exception):
    """What the server said; for the caller."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Reader:
    """Reads of one view, one after the other."""

    def __init__(
        self, stub: Any, view: str, rows: Rows, timeout_s: float, fault: str
    ) -> None:
        self._stub = stub
        self._view = view
        self._rows = rows
        self._timeout_s = timeout_s
        self._fault = fault

    def obey(self, command: Json) -> None:
        try:
            if "get" in command:
                self._get(command)
            else:
                self._scan(command)
        except BrokenPromise as broken:
            _line(marker="broken", detail=str(broken))
        except _Failed as failed:
            detail = failed.detail
            if self._fault == "hides_why_a_read_is_refused":
                detail = "refused"
            _line(marker="failed", code=failed.code, detail=detail)

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        """Again and again, within the deadline."""
        deadline = time.monotonic() + self._timeout_s
        failures = 0
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            if self._fault == "reads_beyond_its_deadline":
                left_s = self._timeout_s
            try:
                return method(request, timeout=left_s)
            except grpc.RpcError as error:
                failures += 1
                wait_s = self._wait_s(error, failures)
                if (
                    time.monotonic() + wait_s >= deadline
                    and self._fault != "waits_beyond_its_deadline"
                    and self._fault != "reads_beyond_its_deadline"
                ):
                    raise _failed(error) from None
                threading.Event().wait(wait_s)
                if self._fault == "starts_a_cut_scan_again":
                    request.ClearField("page_token")

    def _wait_s(self, error: Any, failures: int) -> float:
        """Raises what is not to be tried again."""
        code = error.code().name
        delay_s = retry_delay_s(error)
        again = code == "UNAVAILABLE" or (
            delay_s > 0 and code not in FOR_GOOD
        )
        if self._fault == "reads_what_is_refused_again":
            again = True
        if self._fault == "gives_up_a_read":
            again = False
        if self._fault == "reads_nothing_again_but_unavailable":
            again = code == "UNAVAILABLE"
        if not again:
            raise _failed(error) from None
        if self._fault == "reads_again_at_once":
            return delay_s
        if self._fault == "reads_before_the_retry_delay":
            delay_s = 0
        return max(delay_s, backoff_s(failures, self._fault))

    def _min_position(self, command: Json) -> Any:
        if self._fault == "forgets_min_position":
            return None
        if "min_position" not in command:
            return None
        said = command["min_position"]
        return PB.Position(
            incarnation=bytes.fromhex(said["incarnation"]),
            partitions=[PB.PartitionSeq(**each) for each in said["partitions"]],
        )

    # Get.

    def _get(self, command: Json) -> None:
        keys = [self._rows.encode_key(key) for key in command["get"]]
        if self._fault == "asks_in_its_own_order":
            keys.sort()
        answer = self._call(
            self._stub.Get,
            PB.GetRequest(
                view=self._view,
                keys=keys,
                min_position=self._min_position(command),
            ),
        )
        entries = list(answer.entries)
        if (
            len(entries) != len(keys)
            and self._fault != "takes_any_number_of_entries"
        ):
            raise BrokenPromise(
                f"asked for {len(keys)} keys, answered {len(entries)}"
            )
        members: Json = {"rows": [self._entry(entry) for entry in entries]}
        if self._fault != "hides_a_reads_position":
            members["position"] = _position(answer)
        if self._fault != "hides_a_reads_watermark":
            if answer.HasField("watermark"):
                members["watermark"] = time_text(answer.watermark)
        _line(marker="got", **members)

    def _entry(self, entry: Any) -> Json | None:
        is_there = entry.HasField("row")
        if self._fault == "takes_no_row_for_an_empty_one":
            is_there = True
        if self._fault == "takes_an_empty_row_for_none":
            is_there = bool(entry.row)
        if not is_there:
            return None
        return self._found(entry.row, entry.finality)

    def _found(self, row: bytes, finality: int) -> Json:
        found: Json = {"row": self._rows.row(row)}
        if finality and self._fault != "hides_a_reads_finality":
            name = PB.Finality.Name(finality)
            found["finality"] = name.removeprefix("FINALITY_").lower()
        return found

    # Scan.

    def _scan(self, command: Json) -> None:
        whole = "scan_all" in command
        what = command["scan_all" if whole else "scan"]
        prefix = what.get("key_prefix")
        first = PB.ScanRequest(
            view=self._view,
            key_prefix=self._rows.encode_key(prefix) if prefix else b"",
            where=what.get("where", ""),
            page_size=what.get("page_size", 0),
            min_position=self._min_position(command),
        )
        held: list[Json] = []
        told = 0
        page = None
        restarts = 0
        while True:
            try:
                for page in self._pages(first, page):
                    held += self._found_of(page)
                    if not whole:
                        _tell(held)
                        told += len(held)
                        held = []
            except _Failed as failed:
                if failed.code != "ABORTED" or not self._may_restart(
                    told, restarts
                ):
                    raise
                restarts += 1
                if self._fault != "keeps_rows_of_an_aborted_scan":
                    held = []
                if self._fault != "keeps_the_token_of_an_aborted_scan":
                    page = None
                threading.Event().wait(backoff_s(1, self._fault))
                continue
            break
        _tell(held)
        _line(marker="scanned", position=_position(page))

    def _may_restart(self, told: int, restarts: int) -> bool:
        if self._fault == "gives_up_an_aborted_scan":
            return False
        if told and self._fault != "hands_rows_over_again":
            return False
        return (
            restarts < _MAX_SCAN_RESTARTS or self._fault == "scans_for_ever"
        )

    def _pages(self, first: Any, before: Any) -> Iterator[Any]:
        """After the page `before`, or from the beginning."""
        request = type(first).FromString(first.SerializeToString())
        page = before
        while True:
            if page is not None:
                self._ask_further(request, page)
            answer = self._call(self._stub.Scan, request)
            if page is not None and answer.position != page.position:
                if self._fault != "scans_on_at_another_position":
                    raise BrokenPromise(
                        "the pages of one scan are at two positions"
                    )
            page = answer
            yield page
            if not page.next_page_token or self._is_last(request, page):
                return

    def _ask_further(self, request: Any, page: Any) -> None:
        request.page_token = page.next_page_token
        if self._fault == "forgets_the_filter_of_a_page":
            request.where = ""
            request.key_prefix = b""
        if self._fault == "forgets_the_page_size":
            request.page_size = 0

    def _is_last(self, request: Any, page: Any) -> bool:
        if self._fault == "takes_a_short_page_for_the_last":
            return bool(0 < len(page.rows) < request.page_size)
        faulty = self._fault == "takes_an_empty_page_for_the_last"
        return faulty and len(page.rows) == 0

    def _found_of(self, page: Any) -> list[Json]:
        said = list(page.finality)
        if self._fault == "takes_any_number_of_finality":
            said += [0] * len(page.rows)
        elif said and len(said) != len(page.rows):
            raise BrokenPromise(
                f"{len(page.rows)} rows with the finality of {len(said)}"
            )
        said = said or [0] * len(page.rows)
        return [
            self._found(row, finality)
            for row, finality in zip(page.rows, said, strict=False)
        ]


def _failed(error: Any) -> _Failed:
    return _Failed(error.code().name, error.details() or "")


def _tell(rows: list[Json]) -> None:
    for found in rows:
        _line(marker="row", **found)


def _position(response: Any) -> Json:
    return {
        "incarnation": response.position.incarnation.hex(),
        "partitions": [
            {"partition": entry.partition, "seq": entry.seq}
            for entry in response.position.partitions
        ],
    }


def _line(**members: Any) -> None:
    print(json.dumps(members), flush=True)

"""What a driver is told to read, the calls that it makes, what it says then."""

from dataclasses import dataclass
from typing import Any

from conformance import messages
from conformance.contract import PB
from conformance.failed import Failed
from conformance.messages import Seqs
from conformance.play import Play
from conformance.server import Refusal, Stream
from conformance.views import TALLY, Row, View, timestamp

Line = dict[str, Any]

# The last line of each command's answer.
_LAST = ("got", "scanned", "failed", "broken")


@dataclass(frozen=True)
class Found:
    row: Row
    finality: str = ""

    @property
    def line(self) -> Line:
        members = {"row": self.row}
        return members | ({"finality": self.finality} if self.finality else {})

    @property
    def number(self) -> int:
        name = self.finality or "unspecified"
        number: int = PB.Finality.Value(f"FINALITY_{name.upper()}")
        return number


class Call:
    """A Get or a Scan of the client, which waits for its answer."""

    def __init__(self, play: Play, stream: Stream, view: View) -> None:
        self._play = play
        self.stream = stream
        self._view = view

    def rows(
        self, *rows: Found | None, at: Seqs, watermark: str | None = None
    ) -> None:
        """Answers a Get."""
        response = PB.GetResponse(position=messages.position(at))
        for found in rows:
            entry = response.entries.add()
            if found is not None:
                entry.row = self._view.encode_row(found.row)
                entry.finality = found.number
        self._answer(response, watermark)

    def page(
        self,
        *rows: Found,
        at: Seqs,
        token: str = "",
        watermark: str | None = None,
        incarnation: bytes = messages.INCARNATION,
        finality: list[int] | None = None,
    ) -> None:
        """Answers a Scan; `finality` is said instead of that of the rows."""
        if finality is None and any(found.finality for found in rows):
            finality = [found.number for found in rows]
        response = PB.ScanResponse(
            rows=[self._view.encode_row(found.row) for found in rows],
            next_page_token=token,
            position=messages.position(at, incarnation),
            finality=finality or [],
        )
        self._answer(response, watermark)

    def _answer(self, response: Any, watermark: str | None) -> None:
        if watermark is not None:
            response.watermark.CopyFrom(timestamp(watermark))
        self.stream.send(response)

    def cut(
        self, code: str = "UNAVAILABLE", retry_ms: int | None = None
    ) -> None:
        """Fails in a way that another call is to follow."""
        self._play.ends(self.stream, retry_ms)
        self.stream.finish(Refusal(code, "cut by the script", retry_ms))

    def refuse(
        self, code: str, message: str, retry_ms: int | None = None
    ) -> None:
        """Fails in a way that the caller is to be told of."""
        self.stream.finish(Refusal(code, message, retry_ms))


class Reads:
    """A driver with --reads, told of one read after the other."""

    def __init__(self, play: Play, view: View = TALLY) -> None:
        self._play = play
        self._view = view
        self._asked: Any = None
        self._seen = 0  # of its lines

    # What to read.

    def get(self, *keys: Row, least: Seqs | None = None) -> None:
        self._asked = PB.GetRequest(
            view=self._view.name,
            keys=[self._view.encode_key(key) for key in keys],
        )
        self._tell({"get": list(keys)}, least)

    def scan(
        self,
        whole: bool = False,
        prefix: Row | None = None,
        where: str = "",
        page_size: int = 0,
        least: Seqs | None = None,
    ) -> None:
        """Its rows as they come, or, if `whole`, once all of them are there."""
        self._asked = PB.ScanRequest(
            view=self._view.name, where=where, page_size=page_size
        )
        what: dict[str, Any] = {}
        if prefix is not None:
            self._asked.key_prefix = self._view.encode_key(prefix)
            what["key_prefix"] = prefix
        if where:
            what["where"] = where
        if page_size:
            what["page_size"] = page_size
        self._tell({"scan_all" if whole else "scan": what}, least)

    def _tell(self, command: dict[str, Any], least: Seqs | None) -> None:
        assert self._play.driver is not None
        self._play.begins_anew()
        self._seen = len(self._play.driver.lines)
        if least is not None:
            wanted = messages.position(least)
            self._asked.min_position.CopyFrom(wanted)
            command["min_position"] = _position_line(wanted)
        self._play.command(**command)

    # What it asks the server for.

    def accept(self, token: str = "") -> Call:
        """Its next call, which is a right one."""
        self._play.wait(
            "a call",
            lambda: self._play.has_arrived() or self._last_line(),
            streams=True,
        )
        if not self._play.has_arrived():
            raise Failed(f"said {self._last_line()} instead of a call")
        stream = self._play.next_stream()
        wanted = type(self._asked).FromString(self._asked.SerializeToString())
        if token:
            wanted.page_token = token
        asked = stream.request
        if type(asked) is not type(wanted) or _sorted(asked) != wanted:
            raise Failed(f"asked for\n{asked}instead of\n{wanted}")
        return Call(self._play, stream, self._view)

    def is_answered(self) -> bool:
        """Waits until it is, or until it has made another call."""
        self._play.wait(
            "an answer, or another call",
            lambda: self._last_line() or self._play.has_arrived(),
            streams=True,
        )
        return self._last_line() is not None

    # What it says.

    def _last_line(self) -> Line | None:
        assert self._play.driver is not None
        for line in self._play.driver.lines[self._seen :]:
            if line.get("marker") in _LAST:
                return line
        return None

    def _is_told(
        self, marker: str, rows: tuple[Found, ...] | list[Found]
    ) -> Line:
        """Those rows, each in a line of its own, then `marker`'s line."""
        assert self._play.driver is not None
        last = self._play.wait("the answer to a read", self._last_line)
        *before, _ = self._play.driver.lines[self._seen :]
        wanted = [{"marker": "row"} | found.line for found in rows]
        if last["marker"] != marker:
            raise Failed(f"said {last}, and not that it is {marker}")
        if before != wanted:
            raise Failed(f"handed over {before}, not {wanted}")
        return last

    def got(
        self, *rows: Found | None, at: Seqs, watermark: str | None = None
    ) -> None:
        wanted: Line = {
            "marker": "got",
            "rows": [None if found is None else found.line for found in rows],
            "position": _position_line(messages.position(at)),
        }
        if watermark is not None:
            wanted["watermark"] = watermark
        line = self._is_told("got", ())
        if line != wanted:
            raise Failed(f"said {line}, not {wanted}")

    def scanned(self, *rows: Found, at: Seqs) -> None:
        line = self._is_told("scanned", rows)
        if line.get("position") != _position_line(messages.position(at)):
            raise Failed(f"said {line}, not that it is at {at}")

    def failed(self, *codes: str, text: str = "", rows: Any = ()) -> None:
        """The server's code, one of these, and of its message that much."""
        line = self._is_told("failed", rows)
        if line.get("code") not in codes:
            raise Failed(f"said {line}, and not {' or '.join(codes)}")
        if text not in line.get("detail", ""):
            raise Failed(f"said {line}, without {text!r}")

    def is_broken(self, *texts: str, rows: Any = ()) -> None:
        """A promise: it says which, with all of these texts."""
        line = self._is_told("broken", rows)
        if any(text not in line.get("detail", "") for text in texts):
            raise Failed(f"said {line}, without {texts}")


def _position_line(position: Any) -> Line:
    return {
        "incarnation": position.incarnation.hex(),
        "partitions": [
            {"partition": entry.partition, "seq": entry.seq}
            for entry in position.partitions
        ],
    }


def _sorted(request: Any) -> Any:
    """The same, with the position's partitions in order."""
    found = type(request).FromString(request.SerializeToString())
    found.min_position.partitions.sort(key=lambda entry: entry.partition)
    if not request.HasField("min_position"):
        found.ClearField("min_position")
    return found

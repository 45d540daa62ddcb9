"""Get and Scan: what is asked for, what comes of it, and when again."""

from collections.abc import Callable

from conformance.failed import Failed
from conformance.messages import INCARNATION
from conformance.play import Play
from conformance.reads import Found, Reads
from conformance.scenario import Watched, scenario
from conformance.scenarios.refusals import FOR_GOOD
from conformance.views import TALLY, WINDOWS

_A, _B, _C, _D = (
    Found(TALLY.row(name, number))
    for number, name in enumerate(("a", "b", "c", "d"))
)
_KEY = TALLY.key("a")
_DELAY_MS = 300
_LEAST_MS = 50
# In the series of failures in which the waits are judged.
_SERIES = 3
_FAILURES = 6
# Of the longest waits, where a busy machine's delay is the smaller part.
_JUDGED = 3
_SHORTER = 0.96

_TOLD = ("UNKNOWN", "INTERNAL", "RESOURCE_EXHAUSTED", "ABORTED")

# Starts a read of row _A, or answers it.
Step = Callable[[Reads], None]


def _each_read() -> list[tuple[Step, Step]]:
    """A Get, and both kinds of a scan: how each begins, how it is answered."""

    def answer_get(reads: Reads) -> None:
        reads.accept().rows(_A, at=5)
        reads.got(_A, at=5)

    def answer_scan(reads: Reads) -> None:
        reads.accept().page(_A, at=5)
        reads.scanned(_A, at=5)

    return [
        (lambda reads: reads.get(_KEY), answer_get),
        (lambda reads: reads.scan(), answer_scan),
        (lambda reads: reads.scan(whole=True), answer_scan),
    ]


# Get.


@scenario("reads")
def get_in_order(play: Play) -> None:
    reads = Reads(play)
    names = ("c", "none", "a", "empty", "b")
    # All columns of the row of "empty" are NULL: no byte, and yet a row.
    found = (_C, None, _A, Found(TALLY.row()), _B)
    reads.get(*(TALLY.key(name) for name in names))
    reads.accept().rows(*found, at={0: 7, 3: 1 << 40})
    reads.got(*found, at={0: 7, 3: 1 << 40})
    reads.get(_KEY)
    reads.accept().rows(None, at=8)
    reads.got(None, at=8)


@scenario("reads", Watched(WINDOWS))
def get_with_finality(play: Play) -> None:
    noon, one = "2026-01-02T12:00:00Z", "2026-01-02T13:00:00Z"
    found = (
        Found(WINDOWS.row("eu", 1, 1.5, True, noon), "final"),
        Found(WINDOWS.row("eu", 2, 2.0, False, one), "provisional"),
        Found(WINDOWS.row("us", 1, 2.5, None, noon), "corrected"),
    )
    reads = Reads(play, WINDOWS)
    reads.get(*(WINDOWS.key_of(each.row) for each in found))
    reads.accept().rows(*found, at=5, watermark=noon)
    reads.got(*found, at=5, watermark=noon)


@scenario("reads")
def read_after_a_write(play: Play) -> None:
    least = {0: 7, 3: 1 << 40}
    reads = Reads(play)
    reads.get(_KEY, least=least)
    reads.accept().rows(_A, at=least)
    reads.got(_A, at=least)
    for whole in (False, True):
        reads.scan(whole, least=least)
        reads.accept().page(_A, at=least, token="t1")
        reads.accept("t1").page(_B, at=least)
        reads.scanned(_A, _B, at=least)


@scenario("reads")
def wrong_number_of_entries(play: Play) -> None:
    reads = Reads(play)
    for found in ((_A,), (_A, _B, _C)):
        reads.get(_KEY, TALLY.key("b"))
        reads.accept().rows(*found, at=5)
        reads.is_broken("2", str(len(found)))


# When again.


@scenario("reads")
def read_cut(play: Play) -> None:
    reads = Reads(play)
    for begin, answer in _each_read():
        begin(reads)
        for _ in range(3):
            reads.accept().cut()
        answer(reads)


@scenario("reads")
def read_over_a_cut_connection(play: Play) -> None:
    reads = Reads(play)
    for begin, answer in _each_read():
        begin(reads)
        reads.accept()
        play.server_goes_away()
        play.new_server()
        answer(reads)


@scenario("reads", flags=("--timeout-ms", "30000"))
def read_backoff(play: Play) -> None:
    """No wait is judged by itself from above: a busy machine makes them longer.
    That all of the long ones are, it does not."""
    reads = Reads(play)
    parts = []
    for _ in range(_SERIES):
        reads.get(_KEY)
        call = reads.accept()
        for number in range(_FAILURES):
            call.cut()
            before, call = call, reads.accept()
            whole_ms = _LEAST_MS << number
            waited_ms = play.wait_ms(before.stream, call.stream)
            if waited_ms < whole_ms / 2 - 1:
                raise Failed(
                    f"waited {waited_ms:.0f} ms before attempt {number + 2},"
                    f" not more than half of {whole_ms}"
                )
            if number >= _FAILURES - _JUDGED:
                parts.append(waited_ms / whole_ms)
        call.rows(_A, at=5)
        reads.got(_A, at=5)
    if min(parts) > _SHORTER:
        raise Failed(f"waits without jitter: parts {parts} of the whole ones")


# Longer than the waits before six attempts, shorter than those before seven.
@scenario("reads", flags=("--timeout-ms", "1565"))
def read_deadline(play: Play) -> None:
    reads = Reads(play)
    reads.get(_KEY)
    attempts = 0
    while not reads.is_answered():
        reads.accept().cut()
        attempts += 1
        # The waits before that many come to more than 6 s.
        if attempts > 9:
            raise Failed("goes on beyond its deadline")
    reads.failed("UNAVAILABLE", "DEADLINE_EXCEEDED")
    if attempts < 3:
        raise Failed(f"made {attempts} attempts")
    # The last attempt may be late, and then nobody waits for its answer.
    reads.get(_KEY)
    while not reads.is_answered():
        reads.accept().rows(_A, at=5)
    reads.got(_A, at=5)


@scenario("reads")
def read_retry_delay(play: Play) -> None:
    reads = Reads(play)
    for begin, answer in _each_read():
        for code in ("RESOURCE_EXHAUSTED", "UNAVAILABLE"):
            begin(reads)
            reads.accept().cut(code, retry_ms=_DELAY_MS)
            answer(reads)


@scenario("reads", flags=("--timeout-ms", "10000"))
def delay_beyond_the_deadline(play: Play) -> None:
    reads = Reads(play)
    for begin, answer in _each_read():
        begin(reads)
        reads.accept().refuse("UNAVAILABLE", "in a minute", retry_ms=60_000)
        reads.failed("UNAVAILABLE", text="in a minute")
        begin(reads)
        answer(reads)


@scenario("reads")
def read_refused(play: Play) -> None:
    reads = Reads(play)
    for code in FOR_GOOD + _TOLD:
        reads.get(_KEY)
        reads.accept().refuse(code, f"no, because of {code}")
        reads.failed(code, text=f"no, because of {code}")
    for whole in (False, True):
        for code in FOR_GOOD:
            reads.scan(whole)
            reads.accept().refuse(code, f"no, because of {code}")
            reads.failed(code, text=f"no, because of {code}")


# Scan.


@scenario("reads")
def scan_of_pages(play: Play) -> None:
    """A short page, an empty one, and one with more rows than asked for."""
    reads = Reads(play)
    for whole in (False, True):
        reads.scan(whole, page_size=2)
        reads.accept().page(_A, at={0: 5, 3: 9}, token="t1")
        reads.accept("t1").page(at={0: 5, 3: 9}, token="t2")
        reads.accept("t2").page(_B, _C, _D, at={0: 5, 3: 9}, token="t3")
        reads.accept("t3").page(at={0: 5, 3: 9})
        reads.scanned(_A, _B, _C, _D, at={0: 5, 3: 9})
        reads.scan(whole)
        reads.accept().page(at=6)
        reads.scanned(at=6)


@scenario("reads", Watched(WINDOWS))
def scan_filtered(play: Play) -> None:
    noon = "2026-01-02T12:00:00Z"
    first = Found(WINDOWS.row("eu", 1, 1.5, None, noon), "final")
    last = Found(WINDOWS.row("eu", 2, 2.0, None, noon), "corrected")
    reads = Reads(play, WINDOWS)
    for whole in (False, True):
        reads.scan(whole, {"region": "eu"}, "total > 1", page_size=1)
        reads.accept().page(first, at=5, token="t1", watermark=noon)
        reads.accept("t1").page(last, at=5, watermark=noon)
        reads.scanned(first, last, at=5)


@scenario("reads", Watched(WINDOWS))
def finality_of_other_rows(play: Play) -> None:
    rows = [Found(WINDOWS.row("eu", number)) for number in (1, 2)]
    reads = Reads(play, WINDOWS)
    for whole in (False, True):
        reads.scan(whole)
        reads.accept().page(*rows, at=5, finality=[2, 2, 2])
        reads.is_broken("finality", "2", "3")


@scenario("reads")
def scan_cut_between_pages(play: Play) -> None:
    reads = Reads(play)
    for whole in (False, True):
        reads.scan(whole, where="n > 0", page_size=1)
        reads.accept().page(_A, at=5, token="t1")
        reads.accept("t1").cut()
        reads.accept("t1").cut("RESOURCE_EXHAUSTED", retry_ms=_DELAY_MS)
        reads.accept("t1").page(_B, at=5, token="t2")
        reads.accept("t2").cut()
        reads.accept("t2").page(_C, at=5)
        reads.scanned(_A, _B, _C, at=5)


@scenario("reads")
def scan_aborted(play: Play) -> None:
    """Of what came before only the rows of the last start are right."""
    now = Found(TALLY.row("a", 100))
    reads = Reads(play)
    reads.scan(whole=True, where="n > 0", page_size=2)
    reads.accept().page(_A, _B, at=5, token="t1")
    reads.accept("t1").cut("ABORTED")
    reads.accept().page(_A, _B, at=6, token="t2")
    reads.accept("t2").page(_C, at=6, token="t3")
    reads.accept("t3").cut("ABORTED")
    reads.accept().page(now, at=9, token="t4")
    reads.accept("t4").page(_C, _D, at=9)
    reads.scanned(now, _C, _D, at=9)


@scenario("reads")
def scan_aborted_before_a_row(play: Play) -> None:
    """Nothing has been handed over: also the rows as they come start again."""
    reads = Reads(play)
    for whole in (False, True):
        reads.scan(whole, where="n > 0")
        reads.accept().page(at=5, token="t1")
        reads.accept("t1").cut("ABORTED")
        reads.accept().page(_A, at=6, token="t2")
        reads.accept("t2").page(_B, at=6)
        reads.scanned(_A, _B, at=6)


@scenario("reads")
def scan_aborted_after_rows(play: Play) -> None:
    """What was handed over cannot be taken back: the caller is told."""
    reads = Reads(play)
    reads.scan()
    reads.accept().page(_A, _B, at=5, token="t1")
    reads.accept("t1").refuse("ABORTED", "start again")
    reads.failed("ABORTED", text="start again", rows=(_A, _B))


@scenario("reads")
def scan_aborted_for_ever(play: Play) -> None:
    """It starts again three times."""
    reads = Reads(play)
    reads.scan(whole=True)
    for number in range(4):
        reads.accept().page(_A, at=number, token="t1")
        call = reads.accept("t1")
        if number < 3:
            call.cut("ABORTED")
    call.refuse("ABORTED", "start again")
    reads.failed("ABORTED", text="start again")


@scenario("reads")
def pages_at_two_positions(play: Play) -> None:
    reads = Reads(play)
    for whole in (False, True):
        for at, incarnation in (
            (6, INCARNATION), (4, INCARNATION), (5, b"another"),
            ({0: 5, 1: 2}, INCARNATION),
        ):  # fmt: skip
            reads.scan(whole)
            reads.accept().page(_A, at=5, token="t1")
            reads.accept("t1").page(
                _B, at=at, token="t2", incarnation=incarnation
            )
            reads.is_broken("position", rows=() if whole else (_A,))

"""Drives the client as the conformance suite wants it, sync or asyncio.

    python clients/python/driver VIEW... --server H:P [--session] [--aio] …

clients/conformance/README.md says what it takes and prints.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import asyncio  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import threading  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from typing import Any  # noqa: E402

from arguments import Arguments, Spec, key_of, parse, parse_key  # noqa: E402
from lines import Subject  # noqa: E402
from reads import obey, obey_aio  # noqa: E402

import tidegate  # noqa: E402

_FAILED = 1
_STDIN = 0
_READ_BYTES = 1 << 16


def _subject(
    view: tidegate.View[Any], spec: Spec, begin: dict[str, Any]
) -> Subject:
    prefix = None
    if spec.key_prefix:
        prefix = parse_key(view, spec.key_prefix, prefix=True)
    keys = [parse_key(view, text) for text in spec.keys]
    return Subject(view, keys, prefix, spec.where, begin)


def _filter(subject: Subject, resume: bytes) -> dict[str, Any]:
    """The arguments of `subscribe` and `add_watch`."""
    return {
        "keys": subject.keys or None,
        "key_prefix": subject.key_prefix,
        "where": subject.where,
        "resume_token": resume,
    }


class Board:
    """What has been watched, and where its lines go."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self._subjects: dict[int, Subject] = {}
        self._watches: dict[int, tidegate.Watch[Any]] = {}
        self.lock = threading.Lock()  # held while a watch is being added

    def begin(self, view: str, number: int) -> dict[str, Any]:
        """What a watch's lines begin with."""
        begin: dict[str, Any] = {}
        if len(self._arguments.specs) > 1:
            begin["view"] = view
        if self._arguments.commands:
            begin["watch"] = number
        return begin

    def add(self, watch: tidegate.Watch[Any], subject: Subject) -> None:
        subject.begin = self.begin(watch.view, watch.number)
        self._subjects[watch.number] = subject
        self._watches[watch.number] = watch

    def watch(self, number: int) -> tidegate.Watch[Any]:
        return self._watches[number]

    def show(self, happened: tidegate.SessionEvent) -> None:
        with self.lock:
            if happened.watch is None:
                for subject in self._subjects.values():
                    _print(subject.of_session(happened.event))
                return
            number = happened.watch.number
            if number not in self._watches:
                return
            failed = isinstance(happened.event, tidegate.WatchFailed)
            if failed and not self._arguments.commands:
                raise happened.event.error  # type: ignore[union-attr]
            _print(self._subjects[number].lines(happened.event))
            if failed:
                self.drop(number)

    def drop(self, number: int) -> None:
        self._watches.pop(number, None)
        self._subjects.pop(number, None)

    def show_broken(self, error: tidegate.Error) -> None:
        with self.lock:
            subject = self._subjects.get(error.watch or 0)
            _print([_error_line(subject, error)])

    def show_mirrors(self) -> None:
        with self.lock:
            for number, watch in self._watches.items():
                _print([self._subjects[number].mirror(watch.rows)])


def _error_line(subject: Subject | None, error: tidegate.Error) -> str:
    if subject is None:
        return json.dumps({"marker": "error", "detail": error.detail})
    return subject.error(error.detail)


def _print(lines: list[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _broken(error: tidegate.Error) -> bool:
    return isinstance(error, tidegate.BrokenPromise | tidegate.LimitExceeded)


def _stdin_lines() -> Iterator[str]:
    """Without Python's buffer, whose lock a thread would hold at the exit."""
    left = b""
    while data := os.read(_STDIN, _READ_BYTES):
        *whole, left = (left + data).split(b"\n")
        for line in whole:
            yield line.decode()


def _read_stdin(
    arguments: Arguments, command: Callable[[dict[str, Any]], None],
    end: Callable[[], object],
) -> None:  # fmt: skip
    """Commands, then the end: in a thread, if stdin is to be read at all."""
    if not (arguments.mirror or arguments.commands):
        return

    def run() -> None:
        for line in _stdin_lines():
            if arguments.commands:
                command(json.loads(line))
        end()

    threading.Thread(target=run, daemon=True).start()


def _opened(client_view: tidegate.View[Any], what: dict[str, Any]) -> Subject:
    """The subject of an `open` command."""
    prefix = what.get("key_prefix")
    return Subject(
        client_view,
        [key_of(client_view, key) for key in what.get("keys", [])],
        None if prefix is None else key_of(client_view, prefix, prefix=True),
        what.get("where", ""),
        {},
    )


def _steer(board: Board, command: dict[str, Any]) -> None:
    """All commands but `open`."""
    if "unwatch" in command:
        board.watch(command["unwatch"]).unwatch()
        board.drop(command["unwatch"])
        return
    watch = board.watch(command["watch"])
    view = watch.rows.view
    watch.change_keys(
        add=[key_of(view, key) for key in command.get("add", [])],
        remove=[key_of(view, key) for key in command.get("remove", [])],
    )


# Sync.


_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def _on_stop_signals(end: Callable[[], None]) -> None:
    """In a thread of its own: `end` takes locks that a handler must not.

    The signals are blocked, since before any other thread was started.
    """

    def run() -> None:
        signal.sigwait(_STOP_SIGNALS)
        end()

    threading.Thread(target=run, daemon=True).start()


def _subscribe(client: tidegate.Client, arguments: Arguments) -> int:
    (spec,) = arguments.specs
    view = client.describe(spec.view).view
    assert view is not None
    subject = _subject(view, spec, {})
    subscription = client.subscribe(view, **_filter(subject, spec.resume))
    _on_stop_signals(subscription.close)
    _read_stdin(arguments, lambda _: None, subscription.close)
    try:
        for event in subscription:
            _print(subject.lines(event))
    except tidegate.Error as error:
        if not _broken(error):
            raise
        _print([subject.error(error.detail)])
        return _FAILED
    if arguments.mirror:
        _print([subject.mirror(subscription.rows)])
    return 0


def _watch(client: tidegate.Client, arguments: Arguments) -> int:
    board = Board(arguments)
    session = client.session()

    def add(subject: Subject, resume: bytes, keys: Any) -> None:
        wanted = _filter(subject, resume) | {"keys": keys}
        with board.lock:
            board.add(session.add_watch(subject.view, **wanted), subject)

    def command(what: dict[str, Any]) -> None:
        if "open" in what:
            view = client.describe(what["open"]["view"]).view
            assert view is not None
            subject = _opened(view, what["open"])
            keys = subject.keys if "keys" in what["open"] else None
            add(subject, b"", keys)
            return
        with board.lock:
            _steer(board, what)

    for spec in arguments.specs:
        view = client.describe(spec.view).view
        assert view is not None
        subject = _subject(view, spec, {})
        add(subject, spec.resume, subject.keys or None)
    _on_stop_signals(session.close)
    _read_stdin(arguments, command, session.close)
    try:
        for happened in session:
            board.show(happened)
    except tidegate.Error as error:
        if not _broken(error):
            raise
        board.show_broken(error)
        return _FAILED
    if arguments.mirror:
        board.show_mirrors()
    return 0


def _read(client: tidegate.Client, arguments: Arguments) -> int:
    (spec,) = arguments.specs
    view = client.describe(spec.view).view
    assert view is not None
    for line in _stdin_lines():
        obey(client, view, json.loads(line), _print)
    return 0


def _main_sync(arguments: Arguments) -> int:
    if arguments.reads:
        with tidegate.Client(
            arguments.server, timeout_s=arguments.timeout_s
        ) as client:
            return _read(client, arguments)
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    with tidegate.Client(arguments.server) as client:
        run = _watch if arguments.session else _subscribe
        return run(client, arguments)


# Asyncio.


async def _subscribe_aio(
    client: tidegate.aio.Client, arguments: Arguments
) -> int:
    (spec,) = arguments.specs
    view = (await client.describe(spec.view)).view
    assert view is not None
    subject = _subject(view, spec, {})
    wanted = _filter(subject, spec.resume)
    async with client.subscribe(view, **wanted) as subscription:
        _end_aio(arguments, subscription.close, lambda _: None)
        try:
            async for event in subscription:
                _print(subject.lines(event))
        except tidegate.Error as error:
            if not _broken(error):
                raise
            _print([subject.error(error.detail)])
            return _FAILED
        if arguments.mirror:
            _print([subject.mirror(subscription.rows)])
    return 0


async def _watch_aio(client: tidegate.aio.Client, arguments: Arguments) -> int:
    board = Board(arguments)
    async with client.session() as session:

        async def add(subject: Subject, resume: bytes, keys: Any) -> None:
            wanted = _filter(subject, resume) | {"keys": keys}
            watch = await session.add_watch(subject.view, **wanted)
            board.add(watch, subject)

        async def command(what: dict[str, Any]) -> None:
            if "open" not in what:
                _steer(board, what)
                return
            view = (await client.describe(what["open"]["view"])).view
            assert view is not None
            subject = _opened(view, what["open"])
            keys = subject.keys if "keys" in what["open"] else None
            await add(subject, b"", keys)

        for spec in arguments.specs:
            view = (await client.describe(spec.view)).view
            assert view is not None
            subject = _subject(view, spec, {})
            await add(subject, spec.resume, subject.keys or None)
        _end_aio(arguments, session.close, command)
        try:
            async for happened in session:
                board.show(happened)
        except tidegate.Error as error:
            if not _broken(error):
                raise
            board.show_broken(error)
            return _FAILED
        if arguments.mirror:
            board.show_mirrors()
    return 0


_TASKS: set[asyncio.Future[Any]] = set()


def _end_aio(
    arguments: Arguments,
    close: Callable[[], Any],
    command: Callable[[dict[str, Any]], Any],
) -> None:
    """Sees to signals, commands and the end of stdin."""
    loop = asyncio.get_running_loop()

    def end() -> None:
        _TASKS.add(loop.create_task(close()))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    _read_stdin(
        arguments,
        lambda what: asyncio.run_coroutine_threadsafe(
            command(what), loop
        ).result(),
        lambda: loop.call_soon_threadsafe(end),
    )


async def _read_aio(client: tidegate.aio.Client, arguments: Arguments) -> int:
    (spec,) = arguments.specs
    view = (await client.describe(spec.view)).view
    assert view is not None
    lines = _stdin_lines()
    while (line := await asyncio.to_thread(next, lines, None)) is not None:
        await obey_aio(client, view, json.loads(line), _print)
    return 0


async def _main_aio(arguments: Arguments) -> int:
    if arguments.reads:
        async with tidegate.aio.Client(
            arguments.server, timeout_s=arguments.timeout_s
        ) as client:
            return await _read_aio(client, arguments)
    async with tidegate.aio.Client(arguments.server) as client:
        run = _watch_aio if arguments.session else _subscribe_aio
        return await run(client, arguments)


def main() -> int:
    arguments = parse(sys.argv[1:])
    try:
        if arguments.aio:
            return asyncio.run(_main_aio(arguments))
        return _main_sync(arguments)
    except tidegate.Error as error:
        print(f"{error.code.name}: {error.detail}", file=sys.stderr)
        return _FAILED


if __name__ == "__main__":
    sys.exit(main())

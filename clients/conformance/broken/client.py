"""The suite's own client, as a driver: see ../README.md.

A second implementation of the protocol, from the .proto and docs/CLIENTS.md.
With --broken FAULT it has one fault; faults.py lists them.
"""

import argparse
import base64
import json
import os
import queue
import random
import signal
import sys
import threading
import time
from typing import Any

import grpc

from conformance.broken.cursor import BrokenPromise
from conformance.broken.reader import Reader
from conformance.broken.rows import Rows
from conformance.broken.settings import FOR_GOOD, backoff_s, retry_delay_s
from conformance.broken.watch import Filter, KeyRequest, Watch
from conformance.contract import PB, STUBS

_MAX_HINT_S = 600.0
_DESCRIBE_TIMEOUT_S = 10
# No other ending has this status: the suite tells a fault from a mistake by it.
_CRASHED = 70
_CHANNEL_OPTIONS = [
    # The backoff here decides; gRPC's must not be slower.
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_http_proxy", 0),
]
_LARGE_MESSAGES = ("grpc.max_receive_message_length", 64 << 20)


class Refused(Exception):
    """For good."""


def _lengthened(hint_s: float) -> float:
    """What the server asks for; those told the same do not come together."""
    return min(hint_s, _MAX_HINT_S) * (1 + random.random() / 4)


class Client:
    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._fault: str = options.broken
        channel_options = list(_CHANNEL_OPTIONS)
        if self._fault != "takes_small_messages_only":
            channel_options.append(_LARGE_MESSAGES)
        channel = grpc.insecure_channel(options.server, channel_options)
        self._stub = STUBS.ViewServiceStub(channel)
        self._lock = threading.RLock()
        self.watches: dict[int, Watch] = {}
        self._rows: dict[str, Rows] = {}
        self._stopped = threading.Event()
        self._call: Any = None
        self._failures = 0
        self._drain_s: float | None = None
        self._longest_s = 0.0
        # Of the present session.
        self._outbox: queue.Queue[Any] = queue.Queue()
        self._by_wire_id: dict[int, int] = {}
        self._last_wire_id = 0
        self._last_request = 0

    def stop(self) -> None:
        self._stopped.set()
        if self._call is not None:
            self._call.cancel()

    def add(self, view: str, what: Filter, token: bytes = b"") -> int:
        number = len(self.watches) + 1
        members: dict[str, Any] = {}
        if self._options.commands:
            members["watch"] = number
        if len(self._options.views) > 1:
            members["view"] = view
        self.watches[number] = Watch(
            view, self.rows(view), what, token, members, self._fault
        )
        return number

    def rows(self, view: str) -> Rows:
        if view not in self._rows:
            try:
                answer = self._stub.DescribeView(
                    PB.DescribeViewRequest(view=view),
                    timeout=_DESCRIBE_TIMEOUT_S,
                )
            except grpc.RpcError as error:
                raise Refused(
                    f"{error.code().name}: {error.details()}"
                ) from None
            self._rows[view] = Rows(answer)
        return self._rows[view]

    # Connections.

    def run(self) -> None:
        """Until it is stopped, refused, or a promise is broken."""
        while not self._stopped.is_set():
            stream = self._session if self._options.session else self._subscribe
            delay_s = 0.0
            answered = False
            code = "UNAVAILABLE"  # also of an end with OK
            try:
                for _ in stream():
                    answered = True
                if self._fault == "takes_an_end_for_the_end":
                    return
            except grpc.RpcError as error:
                code = error.code().name
                delay_s = retry_delay_s(error)
                if self._stopped.is_set():
                    return
                late = answered and self._fault == "is_refused_early_only"
                if code in self._codes_for_good() and not late:
                    raise Refused(f"{code}: {error.details()}") from None
            if not answered and self._fault == "gives_up_at_once":
                raise Refused(code)
            self._wait(answered, delay_s)

    def _codes_for_good(self) -> set[str]:
        if self._fault == "retries_what_is_refused_for_good":
            return set()
        if self._fault == "gives_up_at_internal":
            return FOR_GOOD | {"INTERNAL"}
        return FOR_GOOD

    def _wait(self, answered: bool, delay_s: float) -> None:
        if answered and self._fault != "never_begins_again":
            self._failures = 0
        self._failures += 1
        wait_s = backoff_s(self._failures, self._fault)
        if delay_s and self._fault != "ignores_the_retry_delay":
            wait_s = max(wait_s, _lengthened(delay_s))
            if self._fault == "takes_the_retry_delay_for_a_backoff":
                wait_s = delay_s
        if self._drain_s is not None and self._fault != "ignores_a_drain":
            wait_s = _lengthened(self._drain_s)
        self._drain_s = None
        if self._fault == "comes_back_at_once":
            wait_s = 0
        self._stopped.wait(wait_s)

    def _subscribe(self) -> Any:
        (watch,) = self.watches.values()
        watch.begin()
        timeout = 0.5 if self._fault == "is_impatient" else None
        self._call = self._stub.Subscribe(watch.request(), timeout=timeout)
        if self._stopped.is_set():
            self._call.cancel()
        for response in self._call:
            yield response
            self._take(watch, response)

    def _take(self, watch: Watch, response: Any) -> None:
        try:
            self._take_events(watch, response)
        except BrokenPromise as broken:
            broken.members = watch.members
            raise

    def _take_events(self, watch: Watch, response: Any) -> None:
        for event in watch.cursor.take(response):
            watch.show(event)
            if event.kind == "drain":
                self._drained(response.drain)
            elif event.kind == "snapshot_end":
                watch.snapshot_ended()

    def _drained(self, drain: Any) -> None:
        after_s = drain.retry_after.ToMilliseconds() / 1000
        if self._fault == "keeps_a_drains_time":
            self._longest_s = after_s = max(self._longest_s, after_s)
        self._drain_s = after_s

    # A session.

    def _session(self) -> Any:
        outbox: queue.Queue[Any] = queue.Queue()
        with self._lock:
            self._outbox = outbox
            self._by_wire_id = {}
            self._last_wire_id = 0
            for number, watch in self.watches.items():
                watch.begin()
                watch.wire_id = 0
                if self._fault == "forgets_requests":
                    watch.pending.clear()
                self._open(number)
        self._call = self._stub.Session(iter(outbox.get, None))
        if self._stopped.is_set():
            self._call.cancel()
        try:
            for response in self._call:
                yield response
                with self._lock:
                    self._take_session(response)
        finally:
            outbox.put(None)

    def _open(self, number: int) -> None:
        watch = self.watches.get(number)
        if watch is None or watch.wire_id or not watch.may_open():
            return
        self._last_wire_id += 1
        watch.wire_id = self._last_wire_id
        self._by_wire_id[watch.wire_id] = number
        subscribe = watch.request()
        if self._fault == "has_one_token_for_all":
            subscribe.resume_token = self.watches[1].cursor.token
        self._outbox.put(
            PB.SessionRequest(
                watch=PB.SessionRequest.Watch(
                    id=watch.wire_id, subscribe=subscribe
                )
            )
        )
        for pending in watch.pending:
            if self._fault == "numbers_requests_anew":
                self._last_request += 1
                pending.number = self._last_request
            self._outbox.put(watch.key_request(pending))

    def _take_session(self, response: Any) -> None:
        for update in response.updates:
            number = self._by_wire_id.get(update.id)
            if number is None:
                if self._fault == "wants_to_know_every_watch":
                    raise BrokenPromise(f"no watch {update.id}")
                continue  # given up meanwhile
            watch = self.watches[number]
            if update.HasField("response"):
                watch.failures = 0
                # As if one place were enough for the fragments of all.
                if self._fault == "mixes_watches_up" and number > 1:
                    self.watches[1].cursor._pending = []
                self._take(watch, update.response)
            bare = not update.HasField("response")
            if bare and self._fault == "wants_an_answer_with_rows":
                continue
            if update.keys_applied:
                self._keys_applied(watch, update.keys_applied)
            if update.HasField("failure"):
                self._failed(number, watch, update.failure)
            if self._fault == "takes_the_first_update_only":
                break
        if response.HasField("drain"):
            self._drained(response.drain)
            for watch in self.watches.values():
                if watch.wire_id and not watch.cursor.first:
                    watch.show(watch.cursor.drained(response.drain))

    @staticmethod
    def _keys_applied(watch: Watch, number: int) -> None:
        try:
            watch.keys_applied(number)
        except BrokenPromise as broken:
            broken.members = watch.members
            raise

    def _failed(self, number: int, watch: Watch, failure: Any) -> None:
        code = next(c for c in grpc.StatusCode if c.value[0] == failure.code)
        del self._by_wire_id[watch.wire_id]
        watch.wire_id = 0
        watch.begin()
        if code.name not in self._codes_for_good():
            watch.failures += 1
            delay_s = backoff_s(watch.failures, self._fault)
            if self._fault == "asks_for_a_watch_at_once":
                delay_s = 0
            threading.Timer(delay_s, self._open_again, [number]).start()
            return
        if self._options.commands and self._fault != "ends_with_a_watch":
            watch.line(
                marker="failed", code=code.name, detail=failure.message
            )
            if self._fault != "asks_again_for_what_failed":
                self._retire(number)
            return
        raise Refused(f"{code.name}: {failure.message}")

    def _open_again(self, number: int) -> None:
        with self._lock:
            self._open(number)

    def _retire(self, number: int) -> None:
        # Numbers are not used again.
        self.watches[number] = _Gone(self.watches[number])

    def reader(self, view: str) -> Reader:
        return Reader(
            self._stub, view, self.rows(view),
            self._options.timeout_ms / 1000, self._fault,
        )  # fmt: skip

    def command(self, command: dict[str, Any]) -> None:
        with self._lock:
            if "open" in command:
                what = command["open"]
                rows = self.rows(what["view"])
                prefix = what.get("key_prefix")
                number = self.add(
                    what["view"],
                    Filter(
                        [rows.encode_key(key) for key in what.get("keys", [])],
                        rows.encode_key(prefix) if prefix else b"",
                        what.get("where", ""),
                    ),
                )
                self.watches[number].begin()
                self._open(number)
                return
            if "unwatch" in command:
                number = command["unwatch"]
                wire_id = self.watches[number].wire_id
                self._outbox.put(PB.SessionRequest(unwatch=wire_id))
                if self._fault != "forgets_an_unwatch":
                    self._by_wire_id.pop(wire_id, None)
                    self._retire(number)
                return
            self._change_keys(command)

    def _change_keys(self, command: dict[str, Any]) -> None:
        number = command["watch"]
        watch = self.watches[number]
        self._last_request += 1
        request = KeyRequest(
            self._last_request,
            [watch.rows.encode_key(key) for key in command.get("add", [])],
            [watch.rows.encode_key(key) for key in command.get("remove", [])],
        )
        watch.pending.append(request)
        if self._fault == "takes_keys_for_applied":
            watch.keys = (watch.keys - set(request.remove)) | set(request.add)
        if watch.wire_id:
            self._outbox.put(watch.key_request(request))
        else:
            self._open(number)


class _Gone(Watch):
    """A watch that has ended: never opened, with nothing to show."""

    def __init__(self, watch: Watch) -> None:
        self.__dict__ = watch.__dict__
        self.wire_id = 0

    def may_open(self) -> bool:
        return False

    def mirror(self) -> None:
        pass


def _of_view(values: list[str], view: str, options: Any) -> list[str]:
    """The values that are for that view."""
    if len(options.views) == 1:
        return values
    prefix = f"{view}:"
    return [v.removeprefix(prefix) for v in values if v.startswith(prefix)]


def _open_views(client: Client, options: Any) -> None:
    for view in options.views:
        rows = client.rows(view)
        keys = _of_view(options.key, view, options)
        prefix = _of_view(options.key_prefix, view, options)
        where = _of_view(options.where, view, options)
        token = _of_view(options.resume, view, options)
        fault = options.broken
        if fault == "ignores_a_given_token":
            token = []
        client.add(
            view,
            Filter(
                [rows.parse_key(key) for key in keys],
                rows.parse_key(prefix[0]) if prefix else b"",
                where[0] if where else "",
            ),
            base64.b64decode(token[0]) if token else b"",
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("views", nargs="+", metavar="VIEW")
    parser.add_argument("--server", required=True)
    parser.add_argument("--format", choices=["json"])
    for name in ("--key", "--key-prefix", "--where", "--resume"):
        parser.add_argument(name, action="append", default=[])
    for name in ("--session", "--mirror", "--commands", "--reads"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--timeout-ms", type=int, default=30_000)
    parser.add_argument("--broken", default="", metavar="FAULT")
    return parser.parse_args()


def _crash(fault: BaseException | None) -> None:
    """Also of a thread: else it would be the client that stands still."""
    print(f"client: {fault!r}", file=sys.stderr, flush=True)
    os._exit(_CRASHED)


def _read_stdin(client: Client, commands: bool) -> None:
    for line in sys.stdin:
        if commands:
            client.command(json.loads(line))
    client.stop()


def main() -> None:
    sys.excepthook = lambda _, fault, __: _crash(fault)
    threading.excepthook = lambda args: _crash(args.exc_value)
    options = _options()
    client = Client(options)
    status = queue.Queue[int]()

    def run() -> None:
        try:
            if options.reads:
                reader = client.reader(options.views[0])
                for line in sys.stdin:
                    reader.obey(json.loads(line))
                status.put(0)
                return
            _open_views(client, options)
            if options.mirror or options.commands:
                threading.Thread(
                    target=_read_stdin,
                    args=(client, options.commands),
                    daemon=True,
                ).start()
            client.run()
        except BrokenPromise as broken:
            error = {"marker": "error", "detail": str(broken)}
            print(json.dumps(broken.members | error), flush=True)
            status.put(1)
        except Refused as refused:
            hides = client._fault == "hides_why_it_is_refused"
            text = "refused" if hides else str(refused)
            print(f"client: {text}", file=sys.stderr, flush=True)
            status.put(1)
        except BaseException as fault:
            _crash(fault)
        else:
            status.put(0)

    signal.signal(signal.SIGTERM, lambda *_: client.stop())
    threading.Thread(target=run, daemon=True).start()
    code = status.get()
    if code == 0 and options.mirror:
        for watch in client.watches.values():
            watch.mirror()
    sys.stdout.flush()
    os._exit(code)  # gRPC's threads need not be waited for


if __name__ == "__main__":
    main()

"""The streams that a client has opened, as a script sees them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from conformance.contract import PB
from conformance.failed import Failed
from conformance.ledger import Ledger
from conformance.messages import drain as drain_message
from conformance.server import Refusal, Stream
from conformance.views import Row

if TYPE_CHECKING:
    from conformance.play import Play


class Stage:
    """One watch, or a subscription, on one stream."""

    def __init__(
        self, play: "Play", stream: Stream, ledger: Ledger, wire_id: int | None
    ) -> None:
        self._play = play
        self.stream = stream
        self.ledger = ledger
        self.wire_id = wire_id  # None: a subscription

    @property
    def in_session(self) -> bool:
        return self.wire_id is not None

    def send(self, *responses: Any) -> None:
        for response in responses:
            if self.in_session:
                self.update(response)
            else:
                self.stream.send(response)
                self.ledger.take(response)

    def update(self, response: Any = None, applied: int = 0) -> None:
        """One Update in a message of its own."""
        self.stream.send(
            PB.SessionResponse(updates=[self.make_update(response, applied)])
        )

    def make_update(self, response: Any = None, applied: int = 0) -> Any:
        update = PB.SessionResponse.Update(
            id=self.wire_id, keys_applied=applied
        )
        if response is not None:
            update.response.CopyFrom(response)
            self.ledger.take(response)
        if applied:
            self.ledger.keys_applied(*self._play.key_requests[applied])
        return update

    def cut(
        self, code: str = "UNAVAILABLE", retry_ms: int | None = None
    ) -> None:
        """The stream ends with an error that is not for good."""
        self._play.ends(self.stream, retry_ms)
        self.stream.finish(Refusal(code, "cut by the script", retry_ms))

    def end_with_ok(self) -> None:
        self._play.ends(self.stream, None)
        self.stream.finish(None)

    def refuse(self, code: str, message: str) -> None:
        """For good, this watch at least."""
        if not self.in_session:
            self.stream.finish(Refusal(code, message))
            return
        self.fail(code, message)

    def fail(self, code: str, message: str) -> None:
        """The watch ends; the session goes on."""
        number = Refusal(code, message).code.value[0]
        update = PB.SessionResponse.Update(
            id=self.wire_id, failure=PB.Failure(code=number, message=message)
        )
        self.stream.send(PB.SessionResponse(updates=[update]))

    def drain(self, retry_after_ms: int, name: object = None) -> None:
        """With a token of that name; in a session there is none."""
        if self.in_session:
            self._play.session_drain(self.stream, retry_after_ms)
        else:
            self.send(drain_message(retry_after_ms, name))
            self._play.min_wait_ms = retry_after_ms


class SessionStage:
    """One Session call."""

    def __init__(self, play: "Play", stream: Stream) -> None:
        self._play = play
        self.stream = stream

    def watch(self, number: int = 1) -> Stage:
        """The client's request for its watch, checked against the ledger."""
        ledger = self._play.ledgers[number]

        def opening() -> Any:
            for request in self.stream.requests:
                if not request.HasField("watch"):
                    continue
                asked = request.watch.subscribe
                if (asked.view, asked.key_prefix, asked.where) == (
                    ledger.view.name, ledger.prefix, ledger.where,
                ):  # fmt: skip
                    return request
            return None

        request = self._take(f"a request for watch {number}", opening)
        stage = Stage(self._play, self.stream, ledger, request.watch.id)
        self._play.check_request(request.watch.subscribe, ledger)
        ledger.begin(request.watch.subscribe.resume_token)
        self._play.open_in_session(self.stream, ledger)
        return stage

    def keys(
        self,
        stage: Stage,
        request: int,
        add: list[Row] | None = None,
        remove: list[Row] | None = None,
    ) -> None:
        """The client's request for keys of a watch, the next one for it."""

        def of_watch() -> Any:
            for each in self.stream.requests:
                if each.HasField("keys") and each.keys.id == stage.wire_id:
                    return each
            return None

        got = self._take(f"request {request} for keys", of_watch)
        view = stage.ledger.view
        wanted_add = sorted(view.encode_key(key) for key in add or [])
        wanted_remove = sorted(view.encode_key(key) for key in remove or [])
        if got.request != request:
            raise Failed(f"asked with request {got.request}, not {request}")
        if sorted(got.keys.add) != wanted_add:
            raise Failed(f"request {request} adds other keys")
        if sorted(got.keys.remove) != wanted_remove:
            raise Failed(f"request {request} removes other keys")
        self._play.key_requests[request] = (wanted_add, wanted_remove)

    def unwatch(self, stage: Stage) -> None:
        def of_watch() -> Any:
            for each in self.stream.requests:
                if each.WhichOneof("action") == "unwatch":
                    if each.unwatch == stage.wire_id:
                        return each
            return None

        self._take("an unwatch", of_watch)
        stage.ledger.ended = True

    def send(self, *updates: Any) -> None:
        """Several updates in one message."""
        self.stream.send(PB.SessionResponse(updates=updates))

    def _take(self, what: str, find: Callable[[], Any]) -> Any:
        request = self._play.wait(what, find)
        self.stream.requests.remove(request)
        return request

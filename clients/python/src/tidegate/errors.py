"""What can go wrong, as exceptions.

Every one is an `Error` with a `code`, a `detail`, and the `view` it is about if
there is one.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """google.rpc.Code, which are gRPC's status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


# A new attempt could not end otherwise.
_PERMANENT = frozenset(
    {
        Code.INVALID_ARGUMENT,
        Code.NOT_FOUND,
        Code.ALREADY_EXISTS,
        Code.PERMISSION_DENIED,
        Code.UNAUTHENTICATED,
        Code.FAILED_PRECONDITION,
        Code.OUT_OF_RANGE,
        Code.UNIMPLEMENTED,
    }
)


class Error(Exception):
    """Whatever this package raises."""

    def __init__(
        self, detail: str, *, code: Code, view: str | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.view = view
        self.watch: int | None = None  # number of the session's watch

    def __str__(self) -> str:
        about = "" if self.view is None else f'view "{self.view}": '
        return f"{self.code.name}: {about}{self.detail}"


class BrokenPromise(Error):
    """The server broke the contract: what is held can no longer be proved."""

    def __init__(self, detail: str, *, view: str | None = None) -> None:
        super().__init__(detail, code=Code.DATA_LOSS, view=view)


class LimitExceeded(Error):
    """One of this client's own limits (`Limits`) was reached."""

    def __init__(self, detail: str, *, view: str | None = None) -> None:
        super().__init__(detail, code=Code.RESOURCE_EXHAUSTED, view=view)


class InvalidKey(Error, ValueError):
    """A key that does not fit its view; says the right shape."""

    def __init__(self, detail: str, *, view: str | None = None) -> None:
        super().__init__(detail, code=Code.INVALID_ARGUMENT, view=view)


class ViewChanged(Error):
    """The view was built anew with another key: take it up anew."""

    def __init__(self, detail: str, *, view: str | None = None) -> None:
        super().__init__(detail, code=Code.FAILED_PRECONDITION, view=view)


class Closed(Error):
    """The client, subscription, session or watch has been closed."""

    def __init__(self, detail: str, *, view: str | None = None) -> None:
        super().__init__(detail, code=Code.CANCELLED, view=view)


class RpcError(Error):
    """The server's answer, or that of the way to it."""

    def __init__(
        self,
        detail: str,
        *,
        code: Code,
        view: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail, code=code, view=view)
        # How long the server asks to be left alone.
        self.retry_after_s = retry_after_s

    @property
    def permanent(self) -> bool:
        """A new attempt could not end otherwise."""
        return self.code in _PERMANENT


class InvalidArgument(RpcError):
    """The server cannot make sense of the request; says why."""


class NotFound(RpcError):
    """There is no such view."""


class FailedPrecondition(RpcError):
    """The view cannot be served before somebody acts; says what to do."""


class PermissionDenied(RpcError):
    """Not for this client."""


class Unauthenticated(RpcError):
    """The server does not know this client."""


class Unimplemented(RpcError):
    """This server is older than the request."""


class ResourceExhausted(RpcError):
    """One of the server's limits was reached."""


class Unavailable(RpcError):
    """The server is away, or not ready yet."""


class DeadlineExceeded(RpcError):
    """No answer in time."""


_CLASSES: dict[Code, type[RpcError]] = {
    Code.INVALID_ARGUMENT: InvalidArgument,
    Code.NOT_FOUND: NotFound,
    Code.FAILED_PRECONDITION: FailedPrecondition,
    Code.PERMISSION_DENIED: PermissionDenied,
    Code.UNAUTHENTICATED: Unauthenticated,
    Code.UNIMPLEMENTED: Unimplemented,
    Code.RESOURCE_EXHAUSTED: ResourceExhausted,
    Code.UNAVAILABLE: Unavailable,
    Code.DEADLINE_EXCEEDED: DeadlineExceeded,
}


def rpc_error(
    code: int,
    detail: str,
    *,
    view: str | None = None,
    retry_after_s: float | None = None,
) -> RpcError:
    """The exception for a status; an unknown code is UNKNOWN."""
    known = Code(code) if code in Code.__members__.values() else Code.UNKNOWN
    return _CLASSES.get(known, RpcError)(
        detail, code=known, view=view, retry_after_s=retry_after_s
    )

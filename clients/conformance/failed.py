"""How a scenario fails, and how it is to end."""

from dataclasses import dataclass


class Failed(AssertionError):
    """The client did what it must not, or did not what it must."""

    exit_status: int | None = None  # of the driver, if it had ended
    reason = ""  # without what the driver had said


@dataclass(frozen=True)
class Outcome:
    """How it is to end, besides with the right rows."""

    kind: str = "kept"  # or "reported", "shown", "refused"
    invariant: str = ""  # of the history checker, if "shown"
    code: str = ""  # if "refused"
    message: str = ""

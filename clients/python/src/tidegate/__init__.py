"""Client of Tidegate: live views of Kafka topics over gRPC.

`Client` is the way in; `tidegate.aio.Client` is the same for asyncio.
"""

from tidegate import aio
from tidegate._calls import (
    Found,
    FoundRow,
    Page,
    PartitionProgress,
    ViewInfo,
)
from tidegate._events import (
    Change,
    ChangeKind,
    Changes,
    Connected,
    Disconnected,
    Drain,
    Event,
    Finality,
    Key,
    KeyLike,
    KeysApplied,
    Position,
    Range,
    Reset,
    Scalar,
    Snapshot,
    SnapshotEnd,
    WatchEvent,
    WatchFailed,
)
from tidegate._values import to_dict
from tidegate.client import Client, Scan
from tidegate.errors import (
    BrokenPromise,
    Closed,
    Code,
    DeadlineExceeded,
    Error,
    FailedPrecondition,
    InvalidArgument,
    InvalidKey,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    RpcError,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    ViewChanged,
)
from tidegate.mirror import Mirror, MirrorCopy, MirrorState
from tidegate.session import Session
from tidegate.settings import Backoff, Limits
from tidegate.subscription import Subscription
from tidegate.view import View
from tidegate.watch import SessionEvent, Watch

__all__ = [
    "Backoff",
    "BrokenPromise",
    "Change",
    "ChangeKind",
    "Changes",
    "Client",
    "Closed",
    "Code",
    "Connected",
    "DeadlineExceeded",
    "Disconnected",
    "Drain",
    "Error",
    "Event",
    "FailedPrecondition",
    "Finality",
    "Found",
    "FoundRow",
    "InvalidArgument",
    "InvalidKey",
    "Key",
    "KeyLike",
    "KeysApplied",
    "LimitExceeded",
    "Limits",
    "Mirror",
    "MirrorCopy",
    "MirrorState",
    "NotFound",
    "Page",
    "PartitionProgress",
    "PermissionDenied",
    "Position",
    "Range",
    "Reset",
    "ResourceExhausted",
    "RpcError",
    "Scalar",
    "Scan",
    "Session",
    "SessionEvent",
    "Snapshot",
    "SnapshotEnd",
    "Subscription",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "View",
    "ViewChanged",
    "ViewInfo",
    "Watch",
    "WatchEvent",
    "WatchFailed",
    "aio",
    "to_dict",
]

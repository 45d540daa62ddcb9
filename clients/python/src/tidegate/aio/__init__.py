"""The client, for asyncio.

Same words and behaviour as in `tidegate`; what takes time is awaited. Of one
event loop; only `rows` may be read from other threads.
"""

from tidegate.aio._client import Client, Scan
from tidegate.aio._session import Session
from tidegate.aio._subscription import Subscription

__all__ = ["Client", "Scan", "Session", "Subscription"]

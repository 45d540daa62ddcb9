"""The types of views, as the server has told them."""

from __future__ import annotations

import threading

from google.protobuf.message import Message

from tidegate.view import View


class KnownViews:
    """Thread-safe."""

    def __init__(self, max_views: int) -> None:
        self._max_views = max_views
        self._lock = threading.Lock()
        self._views: dict[str, View[Message]] = {}

    def get(self, name: str) -> View[Message] | None:
        with self._lock:
            return self._views.get(name)

    def put(self, view: View[Message]) -> None:
        """At the limit, those told before are forgotten."""
        with self._lock:
            if len(self._views) >= self._max_views:
                self._views.clear()
            self._views[view.name] = view

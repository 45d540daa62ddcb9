"""A view over event time beside what it must hold."""

from dataclasses import dataclass

from system.flight_views import Row, ViewCase


@dataclass(frozen=True)
class EventCase:
    """A view's SQL beside the case that says what it must hold."""

    case: ViewCase
    select: str
    options: str
    primary_key: str
    window_us: int | None  # TUMBLE and HOP: the size

    @property
    def name(self) -> str:
        return self.case.name

    @property
    def windowed(self) -> bool:
        """A row tells where its window ends."""
        return self.window_us is not None or "window_end" in self.case.key + (
            self.case.timestamps
        )

    def window_end(self, row: Row) -> int:
        if "window_end" in row:
            return int(row["window_end"])
        assert self.window_us is not None
        return int(row["window_start"]) + self.window_us

    def create(self) -> str:
        key = f" (PRIMARY KEY ({self.primary_key}))" if self.primary_key else ""
        options = f" WITH ({self.options})" if self.options else ""
        return (
            f"CREATE MATERIALIZED VIEW {self.name}{key}{options} AS"
            f" {self.select};\n"
        )


def make(
    name: str,
    key: str,
    select: str,
    expected: str,
    *,
    timestamps: str = "",
    options: str = "",
    primary_key: str = "",
    window_us: int | None = None,
) -> EventCase:
    """`key` and `timestamps` are names of columns with spaces between."""
    case = ViewCase(
        name=name,
        key=tuple(key.split()),
        expected=expected,
        timestamps=tuple(timestamps.split()),
    )
    return EventCase(case, select, options, primary_key, window_us)

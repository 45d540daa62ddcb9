"""The project's files, as the checks see them."""

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CODE_FOLDERS = (
    "base", "views", "ingest", "gateway", "cmd", "clients", "loadtest", "tests",
)  # fmt: skip


@functools.cache
def files(*suffixes: str) -> tuple[Path, ...]:
    """Tracked and new files that are not ignored, with one of the suffixes."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    paths = (ROOT / name for name in listed)
    return tuple(
        sorted(p for p in paths if p.suffix in suffixes and p.exists())
    )


def cpp_files() -> list[Path]:
    return [p for p in files(".cc", ".h") if top_folder(p) in CODE_FOLDERS]


def top_folder(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))

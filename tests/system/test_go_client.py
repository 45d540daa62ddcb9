"""The Go client's own tests."""

import filecmp
import subprocess
from pathlib import Path

from system import gotools
from system.processes import ROOT

_MODULE = ROOT / "clients" / "go"


def test_its_own_tests_pass() -> None:
    for words in (("vet", "./..."), ("test", "-race", "./...")):
        done = gotools.run(_MODULE, *words)
        assert done.returncode == 0, done.stdout[-8000:]


def test_it_is_formatted() -> None:
    assert gotools.gofmt(_MODULE) == ""


def test_its_generated_code_is_that_of_the_proto(tmp_path: Path) -> None:
    done = subprocess.run(
        [_MODULE / "generate", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    made = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(made) == 3, made
    for path in made:
        kept = _MODULE / path.relative_to(tmp_path)
        assert filecmp.cmp(path, kept, shallow=False), (
            f"{kept} is not what clients/go/generate writes"
        )

"""The package as such: its generated code, its types, its wheel."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import tidegate
from tidegate import errors

_HERE = Path(__file__).parents[1]
_SRC = _HERE / "src" / "tidegate"
_GENERATED = (
    "v1/view_service_pb2.py",
    "v1/view_service_pb2.pyi",
    "v1/view_service_pb2_grpc.py",
)


def _run(*command: str, cwd: Path = _HERE, **env: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300,
        env={"PATH": "/usr/bin:/bin"} | env,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_generated_code_is_up_to_date(tmp_path: Path) -> None:
    _run(str(_HERE / "generate"), str(tmp_path), PYTHON=sys.executable)
    for name in _GENERATED:
        fresh = (tmp_path / "tidegate" / name).read_text()
        assert (_SRC / name).read_text() == fresh, (
            f"{name}: run clients/python/generate"
        )


def test_the_versions_that_are_asked_for_are_what_generated_it() -> None:
    messages, stubs = (
        (_SRC / name).read_text() for name in (_GENERATED[0], _GENERATED[2])
    )
    protobuf = re.search(r"Protobuf Python Version: (\d+)(\.\S+)", messages)
    grpcio = re.search(r"GRPC_GENERATED_VERSION = '(\d+)(\.\S+)'", stubs)
    assert protobuf is not None and grpcio is not None
    wanted = [
        f"{name}>={found[1]}{found[2]},<{int(found[1]) + 1}"
        for name, found in (("grpcio", grpcio), ("protobuf", protobuf))
    ]
    project = tomllib.loads((_HERE / "pyproject.toml").read_text())
    assert project["project"]["dependencies"] == wanted


def test_types() -> None:
    """mypy --strict on the package, the examples and the driver."""
    _run(sys.executable, "-m", "mypy", "--cache-dir",
         str(_HERE.parents[1] / "build" / "mypy-cache"))  # fmt: skip


def test_the_wheel_has_types_and_needs_no_tree(tmp_path: Path) -> None:
    source = tmp_path / "source"
    _run("cp", "-r", str(_HERE), str(source))
    _run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps",
        "--no-build-isolation", "--disable-pip-version-check",
        "--wheel-dir", str(tmp_path), ".", cwd=source,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("tidegate-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    ours = {str(p.relative_to(_SRC.parent)) for p in _SRC.rglob("*.py*")
            if "__pycache__" not in p.parts}  # fmt: skip
    assert ours | {"tidegate/py.typed"} <= names
    assert not any("driver" in name or "tests" in name for name in names)
    said = _run(
        sys.executable, "-c", "import tidegate; print(tidegate.__file__)",
        cwd=tmp_path, PYTHONPATH=str(tmp_path / "installed"),
    )  # fmt: skip
    assert said.startswith(str(tmp_path / "installed"))


def test_every_name_is_there() -> None:
    for name in tidegate.__all__:
        assert hasattr(tidegate, name)
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.Error):
            assert name in tidegate.__all__, name

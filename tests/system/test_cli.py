"""The command line by itself: what it accepts, refuses and suggests."""

import re
from pathlib import Path

import pytest

from system import tidegate
from system.processes import free_ports

pytestmark = pytest.mark.server

_OK = 0
_USAGE = 2
_NO = 1
_UNAVAILABLE = 69

_GOOD = """\
CREATE SOURCE orders (id BIGINT, region VARCHAR, amount DOUBLE PRECISION)
  WITH (topic = 'orders') FORMAT PLAIN ENCODE JSON;
CREATE MATERIALIZED VIEW totals AS
  SELECT region, sum(amount) AS total FROM orders GROUP BY region;
"""


@pytest.fixture
def views_file(tmp_path: Path) -> Path:
    path = tmp_path / "views.sql"
    path.write_text(_GOOD)
    return path


def test_help_names_every_command(binary: Path) -> None:
    done = tidegate.run("--help")
    assert done.returncode == _OK
    for command in (
        "serve", "check", "views", "get", "scan", "watch", "proto", "replay",
        "demo", "bench",
    ):  # fmt: skip
        assert re.search(rf"\b{command}\b", done.stdout), command


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (("serv",), "serve"),
        (("wach", "v"), "watch"),
        (("scan", "v", "--servr", "localhost:1"), '"server"'),
        (("serve", "--bootstrap-server", "x"), '"bootstrap-servers"'),
    ],
)
def test_a_typing_error_gets_a_suggestion(
    binary: Path, arguments: tuple[str, ...], suggestion: str
) -> None:
    done = tidegate.run(*arguments)
    assert done.returncode == _USAGE, done.stderr
    assert suggestion in done.stderr
    assert done.stdout == ""


def test_check_accepts(binary: Path, views_file: Path) -> None:
    done = tidegate.run("check", str(views_file))
    assert done.returncode == _OK, done.stderr


def test_check_reports_every_error_where_it_is(
    binary: Path, views_file: Path
) -> None:
    views_file.write_text(
        _GOOD.replace("sum(amount)", "sum(amout)").replace(
            "GROUP BY region", "GROUP BY regoin"
        )
    )
    done = tidegate.run("check", str(views_file))
    assert done.returncode == _NO
    text = done.stdout + done.stderr
    for line, column, wrong, right in (
        (4, 22, "amout", "amount"),
        (4, 59, "regoin", "region"),
    ):
        assert f"{views_file}:{line}:{column}: error:" in text, text
        assert wrong in text and right in text
    lines = text.splitlines()
    carets = [line for line in lines if re.fullmatch(r"[\s|]*\^~*", line)]
    assert len(carets) == 2, text


def test_serve_refuses_with_the_same_text(
    binary: Path, views_file: Path, tmp_path: Path
) -> None:
    views_file.write_text(_GOOD.replace("sum(amount)", "sum(amout)"))
    checked = tidegate.run("check", str(views_file))
    served = tidegate.run(
        "serve", "--views", str(views_file), "--data-dir", str(tmp_path / "d"),
        "--bootstrap-servers", "127.0.0.1:1", "--listen", "127.0.0.1:0",
        "--http", "127.0.0.1:0",
    )  # fmt: skip
    assert served.returncode == checked.returncode == _NO
    said = (checked.stdout + checked.stderr).strip()
    assert said in served.stderr


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "CREATE MATERIALIZED VIEW v AS SELECT region, count(*) AS n"
            " FROM orders GROUP BY region ORDER BY n;",
            "ORDER BY",
        ),
        (
            "CREATE MATERIALIZED VIEW v AS SELECT window_start, count(*) AS n"
            " FROM TUMBLE(orders, ts, INTERVAL '1' MINUTE)"
            " GROUP BY window_start;",
            "TUMBLE",
        ),
        ("CREATE SINK s FROM orders WITH (connector = 'kafka');", "SINK"),
        ("INSERT INTO orders VALUES (1);", "INSERT"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    binary: Path, views_file: Path, statement: str, named: str
) -> None:
    views_file.write_text(_GOOD + statement)
    done = tidegate.run("check", str(views_file))
    assert done.returncode == _NO
    assert named in done.stdout + done.stderr


def test_a_file_that_is_not_there(binary: Path, tmp_path: Path) -> None:
    path = tmp_path / "no.sql"
    done = tidegate.run("check", str(path))
    assert done.returncode != _OK
    assert str(path) in done.stderr


def test_a_client_without_a_server(binary: Path) -> None:
    (port,) = free_ports(1)
    done = tidegate.run("views", "--server", f"127.0.0.1:{port}")
    assert done.returncode == _UNAVAILABLE, done.stderr
    assert f"127.0.0.1:{port}" in done.stderr

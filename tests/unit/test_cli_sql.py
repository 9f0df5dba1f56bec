"""`hybridsearch sql`, as a script and at a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

import hybridsearch
from hybridsearch.cli import commands
from tests.conftest import MOVIES

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "hybridsearch", "sql"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}
ENDLESS = (
    "SELECT count(*) FROM range(100000000000) a, range(1000) b WHERE hash(a.range + b.range) = 1"
)
READY = b"\x1b[?2004h"
"""What the prompt switches on when it waits for input."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with shop.duckdb, in which four films are indexed."""
    folder = tmp_path_factory.mktemp("filled")
    with hybridsearch.open(folder / "shop.duckdb") as db:
        db.create_index("movies", primary_key="id").add(list(MOVIES))
    return folder


@pytest.fixture
def shop(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which is such a one."""
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(commands, ["sql", *arguments], prog_name="hybridsearch", input=stdin)


def printed(*arguments: str, stdin: str | None = None) -> str:
    result = run(*arguments, stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def error(status: int, *arguments: str, stdin: str | None = None) -> str:
    """What a command that must fail says; it is one line, on stderr."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == status
    assert re.fullmatch(r"error: [^\n]+\n", result.stderr)
    return result.stderr


FOUND = "SELECT title, _rank FROM search('movies', 'alien aliens', k := 2, mode := 'keyword')"


def test_a_statement_prints_a_table(shop: Path) -> None:
    assert printed("shop.duckdb", FOUND).splitlines() == [
        "title   _rank",
        "──────  ─────",
        "Alien       1",
        "Aliens      2",
        "2 rows",
    ]


@pytest.mark.parametrize("way", ["argument", "pipe"])
def test_csv_is_names_and_rows(shop: Path, way: str) -> None:
    given = ["shop.duckdb", "--csv", *([FOUND] if way == "argument" else [])]
    stdin = FOUND if way == "pipe" else None
    assert printed(*given, stdin=stdin) == "title,_rank\nAlien,1\nAliens,2\n"


def test_json_can_be_indexed_again(shop: Path) -> None:
    lines = printed("shop.duckdb", "SELECT id, title FROM movies ORDER BY id", "--json")
    assert json.loads(lines.splitlines()[0]) == {"id": 1, "title": "Alien"}
    with hybridsearch.open("shop.duckdb") as db:
        (shop / "again.ndjson").write_text(lines)
        assert db.create_index("again").add("again.ndjson").details["indexed_documents"] == 4


def test_parquet_takes_the_place_of_printing(shop: Path) -> None:
    assert printed("shop.duckdb", FOUND, "--parquet", "found.parquet") == ""
    with duckdb.connect() as connection:
        rows = connection.execute("FROM 'found.parquet'").fetchall()
    assert rows == [("Alien", 1), ("Aliens", 2)]


def test_parquet_goes_where_a_link_leads(shop: Path) -> None:
    Path("link.parquet").symlink_to("found.parquet")
    printed("shop.duckdb", FOUND, "--parquet", "link.parquet")
    assert Path("link.parquet").is_symlink()
    assert Path("found.parquet").is_file()


def test_a_script_shows_every_table_but_the_data_of_the_last(shop: Path) -> None:
    script = "CREATE TABLE t AS SELECT 5 AS x; SELECT 1 AS a; FROM t"
    assert printed("shop.duckdb", script).split() == [
        "a",
        "─",
        "1",
        "1",
        "row",
        "x",
        "─",
        "5",
        "1",
        "row",
    ]
    assert printed("shop.duckdb", "DELETE FROM t; SELECT 1 AS a; FROM t", "--csv") == "x\n"


def test_parameters_are_json_or_text(shop: Path) -> None:
    statement = "SELECT $n + 1 AS n, $t AS t, $l AS l, $q AS q"
    given = ["-p", "n=41", "-p", "t=it's; x", "-p", "l=[1,2]", "-p", 'q="7"']
    wanted = {"n": 42, "t": "it's; x", "l": [1, 2], "q": "7"}
    assert json.loads(printed("shop.duckdb", statement, "--json", *given)) == wanted
    kept = "SELECT title FROM search('movies', $q, k := $k)"
    assert (
        printed("shop.duckdb", kept, "--csv", "-p", "q=paris", "-p", "k=1")
        == 'title\n"Paris, Texas"\n'
    )


def test_commands_of_the_shell_work_in_a_script(shop: Path) -> None:
    said = printed("shop.duckdb", stdin=".indexes\n.tables\n.mode line\nSELECT NULL AS n;\n.help")
    assert re.search(r"movies +4  id +default", said)
    assert re.search(r"main +movies  view", said)
    assert "n = NULL" in said
    assert "Ctrl-D leaves" in said
    assert printed("shop.duckdb", "--csv", stdin="SELECT 1 AS a; .quit\nSELEC") == "a\n1\n"


def test_long_and_wide_answers_are_counted(shop: Path) -> None:
    wide = ", ".join(f"{number} AS column{number}" for number in range(40))
    said = printed("shop.duckdb", stdin=f".rows 3\nSELECT {wide} FROM range(50)")
    assert said.splitlines()[-1] == "50 rows, 3 shown; 40 columns, 12 shown"
    assert max(map(len, said.splitlines())) <= 120


def test_a_plan_keeps_its_lines(shop: Path) -> None:
    assert len(printed("shop.duckdb", "EXPLAIN SELECT 1").splitlines()) > 3
    said = printed("shop.duckdb", f"EXPLAIN SEARCH {FOUND} WHERE {'year > 1 AND ' * 30} true")
    assert max(map(len, said.splitlines())) > 300


def test_search_indexes_are_made_and_listed(shop: Path) -> None:
    script = "CREATE TABLE t(k INT PRIMARY KEY, w VARCHAR); CREATE SEARCH INDEX own ON t (w)"
    printed("shop.duckdb", script)
    assert json.loads(printed("shop.duckdb", "SHOW SEARCH INDEXES", "--json"))["key"] == "k"
    assert "own" in printed("shop.duckdb", stdin=".indexes")


def test_an_empty_script_does_nothing(shop: Path) -> None:
    assert printed("shop.duckdb", stdin="-- nothing\n") == ""


def test_create_makes_a_database(shop: Path) -> None:
    assert printed("new.duckdb", "SELECT 1 AS a", "--create", "--csv") == "a\n1\n"
    assert Path("new.duckdb").is_file()


@pytest.mark.parametrize(
    ("status", "arguments", "said"),
    [
        (
            1,
            ["shop.duckdb", "SELECT 1; \nSELEC 2"],
            "line 2: Parser Error: syntax error at or near",
        ),
        (1, ["shop.duckdb", "SELECT yaer FROM movies"], '"year"'),
        (1, ["shop.duckdb", "FROM search('movis', 'x')"], 'error: there is no index "movis"'),
        (1, ["shop.duckdb", "SELECT error('x') FROM range(99999)", "--csv"], "x"),
        (1, ["shop.duckdb", "SELECT ';"], "unterminated"),
        (1, ["shop.duckdb", "SELECT 1", "--parquet", "none/a.parquet"], "none/a.parquet"),
        (2, ["sho.duckdb", "SELECT 1"], "no database at sho.duckdb; --create makes one"),
        (2, ["shop.duckdb", "SELECT 1", "--csv", "--parquet", "a"], "exclude each other"),
        (2, ["shop.duckdb", "SELECT 1", "--json", "--csv"], "--csv and --json exclude each other"),
        (2, ["shop.duckdb", "SELECT 1", "--parquet", "/dev/null"], "/dev/null is no file"),
        (2, ["shop.duckdb", "SELECT $query", "-p", "qery=1"], 'did you mean "query"?'),
        (2, ["shop.duckdb", "SELECT $q", "-p", "q"], "not name=value"),
        (2, ["shop.duckdb", ".tabels"], 'did you mean ".tables"?'),
        (2, ["shop.duckdb", ".mode cvs"], 'did you mean "csv"?'),
        (2, ["shop.duckdb", ".rows all"], "whole number"),
        (2, ["shop.duckdb", ".timer"], "on or off"),
        (2, ["shop.duckdb", ".indexes x"], "nothing"),
    ],
)
def test_what_is_wrong_is_one_line(
    shop: Path, status: int, arguments: list[str], said: str
) -> None:
    assert said in error(status, *arguments)


def test_a_missing_database_is_not_made(shop: Path) -> None:
    error(2, "sho.duckdb", "SELECT 1")
    assert not Path("sho.duckdb").exists()


def test_what_ran_before_an_error_stays(shop: Path) -> None:
    error(1, "shop.duckdb", "CREATE TABLE t(i INT); SELEC")
    assert printed("shop.duckdb", "SELECT count(*) AS n FROM t", "--csv") == "n\n0\n"


def test_a_database_that_another_process_has_is_a_clear_failure(shop: Path) -> None:
    with hybridsearch.open("shop.duckdb"):
        ended = subprocess.run(
            [*COMMAND, "shop.duckdb", "SELECT 1"], env=ENVIRONMENT, capture_output=True, text=True
        )
    assert ended.returncode == 1
    assert re.fullmatch(r"error: .*shop\.duckdb.* is open in another process.*\n", ended.stderr)


@pytest.mark.parametrize("form", ["--csv", "--json"])
def test_a_closed_pipe_ends_it_without_a_word(shop: Path, form: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, "shop.duckdb", "FROM range(100000000)", form],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said) == (141, b"")


def test_ctrl_c_stops_a_script(shop: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "shop.duckdb", f"CREATE TABLE t AS SELECT 1; SELECT 7 AS seven; {ENDLESS}"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "1 row" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip() == "error: interrupted; what was acknowledged stays"
    assert printed("shop.duckdb", "SELECT count(*) AS n FROM t", "--csv") == "n\n1\n"


# At a terminal


class Terminal:
    """A shell in a terminal of its own, 80 wide."""

    def __init__(self, *arguments: str) -> None:
        self._screen, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))
        code = (
            "import fcntl, termios, runpy; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
            "runpy.run_module('hybridsearch', run_name='__main__')"
        )
        environment = {**ENVIRONMENT, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
        environment["XDG_STATE_HOME"] = str(Path("state").absolute())
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, "sql", *arguments],
            env=environment,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        self._printed = b""

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def until(self, text: str | bytes) -> str:
        """What is printed up to the text."""
        wanted = text if isinstance(text, bytes) else text.encode()
        end = time.monotonic() + 60
        while wanted not in self._printed:
            assert time.monotonic() < end, f"no {text!r} in {self._printed!r}"
            if select.select([self._screen], [], [], 1)[0]:
                self._printed += os.read(self._screen, 65536)
        before, _, self._printed = self._printed.partition(wanted)
        return before.decode(errors="replace")

    def ask(self, text: str) -> str:
        """Type a line when the prompt is there; what is printed before the next prompt."""
        self.type(f"{text}\r")
        return self.until(READY)

    def status(self) -> int:
        """How it ends. What it still prints is read, or it could not."""
        try:
            while os.read(self._screen, 65536):
                pass
        except OSError:  # how the end of a terminal is told on Linux
            pass
        return self._process.wait(timeout=60)

    def close(self) -> None:
        os.close(self._screen)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def terminal(shop: Path) -> Iterator[Terminal]:
    made = Terminal("shop.duckdb")
    made.until(READY)
    yield made
    made.close()


def test_a_statement_goes_on_until_its_semicolon(terminal: Terminal) -> None:
    terminal.type("SELECT ';' || title AS t\r")
    terminal.until("...>")
    assert ";Alien" in terminal.ask("FROM movies;")


def test_ctrl_c_stops_the_statement_and_not_the_shell(terminal: Terminal) -> None:
    assert "3 rows changed" in terminal.ask(
        "CREATE TABLE t AS FROM range(3); INSERT INTO t FROM t;"
    )
    for _ in range(2):
        terminal.type(f"{ENDLESS};\r")
        terminal.until(b"\x1b[?2004l")  # the prompt has given the terminal back
        time.sleep(0.3)
        terminal.type("\x03")
        assert "interrupted" in terminal.until(READY)
    assert "42" in terminal.ask("SELECT 40 + 2 AS answer;")


def test_ctrl_c_drops_a_line_and_ctrl_d_leaves(terminal: Terminal) -> None:
    terminal.type("SELECT half")
    terminal.until("half")
    terminal.type("\x03")
    terminal.until(READY)
    assert "Parser Error" in terminal.ask("SELEC 1;")
    terminal.type("\x04")
    assert terminal.status() == 0


def test_tab_completes_functions_indexes_and_parameters(terminal: Terminal) -> None:
    terminal.type("SELECT title FROM sear\t")
    terminal.until("ch")
    terminal.type("('mov\t")
    terminal.until("ies")
    terminal.type("', 'alien', candi\t")
    terminal.until("dates :=")
    assert re.search(r"Alien.*1 row", terminal.ask("5, k := 1, mode := 'keyword');"), re.DOTALL)


def test_history_survives(terminal: Terminal, shop: Path) -> None:
    terminal.ask("SELECT 123 AS remembered;")
    terminal.type("\x04")
    assert terminal.status() == 0
    assert (shop / "state/hybridsearch/sql_history").stat().st_mode & 0o077 == 0
    again = Terminal("shop.duckdb")
    try:
        again.until(READY)
        again.type("\x1b[A")
        again.until("remembered;")
        assert "123" in again.ask("")
    finally:
        again.close()


def test_answers_fit_the_window_and_tell_their_time(terminal: Terminal) -> None:
    said = terminal.ask("SELECT *, repeat('wide ', 50) AS w FROM range(100), movies;")
    lines = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", said).splitlines()
    rows = [line for line in lines if "wide" in line and not line.startswith("sql>")]
    assert len(rows) == 40
    assert max(map(len, rows)) <= 80
    assert re.search(r"400 rows, 40 shown.* \([\d.,]+ ms\)", said)
    terminal.ask(".timer off")
    assert " ms)" not in terminal.ask("SELECT 1;")


@pytest.mark.parametrize("line", [".quit", "exit", "quit;", "SELECT 1; .quit"])
def test_quit_leaves(terminal: Terminal, line: str) -> None:
    terminal.type(f"{line}\r")
    assert terminal.status() == 0

"""The parts of the shell: where statements end, how rows fit, in which form they leave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch.errors import StorageError
from hybridsearch.shell.answers import Rows, StatementError, asked
from hybridsearch.shell.layout import listing, shown_columns, table
from hybridsearch.shell.names import Names
from hybridsearch.shell.statements import finished, split

HIDING = ["'a;b'", "'it''s;'", '"x;""y"', "$$;'$$", "$t$ $$; $t$", "-- ;'\n", "/* ; /* ' */ */"]
PLAIN = ["1", " ", "\n", "x$1", "E'\\';'", "$2", "-", "a_e'b'"]
PARSER = duckdb.connect()


def texts(text: str) -> list[str]:
    return [piece.text for piece in split(text)]


# Where statements end


@pytest.mark.parametrize("hidden", HIDING)
def test_a_semicolon_inside_something_ends_nothing(hidden: str) -> None:
    assert texts(f"SELECT {hidden} 1; SELECT 2") == [f"SELECT {hidden} 1", "SELECT 2"]


@given(st.lists(st.lists(st.sampled_from([*HIDING, *PLAIN]), max_size=5), max_size=4))
def test_statements_are_split_as_duckdb_does(statements: list[list[str]]) -> None:
    script = ";".join("SELECT 1, " + " , ".join(parts) + " AS z" for parts in statements)
    try:
        found = PARSER.extract_statements(script)
    except duckdb.ParserException:
        return
    assert len(split(script)) == len(found)


@pytest.mark.parametrize(
    "text", ["SELECT", "SELECT ';", 'SELECT ";', "SELECT $$;", "/* ;", "SELECT 1; SELECT", "'"]
)
def test_what_is_open_is_not_finished(text: str) -> None:
    assert not finished(text)


@pytest.mark.parametrize("text", ["", " \n", "SELECT 1;", "-- a\n;", ".help", "SELECT 1; -- b"])
def test_what_has_its_semicolon_is_finished(text: str) -> None:
    assert finished(text)


def test_a_command_ends_with_its_line_and_only_begins_a_statement() -> None:
    assert texts(".mode csv;\nSELECT 1\n.5; .tables") == [".mode csv", "SELECT 1\n.5", ".tables"]


def test_named_parameters_are_found_outside_of_texts() -> None:
    (piece,) = split("SELECT $a, '$b', $a::INT -- $c\n, \"$d\", $1, $tag$ $e $tag$, f$g")
    assert piece.parameters == {"a"}


# How rows fit


def drawn(names: list[str], rows: list[tuple[str | None, ...]], width: int) -> list[str]:
    numbers = [False] * len(names)
    return [line.plain for line in table(names, rows, width=width, numbers=numbers)]


def test_a_table_shows_null_and_cuts_what_is_too_wide() -> None:
    lines = drawn(["id", "text"], [("1", None), ("2", "a long text that goes on")], 16)
    assert lines == ["id  text", "──  ────────────", "1   NULL", "2   a long text…"]


def test_numbers_stand_to_the_right() -> None:
    lines = list(table(["n"], [("1",), ("100",)], width=80, numbers=[True]))
    assert [line.plain for line in lines[2:]] == ["  1", "100"]


def test_columns_without_room_give_way_to_dots_in_the_middle() -> None:
    names = [f"column{number}" for number in range(9)]
    lines = drawn(names, [tuple("abcdefghi")], 40)
    assert lines[0].split() == ["column0", "column1", "…", "column7", "column8"]
    assert lines[2].split() == ["a", "b", "…", "h", "i"]
    assert shown_columns(names, [tuple("abcdefghi")], width=40) == 4


@given(
    st.lists(st.text(max_size=30), min_size=1, max_size=12),
    st.integers(10, 120),
    st.text(max_size=40),
)
def test_no_line_is_wider_than_the_window(names: list[str], width: int, cell: str) -> None:
    rows: list[tuple[str | None, ...]] = [(cell,) * len(names), (None,) * len(names)]
    lines = list(table(names, rows, width=width, numbers=[True] * len(names)))
    assert len(lines) == 4
    assert max(line.cell_len for line in lines) <= width


def test_nothing_in_a_cell_moves_the_cursor() -> None:
    assert "\x1b" not in "".join(drawn(["a\x1b[2J"], [("b\x1b[2J\n\r",)], 80))


def test_a_list_shows_values_whole() -> None:
    lines = listing(["id", "text"], [("1", "x" * 200), ("2", None)])
    plain = [line.plain for line in lines]
    assert plain == ["id   = 1", f"text = {'x' * 200}", "", "id   = 2", "text = NULL"]


# In which form they leave


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        yield made


def rows_of(connection: duckdb.DuckDBPyConnection, statement: str) -> Rows:
    found = asked(connection, statement, {})
    assert found is not None
    return found


def test_the_head_is_read_and_the_rest_is_counted(connection: duckdb.DuckDBPyConnection) -> None:
    with rows_of(connection, "FROM range(123456)") as rows:
        assert rows.head(2) == [("0",), ("1",)]
        assert rows.head(1) == [("2",)]
        assert rows.rest() == 123_453
    assert connection.sql("SELECT 1").fetchall() == [(1,)]


def test_a_value_looks_as_duckdb_shows_it(connection: duckdb.DuckDBPyConnection) -> None:
    statement = """SELECT 1.50::DECIMAL(5, 2), DATE '2020-01-31', [1, NULL], {'a b': 'c'}, NULL,
        'a\\xFF'::BLOB, INTERVAL 3 MONTH, 5::HUGEINT, true, 'x'::ENUM('x'), MAP {'k': 1}"""
    wanted = connection.sql(f"SELECT COLUMNS(*)::VARCHAR FROM ({statement})").fetchall()
    with rows_of(connection, statement) as rows:
        assert rows.head(1) == wanted


def test_long_fractions_are_rounded_where_that_says_the_same(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    statement = "SELECT 1 / 3, 1e-7::DOUBLE / 3, 1e15::DOUBLE / 7, 'nan'::FLOAT, 0.1::FLOAT"
    with rows_of(connection, statement) as rows:
        short = rows.head(1, decimals=6)[0]
    assert short == ("0.333333", "3.3333333333333334e-08", "142857142857142.84", "nan", "0.1")


def test_csv_tells_null_from_an_empty_text(connection: duckdb.DuckDBPyConnection) -> None:
    statement = (
        """SELECT 'a,b' AS "x,y", 'say "hi"' AS b, '' AS c, NULL AS d, 'e' || chr(10) AS e"""
    )
    with rows_of(connection, statement) as rows:
        assert "".join(rows.csv()) == '"x,y",b,c,d,e\n"a,b","say ""hi""","",,"e\n"\n'
    with rows_of(connection, "SELECT unnest(['a', NULL]) AS a") as rows:
        assert "".join(rows.csv()) == 'a\na\n""\n'


def test_csv_comes_back_as_it_was(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    statement = (
        """SELECT i, 'text, "' || i AS t, i / 7 AS d, i % 2 = 0 AS b FROM range(25000) r(i)"""
    )
    with rows_of(connection, statement) as rows:
        (tmp_path / "rows.csv").write_text("".join(rows.csv()), encoding="utf-8")
    read = connection.read_csv(str(tmp_path / "rows.csv"))
    assert read.fetchall() == connection.sql(statement).fetchall()


def test_json_is_one_object_a_line(connection: duckdb.DuckDBPyConnection) -> None:
    statement = """SELECT 1 AS a, 2 AS A, '{"b": [1]}'::JSON AS j, [1.5, 'nan', 'inf'::DOUBLE] AS l,
        'NaN "x"' AS t, NULL AS n, {'s': DATE '2020-01-31'} AS s FROM range(2)"""
    with rows_of(connection, statement) as rows:
        lines = "".join(rows.json_lines()).splitlines()
    wanted = {"a": 1, "A_1": 2, "j": {"b": [1]}, "l": [1.5, None, None], "t": 'NaN "x"'}
    wanted.update(n=None, s={"s": "2020-01-31"})
    assert [json.loads(line) for line in lines] == [wanted] * 2
    assert lines[0].startswith('{"a":1,"A_1":2,"j":{')


def test_parquet_holds_every_row(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    target = tmp_path / "it's.parquet"
    with rows_of(connection, "SELECT i, i AS I, 'x' || i AS s FROM range(25000) r(i)") as rows:
        rows.parquet(target)
    read = connection.read_parquet(str(target).replace("'", "?"))
    assert read.columns == ["i", "I_1", "s"]
    assert read.aggregate("count(*), sum(i), max(s)").fetchall() == [(25000, 312487500, "x9999")]
    assert list(tmp_path.iterdir()) == [target]


LATE = """SELECT CASE WHEN i = 50000 THEN error('out of cheese') ELSE i::VARCHAR END
    FROM range(99999) r(i)"""


def test_parquet_that_fails_leaves_the_file_as_it_was(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    target = tmp_path / "rows.parquet"
    target.write_bytes(b"before")
    with rows_of(connection, LATE) as rows, pytest.raises(StatementError, match=r"^[^:]*: out of"):
        rows.parquet(target)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"before"]
    with rows_of(connection, "SELECT 1") as rows, pytest.raises(StorageError, match="could not"):
        rows.parquet(tmp_path / "none" / "rows.parquet")


@pytest.mark.parametrize("statement", ["SELEC", "FROM nowhere", "SELECT error('x')", LATE])
def test_an_error_is_told_in_duckdbs_words(
    connection: duckdb.DuckDBPyConnection, statement: str
) -> None:
    with pytest.raises(StatementError) as caught, rows_of(connection, statement) as rows:
        rows.rest()
    assert caught.value.message.partition(":")[0].endswith("Error")
    assert "stream" not in caught.value.message
    assert connection.sql("SELECT 1").fetchall() == [(1,)]


# What can come next


NAMES = Names(
    words={
        "column": ["Two words", "title", "year"],
        "table": ["movies"],
        "ours": ["search", "suggest"],
        "keyword": ["select", "table"],
        "function": ["sum"],
    },
    indexes=["movies", "mountains"],
    parameters={"search": ["index", "query", "k", "mode"]},
)


@pytest.mark.parametrize(
    ("text", "length", "words"),
    [
        ("SELECT ti", 2, ["title"]),
        ("SELECT two", 3, ['"Two words"']),
        ("SEL", 3, ["SELECT"]),
        ("s", 1, ["search", "suggest", "select", "sum"]),
        ("FROM search('mo", 2, ["movies", "mountains"]),
        ("FROM search('movies', 'x', ", 0, ["index := ", "query := ", "k := ", "mode := "]),
        ("FROM search('movies', lower('x'), mo", 2, ["mode := ", "movies"]),
        ("FROM search('movies', 'x') WHERE y", 1, ["year"]),
        ("SELECT sum(ti", 2, ["title"]),
        (".t", 2, [".tables", ".timer"]),
        ("SELECT ", 0, []),
        ("zzz", 3, []),
    ],
)
def test_what_can_come_next(text: str, length: int, words: list[str]) -> None:
    assert NAMES.after(text) == (length, words)


def test_names_come_from_the_connection(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "CREATE TABLE birds(wing INT); CREATE TEMP MACRO flap(bird, hard := 1) AS bird"
    )
    names = Names.read(connection, indexes=["nests"])
    assert names is not None
    assert (names.words["table"], names.words["column"]) == (["birds"], ["wing"])
    assert names.parameters["flap"] == ["bird", "hard"]
    assert {"lateral", "qualify"} <= set(names.words["keyword"])


def test_names_are_not_read_in_an_aborted_transaction(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("CREATE TABLE t(i INT PRIMARY KEY); INSERT INTO t VALUES (1); BEGIN")
    with pytest.raises(duckdb.ConstraintException):
        connection.execute("INSERT INTO t VALUES (1)")
    assert Names.read(connection, indexes=[]) is None

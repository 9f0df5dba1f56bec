"""How does the statement of somebody who is not trusted run?

In a DuckDB instance of its own, in memory, that holds nothing: no file is open in it, none can be
opened, its configuration is locked. The indexes that the caller may see are relations in it whose
rows come from the database as Arrow batches when the statement reads them, only the columns that
it asks for, through statements that we write. search() and its companions are attached, and find
the same indexes only. So settings, keys, tasks and other indexes are out of reach because they
are not there; `sql.permission` refuses what does not read, besides.

    sealed = Sealed(database_identity, engine_of)
    answer = sealed.ask("SELECT count(*) FROM movies", visible={"movies"})
    answer.batches[0].to_pylist()

Somebody may be allowed only some documents of an index (`forced`). Then its relation has the rows
of a snapshot that the filter keeps, and search() and its companions run on that snapshot confined
to them: there is no statement to rewrite, and nothing to get around.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
from pyarrow import dataset

from hybridsearch.arrays import Rows
from hybridsearch.columns import ARROW as TYPES
from hybridsearch.columns import StoredColumn, shown
from hybridsearch.document_table import DocumentTable
from hybridsearch.errors import FilterError, HybridSearchError, NotFound, QueryError, near
from hybridsearch.jsontext import loads
from hybridsearch.request import Filter
from hybridsearch.row_ids import RowIds
from hybridsearch.snapshot import Snapshot
from hybridsearch.sql.asking import Searchable
from hybridsearch.sql.functions import Functions
from hybridsearch.sql.lowering import lower, read
from hybridsearch.sql.naming import naming
from hybridsearch.sql.operators import check
from hybridsearch.sql.parameters import misnamed
from hybridsearch.sql.permission import CODE, EXPLAIN, LONGEST, check_tree
from hybridsearch.sql.pushdown import Facts
from hybridsearch.sql.relation import Source, by_name
from hybridsearch.sql.scoring import Searched, scoring
from hybridsearch.sql.snippets import marking
from hybridsearch.sql.telling import Step, placed, told
from hybridsearch.sql.tokens import spliced
from hybridsearch.store import Connection, IndexRecord, quoted

__all__ = ["Answer", "Limits", "Sealed", "Values"]

Values: TypeAlias = Sequence[Any] | Mapping[str, Any] | None

MEMORY = "512MB"
"""What all statements together may take."""
CONFIGURATION = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "threads": "1",  # the thread that asks; so what it may see is known by thread
}
KNOWN = (
    "SELECT lower(function_name), bool_and(function_type = 'scalar'),"
    " bool_or(stability IS NOT DISTINCT FROM 'VOLATILE') FROM duckdb_functions() GROUP BY ALL"
)
"""name -> (gives one value for one row, may give another at each call)."""
BATCH = 1000
IDLE = 4
_constructs = re.compile(
    r"search|similar|facets|suggest|rrf|phrase|score|highlight|snippet|@@@|\|\|\||&&&|===",
    re.IGNORECASE,
).search
UDF = re.compile(r"Python exception occurred while executing the UDF: (?:\w+: )?")
LINES = (
    "Not implemented",
    "Catalog",
    "Binder",
    "Parser",
    "Conversion",
    "Invalid Input",
    "Out of Range",
    "Syntax",
)


@dataclass(frozen=True)
class Limits:
    """How much one statement may take: rows and bytes that it gives, and its time."""

    rows: int = 10_000
    bytes: int = 64 * 2**20
    seconds: float = 10.0


@dataclass(frozen=True)
class Answer:
    """What a statement gave: at most as many rows as were allowed.

    types: of the columns, as DuckDB calls them. complete: whether there were no more rows.
    """

    schema: pa.Schema
    types: Sequence[str]
    batches: Sequence[pa.RecordBatch]
    complete: bool

    @property
    def count(self) -> int:
        """How many rows there are."""
        return sum(batch.num_rows for batch in self.batches)


@dataclass
class Confined:
    """One index as somebody sees it who may know only of some of its documents."""

    snapshot: Snapshot
    documents: DocumentTable
    record: IndexRecord
    row_ids: RowIds


@dataclass
class _Grant:
    """What the statement of one thread may see; views: what it has looked at, confined."""

    visible: Collection[str] = ()
    forced: Mapping[str, Filter] = field(default_factory=dict)
    views: dict[str, Confined] = field(default_factory=dict)


class _Granted(threading.local):
    grant = _Grant()


class Sealed:
    """Runs statements over the indexes of one database; made when first asked.

    identity: the database's own. find: the index of a name, or NotFound. Safe from any thread.
    """

    def __init__(self, identity: str, find: Callable[[str], Searchable]) -> None:
        self._find = find
        self._granted = _Granted()
        self._functions = Functions(identity, self._visible)
        self._lock = threading.Lock()
        self._root: Connection | None = None
        self._known: dict[str, tuple[bool, bool]] = {}
        self._idle: list[Connection] = []

    def ask(
        self,
        statement: str,
        values: Values = None,
        *,
        visible: Collection[str],
        forced: Mapping[str, Filter] | None = None,
        limits: Limits | None = None,
    ) -> Answer:
        """The answer of one statement that reads.

        values: of its parameters, by place or by name. visible: the indexes there are for it.
        forced: index -> the filter that every document of it has to pass to be there.
        Raises QueryError, of code "invalid_sql" or, when it takes too much, "sql_limit".
        """
        if not _is_text(statement) or len(statement) > LONGEST:
            raise _error(f"the statement must be text of {LONGEST:,} characters at most")
        limits = limits or Limits()
        with self._cursor() as cursor, self._grant(_Grant(visible, forced or {})):
            parsed = _parsed(cursor, statement, visible, self._lowered)
            with self._relations(cursor, _mentioned(statement, visible)):
                return _answer(cursor, parsed, statement, values, limits)

    def close(self) -> None:
        """Forget the instance; the next statement makes a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
            root, self._root = self._root, None
        for connection in (*idle, *([root] if root else [])):
            connection.close()

    def _lowered(self, statement: str) -> str:
        """The statement with what stands beside a search() pushed into it, as `Database.sql` does.

        Conditions that may speak of a query around the search's stay where they are.
        """
        if _constructs(statement) is None:
            return statement
        facts = Facts(self._volatile, self._plain, binds=lambda query: False)
        found = read(statement)
        if found is not None:
            check(found)
            misnamed(found)
            edits = [*scoring(found, self._searched), *marking(found)]
            statement = spliced(statement, [*edits, *naming(found, edits)])
        return lower(statement, self._source, facts).text

    def _searched(self, table: str, column: str | None) -> Searched | None:
        """The index of that name, if it searches the column by words."""
        try:
            state = self._visible(table).snapshot.state
        except NotFound:
            return None
        return Searched.by(table, state.primary_key, state.keyword.attributes, column)

    def _source(self, uid: str, kept: bool) -> Source | None:
        try:
            state = self._visible(uid).snapshot.state
        except NotFound:  # which the search itself will say
            return None
        found = by_name(quoted(uid), state.columns, state.primary_key)
        return None if found is None else found.under(state.settings)

    def _volatile(self, names: set[str]) -> set[str]:
        """Which of the functions may give another value at each call; unknown ones may."""
        return {name for name in names if self._known.get(name, (False, True))[1]}

    def _plain(self, name: str) -> bool:
        """Whether the function gives one value for one row."""
        return self._known.get(name, (False, True))[0]

    def _visible(self, uid: str) -> Searchable:
        grant = self._granted.grant
        if uid not in grant.visible:
            raise NotFound(
                f'there is no index "{uid}"{near(uid, grant.visible)}',
                code="index_not_found",
                uid=uid,
            )
        if grant.forced.get(uid) is None:
            return self._find(uid)
        if uid not in grant.views:
            grant.views[uid] = _confined(self._find(uid), grant.forced[uid])
        return grant.views[uid]

    @contextmanager
    def _grant(self, grant: _Grant) -> Iterator[None]:
        self._granted.grant = grant
        try:
            yield
        finally:
            self._granted.grant = _Grant()

    @contextmanager
    def _relations(self, cursor: Connection, uids: Sequence[str]) -> Iterator[None]:
        """The indexes as relations, gone afterwards: the next one to ask may see less of them."""
        for uid in uids:
            cursor.register(uid, _relation(self._visible(uid)))
        yield
        for uid in uids:  # after an error the connection is closed
            cursor.unregister(uid)

    @contextmanager
    def _cursor(self) -> Iterator[Connection]:
        """A connection with the functions, in a transaction that cannot write.

        It is used again when all went well; after an error nothing of it is.
        """
        with self._lock:
            cursor = self._idle.pop() if self._idle else self._fresh()
        try:
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            yield cursor
            cursor.execute("ROLLBACK")
        except BaseException:
            cursor.close()
            raise
        with self._lock:
            keep = self._root is not None and len(self._idle) < IDLE
            self._idle += [cursor] if keep else []
        if not keep:
            cursor.close()

    def _fresh(self) -> Connection:
        if self._root is None:
            self._root = duckdb.connect(config={**CONFIGURATION, "memory_limit": MEMORY})
            self._root.execute("SET lock_configuration = true")
            known = self._root.execute(KNOWN).fetchall()
            self._known = {name: (plain, changes) for name, plain, changes in known}
        cursor = self._root.cursor()
        self._functions.attach(cursor)
        return cursor


def _is_text(value: object) -> bool:
    """Whether it is a text without half of a surrogate pair."""
    return isinstance(value, str) and value.encode(errors="ignore").decode() == value


def _error(message: str, code: str = CODE) -> QueryError:
    return QueryError(message, code=code, field="sql")


def _parsed(
    cursor: Connection,
    statement: str,
    visible: Collection[str],
    lowered: Callable[[str], str],
) -> duckdb.Statement:
    """The statement as DuckDB reads it and it is to be run, once it is allowed as it came."""
    try:
        found = cursor.extract_statements(statement)
        text = EXPLAIN.sub("", statement, count=1) if _explains(found) else statement
        tree = cursor.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0]
    except duckdb.Error as error:
        raise _error(_told(error, statement)) from error
    try:
        check_tree(loads(tree.encode()), visible)
    except ValueError as error:
        if isinstance(error, QueryError):
            raise
        raise _error("the statement is nested too deeply") from error
    if _explains(found):
        return found[0]
    try:
        return cursor.extract_statements(lowered(statement))[0]
    except QueryError as error:
        raise _error(placed(error, Step(statement, True, statement, 0)).message) from error


def _explains(found: Sequence[duckdb.Statement]) -> bool:
    return len(found) == 1 and found[0].type == duckdb.StatementType.EXPLAIN


def _mentioned(statement: str, visible: Collection[str]) -> list[str]:
    """The indexes whose names occur in the text; all when it asks which there are."""
    text = statement.lower()
    everything = "show" in text or "describe" in text
    return [uid for uid in visible if everything or uid.lower() in text]


def _answer(
    cursor: Connection, parsed: duckdb.Statement, statement: str, values: Values, limits: Limits
) -> Answer:
    with _stopped_after(cursor, limits.seconds), _our_errors(statement):
        relation = cursor.sql(parsed, params=values or None)
        with closing(relation.to_arrow_reader(BATCH)) as reader:
            batches, complete = _collected(reader, limits)
            return Answer(reader.schema, [str(kind) for kind in relation.types], batches, complete)


def _collected(reader: pa.RecordBatchReader, limits: Limits) -> tuple[list[pa.RecordBatch], bool]:
    """(batches of at most as many rows as are allowed, whether there are no more)."""
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in reader:
        size += batch.nbytes
        if size > limits.bytes:
            raise _error(
                f"the answer is larger than {limits.bytes // 2**20} MiB; ask for fewer columns or"
                " rows",
                "sql_limit",
            )
        batches.append(batch.slice(0, limits.rows - rows))
        rows += batch.num_rows
        if rows > limits.rows:
            return batches, False
    return batches, True


@contextmanager
def _stopped_after(cursor: Connection, seconds: float) -> Iterator[None]:
    clock = threading.Timer(seconds, cursor.interrupt)
    clock.daemon = True
    clock.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise _error(f"the statement took longer than {seconds:g} seconds", "sql_limit") from error
    finally:
        clock.cancel()
        clock.join()


@contextmanager
def _our_errors(statement: str) -> Iterator[None]:
    try:
        yield
    except duckdb.InterruptException:
        raise
    except duckdb.OutOfMemoryException as error:
        raise _error(f"the statement needs more memory than {MEMORY}", "sql_limit") from error
    except (duckdb.Error, pa.ArrowException, RuntimeError) as error:
        raise _error(_told(error, statement)) from error


def _told(error: Exception, statement: str) -> str:
    """What DuckDB says of the statement; what it says of anything else is not for strangers."""
    better = told(error, Step(statement, True, statement, 0))
    if isinstance(better, HybridSearchError):
        return better.message
    text = str(better or error).strip()
    ours = UDF.search(text)
    if ours is not None:
        return text[ours.end() :].partition("\n")[0]
    if text.startswith(LINES):
        return text
    return f"the statement failed: {type(error).__name__}"


class _Rows(dataset.InMemoryDataset):  # type: ignore[misc]  # pyarrow has no types
    """The living documents of an index, or those of some rows, read when DuckDB asks for them."""

    def __init__(
        self,
        documents: DocumentTable,
        columns: Mapping[str, StoredColumn],
        rows: Rows | None,
    ) -> None:
        super().__init__(_schema(columns).empty_table())
        self._documents = documents
        self._columns = columns
        self._rows = rows

    def scanner(
        self, columns: Sequence[str] | None = None, filter: Any = None, **options: Any
    ) -> dataset.Scanner:
        wanted = list(self._columns) if columns is None else list(columns)
        read = self._read(wanted, filter)
        schema = _schema(read)
        found = self._documents.living_columns(read, rows=self._rows)
        batches = (_cast(batch, schema) for batch in found)
        return dataset.Scanner.from_batches(batches, schema=schema, columns=wanted, filter=filter)

    def _read(self, wanted: Sequence[str], filter: Any) -> dict[str, StoredColumn]:
        """The columns that are to be shown, and those that the filter looks at."""
        text = "" if filter is None else str(filter)
        found = {n: c for n, c in self._columns.items() if n in wanted or n in text}
        try:
            if filter is not None:
                _schema(found).empty_table().filter(filter)
        except pa.ArrowInvalid:  # a name that the filter's text writes otherwise
            return dict(self._columns)
        return found


def _relation(engine: Searchable) -> _Rows:
    state = engine.snapshot.state
    columns = shown(state.columns)
    if not columns:
        key = state.primary_key or "id"
        columns = {key: StoredColumn(key, "id", "VARCHAR")}
    return _Rows(engine.documents, columns, None if state.allowed is None else state.living)


def _confined(engine: Searchable, forced: Filter) -> Confined:
    """The index without the documents that the filter does not keep."""
    try:
        snapshot = engine.snapshot.confined(forced)
    except FilterError as error:
        raise _error(f"the filter that is forced here does not fit: {error.message}") from error
    return Confined(snapshot, engine.documents, engine.record, engine.row_ids)


def _schema(columns: Mapping[str, StoredColumn]) -> pa.Schema:
    return pa.schema([pa.field(name, _type(column.type)) for name, column in columns.items()])


def _type(kind: str) -> pa.DataType:
    if kind == "JSON":
        return pa.json_()
    return pa.list_(TYPES[kind[:-2]]) if kind.endswith("[]") else TYPES[kind]


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)

"""How do search() and its companions run on a DuckDB connection?

`Functions.attach` puts Python functions into the connection's DuckDB instance, under names that
nobody else has, and temporary macros over them on the connection: `search`, `similar`, `facets`,
`tokens`, `suggest`, `rrf`, `rrf_score`, `match_phrase`, `highlight`, `snippet`, `snippets` and the
operators `@@@ ||| &&& ===`. Nothing is written into any file, and attaching again changes nothing.

    functions.attach(connection)
    connection.sql("SELECT title, _score FROM search('movies', 'space opera', k := 5)")

Where the rows' columns come from is decided when a statement is bound, by `relation`: few are
read from the bodies that the index keeps; many are joined by row with the table of documents, on
a connection that sees it. `query()` splices that text into the statement, so DuckDB plans the
whole of it, and a column that nobody asks for costs nothing.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from weakref import WeakMethod

import duckdb
import pyarrow as pa

from hybridsearch import assets
from hybridsearch.columns import shown
from hybridsearch.definition import definition_of
from hybridsearch.errors import Conflict, DatabaseClosed, HybridSearchError, NotFound, QueryError
from hybridsearch.kept_settings import custom_rules
from hybridsearch.origin import Columns
from hybridsearch.planning import must_embed
from hybridsearch.ranking import Places
from hybridsearch.request import SearchRequest
from hybridsearch.sql.asking import (
    Ask,
    Searchable,
    analyzer_of,
    own_ids,
    places,
    places_like,
    request_of,
    usual_mode,
)
from hybridsearch.sql.batches import answered
from hybridsearch.sql.calls import COLUMNS, INSIDE, Call, fitted, match_of, options, packed, scores
from hybridsearch.sql.hits import (
    FACET,
    HIT,
    PLACE,
    SUGGESTION,
    TOKEN,
    Later,
    Shown,
    hit_columns,
    hit_lists,
    struct_lists,
)
from hybridsearch.sql.holders import Holders
from hybridsearch.sql.indexing import Indexing
from hybridsearch.sql.marks import Marks
from hybridsearch.sql.raised import remembered, remembering
from hybridsearch.sql.relation import (
    Source,
    by_name,
    carried,
    copied,
    followed,
    joined,
    literal,
    live,
    living,
    marks,
    unfolded,
)
from hybridsearch.sql.rows import bodies, from_copy
from hybridsearch.sql.signatures import (
    SIGNATURES,
    TESTS,
    Column,
    Function,
    answering,
    create,
    values,
)
from hybridsearch.state import State
from hybridsearch.store import Connection, IndexRecord, quoted
from hybridsearch.whereabouts import NOWHERE, Standing

__all__ = ["Functions"]

MACROS, STATEMENTS = "sql/macros", "sql/statements"
PREFIX = "hybridsearch_"
SUGGESTIONS = 10
FACETING = {
    "by": "VARCHAR[]",
    "filter": "VARCHAR",
    "mode": "VARCHAR",
    "limit": "BIGINT",
    "match": "VARCHAR",
}
SHAPING = {"k": "BIGINT", "highlight": "BOOLEAN"}
"""What decides where columns come from, and which there are."""
FEW = 1000
"""Up to so many hits the bodies that the index keeps are cheaper than a scan of the documents."""
SHAPES = 256


class Functions:
    """The SQL functions over the indexes of one database.

    identity: the database's own, by which a connection that sees its documents is known. find:
    a method that gives the index of a name, or raises NotFound; its object may die before the
    connections do. current: the same, brought up to its source first, for what is searched.
    indexing: what makes and drops search indexes, where that is allowed.
    """

    def __init__(
        self,
        identity: str,
        find: Callable[[str], Searchable],
        current: Callable[[str], Searchable] | None = None,
        indexing: Indexing | None = None,
    ) -> None:
        self._identity = identity
        self._find = WeakMethod(find)
        self._current = WeakMethod(current or find)
        self._indexing = indexing
        self._attaching = threading.Lock()
        self.degraded = 0
        """How many searches went by words alone because their text could not be embedded."""
        self._holders = Holders(self._engine)
        self._marks = Marks(self._engine)
        self._prefix = f"{PREFIX}{uuid.uuid4().hex}_"
        self._shapes: dict[Hashable, tuple[pa.Schema, dict[str, str]]] = {}  # as SHAPES allows

    def attach(self, connection: Connection) -> None:
        """Make the functions known on the connection; see the module.

        Raises Conflict in a transaction that began before they were there.
        """
        with self._attaching, connection.cursor() as apart:  # from a transaction of the user's
            if self._create(apart, "body", self._bodies):
                self._register(apart)
        texts = [assets.text(f"{MACROS}/{name}") for name in assets.names(MACROS)]
        texts += [assets.text(f"{MACROS}/search.sql").replace("MACRO search(", f"MACRO {INSIDE}(")]
        if self._indexing is not None:
            texts += [assets.text(f"{STATEMENTS}/{name}") for name in assets.names(STATEMENTS)]
        try:
            connection.execute("".join(texts).replace(PREFIX, self._prefix))
        except duckdb.CatalogException as error:
            raise Conflict(
                "the transaction under way on this connection began before search() was there;"
                " commit it or roll it back, then attach"
            ) from error

    def source(self, uid: str, catalog: str | None, *, kept: bool) -> Source | None:
        """What the index is over, where our documents are seen in that catalog; else None.

        kept: for a statement that is kept, so it has to go by names and ids that stay, and by
        nothing that settings may change. Raises NotFound.
        """
        engine = self._engine(uid)
        found = None if catalog is None else _source(engine, uid, catalog, kept=kept)
        if found is None or kept:
            return found if found is None else found.under_any()
        return found.under(engine.snapshot.state.settings)

    def stamp(self, uid: str) -> Hashable:
        """What `source` depends on; None where there is no such index."""
        try:
            return self._stamp(self._engine(uid))
        except NotFound:
            return None

    def _stamp(self, engine: Searchable) -> Hashable:
        columns = (engine.record.attached or {}).get("columns", ())
        state = engine.snapshot.state
        order = custom_rules(state.settings.kept), state.settings.distinct_attribute
        return engine.documents.table, state.columns.stored, tuple(map(tuple, columns)), order

    def attached(self, uid: str) -> bool:
        """Whether the index is over a source of the user's. Raises NotFound."""
        return self._engine(uid).record.attached is not None

    def record(self, uid: str) -> IndexRecord:
        """The record of the index. Raises NotFound."""
        return self._engine(uid).record

    def state(self, uid: str) -> State:
        """What the index knows now. Raises NotFound."""
        return self._engine(uid).snapshot.state

    def hits(
        self, call: Call, standing: Standing | None = None, columns: Columns | None = None
    ) -> tuple[pa.Table, dict[str, str]]:
        """What search() gives for a call, as a table, and what makes the columns of some of it.

        For an index over a source of the user's it has the key as _row in the place of columns, and
        the place in the table as `PLACE` where the standing has it of all hits; null for a row that
        the table has not; or these columns of the copy. Raises HybridSearchError.
        """
        return self._table(call, self._answers([call], places), standing, columns)

    def asked(self, call: Call, written: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """A SELECT of what the native function finds for a call, and what makes columns of it.

        call: one without a list of ids. written: expressions for `COLUMNS`, of which the call has
        no values. The columns are those of `hits`, without those of documents. Raises
        HybridSearchError for what is wrong with the call.
        """
        engine, uid = self._engine(call.uid, current=True), literal(call.uid or "")
        request_of(engine, call)
        query, *others = (
            f"CAST({written[name]} AS {kind})" if name in written else "NULL"
            for name, kind in COLUMNS.items()
            if name != "index"
        )
        asked = f"{uid}, {query}, {literal(packed(call))}, {', '.join(others)}"
        found = (
            "SELECT unnest(CASE WHEN found.error IS NULL THEN found.value"
            " ELSE error(found.error) END, recursive := true)"
            f" FROM (SELECT {self._prefix}search({asked}) AS found)"
        )
        hidden = "" if call.highlight else "EXCLUDE (_highlight)"
        made = {"_highlight": _marked(engine.snapshot.state, "_highlight")}
        if engine.record.attached is None:
            return f"SELECT * {hidden} FROM ({found})", made if call.highlight else {}
        name = "number" if engine.row_ids.whole else "name"
        keyed = f"{hidden} REPLACE ({self._prefix}{name}({uid}, _row) AS _row)"
        return f"SELECT * {keyed} FROM ({found})", made if call.highlight else {}

    def later(self, call: Call) -> tuple[Later, dict[str, str]]:
        """The same, searched whenever it is read; what is wrong with the call is raised now."""
        engine = self._engine(call.uid, current=True)
        request_of(engine, call)
        state = engine.snapshot.state
        attributes = state.keyword.attributes if call.highlight else ()
        key = call.uid, call.highlight, attributes, state.primary_key, self._stamp(engine)
        shape = self._shapes.get(key)
        if shape is None:
            table, made = self._table(call, [])
            if len(self._shapes) >= SHAPES:
                self._shapes.clear()
            self._shapes[key] = shape = table.schema, made
        return Later(shape[0], remembering(lambda: self.hits(call)[0])), shape[1]

    def _table(
        self,
        call: Call,
        answers: list[Shown | None],
        standing: Standing | None = None,
        columns: Columns | None = None,
    ) -> tuple[pa.Table, dict[str, str]]:
        engine = self._engine(call.uid)
        state = engine.snapshot.state
        found = dict(zip(HIT, hit_columns(answers), strict=True))
        rows = found.pop("_row").to_numpy()
        made: dict[str, str] = {}
        if columns is not None:
            table, made = from_copy(engine, rows, columns)
        elif engine.record.attached is None:
            texts = bodies(engine, rows).to_pylist()
            table, json = unfolded(texts, state.columns, state.primary_key)
            made = {name: f"{quoted(name)}::JSON" for name in json}
        else:
            table = {"_row": engine.row_ids.of(rows)}
            at = None if standing is None else standing.of(rows)
            if at is not None:
                table[PLACE] = pa.array(at, mask=at == NOWHERE)
        marked = found.pop("_highlight")
        if call.highlight:
            found["_highlight"], made["_highlight"] = marked, _marked(state, "_highlight")
        return pa.table({**table, **found}), made

    def _register(self, connection: Connection) -> None:
        catalog = self.catalog(connection)

        def relation(*columns: Column) -> pa.Array:
            asked = zip(*(column.to_pylist() for column in columns), strict=True)
            found = [self._columns(called, uid, given, catalog) for called, uid, given in asked]
            return pa.array(found, pa.string())

        functions: dict[str, Function] = {
            "relation": relation,
            "number": self._ids,
            "name": self._ids,
            "search": self._hits,
            "steady": self._hits,
            "similar": self._likenesses,
            "facets": self._facets,
            "tokens": self._tokens,
            "suggest": self._suggestions,
            "holders": self._holders.lists,
            "marked": self._marks.lists,
            **{name: answering(test) for name, test in TESTS.items()},
            **(self._indexing.functions if self._indexing else {}),
        }
        for name, function in functions.items():
            self._create(connection, name, function)

    def _create(self, connection: Connection, name: str, function: Function) -> bool:
        return create(connection, self._prefix + name, SIGNATURES[name], function)

    def catalog(self, connection: Connection) -> str | None:
        """The catalog in which the connection sees our documents, if it does."""
        names = connection.execute(
            "SELECT database_name FROM duckdb_tables()"
            " WHERE schema_name = 'hybridsearch' AND table_name = 'meta'"
        ).fetchall()
        for (name,) in names:
            catalog = quoted(name)
            found = connection.execute(
                f"SELECT value FROM {catalog}.hybridsearch.meta WHERE name = 'identity'"
            ).fetchall()
            if found == [(self._identity,)]:
                return catalog
        return None

    def _columns(self, called: str, uid: str | None, given: str | None, catalog: str | None) -> str:
        """The SELECT of a hit's columns; where it cannot be had, what raises the error."""
        try:
            kept = fitted(given or "{}", SHAPING, called)
            return self._relation(uid, kept["k"], bool(kept["highlight"]), catalog)
        except HybridSearchError as error:
            return f"FROM query(error({literal(remembered(error))}))"

    def _relation(
        self, uid: str | None, k: int | None, highlight: bool, catalog: str | None
    ) -> str:
        engine = self._engine(uid, current=True)
        state = engine.snapshot.state
        marked = _marked(state) if highlight else "NULL"
        if engine.record.attached is not None:
            return self._of_source(engine, uid or "", catalog, marked)
        if catalog is None or (k is not None and k <= FEW):
            call = f"{self._prefix}body({literal(uid or '')}, h._row)"
            return carried(call, state.columns, state.primary_key, marked)
        table = f"{catalog}.{engine.documents.table}"
        return joined(table, state.columns, state.primary_key, marked)

    def _of_source(self, engine: Searchable, uid: str, catalog: str | None, marked: str) -> str:
        definition = definition_of(engine.record)
        if catalog is None:
            return copied(definition, f"{self._prefix}body({literal(uid)}, h._row)", marked)
        name = "number" if engine.row_ids.whole else "name"
        return live(definition, catalog, f"{self._prefix}{name}({literal(uid)}, h._row)", marked)

    # The functions: Arrow columns in, one Arrow array out

    def _hits(self, *columns: Column) -> pa.Array:
        together = answered(columns, partial(self._engine, current=True))
        return self._found("search", columns, places) if together is None else together

    def _likenesses(self, *columns: Column) -> pa.Array:
        """The same for documents; the key of one is in the place of the query."""
        return self._found("similar", columns, places_like)

    def _found(self, name: str, columns: Sequence[Column], ask: Ask) -> pa.Array:
        rows = zip(*map(values, columns), strict=True)
        calls = [
            Call(uid, query, *rest, *options(given, name)) for uid, query, given, *rest in rows
        ]
        distinct = {call: place for place, call in enumerate(dict.fromkeys(calls))}
        answers = hit_lists(self._answers(list(distinct), ask))
        if len(distinct) == len(calls):
            return answers
        return answers.take(pa.array([distinct[call] for call in calls], pa.int64()))

    def _answers(self, calls: Sequence[Call], ask: Ask) -> list[Shown | None]:
        """What each call has found; each index is asked once for all of its calls."""
        found: dict[int, Shown] = {}
        for uid in dict.fromkeys(call.uid for call in calls):
            asked = [
                n for n, call in enumerate(calls) if call.uid == uid and call.query is not None
            ]
            engine = self._engine(uid, current=True)
            requests = [request_of(engine, calls[n]) for n in asked]
            answers = ask(engine, requests)
            self._count_degraded(engine, requests, answers)
            for n, made, answer in zip(asked, requests, answers, strict=True):
                found[n] = _shown(calls[n], made, _named(engine.snapshot.state, answer))
        return [found.get(n) for n in range(len(calls))]

    def _count_degraded(
        self, engine: Searchable, requests: Sequence[SearchRequest], answers: Sequence[Places]
    ) -> None:
        state = engine.snapshot.state
        for made, answer in zip(requests, answers, strict=True):
            asked = made.mode != "keyword" and answer.mode == "keyword" and made.text
            self.degraded += bool(asked and must_embed(state, made))

    def _bodies(self, uids: Column, rows: Column) -> pa.Array:
        """The JSON text of each row; `relation` names one index for all of them."""
        if not len(rows):
            return pa.array([], pa.string())
        return bodies(self._engine(uids[0].as_py()), rows.to_numpy())

    def _ids(self, uids: Column, rows: Column) -> pa.Array:
        """The id of each row; `relation` names one index for all of them."""
        if not len(rows):
            return pa.nulls(0)
        return self._engine(uids[0].as_py()).row_ids.of(rows.to_numpy())

    def _facets(self, *columns: Column) -> pa.Array:
        answers = [self._counts(*each) for each in zip(*map(values, columns), strict=True)]
        return struct_lists(FACET, answers)

    def _counts(
        self, uid: str, query: str | None, given: str, ids: Sequence[str] | None
    ) -> list[tuple[str, str | None, int]]:
        engine = self._engine(uid, current=True)
        asked = fitted(given, FACETING, "facets")
        if query is None:
            return []
        by, limit = asked["by"], asked["limit"]
        if by is None or (limit is not None and limit < 0):
            raise QueryError("facets() needs by := [attribute, ...] and a limit of 0 or more")
        request = SearchRequest(
            query=query,
            filter=asked["filter"],
            ids=own_ids(engine, ids),
            mode=asked["mode"] or usual_mode(engine),
            match=match_of(asked["match"]),
            prefix=asked["match"] == "prefix",
            typos=0,
        )
        return [
            (name, value, count)
            for name, counts in engine.snapshot.counts(request, by).items()
            for value, count in list(counts.items())[:limit]
        ]

    def _tokens(self, uids: Column, fields: Column, texts: Column) -> pa.Array:
        asked = zip(uids.to_pylist(), fields.to_pylist(), texts.to_pylist(), strict=True)
        found = [
            list(enumerate(analyzer_of(self._engine(uid), field).terms(text or ""), 1))
            for uid, field, text in asked
        ]
        return struct_lists(TOKEN, found)

    def _suggestions(self, uids: Column, starts: Column, given: Column) -> pa.Array:
        rows = zip(uids.to_pylist(), starts.to_pylist(), given.to_pylist(), strict=True)
        return struct_lists(SUGGESTION, [self._suggested(*each) for each in rows])

    def _suggested(self, uid: str | None, start: str | None, given: str) -> list[tuple[str, int]]:
        limit = fitted(given, {"limit": "BIGINT"}, "suggest")["limit"]
        most = SUGGESTIONS if limit is None else max(limit, 0)
        return self._engine(uid, current=True).snapshot.suggestions(start or "", limit=most)

    def _engine(self, uid: str | None, *, current: bool = False) -> Searchable:
        if uid is None:
            raise NotFound("the name of the index is null", code="index_not_found")
        find = (self._current if current else self._find)()
        if find is None:
            raise DatabaseClosed("the database that was attached is gone; attach an open one")
        return find(uid)


def _source(engine: Searchable, uid: str, catalog: str, *, kept: bool) -> Source | None:
    if engine.record.attached is not None:
        return followed(definition_of(engine.record), catalog)
    state = engine.snapshot.state
    if kept:
        return by_name(f"{catalog}.main.{quoted(uid)}", state.columns, state.primary_key)
    return living(f"{catalog}.{engine.documents.table}", state.columns, state.primary_key)


def _marked(state: State, text: str = "h._highlight") -> str:
    """What makes the column _highlight of the JSON of it."""
    return marks(text, state.columns, state.keyword.attributes)


def _named(state: State, found: Places) -> Places:
    """The same, whose marked attributes have the names of their columns."""
    if not found.highlights:
        return found
    others = {c.attribute: name for name, c in shown(state.columns).items() if name != c.attribute}
    renamed = [{others.get(n, n): some for n, some in one.items()} for one in found.highlights]
    return replace(found, highlights=tuple(renamed))


def _shown(call: Call, made: SearchRequest, found: Places) -> Shown:
    """The hits that pass `min_score`, with the scores that SQL shows."""
    shown = scores(made, found)
    if call.min_score is None:
        return shown, found
    keep = shown >= call.min_score
    return shown[keep], found.where(keep)

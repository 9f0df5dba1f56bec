"""What can be done from a shell, and how does it end?

    hybridsearch index shop.duckdb movies movies.ndjson
    hybridsearch search shop.duckdb movies "space opera"

Results go to stdout, for a person or with --json for a program; progress and errors to stderr.
Ctrl-C finishes the batch in hand and closes the database: what was acknowledged stays. A second
one leaves at once, which costs nothing but the time to catch up at the next opening. The exit
statuses are in `exits`.

What needs the engine is loaded when a command runs, so that help comes at once.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import hybridsearch
from hybridsearch.errors import DocumentError
from hybridsearch.exits import FAILED, Commands, fill_streams, with_options
from hybridsearch.extraction import project
from hybridsearch.judging import eval_command, tune_command
from hybridsearch.options import (
    as_json,
    database_argument,
    examples,
    index_argument,
    json_settings,
    must_exist,
    must_keep,
    opened,
    print_json,
)
from hybridsearch.shell.command import sql_command
from hybridsearch.terminal import TAGS, console, loading, one_line, show_result, working

if TYPE_CHECKING:
    from hybridsearch.database import Database
    from hybridsearch.index import Index
    from hybridsearch.request import Hit, SearchResult

STDIN = "-"


def main() -> NoReturn:
    """Run the command line of this process and exit with its status."""
    fill_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    commands.main(prog_name="hybridsearch")


def _listed(context: click.Context, parameter: click.Parameter, value: Any) -> tuple[str, ...]:
    """Names given with commas, or by repeating the option."""
    return tuple(name.strip() for text in value for name in text.split(",") if name.strip())


def _names(flag: str, text: str) -> Callable[[Any], Any]:
    return click.option(flag, multiple=True, callback=_listed, metavar="A,B", help=text)


@click.group(
    cls=Commands,
    no_args_is_help=False,
    epilog=examples(
        "hybridsearch index shop.duckdb movies movies.ndjson",
        'hybridsearch search shop.duckdb movies "space opera"',
        "hybridsearch search --help",
    ),
)
@click.version_option(hybridsearch.__version__, message="%(prog)s %(version)s")
def commands() -> None:
    """Find the rows of a DuckDB file by words and by meaning."""


@commands.command(
    "index",
    epilog=examples(
        "hybridsearch index shop.duckdb movies movies.ndjson",
        "hybridsearch index shop.duckdb movies movies.ndjson --merge --searchable title,overview",
        "gzip -dc movies.ndjson.gz | hybridsearch index shop.duckdb movies - --primary-key id",
    ),
)
@database_argument
@index_argument
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--primary-key", metavar="FIELD", help="What identifies a document; else guessed.")
@click.option("--merge", is_flag=True, help="Lay fields over those of a document already there.")
@click.option("--settings", metavar="JSON|FILE", help="Settings of the index, to change first.")
@_names("--searchable", "Where words are looked for; else everywhere.")
@as_json
def index_command(path: str, name: str, files: Sequence[str], **options: Any) -> None:
    """Add documents to an index.

    Index and database are made when they are absent. FILE is a path or glob of .parquet .csv .tsv
    .ndjson .jsonl .json (also .gz), or - for JSON lines on stdin. A document takes the place of one
    with the same id.
    """
    must_keep(path)
    settings = _settings(options["settings"], options["searchable"])
    with ExitStack() as stack:
        stack.enter_context(with_options())
        sources = [stack.enter_context(_source(file)) for file in files]
        total = _count(sources)
        index = _made(stack.enter_context(hybridsearch.open(path)), name, options, settings)
        done = stack.enter_context(loading(total, shown=not options["as_json"]))
        started = time.perf_counter()
        added = _add(index, sources, options, done)
        _show_added(index, added, time.perf_counter() - started, as_json=options["as_json"])
        for doubt in index.doubts():
            click.echo(f"note: {one_line(doubt)}", err=True)


def _settings(text: str | None, searchable: Sequence[str]) -> dict[str, Any]:
    """The settings that the options make up, checked."""
    given: Any = {} if text is None else json_settings("--settings", text)
    hybridsearch.Settings().updated(given)
    return {**given, **({"searchable_attributes": list(searchable)} if searchable else {})}


@contextmanager
def _source(file: str) -> Iterator[str]:
    """The path to read; stdin is put in a file, so that its documents are kept as they were."""
    if file != STDIN:
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="hybridsearch-") as folder:
        spooled = Path(folder) / "stdin.ndjson"
        with spooled.open("wb") as target:
            shutil.copyfileobj(sys.stdin.buffer, target)
        try:
            yield str(spooled)
        except DocumentError as error:
            error.message = error.message.replace(str(spooled), "stdin")
            raise


def _count(files: Sequence[str]) -> int | None:
    """How many documents there are, if that is known. Raises InputError for a missing file."""
    counts = [import_module("hybridsearch.sources").count(file) for file in files]
    return None if None in counts else sum(counts)


def _made(
    database: Database, name: str, options: Mapping[str, Any], settings: Mapping[str, Any]
) -> Index:
    """The index, made when absent, with the settings in force."""
    if name not in [index.uid for index in database.indexes()]:
        key = options["primary_key"]
        return database.create_index(name, primary_key=key, settings=settings)
    index = database.index(name)
    if settings:
        index.update_settings(settings)
    return index


def _add(
    index: Index,
    files: Sequence[str],
    options: Mapping[str, Any],
    done: Callable[[int], None],
) -> dict[str, int]:
    """Add the documents of the files, one after the other; gives the sums of what was done."""
    sums = {"received": 0, "indexed": 0}

    def progress(documents: int) -> None:
        sums["received"] += documents
        done(documents)

    mode, key = "merge" if options["merge"] else "replace", options["primary_key"]
    try:
        for file in files:
            task = index.add(file, mode=mode, primary_key=key, progress=progress)
            sums["indexed"] += task.details["indexed_documents"]
    except KeyboardInterrupt:
        click.echo(f"stopping after {sums['received']:,} documents and the batch in hand", err=True)
        raise
    return sums


def _show_added(index: Index, added: Mapping[str, int], seconds: float, *, as_json: bool) -> None:
    rate = added["received"] / seconds
    if as_json:
        print_json(
            {
                "index": index.uid,
                "documents": added["received"],
                "indexed": added["indexed"],
                "seconds": seconds,
                "documents_per_second": rate,
                "total": index.count(),
            }
        )
        return
    click.echo(
        f"{index.uid}: {_documents(added['received'])} in {seconds:.2f} s"
        f" ({rate:,.0f} documents/s); the index holds {index.count():,}"
    )


@commands.command(
    "search",
    epilog=examples(
        'hybridsearch search shop.duckdb movies "space opera"',
        'hybridsearch search shop.duckdb movies "ship" --filter "year > 1970" --sort year:desc',
        'hybridsearch search shop.duckdb movies "robots" --mode keyword --json --fields id,title',
    ),
)
@database_argument
@index_argument
@click.argument("query")
@click.option("--mode", metavar="MODE", help="hybrid, keyword or semantic; hybrid if it can.")
@click.option("--limit", type=int, default=10, show_default=True, help="Hits at most.")
@click.option("--offset", type=int, default=0, show_default=True, help="Hits to pass over.")
@click.option("--filter", multiple=True, metavar="EXPR", help='As "year > 1990 AND genre = Drama".')
@_names("--sort", "As year:desc,title:asc; the first decides.")
@_names("--facets", "Count the values of these fields; * for all.")
@click.option("--fusion", help="rrf, score, linear or dbsf; else as the index is set.")
@click.option("--boost", metavar="FORMULA", help='Multiplies scores: "1 + ln(1 + sold)".')
@click.option("--diversity", type=float, default=0.0, help="0 to 1: keep near-copies apart.")
@click.option("--explain", is_flag=True, help="Say how each score came about.")
@_names("--fields", "Show these fields; else a title and the piece that matches.")
@as_json
def search_command(path: str, name: str, query: str, **options: Any) -> None:
    """Print the documents that fit a query best.

    An empty QUERY gives every document; before one that begins with a minus stands --, as in
    `search DB INDEX -- "-word"`. A hit shows its score, its id and its rank in the arms that found
    it.
    """
    plain = ("mode", "limit", "offset", "fusion", "boost", "diversity", "explain")
    wanted = {key: options[key] for key in plain}
    fields, in_json = options["fields"], options["as_json"]
    highlight = () if in_json else ("*",)
    filters = options["filter"]
    wanted["filter"] = filters[0] if len(filters) == 1 else filters or None
    wanted.update(highlight=highlight, highlight_tags=TAGS)
    wanted.update(sort=options["sort"], facets=options["facets"])
    with opened(path) as database:
        result = database.index(name).search(query, **wanted)
    start = options["offset"] + 1
    if in_json:
        print_json(_result_json(result, start, fields))
    else:
        show_result(console(), result, start=start, fields=fields)


def _result_json(result: SearchResult, start: int, fields: Sequence[str]) -> dict[str, Any]:
    return {
        "hits": [_hit_json(hit, rank, fields) for rank, hit in enumerate(result, start)],
        "total": result.total,
        "mode": result.mode,
        "degraded": result.degraded,
        "seconds": result.seconds,
        "facets": dict(result.facets),
        "facet_stats": dict(result.facet_stats),
    }


def _hit_json(hit: Hit, rank: int, fields: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"rank": rank, "id": hit.id, "score": hit.score}
    for name in ("keyword_rank", "semantic_rank", "keyword_score", "semantic_score"):
        found[name] = getattr(hit, name)
    found["document"] = project(hit.document, fields) if fields else hit.document
    if hit.explanation is not None:
        found["explanation"] = hit.explanation
    return found


@commands.command(
    "check",
    epilog=examples("hybridsearch check shop.duckdb", "hybridsearch check shop.duckdb --json"),
)
@database_argument
@as_json
@click.pass_context
def check_command(context: click.Context, path: str, *, as_json: bool) -> None:
    """Say which files beside a database are damaged.

    Every byte is read and nothing is changed. Exits with 1 when there is something; `hybridsearch
    rebuild` repairs it.
    """
    must_exist(path)
    with working(f"reading the files of {path}", shown=not as_json):
        problems = hybridsearch.check(path)
    if as_json:
        print_json({"problems": problems})
    else:
        click.echo("\n".join(map(one_line, problems)) or f"{path}: no problems found")
    if problems:
        context.exit(FAILED)


@commands.command(
    "rebuild",
    epilog=examples(
        "hybridsearch rebuild shop.duckdb",
        "hybridsearch rebuild shop.duckdb movies --no-reuse-vectors",
    ),
)
@database_argument
@click.argument("name", metavar="[INDEX]", required=False)
@click.option("--no-reuse-vectors", is_flag=True, help="Embed all documents anew.")
@as_json
def rebuild_command(path: str, name: str | None, **options: Any) -> None:
    """Write the files beside a database anew.

    They are made from the documents of one index, or of every one. The database answers from the
    files before until the new ones are complete.
    """
    done = []
    with opened(path) as database:
        for index in [database.index(name)] if name else database.indexes():
            started = time.perf_counter()
            with working(f"rebuilding {index.uid}", shown=not options["as_json"]):
                index.rebuild(reuse_vectors=not options["no_reuse_vectors"])
            seconds = time.perf_counter() - started
            done.append({"index": index.uid, "documents": index.count(), "seconds": seconds})
    if options["as_json"]:
        print_json({"rebuilt": done})
        return
    for one in done:
        click.echo(f"{one['index']}: {_documents(one['documents'])} in {one['seconds']:.2f} s")


@commands.command("drop", epilog=examples("hybridsearch drop shop.duckdb movies"))
@database_argument
@index_argument
@as_json
def drop_command(path: str, name: str, *, as_json: bool) -> None:
    """Remove an index with its documents.

    Of one that follows a table of yours the table stays.
    """
    with opened(path) as database:
        count = database.index(name).count()
        database.drop_index(name)
    if as_json:
        print_json({"index": name, "documents": count})
    else:
        click.echo(f"{name}: removed with {_documents(count)}")


@commands.command(
    "serve",
    epilog=examples(
        "hybridsearch serve shop.duckdb",
        "hybridsearch serve shop.duckdb --port 8000 --master-key correct-horse-battery",
        "hybridsearch serve shop.duckdb --import-dump 20261122-153000123.dump",
    ),
)
@database_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=7700, show_default=True)
@click.option(
    "--master-key",
    metavar="KEY",
    envvar="HYBRIDSEARCH_MASTER_KEY",
    help="Who has it may do everything; also from HYBRIDSEARCH_MASTER_KEY.",
)
@click.option("--no-default-embedder", is_flag=True, help="Indexes have only embedders they name.")
@_names(
    "--allow-network",
    "Where embedding services and webhooks may be: loopback, private, 10.1.0.0/16.",
)
@click.option("--import-dump", metavar="FILE", help="Make the database from a dump first.")
@click.option("--import-snapshot", metavar="FILE", help="Make it from a snapshot first.")
@click.option("--ignore-missing-dump", is_flag=True, help="Go on without a dump.")
@click.option("--ignore-dump-if-db-exists", is_flag=True, help="Serve a database that is there.")
@click.option("--ignore-missing-snapshot", is_flag=True, help="Go on without a snapshot.")
@click.option("--ignore-snapshot-if-db-exists", is_flag=True, help="As that for dumps.")
def serve_command(path: str, *, no_default_embedder: bool, **options: Any) -> None:
    """Answer over HTTP, as Meilisearch does.

    The database is made when it is absent, empty or from a dump, ours or Meilisearch's. Ctrl-C
    finishes the requests and the task in hand.
    """
    serving = import_module("hybridsearch.server.serving")
    master_key = options["master_key"] or None
    serving.check_address(options["host"], master_key)
    embedder = None if no_default_embedder else "static"
    opening = {"default_embedder": embedder, "allowed_networks": options["allow_network"]}
    with (
        closing(serving.listener(options["host"], options["port"])) as listening,
        ExitStack() as on,
    ):
        _import(Path(path), options, opening)
        database = on.enter_context(hybridsearch.open(path, **opening, second_process=True))
        app = import_module("hybridsearch.server").app_for(
            database, master_key=master_key, allowed_networks=options["allow_network"]
        )
        address, port = listening.getsockname()[:2]
        name = f"[{address}]" if ":" in address else address
        click.echo(f"serving {path} on http://{name}:{port} (Ctrl-C ends it)", err=True)
        serving.serve(app, listening)


def _import(path: Path, options: Mapping[str, Any], opening: Mapping[str, Any]) -> None:
    """Make the database from what the options name, if they do."""
    import_module("hybridsearch.restoring").clear(path)
    kinds = [kind for kind in ("dump", "snapshot") if options[f"import_{kind}"]]
    if len(kinds) > 1:
        raise click.UsageError("give one of --import-dump and --import-snapshot")
    for kind in kinds:
        file = Path(options[f"import_{kind}"])
        if path.exists() and options[f"ignore_{kind}_if_db_exists"]:
            continue
        if not file.exists() and options[f"ignore_missing_{kind}"]:
            continue
        restoring = import_module("hybridsearch.restoring")
        with loading(None) as done:
            told = {"progress": done} if kind == "dump" else {}
            found = getattr(restoring, f"import_{kind}")(path, file, **told, **opening)
        for line in found.left:
            click.echo(f"left out: {one_line(line)}", err=True)
        indexes = f"{found.indexes} index{'' if found.indexes == 1 else 'es'}"
        click.echo(f"imported {indexes} with {_documents(found.documents)} from {file}", err=True)


@commands.command(
    "demo",
    epilog=examples(
        "hybridsearch demo", "hybridsearch demo --path docs.duckdb", "hybridsearch demo --json"
    ),
)
@click.option("--path", metavar="DB", help="Where to keep the database; else a temporary folder.")
@click.option("--limit", type=click.IntRange(1, 50), default=5, show_default=True, help="Hits.")
@as_json
def demo_command(path: str | None, limit: int, *, as_json: bool) -> None:
    """Index Python's documentation and ask it questions.

    Words, meaning and both together stand side by side. Takes some seconds, downloads nothing,
    and leaves the database to try more on.
    """
    demo = import_module("hybridsearch.demo")
    with _kept(path) as where, loading(None, shown=not as_json) as done:
        found = demo.run(where, limit=limit, progress=done)
    if as_json:
        print_json(found.to_json())
    else:
        demo.show(console(), found)


@contextmanager
def _kept(path: str | None) -> Iterator[Path]:
    """Where the database goes; a folder made for it is removed when it does not come about."""
    if path is not None:
        yield Path(path)
        return
    folder = Path(tempfile.mkdtemp(prefix="hybridsearch-demo-"))
    try:
        yield folder / "docs.duckdb"
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


for one in (sql_command, eval_command, tune_command):
    commands.add_command(one)


def _documents(count: Any) -> str:
    return f"{count:,} document{'' if count == 1 else 's'}"

"""The package is one total order: a module imports only what stands above it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hybridsearch"
LIST = """
errors turns expressions collecting cache arrays jsontext assets
folding languages
setting_values filterable embedder_settings word_settings
fusion_settings kept_settings settings request
documents tables delimited sources
geo filters.tree filters.tokens filters.grammar filters.lowering filters
segmentation analysis localized
phrases
query query_language fusion diversity highlight excerpts extraction templates embedded_texts facets
files course columns
payloads migrations database_file store task_log
sorting boosting nested_values document_ids views document_table
manifest intake row_ids definition origin defining prints change_log
vocabulary wordlists ties keyword_plan keyword_parts keyword_terms keyword_questions
keyword_bodies keyword_scores keyword_hits keyword_units keyword_postings keyword_kept
keyword_layouts keyword_snapshot keyword
synonyms word_forms spelling suggesting
vectors.codes vectors.segments vectors.nearest vectors.index vectors
embedders embedders.static embedders.function embedders.provided
embedders.hurried
outbound embedders.kept embedders.onnx embedders.shapes embedders.outage embedders.rest
embedders.making
generation piecework aside preparation presence selection state planning relevance ranking arranging
explaining similar questions batches snapshot engine openings
writes tasks
refreshing attaching freshness whereabouts copies attached sql.indexing
sql.matching sql.whole_rows sql.calls sql.relation sql.raised sql.hits sql.asking sql.rows
sql.batches sql.holders sql.marks sql.signatures sql.functions sql.permission sql sql.tokens
sql.levels sql.items sql.pushdown sql.named sql.boundaries sql.operators sql.parameters
sql.semijoins sql.lowering sql.constants
sql.definitions sql.emitting sql.explaining sql.scoring sql.snippets sql.naming sql.ahead
sql.telling sql.transactions sql.session
sql.seen sql.lent sql.connection sql.sealed
index dumping chores inspection leaving database restoring
evaluate
server.wire server.fields server.key_store server.webhook_store server.figures
server.access server.bodies server.threads server.call
server.formatting server.search_fields server.ranking_details server.search_answers
server.search server.facet_search server.similar server.joint_order server.federation
server.multi_search
server.health server.task_views server.tasks server.indexes server.documents server.settings
server.keys server.webhooks server.stats server.attributes server.experimental server.rendering
server.backups server.telling
server.sql
server.operations server.bulk server.pages server.openapi
server.routes server.reference server.app server.serving server
stdlib_docs terminal exits arms tuning options judging demo
shell.statements shell.layout shell.answers shell.names shell.prompt shell.session shell.command
shell cli
"""
ORDER = LIST.split()
OWNERS = {
    "tantivy": {
        *(
            "keyword",
            "keyword_bodies",
            "keyword_hits",
            "keyword_questions",
            "keyword_snapshot",
            "keyword_terms",
        ),
    },
    "duckdb": {
        *(
            "database_file",
            "migrations",
            "sources",
            "tables",
            "sql.functions",
            "sql.sealed",
            "sql.session",
        ),
        "sql.signatures",
        *(
            "sql.connection",
            "sql.telling",
            "sql.transactions",
            "sql.seen",
            "sql.lent",
            "shell.answers",
        ),
        *("origin", "defining", "change_log"),
    },
    "sqlglot": {"filters.tree", "filters.grammar", "filters.lowering"},
    "pyarrow": {
        *("request", "sources", "tables", "delimited"),
        *("columns", "payloads", "store", "document_ids", "document_table", "facets"),
        *("sql.relation", "sql.hits", "sql.holders", "sql.marks", "sql.functions", "sql.sealed"),
        *("sql.raised", "sql.signatures"),
        *("row_ids", "sql.indexing"),
        *("server.bodies", "server.sql", "shell.answers"),
        *("sql.ahead", "sql.batches", "sql.connection", "copies", "sql.rows"),
    },
    "tokenizers": {"embedders.static", "embedders.onnx"},
    "liquid": {"templates"},
    "httpx2": {"outbound"},
    "onnxruntime": {"embedders.onnx"},
    "huggingface_hub": {"embedders.onnx"},
    "safetensors": {"embedders.static"},
    "Stemmer": {"analysis"},
    "rapidfuzz": {"vocabulary"},
    "starlette": {"server.app", "server.serving"},
    "jwt": {"server.access"},
    "prometheus_client": {"server.figures"},
    "uvicorn": {"server.serving"},
    "httptools": {"server.serving"},
    "click": {"options", "judging", "cli", "exits", "shell.command"},
    "rich": {"terminal", "cli", "shell.layout", "shell.session"},
    "prompt_toolkit": {"shell.prompt"},
    "orjson": {
        *("jsontext", "request", "documents", "tables", "delimited", "sources"),
        *("store", "manifest", "server.sql"),
    },
}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in names if name.removeprefix("hybridsearch.") in ORDER}
            found |= names if names == modules else names | {node.module or ""}
    return found


def path_of(module: str) -> Path:
    path = PACKAGE / module.replace(".", "/")
    file = path.with_suffix(".py")
    return file if file.is_file() else path / "__init__.py"


@pytest.mark.parametrize("module", ORDER)
def test_module_imports_only_what_stands_above(module: str) -> None:
    ours = {name.removeprefix("hybridsearch.") for name in imports(path_of(module))}
    above = set(ORDER[: ORDER.index(module)])
    assert ours & set(ORDER) <= above


@pytest.mark.parametrize("module", ORDER)
def test_third_party_library_is_imported_by_its_owner_only(module: str) -> None:
    roots = {name.split(".")[0] for name in imports(path_of(module))}
    assert {library for library, owners in OWNERS.items() if module not in owners} & roots == set()


def test_every_module_has_a_place() -> None:
    files = {".".join(p.relative_to(PACKAGE).with_suffix("").parts) for p in PACKAGE.rglob("*.py")}
    names = {f.removesuffix(".__init__") for f in files if f not in ("__init__", "__main__")}
    assert names == set(ORDER)

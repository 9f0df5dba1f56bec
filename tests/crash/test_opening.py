"""What does opening do with a file that is locked, foreign, newer, or left by a killed process?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

import hybridsearch
from hybridsearch.errors import (
    DatabaseClosed,
    DatabaseLocked,
    FormatTooNew,
    StorageError,
)

ROOT = Path(__file__).parents[2]
OPEN_AND_SAY_SO = """
import sys, hybridsearch
with hybridsearch.open(sys.argv[1], default_embedder=None) as db:
    print("open", flush=True)
    sys.stdin.read()
"""
SEARCH = """
import sys, hybridsearch
with hybridsearch.open(sys.argv[1], default_embedder=None) as db:
    db.index("notes").search("first")
"""
ACCEPT_MUCH = """
import os, signal, sys, hybridsearch
db = hybridsearch.open(sys.argv[1], default_embedder=None)
index = db.create_index("notes", primary_key="id")
for version in range(40):
    index.add([{"id": 1, "version": version}, {"id": 2 + version}], wait=False)
    if version % 8 == 5:
        index.delete(ids=[2], wait=False)
        index.add([{"id": 1, f"seen{version}": True}], mode="merge", wait=False)
print("accepted", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def started(script: str, *arguments: object, before: Sequence[str] = ()) -> subprocess.Popen[str]:
    """A Python process that runs the script; `before` stands before its command."""
    command = [*before, sys.executable, "-c", script, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT, text=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed database with one document."""
    path = tmp_path / "shop.duckdb"
    with hybridsearch.open(path, default_embedder=None) as db:
        db.create_index("notes", primary_key="id").add([{"id": 1, "title": "first"}])
    return path


def test_a_second_process_is_turned_away_at_once(path: Path) -> None:
    with started(OPEN_AND_SAY_SO, path) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(DatabaseLocked):  # without waiting: the other goes on until it is told
            hybridsearch.open(path)
        assert other.poll() is None
        other.communicate("")
    with hybridsearch.open(path, default_embedder=None) as db:
        assert db.index("notes").count() == 1


def test_a_second_opening_in_one_process_is_turned_away(path: Path) -> None:
    with hybridsearch.open(path), pytest.raises(DatabaseLocked):
        hybridsearch.open(path)


def test_a_file_that_this_process_reads_otherwise_is_told(path: Path) -> None:
    with (
        duckdb.connect(str(path), read_only=True),
        pytest.raises(DatabaseLocked, match="open in this process with other settings"),
    ):
        hybridsearch.open(path)
    hybridsearch.open(path).close()


def test_a_link_leads_to_the_database_and_its_folder(path: Path) -> None:
    link = path.with_name("link.duckdb")
    link.symlink_to(path.name)
    assert hybridsearch.check(link) == []
    with hybridsearch.open(link) as db:
        assert db.index("notes").search("first").total == 1
    assert not link.with_name("link.duckdb.search").exists()


def test_a_file_in_the_place_of_the_side_folder_is_told(path: Path) -> None:
    folder = path.with_name("shop.duckdb.search")
    shutil.rmtree(folder)
    folder.touch()
    with (
        hybridsearch.open(path, default_embedder=None) as db,
        pytest.raises(StorageError, match=r"move .*search away: what belongs in it is built anew"),
    ):
        db.index("notes").search("first")


def test_a_newer_format_is_refused(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE hybridsearch.meta SET value = '999' WHERE name = 'format'")
    with pytest.raises(FormatTooNew, match="999"):
        hybridsearch.open(path)


@pytest.mark.parametrize("size", [0, 1, 100, 20_000])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, size: int) -> None:
    path = tmp_path / "clock.duckdb"  # a name with "lock" in it is no sign of another process
    path.write_bytes(b"\x07" * size)
    with pytest.raises(StorageError) as caught:
        hybridsearch.open(path)
    assert not isinstance(caught.value, DatabaseLocked)
    assert path.read_bytes() == b"\x07" * size


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9])
def test_a_damaged_database_file_is_refused_or_read_but_never_ends_the_process(
    path: Path, part: float
) -> None:
    data = bytearray(path.read_bytes())
    data[int(part * len(data))] ^= 0xFF
    path.write_bytes(data)
    with started(OPEN_AND_SAY_SO, path) as other:
        _, errors = other.communicate("")
    assert other.returncode in (0, 1)
    assert other.returncode == 0 or "hybridsearch.errors." in errors.splitlines()[-1], errors


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        hybridsearch.open(tmp_path / "no" / "shop.duckdb")


def test_tasks_of_a_killed_process_are_done_in_order(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with started(ACCEPT_MUCH, path) as other:
        said, errors = other.communicate()
    assert (said, other.returncode) == ("accepted\n", -signal.SIGKILL), errors
    with hybridsearch.open(path, default_embedder=None) as db:
        for task in db.tasks():
            assert db.wait(task.uid, timeout=30).status == "succeeded"
        index = db.index("notes")
        assert index.get(1) == {"id": 1, "version": 39}
        assert index.count() == 40
        assert len(index.search("", limit=100).hits) == 40
    assert hybridsearch.check(path) == []


ADD_INTO_A_READ_ONLY_FOLDER = """
import sys, hybridsearch
from hybridsearch.errors import StorageError
with hybridsearch.open(sys.argv[1], default_embedder=None) as db:
    index = db.index("notes")
    index.count()
    print("open", flush=True)
    sys.stdin.readline()
    try:
        index.add([{"id": 2, "title": "second"}])
    except StorageError as error:
        print(type(error).__name__, flush=True)
"""
WITHOUT_ROOTS_RIGHT = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def as_anybody() -> list[str]:
    """What to put before a command so that folders that are read-only hold for it too."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write in a read-only folder, and there is no setpriv to forbid it")
    return WITHOUT_ROOTS_RIGHT


def test_a_read_only_folder_is_a_storage_error_and_harms_nothing(path: Path) -> None:
    folders = [item for item in path.with_name("shop.duckdb.search").rglob("*") if item.is_dir()]
    with started(ADD_INTO_A_READ_ONLY_FOLDER, path, before=as_anybody()) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        for folder in folders:
            folder.chmod(0o500)
        said, errors = other.communicate("\n")
        for folder in folders:
            folder.chmod(0o700)
    assert (said, other.returncode) == ("IndexBehind\n", 0), errors
    with hybridsearch.open(path, default_embedder=None) as db:
        assert db.index("notes").get(1) == {"id": 1, "title": "first"}
        assert db.index("notes").search("second").total == 1
    assert hybridsearch.check(path) == []


def test_a_database_that_may_not_be_written_is_said_to_be_that(path: Path) -> None:
    path.chmod(0o400)
    with started(OPEN_AND_SAY_SO, path, before=as_anybody()) as other:
        _, errors = other.communicate("")
    assert "shop.duckdb, which may not be written: " in errors.splitlines()[-1]


def test_a_folder_where_no_database_can_be_made_is_said_to_be_that(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with started(OPEN_AND_SAY_SO, tmp_path / "a.duckdb", before=as_anybody()) as other:
        _, errors = other.communicate("")
    tmp_path.chmod(0o700)
    assert "a.duckdb: nothing may be written in " in errors.splitlines()[-1]


def test_side_files_that_may_not_be_written_are_not_taken_for_damaged(path: Path) -> None:
    text = path.with_name("shop.duckdb.search") / "1" / "1" / "text"
    text.chmod(0o500)
    with started(SEARCH, path, before=as_anybody()) as other:
        _, errors = other.communicate("")
    text.chmod(0o700)
    assert errors.splitlines()[-1].endswith("keep others out; permit it")
    assert "built anew" not in errors


CATCH_UP_BY_ITSELF = """
import sys, time, hybridsearch
from hybridsearch.task_log import TaskFilter
with hybridsearch.open(sys.argv[1], default_embedder=None) as db:
    index = db.index("notes")
    index.count()
    print("open", flush=True)
    sys.stdin.readline()
    task = index.add([{"id": 2, "title": "second"}], wait=False)
    shown = TaskFilter(uids=[task.uid])
    while not db.queue.idle():
        time.sleep(.01)
    print(index.search("second").total, db.queue.find(shown)[0][0].status, flush=True)
    sys.stdin.readline()
    for _ in range(600):
        if index.search("second").total:
            break
        time.sleep(.05)
    while db.queue.find(shown)[0][0].status == "processing":
        time.sleep(.01)
    print(index.search("second").total, db.queue.find(shown)[0][0].status, flush=True)
"""


def test_what_is_behind_catches_up_by_itself_when_the_disk_is_well_again(path: Path) -> None:
    folders = [item for item in path.with_name("shop.duckdb.search").rglob("*") if item.is_dir()]
    with started(CATCH_UP_BY_ITSELF, path, before=as_anybody()) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"
        for folder in folders:
            folder.chmod(0o500)
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.stdout.readline() == "0 processing\n"
        for folder in folders:
            folder.chmod(0o700)
        said, errors = other.communicate("\n")
    assert (said, other.returncode) == ("1 succeeded\n", 0), errors


ADD_AND_OPEN_AGAIN = """
import sys, time, hybridsearch
from hybridsearch.errors import IndexBehind
from hybridsearch.task_log import TaskFilter

def tell(index, db, uid):
    found = [index.search(word, mode="keyword").total for word in ("first", "other", "second")]
    near = sorted(hit.id for hit in index.search("anything", mode="semantic").hits)
    [task] = db.queue.find(TaskFilter(uids=[uid]))[0]
    print(*found, near, index.count(), index.stats()["behind"], task.status, flush=True)

with hybridsearch.open(sys.argv[1]) as db:
    task = db.index("notes").add(
        [{"id": 1, "title": "other"}, {"id": 2, "title": "second"}], wait=False
    )
    try:
        db.wait(task.uid)
    except IndexBehind:
        print("behind", flush=True)
with hybridsearch.open(sys.argv[1]) as db:
    index = db.index("notes")
    tell(index, db, task.uid)
    try:
        db.wait(task.uid)
    except IndexBehind:
        print("behind", flush=True)
    sys.stdin.readline()
    while index.stats()["behind"] or not db.queue.idle():
        time.sleep(.05)
    while db.queue.find(TaskFilter(uids=[task.uid]))[0][0].status == "processing":
        time.sleep(.05)
    tell(index, db, task.uid)
"""


@pytest.mark.parametrize(
    ("closed", "told"),
    [
        ("1/1/vectors/default", "1 0 0 [1] 1 True processing"),
        ("1/1", "0 1 1 [1, 2] 2 True processing"),  # the manifest alone is not written
    ],
)
def test_an_index_that_cannot_catch_up_is_searched_as_one_whole_state(
    tmp_path: Path, closed: str, told: str
) -> None:
    path = tmp_path / "shop.duckdb"
    with hybridsearch.open(path) as db:
        db.create_index("notes", primary_key="id").add([{"id": 1, "title": "first"}])
    folder = path.with_name("shop.duckdb.search") / closed
    folder.chmod(0o500)
    with started(ADD_AND_OPEN_AGAIN, path, before=as_anybody()) as other:
        assert other.stdout is not None
        assert [other.stdout.readline().strip() for _ in range(3)] == ["behind", told, "behind"]
        folder.chmod(0o700)
        said, errors = other.communicate("\n")
    assert (said, other.returncode) == ("0 1 1 [1, 2] 2 False succeeded\n", 0), errors
    assert 'index "notes" is searched as its files are: could not write' in errors
    assert hybridsearch.check(path) == []


CHANGE_A_TABLE = """
import sys
from pathlib import Path
import hybridsearch
from tests.unit.front_end import settle
path = Path(sys.argv[1])
with hybridsearch.open(path, default_embedder=None) as db, db.connect() as con:
    con.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, title VARCHAR)")
    con.execute("INSERT INTO t VALUES (1, 'old word')")
    con.execute("CREATE SEARCH INDEX i ON t (title)")
    next(path.with_name("t.duckdb.search").glob("*/*/text")).chmod(0o500)
    con.execute("UPDATE t SET title = 'new word'")
    found = "SELECT * FROM search('i', 'word', k := 5)"
    con.execute(found).fetchall()
    settle(path)
    con.execute(found).fetchall()
    print(con.execute(found).fetchall()[0][1])
    print(db.index("i").stats()["behind"])
"""


def test_columns_are_those_of_the_table_while_the_index_is_behind(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with started(CHANGE_A_TABLE, path, before=as_anybody()) as other:
        said, errors = other.communicate()
    next(path.with_name("t.duckdb.search").glob("*/*/text")).chmod(0o700)
    assert said.splitlines() == ["new word", "True"], errors


GROW_UNTIL_FULL = """
import resource, signal, sys, hybridsearch
from hybridsearch.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
done = -1
try:
    with hybridsearch.open(sys.argv[1], default_embedder=None) as db:
        index = db.index("notes")
        for number in range(200):
            text = " ".join(f"word{number}x{i}" for i in range(4000))
            index.add([{"id": 10 + number, "title": text}])
            done = number
except StorageError as error:
    print(done, type(error).__name__, flush=True)
"""


@pytest.mark.parametrize("limit", [40_000, 300_000, 1_000_000])
def test_a_full_disk_keeps_every_acknowledged_document(path: Path, limit: int) -> None:
    with started(GROW_UNTIL_FULL, path, limit) as other:
        said, errors = other.communicate()
    assert other.returncode == 0, errors
    done = int(said.split()[0])
    with hybridsearch.open(path, default_embedder=None) as db:
        index = db.index("notes")
        for task in db.tasks():
            if task.status in ("enqueued", "processing"):
                db.wait(task.uid, timeout=30)
        kept = {hit.id for hit in index.search("", limit=1000).hits}
        found = [index.search(f"word{n}x77", mode="keyword").hits[0].id for n in range(done + 1)]
    assert {1, *range(10, 11 + done)} <= kept <= {1, *range(10, 12 + done)}
    assert found == list(range(10, 11 + done))
    assert hybridsearch.check(path) == []


def test_after_closing_everything_says_that_it_is_closed(path: Path) -> None:
    db = hybridsearch.open(path, default_embedder=None)
    index = db.index("notes")
    db.close()
    for call in (
        lambda: index.add([{"id": 5}]),
        lambda: index.search("first"),
        lambda: index.get(1),
        lambda: index.count(),
        db.indexes,
        db.tasks,
        db.connect,
        lambda: db.create_index("more"),
    ):
        with pytest.raises(DatabaseClosed):
            call()


def test_the_side_folder_of_another_database_is_not_believed(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.duckdb"
    with hybridsearch.open(other, default_embedder=None) as db:
        db.create_index("notes", primary_key="id").add([{"id": 2, "title": "stranger"}])
    shutil.rmtree(path.with_name(path.name + ".search"))
    shutil.copytree(other.with_name(other.name + ".search"), f"{path}.search")
    assert "another database" in hybridsearch.check(path)[0]
    with hybridsearch.open(path, default_embedder=None) as db:
        assert [hit.id for hit in db.index("notes").search("first stranger").hits] == [1]
    assert hybridsearch.check(path) == []


def test_a_side_folder_that_went_missing_is_built_anew(path: Path) -> None:
    shutil.rmtree(path.with_name(path.name + ".search"))
    assert "no files" in hybridsearch.check(path)[0]
    with hybridsearch.open(path, default_embedder=None) as db:
        assert [hit.id for hit in db.index("notes").search("first").hits] == [1]
    assert hybridsearch.check(path) == []


def test_a_side_folder_that_goes_missing_while_it_is_open_is_built_anew(path: Path) -> None:
    folder = path.with_name(path.name + ".search")
    with hybridsearch.open(path) as db:
        index = db.index("notes")
        assert index.search("first").total == 1
        shutil.rmtree(folder)
        assert index.search("first").total == 1
        index.add([{"id": 2, "title": "second"}])
        assert [hit.id for hit in index.search("second", mode="keyword").hits] == [2]
        shutil.rmtree(folder)
        index.rebuild()
        index.add([{"id": 3, "title": "third"}])
        assert [hit.id for hit in index.search("third", mode="keyword").hits] == [3]
        assert index.search("first second third", mode="keyword").total == 3
    assert hybridsearch.check(path) == []

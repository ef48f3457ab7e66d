"""Writing: the old file or the new one, whatever happens, and nobody's edits are lost."""

import contextlib
import inspect
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from gridplan.errors import MachineError
from gridplan.outputs import (
    check_target,
    digest_file,
    lock_output,
    replace_file,
    settle_wal,
    verify_gpkg,
    write_bytes,
    write_text,
)

ROOT = Path(__file__).parents[1]


def make_gpkg(path: Path, rows: int, filler: int = 10) -> None:
    """Write the smallest file that verify_gpkg takes for a GeoPackage."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE gpkg_contents (table_name TEXT)")
        db.execute("INSERT INTO gpkg_contents VALUES ('grids')")
        db.execute("CREATE TABLE grids (fid INTEGER PRIMARY KEY, text TEXT)")
        db.executemany("INSERT INTO grids (text) VALUES (?)", [("x" * filler,)] * rows)
        db.commit()


def rows_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
        return db.execute("SELECT count(*) FROM grids").fetchone()[0]


def key_of(caught) -> str:
    assert caught.value.exit_code == 6
    finding, = caught.value.findings
    assert finding.what("zh")
    assert finding.mend("en")
    return finding.key.removeprefix("outputs.")


@contextlib.contextmanager
def child(code: str, *arguments: object):
    """Run Python code in a process of its own until it prints a line; kill it at the end."""
    head = ("import sys, os, sqlite3, time\nfrom pathlib import Path\n"
            f"sys.path.insert(0, {str(ROOT)!r})\n")
    process = subprocess.Popen([sys.executable, "-c", head + textwrap.dedent(code),
                                *map(str, arguments)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        process.first = process.stdout.readline().strip()
        yield process
    finally:
        process.kill()
        process.communicate()


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


# ---- plain writes ----

def test_bytes_and_text_are_written_and_nothing_else_is_left(tmp_path):
    assert write_bytes(tmp_path / "a.bin", b"\0\1").path == tmp_path / "a.bin"
    assert write_text(tmp_path / "中文 😀.txt", "户\r\n").copied is False
    assert (tmp_path / "a.bin").read_bytes() == b"\0\1"
    assert (tmp_path / "中文 😀.txt").read_bytes() == "户\r\n".encode()
    assert names(tmp_path) == ["a.bin", "中文 😀.txt"]


def test_the_longest_name_of_a_file_can_be_written(tmp_path):
    name = "x" * 250 + ".gpkg"
    replace_file(tmp_path / name, lambda p: make_gpkg(p, 1))
    assert names(tmp_path) == [name]


def test_a_link_is_followed_and_the_mode_stays(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640


def test_a_writer_that_fails_leaves_the_old_file_and_its_own_error(tmp_path):
    write_text(tmp_path / "a.txt", "old")

    def write(path: Path) -> None:
        path.write_text("half")
        raise TypeError("our bug")

    with pytest.raises(TypeError, match="our bug"):
        replace_file(tmp_path / "a.txt", write)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("damage", [
    lambda p: p.write_bytes(p.read_bytes()[:5000]),
    lambda p: p.write_bytes(p.read_bytes()[:8192] + bytes(4096) + p.read_bytes()[12288:]),
    lambda p: p.write_bytes(b""),
    lambda p: p.write_bytes(b"<html>")])
def test_b41_b42_a_damaged_write_never_replaces_the_old_file(tmp_path, damage):
    target = tmp_path / "plan.gpkg"
    replace_file(target, lambda p: make_gpkg(p, 5))

    def write(path: Path) -> None:
        make_gpkg(path, 5000)
        damage(path)

    with pytest.raises(MachineError) as caught:
        replace_file(target, write)
    assert key_of(caught) == "damaged"
    assert caught.value.findings[0].file == "plan.gpkg"
    assert rows_of(target) == 5
    assert names(tmp_path) == ["plan.gpkg"]


def test_rows_are_counted_after_writing(tmp_path):
    with pytest.raises(MachineError) as caught:
        replace_file(tmp_path / "plan.gpkg", lambda p: make_gpkg(p, 5),
                     verify=lambda p: verify_gpkg(p, {"grids": 6}))
    assert key_of(caught) == "wrong_count"
    assert names(tmp_path) == []
    make_gpkg(tmp_path / "plan.gpkg", 5)
    with pytest.raises(MachineError, match="units"):
        verify_gpkg(tmp_path / "plan.gpkg", {"units": 0})


def test_a_check_that_fails_leaves_nothing(tmp_path):
    def lie(path: Path) -> None:
        raise MachineError
    with pytest.raises(MachineError):
        replace_file(tmp_path / "a", lambda p: p.write_bytes(b"x"), verify=lie)
    assert names(tmp_path) == []


# ---- B59: before the work begins ----

def test_b59_an_absent_folder_is_told(tmp_path):
    with pytest.raises(MachineError) as caught:
        check_target(tmp_path / "none" / "plan.gpkg")
    assert key_of(caught) == "absent_folder"
    assert str(tmp_path) not in str(caught.value)


def test_b59_a_folder_is_no_file(tmp_path):
    (tmp_path / "plan.gpkg").mkdir()
    with pytest.raises(MachineError) as caught:
        check_target(tmp_path / "plan.gpkg")
    assert key_of(caught) == "is_directory"


def test_b59_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(MachineError):
        check_target(tmp_path / "file" / "plan.gpkg")


def test_b59_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MachineError) as caught:
        check_target(tmp_path / "pipe")
    assert key_of(caught) == "not_a_file"


def test_b59_a_write_protected_file_stays_for_the_administrator_too(tmp_path):
    (tmp_path / "plan.gpkg").write_text("x")
    (tmp_path / "plan.gpkg").chmod(0o444)
    with pytest.raises(MachineError) as caught:
        write_text(tmp_path / "plan.gpkg", "y")
    assert key_of(caught) == "read_only"
    assert (tmp_path / "plan.gpkg").read_text() == "x"


def test_b59_a_name_that_is_too_long_is_told(tmp_path):
    with pytest.raises(MachineError) as caught:
        check_target(tmp_path / ("x" * 300))
    assert key_of(caught) == "failed"


# ---- B87: disk full ----

LIMITED = """
    import resource
    from gridplan.errors import MachineError
    from gridplan.outputs import replace_file
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    def by_bytes(path):
        path.write_bytes(b"x" * 1_000_000)
    def by_sqlite(path):
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE gpkg_contents (table_name TEXT)")
        db.executemany("INSERT INTO gpkg_contents VALUES (?)", [("x" * 1000,)] * 1000)
        db.commit()
    def by_gdal(path):
        import pyogrio, numpy
        text = numpy.array(["x" * 1000] * 1000, dtype=object)
        pyogrio.raw.write(path, None, [text], ["text"], layer="a", driver="GPKG")
    try:
        replace_file(sys.argv[1], globals()[sys.argv[2]])
    except MachineError as error:
        print(error.findings[0].key, error.exit_code)
"""


@pytest.mark.parametrize("how", ["by_bytes", "by_sqlite", "by_gdal"])
def test_b87_a_file_that_cannot_grow_leaves_the_old_one(tmp_path, how):
    target = tmp_path / "plan.gpkg"
    make_gpkg(target, 5)
    with child(LIMITED, target, how) as process:
        assert process.first.endswith(" 6")
        assert process.first.split(".")[1][:-2] in ("too_large", "failed", "disk_full", "damaged")
    assert rows_of(target) == 5
    assert names(tmp_path) == ["plan.gpkg"]


def test_b87_a_full_disk_leaves_the_old_file(tmp_path):
    """On a real disk of 1 MB where one can be made here, else with the system's answer played."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.name == "posix" and shutil.which("mount") is not None and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)],
        capture_output=True, check=False).returncode == 0
    try:
        make_gpkg(disk / "plan.gpkg", 5)

        def write(path: Path) -> None:
            if mounted:
                make_gpkg(path, 5000, filler=1000)
            else:
                path.write_bytes(b"half")
                raise OSError(28, "No space left on device")

        with pytest.raises(MachineError) as caught:
            replace_file(disk / "plan.gpkg", write)
        assert key_of(caught) == "disk_full"
        assert rows_of(disk / "plan.gpkg") == 5
        assert names(disk) == ["plan.gpkg"]
    finally:
        if mounted:
            subprocess.run(["umount", str(disk)], check=True)


# ---- B88: kill -9 ----

WRITING = """
    import contextlib
    from gridplan.outputs import replace_file
    exec(sys.argv[2])
    print("ready", flush=True)
    for rows in range(1000, 10**9):
        replace_file(sys.argv[1], lambda path: make_gpkg(path, 1000 + rows % 2000, filler=200))
"""


def test_b88_kill_9_leaves_the_old_or_the_new_file(tmp_path):
    target = tmp_path / "plan.gpkg"
    replace_file(target, lambda p: make_gpkg(p, 1000))
    dice = random.Random(1)
    for _ in range(15):
        with child(WRITING, target, inspect.getsource(make_gpkg)) as process:
            assert process.first == "ready"
            time.sleep(dice.uniform(0, 0.25))
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert 1000 <= rows_of(target) < 3000
    replace_file(target, lambda p: make_gpkg(p, 7))
    assert rows_of(target) == 7
    assert names(tmp_path) == ["plan.gpkg"]  # what the killed ones left is gone


# ---- B89: two runs, one output ----

HOLDING = """
    from gridplan.outputs import lock_output
    with lock_output(Path(sys.argv[1])):
        print("ready", flush=True)
        sys.stdin.read()
"""


def test_b89_the_second_run_stops_and_names_the_holder(tmp_path):
    with child(HOLDING, tmp_path / "plan.gpkg") as process:
        with pytest.raises(MachineError) as caught:
            write_text(tmp_path / "plan.gpkg", "x")
        assert key_of(caught) == "locked"
        assert str(process.pid) in str(caught.value)
        write_text(tmp_path / "other.gpkg.txt", "x")
    write_text(tmp_path / "plan.txt", "x")


def test_b89_the_lock_of_a_dead_run_is_taken_over(tmp_path):
    target = tmp_path / "plan.txt"
    with child(HOLDING, target):
        pass
    assert len(names(tmp_path)) == 1  # the dead one's lock file
    write_text(target, "x")
    assert names(tmp_path) == ["plan.txt"]


def test_b89_a_child_of_a_dead_run_does_not_keep_the_lock(tmp_path):
    target = tmp_path / "plan.txt"
    forking = """
    from gridplan.outputs import lock_output
    with lock_output(Path(sys.argv[1])):
        pid = os.fork()
        if pid == 0:
            time.sleep(30)
            os._exit(0)
        print(pid, flush=True)
        sys.stdin.read()
    """
    with child(forking, target) as process:
        orphan = int(process.first)
        process.kill()
        process.wait()
        try:
            write_text(target, "x")
        finally:
            os.kill(orphan, signal.SIGKILL)
    assert target.read_text() == "x"


def test_b89_a_run_may_take_its_own_lock_again(tmp_path):
    with lock_output(tmp_path / "a.txt"):
        write_text(tmp_path / "a.txt", "x")
        write_text(tmp_path / "a.txt", "y")
        lock, = (n for n in names(tmp_path) if n.endswith(".lock"))
        assert json.loads((tmp_path / lock).read_text())["pid"] == os.getpid()
    assert names(tmp_path) == ["a.txt"]


# ---- B90, B93: a plan that is open elsewhere ----

def open_plan(path: Path, *steps: str, wal: bool = True) -> contextlib.AbstractContextManager:
    mode = "WAL" if wal else "DELETE"
    code = ["db = sqlite3.connect(sys.argv[1], isolation_level=None)",
            f"db.execute('PRAGMA journal_mode={mode}').fetchone()",
            *(f"db.execute({s!r}).fetchall()" for s in steps),
            "print('ready', flush=True)", "line = sys.stdin.readline()",
            "db.execute('COMMIT') if line else 0", "print('saved', flush=True)",
            "sys.stdin.readline()"]
    return child("\n".join(code), path)


EDIT = "INSERT INTO grids (text) VALUES ('edit')"


def test_b93_a_plan_held_in_wal_mode_is_left_and_a_copy_goes_beside_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    target = tmp_path / "plan.gpkg"
    make_gpkg(target, 5)
    with open_plan(target, EDIT, "BEGIN IMMEDIATE", EDIT) as process:
        written = replace_file(target, lambda p: make_gpkg(p, 50))
        assert written.copied
        assert written.path.name == "plan-20231114-221320.gpkg"
        assert written.note.key == "outputs.copied"
        assert "plan-20231114-221320.gpkg" in written.note.what("zh")
        again = replace_file(target, lambda p: make_gpkg(p, 60))
        assert again.path.name == "plan-20231114-221320-2.gpkg"
        assert rows_of(target) == 6            # the committed edit
        process.stdin.write("save\n")
        process.stdin.flush()
        assert process.stdout.readline().strip() == "saved"
        assert rows_of(target) == 7            # the uncommitted one, committed later
    assert rows_of(target) == 7
    assert rows_of(written.path) == 50


@pytest.mark.parametrize("steps", [["SELECT * FROM grids"], [EDIT], ["BEGIN IMMEDIATE", EDIT]])
def test_b93_no_copy_stops_instead(tmp_path, steps):
    target = tmp_path / "plan.gpkg"
    make_gpkg(target, 5)
    with open_plan(target, *steps):
        with pytest.raises(MachineError) as caught:
            replace_file(target, lambda p: make_gpkg(p, 50), no_copy=True)
        assert key_of(caught) == "held"
    assert rows_of(target) in (5, 6)
    assert [n for n in names(tmp_path) if "-w" not in n and "-s" not in n] == ["plan.gpkg"]


def test_b90_a_reader_in_the_classic_mode_holds_the_plan_too(tmp_path):
    target = tmp_path / "plan.gpkg"
    make_gpkg(target, 5)
    with open_plan(target, "BEGIN", "SELECT * FROM grids", wal=False):
        assert replace_file(target, lambda p: make_gpkg(p, 50)).copied
    assert rows_of(target) == 5


def test_b93_edits_of_a_program_that_has_gone_are_brought_in(tmp_path):
    target = tmp_path / "plan.gpkg"
    make_gpkg(target, 5)
    with open_plan(target, EDIT):
        pass
    assert names(tmp_path) == ["plan.gpkg", "plan.gpkg-shm", "plan.gpkg-wal"]
    assert settle_wal(target) == "settled"
    assert names(tmp_path) == ["plan.gpkg"]
    assert rows_of(target) == 6
    assert settle_wal(target) == "quiet"


def test_b93_no_old_wal_lies_beside_the_new_file(tmp_path):
    target = tmp_path / "plan.gpkg"
    make_gpkg(target, 5000)
    with open_plan(target, "UPDATE grids SET text = 'edited'"):
        pass
    written = replace_file(target, lambda p: make_gpkg(p, 50))
    assert (written.copied, written.note.key) == (False, "outputs.wal_settled")
    assert names(tmp_path) == ["plan.gpkg"]
    assert rows_of(target) == 50


def test_b93_a_wal_beside_a_file_that_is_no_database_goes_with_it(tmp_path):
    target = tmp_path / "plan.gpkg"
    target.write_text("junk")
    (tmp_path / "plan.gpkg-wal").write_bytes(b"junk")
    replace_file(target, lambda p: make_gpkg(p, 50))
    assert names(tmp_path) == ["plan.gpkg"]


def test_b93_an_edit_made_between_reading_and_writing_is_not_overwritten(tmp_path):
    target = tmp_path / "plan.gpkg"
    make_gpkg(target, 5)
    since = digest_file(target)
    with open_plan(target, "SELECT * FROM grids"):
        pass
    settle_wal(target)
    assert digest_file(target) == since        # looking changes nothing
    assert not replace_file(target, lambda p: make_gpkg(p, 6), since=since).copied
    since = digest_file(target)
    with open_plan(target, EDIT):
        pass
    assert replace_file(target, lambda p: make_gpkg(p, 50), since=since).copied
    assert rows_of(target) == 7
    with pytest.raises(MachineError, match="held"):
        replace_file(target, lambda p: make_gpkg(p, 50), since=since, no_copy=True)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not tell")
def test_who_merely_looks_at_a_plan_is_told_of(tmp_path):
    target = tmp_path / "plan.gpkg"
    make_gpkg(target, 5)
    with open_plan(target, "SELECT * FROM grids", wal=False) as process:
        written = replace_file(target, lambda p: make_gpkg(p, 6))
        assert (written.copied, written.note.key) == (False, "outputs.open_elsewhere")
        assert f"({process.pid})" in written.note.what()
    assert replace_file(target, lambda p: make_gpkg(p, 6)).note is None


def test_settling_leaves_other_files_alone(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    assert settle_wal(tmp_path / "a.txt") == "quiet"
    assert settle_wal(tmp_path / "none.gpkg") == "quiet"
    assert digest_file(tmp_path / "none.gpkg") == ""
    assert names(tmp_path) == ["a.txt"]

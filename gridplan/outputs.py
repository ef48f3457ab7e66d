"""Every write goes through here: a file is replaced whole or not at all.

A writer fills a temporary file in the folder of its target; that file is checked, brought to
disk and moved over the target in one step, then checked again under its final name. A second
run on the same target is stopped by a lock. A GeoPackage that another program holds open is
never replaced under its hands: the new file goes beside it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
import socket
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gridplan.errors import Finding, MachineError, first_ids

_log = logging.getLogger(__name__)
_SQLITE = b"SQLite format 3\0"
_HEADER = 100
_SIDES = ("-wal", "-shm", "-journal")
_CHUNK = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT}
_LIMIT = {errno.EFBIG}
_RIGHTS = {errno.EACCES, errno.EPERM, errno.EROFS}
_PATIENCE_S = 0.2  # a reader that is just leaving does not count as a holder
_LOCK_BYTE = 1 << 30  # Windows locks bytes for reading too; this one is past the holder's name

Verify = Callable[[Path], None]


@dataclass(frozen=True)
class Written:
    """Where a file went; ``copied`` if beside its target, and what is to be told about it."""

    path: Path
    copied: bool = False
    note: Finding | None = None


def digest_file(path: str | Path) -> str:
    """Return the SHA-256 of a file's content, ``""`` where there is none.

    The header of an SQLite file is left out: a program that merely looks at it changes that.
    """
    try:
        with Path(path).open("rb") as file:
            if file.read(len(_SQLITE)) == _SQLITE:
                file.seek(_HEADER)
            else:
                file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def check_target(path: str | Path) -> Path:
    """Say before the work begins whether ``path`` can be written, and return its real path.

    Raises
    ------
    MachineError
        The folder is absent, the path is a folder or no plain file, or rights are missing.
    """
    target = Path(os.path.realpath(path))
    folder = target.parent
    try:
        there = target.stat()
    except FileNotFoundError:
        there = None
    except OSError as error:
        raise _machine_error(error, target) from error
    if there is not None and stat.S_ISDIR(there.st_mode):
        raise _refuse("is_directory", target)
    if there is not None and not stat.S_ISREG(there.st_mode):
        raise _refuse("not_a_file", target)
    if not folder.is_dir():
        raise _refuse("absent_folder", target, folder=folder.name)
    # The owner's write protection counts for an administrator too.
    if there is not None and (there.st_mode & 0o222 == 0 or not os.access(target, os.W_OK)):
        raise _refuse("read_only", target)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _refuse("no_rights", target, folder=folder.name)
    return target


def write_bytes(path: str | Path, data: bytes, *, no_copy: bool = False) -> Written:
    """Replace a file by ``data``; see :func:`replace_file`."""
    return replace_file(path, _writer(data), verify=_same_bytes(data), no_copy=no_copy)


def write_text(path: str | Path, text: str, *, no_copy: bool = False) -> Written:
    """Replace a file by ``text`` in UTF-8 with the line ends it has."""
    return write_bytes(path, text.encode("utf-8"), no_copy=no_copy)


def replace_file(path: str | Path, write: Callable[[Path], None], *, verify: Verify | None = None,
                 no_copy: bool = False, since: str = "") -> Written:
    """Replace a file, or make it, so that at any moment it is the old one or the new one.

    Parameters
    ----------
    path
        The target. A link is followed.
    write
        Called with the path of a temporary file of the same suffix; must leave it closed.
    verify
        Called with the temporary file, then with the final one; raises if it is damaged. A
        ``.gpkg`` is otherwise checked by :func:`verify_gpkg`.
    no_copy
        Where the target is held by another program: refuse, instead of writing beside it.
    since
        The :func:`digest_file` of the target when it was read. A target changed since is not
        overwritten: it counts as held.

    Raises
    ------
    MachineError
        The disk is full, rights are missing, another run writes the same target, or it is held
        and ``no_copy``. The old file is intact and no temporary file is left.
    """
    target = check_target(path)
    if verify is None and target.suffix.lower() == ".gpkg":
        verify = verify_gpkg
    with lock_output(target):
        settled = settle_wal(target)
        if no_copy and (settled == "held" or _changed(target, since)):
            raise _refuse("held", target)
        _remove_left_over(target)
        temp = _temporary(target)
        try:
            _fill(temp, write, verify, target)
            return _move(temp, target, verify, no_copy, since, settled)
        finally:
            _remove(temp)


def write_files(folder: str | Path, files: Mapping[str, bytes]) -> list[Written]:
    """Replace several files of one folder; none is touched before all are on the disk.

    Parameters
    ----------
    folder
        Made if it is absent.
    files
        Plain file name → content.

    Raises
    ------
    MachineError
        As :func:`replace_file` does; then every old file is intact and a new folder is gone.
    """
    folder = Path(folder)
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _machine_error(error, folder) from error
    try:
        return _write_files(folder, files)
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _write_files(folder: Path, files: Mapping[str, bytes]) -> list[Written]:
    staged: list[tuple[Path, Path, Verify]] = []
    with contextlib.ExitStack() as stack:
        for name, data in files.items():
            target = check_target(folder / name)
            stack.enter_context(lock_output(target))
            _remove_left_over(target)
            temp = _temporary(target)
            stack.callback(_remove, temp)
            verify = _same_bytes(data)
            _fill(temp, _writer(data), verify, target)
            staged.append((temp, target, verify))
        return [_move(temp, target, verify, False, "", "quiet")
                for temp, target, verify in staged]


def _writer(data: bytes) -> Callable[[Path], None]:
    def write(temp: Path) -> None:
        temp.write_bytes(data)

    return write


def _same_bytes(data: bytes) -> Verify:
    def verify(written: Path) -> None:
        if written.stat().st_size != len(data) or written.read_bytes() != data:
            raise _refuse("damaged", written, reason="")

    return verify


def verify_gpkg(path: Path, counts: Mapping[str, int] | None = None) -> None:
    """Reopen a GeoPackage and check every page of it, its layer list and its row counts.

    Raises
    ------
    MachineError
        It cannot be read, ``PRAGMA quick_check`` finds a fault, or a count is not as given.
    """
    try:
        with contextlib.closing(_connect(path)) as db:
            faults = [row[0] for row in db.execute("PRAGMA quick_check(3)")]
            if faults != ["ok"]:
                raise _refuse("damaged", path, reason="; ".join(map(str, faults)))
            layers = {row[0] for row in db.execute("SELECT table_name FROM gpkg_contents")}
            for name, count in (counts or {}).items():
                quoted = name.replace('"', '""')
                found = (db.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()[0]  # noqa: S608
                         if name in layers else -1)
                if found != count:
                    raise _refuse("wrong_count", path, layer=name, found=found, expected=count)
    except sqlite3.Error as error:
        raise _refuse("damaged", path, reason=str(error)) from error


def settle_wal(path: str | Path) -> Literal["quiet", "settled", "held"]:
    """Bring edits that wait in a ``-wal`` into their GeoPackage, and see whether it is held.

    A reader calls this before it opens a plan, so that committed edits of a program that has
    gone are part of what it reads.

    Returns
    -------
    str
        ``held`` while another program has the file open, in WAL mode or in a transaction;
        ``settled`` if edits were brought in; ``quiet`` otherwise.
    """
    path = Path(path)
    if not _is_sqlite(path):
        return "quiet"
    wal = path.with_name(path.name + "-wal")
    waiting = wal.is_file() and wal.stat().st_size > 0
    with contextlib.closing(_connect(path)) as db:
        if not _take(db):
            return "held"
        db.execute("ROLLBACK")
    return "settled" if waiting else "quiet"


@contextlib.contextmanager
def lock_output(path: str | Path) -> Iterator[None]:
    """Hold a target for one run; a second run on it stops and is told who holds it.

    The system frees the lock when a process dies. A run may take its own lock again.

    Raises
    ------
    MachineError
        Another run holds the target.
    """
    target = Path(os.path.realpath(path))
    name = target.with_name(f".{_short(target)}.lock")
    descriptor = _take_lock(name, target)
    if descriptor is None:
        yield
        return
    try:
        yield
    finally:
        if os.name != "nt":
            _remove(name)
        os.close(descriptor)
        if os.name == "nt":
            _remove(name)


# ---- writing -------------------------------------------------------------------------------

def _fill(temp: Path, write: Callable[[Path], None], verify: Verify | None,
          target: Path) -> None:
    try:
        write(temp)
        if verify is not None:
            verify(temp)
        with temp.open("rb+") as file:
            os.fsync(file.fileno())
    except MachineError as error:
        # Said of the target: nobody knows the temporary name.
        raise MachineError(*(_renamed(f, temp, target) for f in error.findings)) from error
    except Exception as error:
        if _of_machine(error):
            raise _machine_error(error, target) from error
        raise


def _move(temp: Path, target: Path, verify: Verify | None, no_copy: bool, since: str,
          settled: str) -> Written:
    """Move the finished file over its target, or beside it where that is held."""
    note = Finding("outputs.wal_settled", "repaired", file=target.name) if (
        settled == "settled") else None
    try:
        if target.exists():
            shutil.copymode(target, temp)
        viewers = _viewers(target)
        if viewers:
            note = Finding("outputs.open_elsewhere", "warning", file=target.name,
                           values={"program": first_ids(viewers, 3)})
        free = not _changed(target, since) and _replace_free(temp, target)
        if not free:
            if no_copy:
                raise _refuse("held", target)
            beside = _dated(target)
            temp.replace(beside)
            note = Finding("outputs.copied", "warning", file=target.name,
                           values={"copy": beside.name})
            _log.warning("%s is kept as it is; written to %s", target.name, beside.name)
        final = target if free else beside
        for side in _SIDES if free else ():
            _remove(target.with_name(target.name + side))
        _sync_folder(final.parent)
        if verify is not None:
            verify(final)
    except OSError as error:
        raise _machine_error(error, target) from error
    return Written(final, not free, note)


def _changed(target: Path, since: str) -> bool:
    """Tell whether someone wrote the target after it was read."""
    return bool(since) and digest_file(target) != since


def _replace_free(temp: Path, target: Path) -> bool:
    """Move ``temp`` over ``target`` unless another program has that open."""
    with _exclusive(target) as free:
        if not free or os.name != "nt":
            return free and bool(temp.replace(target))
    try:
        # Windows moves nothing over an open file, so our own hold on it must go first.
        return bool(temp.replace(target))
    except PermissionError:
        return False


def _dated(target: Path) -> Path:
    """Return a free name beside ``target`` that says when it was written."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = time.gmtime(int(epoch)) if epoch.isdigit() else time.localtime()
    stem = f"{target.stem}-{time.strftime('%Y%m%d-%H%M%S', moment)}"
    beside, number = target.with_name(stem + target.suffix), 2
    while beside.exists():
        beside, number = target.with_name(f"{stem}-{number}{target.suffix}"), number + 1
    return beside


def _short(target: Path) -> str:
    return "gridplan-" + hashlib.sha256(target.name.encode("utf-8", "surrogateescape")
                                        ).hexdigest()[:12]


def _temporary(target: Path) -> Path:
    # A short name of its own: the target's may already be as long as names get.
    return target.with_name(f".{_short(target)}-{os.getpid()}-{os.urandom(3).hex()}"
                            f"{target.suffix}")


def _remove_left_over(target: Path) -> None:
    """Remove what killed runs left; whoever holds the lock knows that nobody needs it."""
    for left in target.parent.glob(f".{_short(target)}-*"):
        if left.name.split("-")[2] != str(os.getpid()):
            _remove(left)


def _remove(path: Path) -> None:
    for name in (path.name, *(path.name + side for side in _SIDES)):
        with contextlib.suppress(OSError):
            path.with_name(name).unlink()


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network drives cannot
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ---- who holds a GeoPackage ----------------------------------------------------------------

def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(str(path), timeout=_PATIENCE_S, isolation_level=None)


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def _take(db: sqlite3.Connection) -> bool:
    """Open an exclusive transaction on a database; False while another program has it open.

    Leaving WAL mode needs every other connection gone, idle ones too, and brings in what waits;
    the exclusive transaction needs every reader and writer of the classic mode gone.
    """
    try:
        db.execute("PRAGMA journal_mode=DELETE").fetchone()
        db.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            return False
        db.execute("BEGIN")  # read-only or damaged: nobody to disturb, the move will tell
    except sqlite3.DatabaseError:
        db.execute("BEGIN")
    return True


def _viewers(target: Path) -> list[str]:
    """Name the programs that have a GeoPackage open without a lock, where the system tells.

    QGIS looks at a file that way. Replacing it does no harm, but what it shows is then old.
    """
    processes = Path("/proc")
    if not _is_sqlite(target) or not (processes / "self" / "fd").is_dir():
        return []
    found = []
    for process in sorted(p for p in processes.iterdir() if p.name.isdigit()):
        with contextlib.suppress(OSError):
            if process.name != str(os.getpid()) and any(
                    link.readlink() == target for link in (process / "fd").iterdir()):
                found.append(f"{(process / 'comm').read_text().strip()} ({process.name})")
    return found


@contextlib.contextmanager
def _exclusive(target: Path) -> Iterator[bool]:
    """Keep other programs off a GeoPackage for the moment of the move; False if one is in."""
    if not _is_sqlite(target):
        yield True
        return
    with contextlib.closing(_connect(target)) as db:
        yield _take(db)


# ---- one run per target --------------------------------------------------------------------

def _take_lock(name: Path, target: Path) -> int | None:
    """Return the descriptor of the lock, None where this process has it already."""
    while True:
        try:
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            raise _machine_error(error, target) from error
        try:
            if not _lock_descriptor(descriptor):
                holder = _holder(name)
                os.close(descriptor)
                if holder.get("pid") == os.getpid() and holder.get("host") == socket.gethostname():
                    return None
                if _is_dead(holder):
                    _remove(name)
                    continue
                raise _refuse("locked", target, pid=holder.get("pid", "?"),
                              host=holder.get("host", "?"), command=holder.get("command", "?"))
            # The name may have been removed, and made anew, between opening and locking.
            if name.exists() and os.path.samestat(os.fstat(descriptor), name.stat()):
                break
        except OSError as error:
            with contextlib.suppress(OSError):
                os.close(descriptor)
            raise _machine_error(error, target) from error
        os.close(descriptor)
    told = {"pid": os.getpid(), "host": socket.gethostname(),
            "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])}
    with contextlib.suppress(OSError):  # a full disk is told by the writer
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(told).encode())
    return descriptor


def _lock_descriptor(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt
            os.lseek(descriptor, _LOCK_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _holder(name: Path) -> dict[str, object]:
    try:
        told = json.loads(name.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _is_dead(holder: Mapping[str, object]) -> bool:
    """Tell whether the holder died on this machine; a child of it may still keep the lock."""
    pid = holder.get("pid")
    if holder.get("host") != socket.gethostname() or not isinstance(pid, int) or os.name == "nt":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


# ---- faults --------------------------------------------------------------------------------

def _refuse(key: str, path: Path, **values: object) -> MachineError:
    return MachineError(Finding(f"outputs.{key}", file=path.name, values=values))


def _renamed(finding: Finding, temp: Path, target: Path) -> Finding:
    file = target.name if finding.file == temp.name else finding.file
    return Finding(finding.key, finding.outcome, file, finding.layer, finding.row, finding.field,
                   finding.count, finding.values)


def _of_machine(error: Exception) -> bool:
    """Tell a refusal of the machine from a mistake of ours; GDAL's come through pyogrio."""
    return isinstance(error, OSError | sqlite3.DatabaseError) or (
        type(error).__module__.startswith("pyogrio"))


def _machine_error(error: Exception, target: Path) -> MachineError:
    number = error.errno if isinstance(error, OSError) else None
    said = str(error).lower()
    if number in _FULL or "full" in said or _free(target) < _CHUNK:
        return _refuse("disk_full", target, free_mb=_free(target) // 1_000_000)
    if number in _LIMIT:
        return _refuse("too_large", target)
    if number in _RIGHTS:
        return _refuse("no_rights", target, folder=target.parent.name)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _refuse("failed", target, reason=reason.replace(str(target.parent), ""))


def _free(target: Path) -> int:
    try:
        return shutil.disk_usage(target.parent).free
    except OSError:
        return 1 << 40

"""Files are replaced whole or not at all."""

import os
import resource
from contextlib import contextmanager

import pytest

from trine_sw.support.atomic_file import (
    atomic_write,
    check_apart,
    check_folder,
    check_writable,
    make_folder,
    remove_leftovers,
)
from trine_sw.support.errors import TrineError

OLD, NEW = b"what was there", b"what comes"


def write(path, data=NEW):
    with atomic_write(path) as file:
        file.write(data)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    return path


def alone(path):
    """The folder holds this file and nothing that was left over."""
    return [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_new_and_old_files_are_written(path):
    write(path)
    assert path.read_bytes() == NEW and alone(path)
    path.unlink()
    write(path)
    assert path.read_bytes() == NEW and alone(path)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_keeps_the_old_file(path, error):
    with pytest.raises(error), atomic_write(path) as file:
        file.write(NEW)
        raise error
    assert path.read_bytes() == OLD and alone(path)


def test_full_disk_keeps_the_old_file(path, monkeypatch):
    def fail(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(TrineError, match=f"cannot write {path}: No space left on device"):
        write(path)
    assert path.read_bytes() == OLD and alone(path)


def test_pipe_is_written_to_and_not_replaced(tmp_path):
    """As a device would be: replacing /dev/null would harm the whole machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write(pipe)
    assert os.read(reader, 100) == NEW and pipe.is_fifo() and alone(pipe)
    os.close(reader)


def test_link_is_followed(path, tmp_path):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link"
    link.symlink_to(path)
    write(link)
    assert link.is_symlink() and path.read_bytes() == NEW


def test_places_that_cannot_be_written(path, tmp_path):
    with pytest.raises(TrineError, match="it is a folder"):
        write(tmp_path)
    with pytest.raises(TrineError, match="it is no folder"):
        write(path / "below")
    with pytest.raises(TrineError, match="it is no folder"):
        make_folder(path)
    with pytest.raises(TrineError, match="cannot make the folder .*Not a directory"):
        make_folder(path / "below")
    assert path.read_bytes() == OLD and alone(path)


def test_missing_folders_are_made(tmp_path):
    write(tmp_path / "new" / "one" / "file")
    assert (tmp_path / "new/one/file").read_bytes() == NEW


@contextmanager
def full_disk():
    """The system refuses every byte that is written to a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_whether_a_file_can_be_written_is_known_before(path, tmp_path):
    """And nothing is left behind by the question."""
    (tmp_path / "full").symlink_to("/dev/full")
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.iterdir())
    for good in ("new", "new/below/file", "file", "/dev/null", "pipe"):
        check_writable(tmp_path / good)
    for good in ("new", "new/below", "."):
        check_folder(tmp_path / good)
    for check, wrong, words in (
        (check_writable, ".", "it is a folder"),
        (check_writable, "file/below", "it is no folder"),
        (check_writable, "full", "No space left on device"),
        (check_writable, "/dev/full", "No space left on device"),
        (check_writable, "/dev/full/x", "it is no folder"),
        (check_writable, "/proc/none/x", "cannot write"),
        (check_writable, "a\0b", "null byte"),
        (check_writable, "x" * 300, "File name too long"),
        (check_folder, "file", "it is no folder"),
        (check_folder, "/dev/full", "it is no folder"),
        (check_folder, "full/x", "it is no folder"),
        (check_folder, "/proc/none", "cannot write"),
    ):
        with pytest.raises(TrineError, match=words):
            check(tmp_path / wrong)
    for check, place in ((check_writable, "new/file"), (check_folder, "new"), (check_writable, "file")):
        with pytest.raises(TrineError, match="File too large"), full_disk():
            check(tmp_path / place)
    assert sorted(tmp_path.iterdir()) == before and path.read_bytes() == OLD


def test_a_full_device_is_refused(tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(TrineError, match="No space left on device"):
        write(tmp_path / "full")
    write("/dev/null")


def test_what_is_read_is_not_written(tmp_path, path):
    link = tmp_path / "link"
    link.symlink_to(path)
    (tmp_path / "folder").mkdir()
    for output in (path, str(path), link, tmp_path / "folder" / ".." / "file"):
        with pytest.raises(TrineError, match="is read here, and would be lost"):
            check_apart([tmp_path / "new", output], [None, path])
    with pytest.raises(TrineError, match="two files would be written there"):
        check_apart([tmp_path / "new", None, tmp_path / "folder" / ".." / "new"], [path])
    check_apart([tmp_path / "new", "/dev/null", "/dev/null"], [path, "/dev/null"])


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / "seed-1").mkdir()
    kept = [".lock", "float.pt", ".float.pt.tmp", "float.pt.12.tmp", "seed-1/.tmp"]
    for name in (*kept, ".float.pt.12.tmp", "seed-1/.ternary.pt.4711.tmp"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path / name for name in kept}

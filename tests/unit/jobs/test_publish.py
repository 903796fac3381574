"""A published file is whole whatever happens between two calls to the file system."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.jobs.publish import publish_json, publish_text, read_json

OLD, NEW = '{"result": "old"}', '{"result": "new"}' * 5000
CALLS = ("write", "fsync", "rename", "fsync of the folder")


class FileSystem:
    """Counts the calls that publishing makes and, before the n-th, does what it is told to do."""

    def __init__(self, patch: pytest.MonkeyPatch, at_call: int, fault: Callable[[], None]) -> None:
        self.calls = 0
        self._at_call, self._fault = at_call, fault
        for owner, name in ((Path, "open"), (os, "fsync"), (Path, "replace")):
            patch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == self._at_call:
                self._fault()
            return call(*args, **kwargs)

        return counted


def fail() -> None:
    raise OSError(28, "No space left on device")


def test_publishing_makes_the_calls_that_the_other_tests_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = FileSystem(monkeypatch, 0, fail)
    publish_text(tmp_path / "result.json", NEW)
    assert system.calls == len(CALLS)


@pytest.mark.parametrize("at_call", [1, 2, 3], ids=CALLS[:3])
def test_failing_call_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_call: int
) -> None:
    target = tmp_path / "result.json"
    target.write_text(OLD)
    with monkeypatch.context() as patch:
        FileSystem(patch, at_call, fail)
        with pytest.raises(OSError, match="No space left") as caught:
            publish_text(target, NEW)
    assert (caught.value.errno, caught.value.filename) == (28, str(target))
    assert target.read_text() == OLD
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("at_call", [1, 2, 3, 4], ids=CALLS)
def test_process_killed_at_a_call_leaves_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_call: int
) -> None:
    target = tmp_path / "result.json"
    target.write_text(OLD)
    child = os.fork()
    if child == 0:
        FileSystem(monkeypatch, at_call, lambda: os._exit(9))
        publish_text(target, NEW)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    assert target.read_text() == (NEW if at_call == 4 else OLD)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["result.json"]


def test_published_json_is_read_back_in_key_order(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    publish_json(path, {"z": 1, "a": [1.5, None, "ä"]})
    assert list(read_json(path).items()) == [("z", 1), ("a", [1.5, None, "ä"])]
    assert path.read_text() == '{\n    "z": 1,\n    "a": [\n        1.5,\n        null,\n        "\\u00e4"\n    ]\n}\n'


def test_file_mode_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        publish_text(tmp_path / "result.json", OLD)
    finally:
        os.umask(before)
    assert (tmp_path / "result.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("data", [{"score": float("nan")}, {"score": float("inf")}, {"path": Path()}])
def test_what_is_no_json_is_refused_and_the_old_file_stays(tmp_path: Path, data: Any) -> None:
    target = tmp_path / "result.json"
    target.write_text(OLD)
    with pytest.raises(HarnessError, match="expected plain finite JSON values"):
        publish_json(target, data)
    assert target.read_text() == OLD


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "result.json is empty, expected JSON"),
        (b" \n", "result.json is empty, expected JSON"),
        (b'{"a": [1,', r"is not complete JSON: expecting value \(line 1 column 10\)"),
        (b'{"a": "x', r"is not complete JSON: unterminated string starting at \(line 1 column 7\)"),
        (b"{}\n}", r"is not complete JSON: extra data \(line 2 column 1\)"),
        (b'{"a": NaN}', "holds the number NaN, expected finite numbers"),
        (b'"\xff"', "a byte that is not UTF-8 at offset 1"),
    ],
)
def test_damaged_file_is_one_clear_line(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(data)
    with pytest.raises(HarnessError, match=expected) as caught:
        read_json(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(HarnessError, match=f"cannot read {path}: "):
            read_json(path)

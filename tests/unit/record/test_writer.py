"""Files are written in the background, and failures are not lost there."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.record import writer
from harness.record.pickles import read_pickle
from harness.record.writer import MOST_WAITING, FrameWriter


def test_everything_is_there_after_close(tmp_path: Path) -> None:
    frames = FrameWriter()
    for number in range(50):
        frames.write(tmp_path / f"{number}.pkl", {"number": number})
    frames.close()
    assert [read_pickle(tmp_path / f"{number}.pkl")["number"] for number in range(50)] == list(range(50))


def test_whoever_is_faster_than_the_disk_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, written = threading.Event(), []

    def slow(file: Path, content: Any) -> None:
        gate.wait(10.0)
        written.append(content)

    monkeypatch.setattr(writer, "write_pickle", slow)
    frames = FrameWriter()
    for number in range(MOST_WAITING):
        frames.write(tmp_path / "x", number)
    assert written == []
    blocked = threading.Thread(target=frames.write, args=(tmp_path / "x", MOST_WAITING))
    blocked.start()
    blocked.join(0.05)
    assert blocked.is_alive()
    gate.set()
    blocked.join(10.0)
    frames.close()
    assert written == list(range(MOST_WAITING + 1))


def test_a_failure_is_told_at_one_of_the_next_files(tmp_path: Path) -> None:
    frames = FrameWriter()
    frames.write(tmp_path / "missing" / "0.pkl", {})
    deadline_s = time.monotonic() + 10.0
    with pytest.raises(HarnessError, match=r"cannot write .*0\.pkl: No such file or directory; the recording is"):
        while time.monotonic() < deadline_s:
            frames.write(tmp_path / "1.pkl", {})
    frames.close()


def test_a_failure_is_told_at_the_end(tmp_path: Path) -> None:
    frames = FrameWriter()
    frames.write(tmp_path / "missing" / "0.pkl", {})
    with pytest.raises(HarnessError, match="cannot write") as caught:
        frames.close()
    assert caught.value.hint == f"df -h {tmp_path / 'missing'}"

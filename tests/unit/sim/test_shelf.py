"""What is derived from a town is kept on disk, and what lies there is not believed."""

from __future__ import annotations

import errno
import fcntl
import os
import pickle
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness.sim.shelf as shelf
from harness.errors import SimError
from harness.sim.shelf import derived_file, load_town
from harness.sim.world.derived import pack
from harness.sim.world.town import Town


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch, hill: Town) -> Counter[str]:
    """Return how often each town was derived; all are hills, and no process is started."""
    counter: Counter[str] = Counter()

    def run(name: str, opendrive: str, target: Path, given_up: threading.Event) -> None:
        counter[name] += 1
        with target.open("wb") as file:
            np.savez(file, **pack(hill))  # type: ignore[arg-type]

    monkeypatch.setattr(shelf, "_run_deriver", run)
    return counter


@pytest.fixture
def kept(tmp_path: Path, derivations: Counter[str], hill: Town) -> Path:
    """Return the file of a town that was loaded once."""
    load_town("Hill", hill.opendrive, tmp_path)
    (file,) = tmp_path.glob("*.npz")
    assert file == derived_file("Hill", hill.opendrive, tmp_path)
    return file


def test_a_town_is_derived_once(tmp_path: Path, kept: Path, derivations: Counter[str], hill: Town) -> None:
    again = load_town("Hill", hill.opendrive, tmp_path)
    assert derivations == {"Hill": 1}
    assert (again.name, again.opendrive, again.lights) == ("Hill", hill.opendrive, hill.lights)
    assert again.lanes.xy_m.tobytes() == hill.lanes.xy_m.tobytes()
    assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith(".")]


def test_another_text_is_another_town(tmp_path: Path, kept: Path, derivations: Counter[str], hill: Town) -> None:
    load_town("Hill", hill.opendrive + "\n", tmp_path)
    assert derivations == {"Hill": 2}


def test_another_version_is_another_file(
    tmp_path: Path, kept: Path, derivations: Counter[str], hill: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "version", lambda package: "0.9.17")
    load_town("Hill", hill.opendrive, tmp_path)
    program = tmp_path / "program"
    program.mkdir()
    (program / "town.py").write_text("other")
    monkeypatch.setattr(shelf, "_WORLD", program)
    load_town("Hill", hill.opendrive, tmp_path)
    assert derivations == {"Hill": 3}


HEADER = "a header that Python cannot read"


class Surprise:
    """Ends the process when somebody unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (1,)


def _garbage(file: Path) -> dict[str, bytes]:
    good = file.read_bytes()
    middle = len(good) // 2
    return {
        "empty": b"",
        "cut": good[:-100],
        "beginning only": good[:300],
        "no archive": b"<html>Quota exceeded</html>",
        "a pickle": pickle.dumps(Surprise()),
        "one bit": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
        "a header that Python cannot read": good.replace(b"'shape': (", b"'shape': [", 1),
        "one array": np.lib.format.magic(1, 0) + b"\x00" * 200,
    }


@pytest.mark.parametrize(
    "name", ["empty", "cut", "beginning only", "no archive", "a pickle", "one bit", "one array", HEADER]
)
def test_a_damaged_file_is_thrown_away(
    tmp_path: Path, kept: Path, derivations: Counter[str], hill: Town, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = kept.read_bytes()
    kept.write_bytes(_garbage(kept)[name])
    town = load_town("Hill", hill.opendrive, tmp_path)
    assert town.lanes.z_m.tobytes() == hill.lanes.z_m.tobytes()
    assert derivations == {"Hill": 2}
    assert f"threw away {kept}: " in caplog.text
    assert len(kept.read_bytes()) == len(good)


def test_objects_are_not_loaded(
    tmp_path: Path, kept: Path, derivations: Counter[str], hill: Town, caplog: pytest.LogCaptureFixture
) -> None:
    with kept.open("wb") as file:
        np.savez(file, **{**pack(hill), "parts": np.array([Surprise()], object)})  # type: ignore[arg-type]
    load_town("Hill", hill.opendrive, tmp_path)
    assert derivations == {"Hill": 2}
    assert "threw away" in caplog.text


def test_a_folder_that_cannot_be_written(
    tmp_path: Path, derivations: Counter[str], hill: Town, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    for _ in range(2):
        town = load_town("Hill", hill.opendrive, tmp_path / "file" / "derived")
        assert town.lanes.z_m.tobytes() == hill.lanes.z_m.tobytes()
    assert derivations == {"Hill": 2}
    assert caplog.text.count("cannot keep what is derived from a town") == 2


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_where_one_belongs_hinders_nobody(
    tmp_path: Path, derivations: Counter[str], hill: Town, kind: str
) -> None:
    file = derived_file("Hill", hill.opendrive, tmp_path)
    for place in (file, file.with_suffix(".lock")):
        place.mkdir() if kind == "folder" else os.mkfifo(place)
    town = load_town("Hill", hill.opendrive, tmp_path)
    assert town.lanes.z_m.tobytes() == hill.lanes.z_m.tobytes()


def test_a_full_disk_costs_the_copy_only(
    tmp_path: Path, derivations: Counter[str], hill: Town, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def copy(source: Path, target: Path) -> None:
        target.write_bytes(b"begun")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shelf.shutil, "copyfile", copy)
    assert load_town("Hill", hill.opendrive, tmp_path).lanes.z_m.tobytes() == hill.lanes.z_m.tobytes()
    assert "No space left on device" in caplog.text
    assert [file.suffix for file in tmp_path.iterdir()] == [".lock"]


def test_who_is_given_up_does_not_wait_for_others(tmp_path: Path, derivations: Counter[str], hill: Town) -> None:
    given_up = threading.Event()
    given_up.set()
    with (
        derived_file("Hill", hill.opendrive, tmp_path).with_suffix(".lock").open("ab") as lock,
        pytest.raises(SimError, match="nobody waits"),
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        load_town("Hill", hill.opendrive, tmp_path, given_up)
    assert not derivations


def test_files_used_last_stay(
    tmp_path: Path, derivations: Counter[str], hill: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_town("First", hill.opendrive, tmp_path)
    (first,) = tmp_path.glob("*.npz")
    monkeypatch.setattr(shelf, "MAX_FOLDER_BYTES", int(2.5 * first.stat().st_size))
    os.utime(first, (1.0, 1.0))
    load_town("Second", hill.opendrive, tmp_path)
    (second,) = set(tmp_path.glob("*.npz")) - {first}
    os.utime(second, (2.0, 2.0))
    load_town("First", hill.opendrive, tmp_path)  # used: now the second one is the oldest
    left_over, foreign = tmp_path / ".First.npz.1.abc", tmp_path / "README"
    for file in (left_over, foreign):
        file.touch()
        os.utime(file, (3.0, 3.0))
    load_town("Third", hill.opendrive, tmp_path)
    assert sorted(file.name.split("-")[0] for file in tmp_path.glob("*.npz")) == ["First", "Third"]
    assert (left_over.exists(), foreign.exists()) == (False, True)


def test_many_who_start_at_once_derive_once(tmp_path: Path, derivations: Counter[str], hill: Town) -> None:
    threads = [threading.Thread(target=load_town, args=("Hill", hill.opendrive, tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert derivations == {"Hill": 1}


# --- the other process -----------------------------------------------------------------------------------------------


def test_the_other_process_derives_what_this_one_would(tmp_path: Path, hill: Town) -> None:
    town = load_town("Hill", hill.opendrive, tmp_path)
    for name, array in pack(hill).items():
        assert array.tobytes() == pack(town)[name].tobytes(), name


def test_a_text_that_is_refused_says_why(tmp_path: Path) -> None:
    with pytest.raises(SimError, match="town 'Nowhere' cannot be read: no road in it") as caught:
        load_town("Nowhere", "<OpenDRIVE/>", tmp_path)
    assert caught.value.hint
    assert not list(tmp_path.glob("*.npz"))


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "the client's parser died of it .SIGSEGV."),
        ("raise SystemExit(9)", "its parser ended with code 9"),
        ("pass", "what was derived from it is no good"),
        ("import time; time.sleep(60)", "no end after 1 s"),
    ],
)
@pytest.mark.parametrize("size", [0, 1_000_000])  # more than fits into a pipe that nobody reads
def test_a_simulator_outlives_the_parser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, expected: str, size: int
) -> None:
    popen = subprocess.Popen
    monkeypatch.setattr(shelf, "DERIVE_LIMIT_S", 0.6)

    def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return popen([sys.executable, "-S", "-c", program], **options)

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(SimError, match=expected):
        load_town("Hill", "<OpenDRIVE/>" + " " * size, tmp_path)
    assert not list(tmp_path.glob("*.npz"))


def test_a_long_text_reaches_a_process_that_begins_late(
    tmp_path: Path, hill: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Much more than a pipe holds, and later than the first look at whether anybody still waits."""
    popen = subprocess.Popen

    def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        late = ["/bin/sh", "-c", 'sleep 0.5; exec "$@"', "late", *command]
        return popen(late, **options)

    monkeypatch.setattr(shelf, "DERIVE_LIMIT_S", 30.0)
    monkeypatch.setattr(subprocess, "Popen", start)
    text = hill.opendrive.replace("</OpenDRIVE>", f"<!-- {'x' * 3_000_000} --></OpenDRIVE>")
    assert load_town("Hill", text, tmp_path).lanes.z_m.tobytes() == hill.lanes.z_m.tobytes()


def test_the_other_process_ends_when_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    popen, started = subprocess.Popen, []
    given_up = threading.Event()

    def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"], **options))
        given_up.set()
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(SimError, match="nobody waits"):
        load_town("Hill", "<OpenDRIVE/>", tmp_path, given_up)
    assert started[0].poll() is not None

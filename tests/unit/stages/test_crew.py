"""What becomes of a drive whose job or simulator fails; jobs and simulators are small programs here."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.datatypes.unit import Unit
from harness.errors import JobError, SimError
from harness.jobs.run_folder import RunFolder
from harness.stages import crew
from harness.stages.crew import Address, Crew

# What every drawn job begins with: its options by name, and how it publishes a result.
PRELUDE = """
import json, os, signal, sys, time
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
attempt = int(options["--result"].split("attempt_")[1].split("/")[0])
result = {"_checkpoint": {"records": [{"attempt": attempt}]}, "harness": {"failure_detail": ""}}
def publish(): open(options["--result"], "w").write(json.dumps(result))
def report(percent):
    line = json.dumps({"percent": percent, "sim_s": 1.0}) + "\\n"
    os.write(int(options["--progress-fd"]), line.encode())
def fail(code, text): print(text); sys.exit(code)
"""


def unit(route: str = "05") -> Unit:
    return Unit(
        suite="mini",
        rule_version="lb20",
        route=route,
        route_id=route,
        route_file="",
        town="Borough01",
        repetition=0,
        seed=1,
        traffic_seed=0,
        agent="expert",
        agent_sha256="",
        config="",
    )


class Log:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.progress: list[tuple[float, float]] = []
        self.finished: list[tuple[str, dict[str, Any] | None, str]] = []
        self.on_progress: Callable[[], object] = lambda: None

    def begin(self, *_: Any) -> None:
        pass

    def unit_started(self, worker: int, unit: Unit, attempt: int) -> None:
        pass

    def unit_progress(self, worker: int, percent: float, sim_s: float) -> None:
        self.progress.append((percent, sim_s))
        self.on_progress()

    def unit_finished(self, worker: int, unit: Unit, record: dict[str, Any] | None, text: str) -> None:
        self.finished.append((unit.route, record, text))


class Simulator:
    """A simulator that is always there, unless a test says otherwise."""

    made: list[Simulator]
    dies = False
    refuses = ""

    def __init__(self, port: int, maps: list[Path], log: Path) -> None:
        self.starts, self.stops = 0, 0
        self.made.append(self)

    def ensure_running(self, town: str) -> None:
        if self.refuses:
            raise SimError(self.refuses)
        self.starts += 1

    def is_alive(self) -> bool:
        return not (self.dies and self.starts == 1)

    def stop(self) -> None:
        self.stops += 1


class Scene:
    """A run folder, a log, and a function that lets a crew drive with a drawn job."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.run, self.log, self._patch = RunFolder(folder / "mini_seed1" / "now"), Log(), patch
        self.run.folder.mkdir(parents=True)

    def work(self, job: str, *units: Unit, endpoint: Address | None = None, workers: int = 1) -> Crew:
        command = [sys.executable, "-S", "-c", PRELUDE + job]
        self._patch.setattr(crew, "harness_command", lambda *arguments: [*command, *arguments[1:]])
        made = Crew(self.run, list(units or [unit()]), workers, endpoint, [], self.log)
        self.is_interrupted = made.work()
        return made

    def attempts(self) -> int:
        return len(self.run.attempts(unit()))

    def reason(self) -> str:
        ((_, record, text),) = self.log.finished
        assert record is None
        return text


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    fake = type("FreshSimulator", (Simulator,), {"made": []})
    monkeypatch.setattr(crew, "EmbeddedSimulator", fake)
    return Scene(tmp_path, monkeypatch)


def test_result_of_a_job_is_reported(scene: Scene) -> None:
    made = scene.work("report(50.0); report(75.0); publish()")
    assert scene.log.finished == [("05", {"attempt": 1}, "")]
    assert scene.log.progress == [(50.0, 1.0), (75.0, 1.0)]
    assert (made.failures, scene.is_interrupted) == ([], False)


def test_what_the_job_is_told(scene: Scene) -> None:
    scene.work("json.dump(options, open(options['--unit'] + '.options', 'w')); publish()")
    (attempt,) = scene.run.attempts(unit())
    options = json.loads(Path(f"{attempt.unit_file}.options").read_text())
    assert options["--unit"] == str(attempt.unit_file)
    assert (options["--host"], options["--label"], options["--parent"]) == ("127.0.0.1", "embedded", str(os.getpid()))
    assert int(options["--port"]) + 5 == int(options["--traffic-manager-port"])


def test_a_published_result_counts_however_the_job_ends(scene: Scene) -> None:
    made = scene.work("publish(); os.abort()")
    assert (scene.attempts(), made.failures) == (1, [])


def test_failed_job_is_tried_again_with_a_fresh_simulator(scene: Scene) -> None:
    scene.work("publish() if attempt == 2 else fail(1, 'error: no answer (try: make simulator)')")
    assert scene.log.finished == [("05", {"attempt": 2}, "")]
    (simulator,) = crew.EmbeddedSimulator.made  # type: ignore[attr-defined]
    assert (simulator.starts, simulator.stops) == (2, 2)


def test_three_tries_are_enough(scene: Scene) -> None:
    made = scene.work("fail(1, 'noise\\nerror: no answer')")
    assert scene.attempts() == crew.MAX_ATTEMPTS == 3
    assert scene.reason() == "error 1: no answer"
    assert made.failures == [(unit(), "error 1: no answer")]


def test_error_of_the_route_is_not_tried_again(scene: Scene) -> None:
    scene.work("fail(2, 'error: route file is gone')")
    assert (scene.attempts(), scene.reason()) == (1, "error 2: route file is gone")


def test_one_failure_does_not_stop_the_others(scene: Scene) -> None:
    made = scene.work("fail(2, 'error: gone') if '/05/' in options['--unit'] else publish()", unit(), unit("07"))
    assert [(route, record is None) for route, record, _ in scene.log.finished] == [("05", True), ("07", False)]
    assert [failed.route for failed, _ in made.failures] == ["05"]


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal SIGSEGV: the job ended without a result; see {log}"),
        ("pass", "error 0: the job ended without a result; see {log}"),
        ("raise ValueError('x')", "error 1: the job ended without a result; see {log}"),
    ],
)
def test_job_that_says_nothing_points_to_its_log(scene: Scene, job: str, reason: str) -> None:
    scene.work(job)
    assert scene.reason() == reason.format(log=scene.run.attempts(unit())[-1].log)


def test_simulator_that_does_not_start_is_the_reason(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew.EmbeddedSimulator, "refuses", "the simulator ended with code 2 at its start: port in use")
    scene.work("publish()")
    assert scene.reason() == "the simulator ended with code 2 at its start: port in use"


def test_drive_ends_at_once_when_its_simulator_does(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew.EmbeddedSimulator, "dies", True)
    began_s = time.monotonic()
    scene.work("publish() if attempt == 2 else time.sleep(60)")
    assert scene.log.finished == [("05", {"attempt": 2}, "")]
    assert time.monotonic() - began_s < 10.0


def test_silent_job_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "STALL_LIMIT_S", 0.3)
    monkeypatch.setattr(crew, "MAX_ATTEMPTS", 1)
    scene.work("report(1.0); time.sleep(60)")
    assert scene.reason() == f"no progress for 0 s; see {scene.run.attempts(unit())[0].log}"


def test_job_that_does_not_end_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "EXIT_LIMIT_S", 0.2)
    monkeypatch.setattr(crew, "MAX_ATTEMPTS", 1)
    scene.work("os.close(int(options['--progress-fd'])); time.sleep(60)")
    assert scene.reason().startswith("the job did not end within 0 s of its last word; see ")


def test_server_that_is_gone_stops_the_rest(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Address, "version", lambda self: None)
    made = scene.work("fail(1, 'error: time-out')", unit(), unit("07"), endpoint=Address("carla.example", 2000))
    assert scene.attempts() == 1
    assert made.failures == [(unit(), "no CARLA server answers at carla.example:2000 any more")]
    assert not scene.is_interrupted
    assert scene.run.attempts(unit("07")) == []


def test_server_that_still_answers_is_tried_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Address, "version", lambda self: "0.9.16")
    scene.work("publish() if attempt == 2 else fail(1, 'error: time-out')", endpoint=Address("carla.example", 2000))
    assert scene.log.finished == [("05", {"attempt": 2}, "")]
    assert crew.EmbeddedSimulator.made == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_all_workers_and_their_jobs(scene: Scene, number: signal.Signals) -> None:
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    both = threading.Barrier(2, action=lambda: os.kill(os.getpid(), number))
    scene.log.on_progress = both.wait
    made = scene.work("report(1.0); time.sleep(60)", unit(), unit("07"), unit("08"), workers=2)
    assert scene.is_interrupted
    assert sorted((failed.route, reason) for failed, reason in made.failures) == [
        ("05", "interrupted"),
        ("07", "interrupted"),
    ]
    assert psutil.Process().children(recursive=True) == []
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_defect_of_our_own_is_raised_after_everybody_has_stopped(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise JobError("no free block")

    monkeypatch.setattr(crew, "take_port_block", refuse)
    with pytest.raises(JobError, match="no free block"):
        scene.work("publish()", workers=2)

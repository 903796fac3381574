"""What becomes of a drive whose job or simulator fails; jobs and simulators are small programs here."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.datatypes.job import Outcome
from harness.errors import ConfigError
from harness.jobs import claims
from harness.jobs.attempts import AttemptFolder, begin_attempt
from harness.jobs.claims import Holder, take_claim
from harness.jobs.failures import Failure
from harness.jobs.orphans import MARK, mark_of
from harness.jobs.ports import PortBlock, take_port_block
from harness.stages import supervision
from harness.stages.supervision import Address, Drives, Wishes, parse_address, parse_progress
from tests.unit.jobs.drawn import is_running, unit
from tests.unit.stages.drawn import Simulator, job_command

LIMIT_S = 20.0
HERE = Holder.this_process("0123456789ab", 0)
SERVER = Address("carla.example", 2000)
# Starts a process in a session of its own that outlives everybody, and says its pid in a file beside the unit.
LEAVES_A_DAEMON = """
if os.fork() == 0:
    os.setsid()
    open(options["--unit"] + ".daemon", "w").write(str(os.getpid()))
    time.sleep(60)
    os._exit(0)
while not os.path.exists(options["--unit"] + ".daemon"): time.sleep(0.01)
"""


class Scene:
    """A claimed unit, a simulator that is always there, and a function that drives with a drawn job."""

    def __init__(self, folder: Path, block: PortBlock, patch: pytest.MonkeyPatch) -> None:
        claim = take_claim(folder / "05", HERE)
        assert claim is not None
        self.folder, self.claim, self.wishes, self._block, self._patch = folder / "05", claim, Wishes(), block, patch
        self.simulator: Simulator | None = Simulator()
        self.endpoint: Address | None = None
        self.began_s = time.monotonic()
        self.attempt: AttemptFolder

    def drive(self, job: str, *, is_recorded: bool = False) -> Failure | None:
        self._patch.setattr(supervision, "harness_command", job_command(job))
        self.attempt = begin_attempt(self.folder, unit(), {})
        drives = Drives(self.simulator, self.endpoint, self._block, self.wishes, self.began_s)  # type: ignore[arg-type]
        before = set(psutil.Process().children(recursive=True))  # other tests may have left helpers of Python's own
        try:
            return drives.drive(self.attempt, "Borough01", self.claim, is_recorded=is_recorded)
        finally:
            assert set(psutil.Process().children(recursive=True)) <= before

    def failed(self, job: str) -> tuple[Outcome, str]:
        """Drive with a job that must fail; return how and why."""
        found = self.drive(job)
        assert found is not None
        assert found.reason
        return found.outcome, found.reason

    def during(self, act: Callable[[], None], job: str) -> Failure | None:
        """Drive with a job that says that it is at 50 %, and do something then."""

        def act_then() -> None:
            deadline_s = time.monotonic() + LIMIT_S
            while not list(self.folder.glob("*/progress.json")) and time.monotonic() < deadline_s:
                time.sleep(0.01)
            act()

        thread = threading.Thread(target=act_then)
        thread.start()
        try:
            return self.drive(f"report(50.0)\n{job}")
        finally:
            thread.join()


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    block = take_port_block()
    monkeypatch.setattr(Address, "version", lambda self: "0.9.16")
    made = Scene(tmp_path, block, monkeypatch)
    yield made
    made.claim.release()
    block.release()


# --- a drive that works ----------------------------------------------------------------------------------------------


def test_result_of_a_job_and_how_far_it_is(scene: Scene) -> None:
    assert scene.drive("report(50.0); report(75.0); publish()") is None
    assert scene.attempt.result.is_file()
    percent, sim_s = scene.attempt.read_progress()
    assert percent in (50.0, 75.0)  # whatever was there at the first look
    assert sim_s == 1.0


def test_progress_is_written_now_and_then(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "_PROGRESS_EVERY_S", 0.0)
    assert scene.drive("report(50.0); time.sleep(0.3); report(75.0); publish()") is None
    assert scene.attempt.read_progress() == (75.0, 1.0)


def test_what_the_job_is_told(scene: Scene) -> None:
    tell = "json.dump([options, os.environ.get('HARNESS_ATTEMPT')], open(options['--unit'] + '.options', 'w'))"
    scene.drive(f"{tell}; publish()")
    options, mark = json.loads(Path(f"{scene.attempt.unit_file}.options").read_text())
    assert options["--unit"] == str(scene.attempt.unit_file)
    assert (options["--host"], options["--label"], options["--parent"]) == ("127.0.0.1", "embedded", str(os.getpid()))
    assert int(options["--port"]) + 5 == int(options["--traffic-manager-port"])
    assert int(options["--lock-fd"]) == scene.claim.lock_fd
    assert "--record" not in options
    assert mark == mark_of(scene.attempt.folder)
    assert MARK not in os.environ


def test_a_recorded_drive_is_told_where(scene: Scene) -> None:
    tell = "result['record'] = options.get('--record'); publish()"
    for is_recorded in (False, True):
        assert scene.drive(tell, is_recorded=is_recorded) is None
        found = json.loads(scene.attempt.result.read_text())["record"]
        assert found == (str(scene.attempt.recording) if is_recorded else None)


def test_drives_in_a_server_take_turns_with_the_ports(scene: Scene) -> None:
    scene.simulator, scene.endpoint = None, SERVER
    job = (
        "assert (options['--host'], options['--port'], options['--label']) == ('carla.example', '2000', 'CARLA')\n"
        "result['port'] = options['--traffic-manager-port']; publish()"
    )
    scene._patch.setattr(supervision, "harness_command", job_command(job))
    drives = Drives(None, SERVER, scene._block, scene.wishes)
    ports = []
    for _ in range(3):
        attempt = begin_attempt(scene.folder, unit(), {})
        assert drives.drive(attempt, "Borough01", scene.claim, is_recorded=False) is None
        ports.append(json.loads(attempt.result.read_text())["port"])
    assert len(set(ports)) == 3


def test_a_published_result_counts_however_the_job_ends(scene: Scene) -> None:
    assert scene.drive("publish(); os.abort()") is None


# --- a drive that does not -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "outcome", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", Outcome.AGENT, "signal SIGSEGV: {nothing}"),
        ("os.kill(os.getpid(), signal.SIGKILL)", Outcome.LOST, "signal SIGKILL: {nothing}"),
        ("pass", Outcome.AGENT, "error 0: {nothing}"),
        ("raise ValueError('x')", Outcome.AGENT, "error 1: {nothing}"),
        ("fail(1, 'noise\\nerror: no luck (try: again)')", Outcome.AGENT, "error 1: no luck (try: again)"),
        ("fail(2, 'error: route file is gone')", Outcome.CONFIG, "error 2: route file is gone"),
        ("fail(70, 'error: no answer')", Outcome.SIMULATOR_CRASH, "error 70: no answer"),
        ("fail(1, 'error: CUDA out of memory')", Outcome.OUT_OF_MEMORY, "error 1: CUDA out of memory"),
    ],
)
def test_what_a_job_died_of_or_where_its_log_is(scene: Scene, job: str, outcome: Outcome, reason: str) -> None:
    found = scene.failed(job)
    nothing = f"the drive ended without a result; see {scene.attempt.log}"
    assert found == (outcome, reason.format(nothing=nothing))


def test_the_end_of_the_log_is_evidence(scene: Scene) -> None:
    found = scene.drive("print('first'); fail(1, 'error: last')")
    assert found is not None
    assert found.evidence == ("first", "error: last")


def test_simulator_that_does_not_start_is_the_reason(scene: Scene) -> None:
    assert scene.simulator is not None
    scene.simulator.refuses = "the simulator ended with code 2 at its start: port in use"
    found = scene.drive("publish()")
    assert found is not None
    assert (found.outcome, found.reason) == (Outcome.SIMULATOR_START, scene.simulator.refuses)
    assert found.evidence == ("the simulator's last words",)
    assert not scene.attempt.log.exists()


def test_drive_ends_at_once_when_its_simulator_does(scene: Scene) -> None:
    assert scene.simulator is not None
    scene.simulator.dies_after = 1
    began_s = time.monotonic()
    assert scene.failed("time.sleep(60)") == (Outcome.SIMULATOR_CRASH, "the simulator ended during the drive")
    assert time.monotonic() - began_s < 10.0


@pytest.mark.parametrize(("version", "outcome"), [("0.9.16", Outcome.AGENT), (None, Outcome.SIMULATOR_HANG)])
def test_silent_job_is_given_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, version: str | None, outcome: Outcome
) -> None:
    monkeypatch.setattr(supervision, "STALL_LIMIT_S", 0.3)
    monkeypatch.setattr(Address, "version", lambda self: version)
    assert scene.failed("report(1.0); time.sleep(60)") == (outcome, f"no progress for 0 s; see {scene.attempt.log}")


def test_job_that_does_not_end_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "EXIT_LIMIT_S", 0.3)
    outcome, reason = scene.failed("os.close(int(options['--progress-fd'])); time.sleep(60)")
    assert outcome is Outcome.AGENT
    assert reason == f"the job did not end within 0 s of its last word; see {scene.attempt.log}"


# --- what an agent starts --------------------------------------------------------------------------------------------


def daemon_of(scene: Scene) -> int:
    return int(Path(f"{scene.attempt.unit_file}.daemon").read_text())


@pytest.mark.parametrize("end", ["publish()", "os.abort()"])
def test_what_an_agent_starts_is_gone_after_the_drive(scene: Scene, end: str) -> None:
    # It holds the pipe of the job open as well, and nobody waits for it.
    began_s = time.monotonic()
    scene.drive(f"{LEAVES_A_DAEMON}\n{end}")
    assert not is_running(daemon_of(scene))
    assert time.monotonic() - began_s < 10.0


def test_what_an_agent_starts_is_gone_after_an_interrupt(scene: Scene) -> None:
    def interrupt() -> None:
        scene.wishes.is_ended = True

    scene.during(interrupt, f"{LEAVES_A_DAEMON}\ntime.sleep(60)")
    daemon = Path(f"{scene.attempt.unit_file}.daemon")
    assert not daemon.exists() or not is_running(int(daemon.read_text()))


# --- ended from outside ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", ["time.sleep(60)", "os.close(int(options['--progress-fd'])); time.sleep(60)"])
def test_interrupt_ends_the_job_within_seconds(scene: Scene, job: str) -> None:
    def interrupt() -> None:
        scene.wishes.is_ended = True

    began_s = time.monotonic()
    found = scene.during(interrupt, job)
    assert found is not None
    assert (found.outcome, found.reason) == (Outcome.CANCELLED, "interrupted")
    assert time.monotonic() - began_s < 5.0


def test_interrupt_while_the_simulator_starts_starts_no_job(scene: Scene) -> None:
    scene.wishes.is_ended = True
    assert scene.failed("publish()") == (Outcome.CANCELLED, "interrupted")
    assert not scene.attempt.log.exists()


def test_unit_that_another_machine_has_taken_over_is_left_to_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT_EVERY_S", 0.0)

    def take_over() -> None:
        (scene.folder / "claim.json").write_text("{}")

    found = scene.during(take_over, "time.sleep(60)")
    assert found is not None
    assert found.outcome is Outcome.RETURNED
    assert found.reason.startswith("another task has taken the unit over")


@pytest.mark.parametrize(
    ("age_s", "left_s", "outcome"),
    [
        (0.0, supervision.CLOSING_S + 0.1, Outcome.TIMEOUT),  # the first unit of its task, and still too long for it
        (1000.0, supervision.CLOSING_S + 0.1, Outcome.RETURNED),
        (1000.0, supervision.CLOSING_S + 1000.0, None),  # half of it took no time: the rest fits
    ],
)
def test_before_the_time_is_up_a_drive_is_handed_back_unless_it_will_be_done(
    scene: Scene, age_s: float, left_s: float, outcome: Outcome | None
) -> None:
    scene.began_s -= age_s

    def warn() -> None:
        scene.wishes.deadline_s = time.monotonic() + left_s

    rest = "publish()" if outcome is None else "time.sleep(60)"
    found = scene.during(warn, f"time.sleep(0.3); {rest}")
    assert (None if found is None else found.outcome) is outcome


def test_drive_that_has_shown_no_progress_is_handed_back_at_the_warning(scene: Scene) -> None:
    scene.wishes.deadline_s = time.monotonic() + 1000.0
    assert scene.failed("time.sleep(60)")[0] in (Outcome.RETURNED, Outcome.TIMEOUT)


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"percent": 50, "sim_s": 1.5}', (50.0, 1.5)),
        (b'{"percent": 50.5, "sim_s": 0, "more": []}', (50.5, 0.0)),
        (b"", None),
        (b"{", None),
        (b"\xff", None),
        (b"3", None),
        (b'{"percent": "50", "sim_s": 1}', None),
        (b'{"percent": 50}', None),
        (b"[" * 100_000, None),
    ],
)
def test_progress_lines(line: bytes, expected: tuple[float, float] | None) -> None:
    assert parse_progress(line) == expected


def test_noise_on_the_pipe_is_no_progress(scene: Scene) -> None:
    noise = "os.write(int(options['--progress-fd']), b'noise\\n{' + b'x' * 100000 + b'\\n')"
    assert scene.drive(f"{noise}; report(50.0); publish()") is None
    assert scene.attempt.read_progress() in ((50.0, 1.0), (0.0, 0.0))


def test_address_of_a_server() -> None:
    assert parse_address("embedded") is None
    assert parse_address("carla.example:2000") == SERVER
    with pytest.raises(ConfigError, match="SIM is 'carla', expected embedded or host:port"):
        parse_address("carla")


def test_server_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Address, "version", lambda self: None)
    assert SERVER.why_gone() == "no CARLA server answers at carla.example:2000 any more"
    monkeypatch.setattr(Address, "version", lambda self: "0.9.16")
    assert SERVER.why_gone() == ""


def test_children_inherit_nothing_of_the_watcher(scene: Scene) -> None:
    tell: Any = "open(options['--unit'] + '.fds', 'w').write(' '.join(os.listdir('/proc/self/fd')))"
    scene.drive(f"{tell}; publish()")
    found = {int(number) for number in Path(f"{scene.attempt.unit_file}.fds").read_text().split()}
    # Its input and output, the pipe, the lock, and the listing itself.
    assert scene.claim.lock_fd in found
    assert len(found) <= 7

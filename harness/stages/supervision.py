"""Watch one drive: start its process, show that it lives, end it when it hangs or the time is up, say how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness.datatypes.job import Outcome
from harness.errors import ConfigError, SimError
from harness.jobs.attempts import AttemptFolder
from harness.jobs.claims import Claim
from harness.jobs.failures import Failure, SimulatorState, classify, failure
from harness.jobs.memory_guard import oom_kills
from harness.jobs.orphans import MARK, end_marked, mark_of
from harness.jobs.ports import PortBlock
from harness.jobs.processes import GRACE_S, end, harness_command, last_lines, start
from harness.supervisor import EmbeddedSimulator, probe_version

# An agent may load a large network before its first tick.
STALL_LIMIT_S = 600.0
ANSWER_LIMIT_S = 5.0
# From the job's last word to its end.
EXIT_LIMIT_S = 30.0
# Left over of the time between the warning and the end of a task, to write down what was done.
CLOSING_S = 20.0
# Slurm kills a cancelled task soon after it has told it to end, and the outcome is to be written before that.
CANCEL_GRACE_S = 0.8
# Slurm signals the processes of a job one by one.
LATE_SIGNAL_S = 0.2
_POLL_S = 0.25
_PROGRESS_EVERY_S = 1.0
_LONGEST_LINE_BYTES = 4096
# What it looks like when simulator and drive are told to end.
_MAY_BE_CAUSED = frozenset(
    {Outcome.AGENT, Outcome.SIMULATOR_START, Outcome.SIMULATOR_CRASH, Outcome.SIMULATOR_HANG, Outcome.LOST}
)
# Ends that somebody has asked for.
_WANTED = frozenset({Outcome.CANCELLED, Outcome.RETURNED, Outcome.CONFIG})


@dataclass(frozen=True)
class Address:
    """A CARLA server that is already running."""

    host: str
    port: int

    def version(self) -> str | None:
        """Return the version of the CARLA server that is there now, None if there is none."""
        return probe_version(self.host, self.port, ANSWER_LIMIT_S)

    def why_gone(self) -> str:
        """Return what to say when no server answers any more; empty if one does."""
        return "" if self.version() is not None else f"no CARLA server answers at {self.host}:{self.port} any more"


def parse_address(sim: str) -> Address | None:
    """Return the server that a setting names, None for a simulator of our own.

    Raises:
        ConfigError: neither ``embedded`` nor ``host:port``.
    """
    if sim == "embedded":
        return None
    match = re.fullmatch(r"(?P<host>[^:\s]+):(?P<port>\d{1,5})", sim)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ConfigError(f"SIM is {sim!r}, expected embedded or host:port", hint="make eval SIM=127.0.0.1:2000")
    return Address(match["host"], int(match["port"]))


@dataclass
class Wishes:
    """What the worker was told from outside, by signals.

    Attributes:
        is_ended: stop at once (SIGTERM, SIGINT).
        deadline_s: monotonic time by which the task will be killed; None while that is far away (SIGUSR1).
    """

    is_ended: bool = False
    deadline_s: float | None = None

    @property
    def is_closing(self) -> bool:
        """Nothing new is to be begun."""
        return self.is_ended or self.deadline_s is not None


@dataclass
class Drives:
    """Drives one unit after the other in one simulator.

    Attributes:
        simulator: None if the server at `endpoint` was running before us.
        began_s: monotonic time at which the task began.
    """

    simulator: EmbeddedSimulator | None
    endpoint: Address | None
    block: PortBlock
    wishes: Wishes
    began_s: float = field(default_factory=time.monotonic)
    _count: int = 0

    def drive(self, attempt: AttemptFolder, town: str, claim: Claim, *, is_recorded: bool) -> Failure | None:
        """Drive the unit of an attempt; return why there is no result, None if there is one."""
        killed_before = oom_kills()
        failed = self._drive(attempt, town, claim, is_recorded=is_recorded)
        if failed is not None and failed.outcome in _MAY_BE_CAUSED and self._is_told_to_end():
            failed = failure(Outcome.CANCELLED, "interrupted", "")
        if failed is None or failed.outcome in _WANTED or oom_kills() == killed_before:
            return failed
        reason = f"the kernel killed a process of the task for its memory: {failed.reason}"
        return failure(Outcome.OUT_OF_MEMORY, reason, "\n".join(failed.evidence))

    def _is_told_to_end(self) -> bool:
        """Tell whether this task was told to end: the scheduler tells drive and simulator as well, maybe before us."""
        deadline_s = time.monotonic() + LATE_SIGNAL_S
        while not self.wishes.is_ended and time.monotonic() < deadline_s:
            time.sleep(0.02)
        return self.wishes.is_ended

    def _drive(self, attempt: AttemptFolder, town: str, claim: Claim, *, is_recorded: bool) -> Failure | None:
        if self.simulator is not None:
            try:
                self.simulator.ensure_running(town)
            except SimError as error:
                return failure(Outcome.SIMULATOR_START, error.message, self.simulator.last_words())
        if (stopped := self._stopped(claim, time.monotonic(), 0.0, attempt.log)) is not None:
            return stopped
        reading, writing = os.pipe()
        mark = mark_of(attempt.folder)
        command = self._job_command(attempt, writing, claim.lock_fd, is_recorded=is_recorded)
        process = start(command, attempt.log, pass_fds=[writing, claim.lock_fd], environment={**os.environ, MARK: mark})
        os.close(writing)
        given_up: Failure | None = None
        try:
            given_up = self._follow(reading, process, attempt, claim) or self._await_end(process, attempt, claim)
        finally:
            os.close(reading)
            # A server that was there before us is to be left as it was; without a server the client does not hear us.
            is_hurried = self.endpoint is None and (self.wishes.is_ended or not self._has_simulator())
            end(process, CANCEL_GRACE_S if is_hurried else GRACE_S)
            end_marked(mark)
        if attempt.result.is_file():
            return None
        if given_up is not None:
            return given_up
        return classify(process.returncode, last_lines(attempt.log), self.simulator_state(), str(attempt.log))

    def simulator_state(self) -> SimulatorState:
        """Ask the simulator whether it is there."""
        address = self._address()
        if address.version() is not None:
            return SimulatorState.ANSWERS
        is_gone = self.endpoint is None and not self._has_simulator()
        return SimulatorState.GONE if is_gone else SimulatorState.SILENT

    def _has_simulator(self) -> bool:
        return self.simulator is not None and self.simulator.is_alive()

    def _address(self) -> Address:
        return self.endpoint or Address("127.0.0.1", self.block.rpc)

    def _job_command(self, attempt: AttemptFolder, progress_fd: int, lock_fd: int, *, is_recorded: bool) -> list[str]:
        address = self._address()
        self._count += 1
        manager_port = self.block.traffic_manager_of(self._count) if self.endpoint else self.block.traffic_manager
        return harness_command(
            *("drive-unit", "--unit", str(attempt.unit_file), "--result", str(attempt.result)),
            *("--host", address.host, "--port", str(address.port)),
            *("--traffic-manager-port", str(manager_port)),
            *("--label", "CARLA" if self.endpoint else "embedded"),
            *(("--record", str(attempt.recording)) if is_recorded else ()),
            *("--progress-fd", str(progress_fd), "--lock-fd", str(lock_fd), "--parent", str(os.getpid())),
        )

    def _follow(
        self, reading: int, process: subprocess.Popen[bytes], attempt: AttemptFolder, claim: Claim
    ) -> Failure | None:
        """Pass progress on until the job closes its end of the pipe; return why it was given up before that."""
        buffer, heard_s, shown_s = b"", time.monotonic(), 0.0
        started_s, percent = heard_s, 0.0
        while True:
            if (stopped := self._stopped(claim, started_s, percent, attempt.log)) is not None:
                return stopped
            ready, _, _ = select.select([reading], [], [], _POLL_S)
            now_s = time.monotonic()
            if ready:
                data = os.read(reading, 65536)
                if not data:
                    return None
                heard_s = now_s
                *lines, buffer = (buffer + data).split(b"\n")
                buffer = buffer[-_LONGEST_LINE_BYTES:]
                heard = [found for line in lines if (found := parse_progress(line)) is not None]
                if heard and now_s - shown_s >= _PROGRESS_EVERY_S:
                    shown_s, percent = now_s, heard[-1][0]
                    attempt.write_progress(*heard[-1])
            elif process.poll() is not None:
                return None  # what it has forked may hold the other end open
            elif self.simulator is not None and not self.simulator.is_alive():
                # The client would wait for half a minute before it noticed.
                return failure(
                    Outcome.SIMULATOR_CRASH, "the simulator ended during the drive", self.simulator.last_words()
                )
            elif now_s - heard_s > STALL_LIMIT_S:
                answers = self.simulator_state() is SimulatorState.ANSWERS
                outcome = Outcome.AGENT if answers else Outcome.SIMULATOR_HANG
                reason = f"no progress for {STALL_LIMIT_S:.0f} s; see {attempt.log}"
                return failure(outcome, reason, last_lines(attempt.log))

    def _await_end(self, process: subprocess.Popen[bytes], attempt: AttemptFolder, claim: Claim) -> Failure | None:
        """Wait for the end of a job that has said its last word; return why that was given up."""
        deadline_s = time.monotonic() + EXIT_LIMIT_S
        while time.monotonic() < deadline_s:
            claim.beat()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_S)
                return None
            if self.wishes.is_ended:
                return failure(Outcome.CANCELLED, "interrupted", "")
        reason = f"the job did not end within {EXIT_LIMIT_S:.0f} s of its last word; see {attempt.log}"
        return failure(Outcome.AGENT, reason, last_lines(attempt.log))

    def _stopped(self, claim: Claim, started_s: float, percent: float, log: Path) -> Failure | None:
        """Show that we live; return why the drive has to end now, None if it may go on."""
        if not claim.beat():
            return failure(Outcome.RETURNED, "another task has taken the unit over; this one stood still too long", "")
        if self.wishes.is_ended:
            return failure(Outcome.CANCELLED, "interrupted", "")
        if self.wishes.deadline_s is None:
            return None
        now_s = time.monotonic()
        elapsed_s, left_s = now_s - started_s, self.wishes.deadline_s - now_s - CLOSING_S
        needed_s = elapsed_s * (100.0 - percent) / percent if percent > 0.0 else float("inf")
        if needed_s < left_s:
            return None
        had_the_task_to_itself = started_s - self.began_s < 0.2 * (now_s - self.began_s)
        if had_the_task_to_itself:
            return failure(Outcome.TIMEOUT, f"not done in the {elapsed_s:.0f} s that its task has", last_lines(log))
        return failure(Outcome.RETURNED, f"handed back at {percent:.0f} %, before the time limit of its task", "")


def parse_progress(line: bytes) -> tuple[float, float] | None:
    """Return percent and simulated seconds; None for anything else, since an agent can write to any descriptor."""
    try:
        match json.loads(line):
            case {"percent": int() | float() as percent, "sim_s": int() | float() as sim_s}:
                return float(percent), float(sim_s)
    except (ValueError, RecursionError):
        return None
    return None

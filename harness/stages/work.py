"""A task: the process that works through units, under any scheduler; started by `harness work`.

It claims one unit after the other, first those of its own list, then whatever other tasks of the run have not begun.
Every unit is driven in a process of its own, beside a simulator that stays warm. Killed at any line it leaves a claim
that lapses, an attempt without an outcome, and nothing else.
"""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.datatypes.job import Attempt, Outcome, Submission
from harness.datatypes.unit import Unit
from harness.errors import ConfigError
from harness.jobs.attempts import (
    AttemptFolder,
    attempt_folders,
    begin_attempt,
    choose,
    defect,
    give_motion,
    read_state,
)
from harness.jobs.budget import Policy, judge, outcome_of, settle
from harness.jobs.claims import LEASE_S, Claim, Holder, file_system_time_s, is_live, take_claim
from harness.jobs.events import registered
from harness.jobs.failures import Failure
from harness.jobs.launchers.slurm_notes import ErrorLog, last_word
from harness.jobs.ledger import Ledger
from harness.jobs.orphans import end_left_behind
from harness.jobs.ports import take_port_block
from harness.jobs.publish import publish_json, read_json
from harness.jobs.run_folder import RunFolder
from harness.jobs.templates import parse_time_limit
from harness.stages.history import since
from harness.stages.launch import load_launch
from harness.stages.submissions import write_scancel_script
from harness.stages.supervision import Address, Drives, Wishes
from harness.supervisor import EmbeddedSimulator

# Simulators that do not start, one after the other, before a task gives up on its machine.
MAX_START_FAILURES = 2
# A unit in another's hands when the list was gone through may be free again after this long.
SECOND_LOOK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class WorkRequest:
    """Which task to do.

    Attributes:
        warning_s: time between SIGUSR1 and the end of the task.
    """

    run: RunFolder
    token: str
    task: int
    policy: Policy
    endpoint: Address | None = None
    maps: tuple[Path, ...] = ()
    lease_s: float = LEASE_S
    warning_s: float = 120.0


def work(request: WorkRequest) -> bool:
    """Do a task; False if it gave up on this machine.

    Raises:
        ConfigError: the run's ledger knows no such task.
    """
    ledger = Ledger(request.run.ledger)
    submissions = {submission.token: submission for submission in ledger.read()}
    own = submissions.get(request.token)
    if own is None or request.task >= len(own.tasks):
        raise ConfigError(
            f"task {request.task} of submission {request.token} is not in {request.run.ledger}",
            hint="make status shows what was submitted",
        )
    if request.run.cancel_wish.exists():
        print("the run was cancelled; nothing to do", flush=True)
        return True
    _register(request.run, ledger, own)
    return _Task(request, submissions, request.run.units()).work()


def _register(run: RunFolder, ledger: Ledger, own: Submission) -> None:
    """Enter this job into the ledger if it is not there: its script may have submitted itself again."""
    job_id = os.environ.get("SLURM_ARRAY_JOB_ID") or os.environ.get("SLURM_JOB_ID")
    if own.backend == "slurm" and job_id and job_id not in own.job_ids:
        ledger.append(registered(own.token, job_id))
        write_scancel_script(run)


@dataclass
class _Task:
    request: WorkRequest
    submissions: dict[str, Submission]
    units: list[Unit]
    wishes: Wishes = field(default_factory=Wishes)
    drive_wall_s: float = 0.0
    results: int = 0
    start_failures: int = 0
    trouble: str = ""

    def __post_init__(self) -> None:
        self.began_s, self.began_monotonic_s = time.time(), time.monotonic()
        self.launch = load_launch(self.request.run)
        self.here = Holder.this_process(self.request.token, self.request.task)
        self.restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
        self.error_log = ErrorLog.of_this_job()
        self.record = (
            self.request.run.folder
            / "tasks"
            / (f"{self.request.token}_{self.request.task}_{self.here.pid}_{int(self.began_s * 1000)}.json")
        )

    def work(self) -> bool:
        run = self.request.run
        self._heed_signals()
        end_left_behind([run.unit_folder(unit) for unit in self.units], self._is_attempt_running)
        self.record.parent.mkdir(exist_ok=True)
        block = take_port_block()
        log = run.folder / "simulators" / f"{self.request.token}_{self.request.task}.log"
        simulator = None if self.request.endpoint else EmbeddedSimulator(block.rpc, list(self.request.maps), log)
        drives = Drives(simulator, self.request.endpoint, block, self.wishes)
        try:
            for number in self._order():
                if self.wishes.is_closing or self.trouble or run.cancel_wish.exists():
                    break
                self._try_unit(self.units[number], drives)
                self._write_record()
        finally:
            if simulator is not None:
                simulator.stop()
            block.release()
            self._write_record()
        if self.trouble:
            print(f"error: {self.trouble}", flush=True)
        return not self.trouble

    def _order(self) -> Iterator[int]:
        """Yield unit numbers: the task's own, then the others', last first; at the end, what was not free before."""
        own = self.submissions[self.request.token]
        mine = list(own.tasks[self.request.task])
        rank = own.partition_rank
        wanted = set(self.launch.wanted) or set(range(len(self.units)))
        others = [
            number
            for submission in self.submissions.values()
            if submission.partition_rank <= rank and not submission.is_abandoned
            for task, numbers in enumerate(submission.tasks)
            if task not in submission.ended and task not in submission.cancelled
            for number in reversed(numbers)
            if number in wanted
        ]
        everything = list(dict.fromkeys([*mine, *others]))
        yield from everything
        time.sleep(SECOND_LOOK_S if any(map(self._is_open, everything)) else 0.0)
        yield from filter(self._is_open, everything)

    def _is_open(self, number: int) -> bool:
        return not self.request.run.is_done(self.units[number])

    def _try_unit(self, unit: Unit, drives: Drives) -> None:
        """Drive a unit until it has a result or may not be tried here any more, if nobody else does."""
        run = self.request.run
        if run.is_done(unit):
            return
        folder = run.unit_folder(unit)
        claim = take_claim(folder, self.here, self.request.lease_s)
        if claim is None:
            return
        try:
            # This machine may be the one where an earlier attempt left something behind.
            end_left_behind([folder], lambda attempt: False)
            if run.is_done(unit) or self._finish_earlier(unit):
                return
            self._explain_earlier(folder)
            while not self.wishes.is_closing and self._may_try(folder):
                if not self._attempt(unit, drives, claim):
                    return
        finally:
            claim.release()

    def _may_try(self, folder: Path) -> bool:
        state = since(read_state(folder, self.here, 0.0), self.launch.began_s)
        attempts = [settle(attempt, self.submissions) for attempt in map(_not_live, state.attempts)]
        verdict = judge(attempts, self.request.policy)
        own = self.submissions[self.request.token]
        # A unit that needs more time or another partition is left to a task that has it.
        needed_s = parse_time_limit(self.launch.timeout) * verdict.time_factor
        has_time = verdict.time_factor == 1 or own.time_limit_s == 0 or own.time_limit_s >= needed_s
        return not verdict.is_given_up and has_time and verdict.partition_rank <= own.partition_rank

    def _attempt(self, unit: Unit, drives: Drives, claim: Claim) -> bool:
        """Try a unit once; True if another try makes sense."""
        run = self.request.run
        folder = run.unit_folder(unit)
        attempt = begin_attempt(folder, unit, self._facts())
        failed = drives.drive(attempt, unit.town, claim, is_recorded=run.is_dataset)
        if failed is None:
            return self._keep_result(unit, attempt)
        failed = self._as_slurm_says(failed)
        attempt.write_outcome(
            failed.outcome,
            failed.reason,
            fingerprint=failed.fingerprint,
            evidence=list(failed.evidence),
            ended_s=time.time(),
        )
        print(f"{unit.route} attempt {attempt.number}: {failed.outcome}: {failed.reason}", flush=True)
        self._note_trouble(failed, drives)
        if drives.simulator is not None:
            # Whatever went wrong, a fresh simulator is the cheapest way to be sure of it.
            drives.simulator.stop()
        return not self.trouble and claim.is_ours()

    def _as_slurm_says(self, failed: Failure) -> Failure:
        """Return why Slurm told this task to end, if that is why the drive ended and Slurm has written it down."""
        word = last_word(self.error_log.since_start())
        outcome = outcome_of(word)
        if failed.outcome is not Outcome.CANCELLED or outcome is None or outcome is Outcome.CANCELLED:
            return failed
        return replace(failed, outcome=outcome, reason=f"{failed.reason}; Slurm says {word}")

    def _explain_earlier(self, folder: Path) -> None:
        """Give attempts of this very task an outcome that ended without a word before Slurm ran it again."""
        for attempt in read_state(folder, self.here, 0.0).attempts:
            is_ours = attempt.task == (self.request.token, self.request.task)
            if attempt.outcome is None and is_ours and attempt.restarts < self.restarts:
                word = last_word(self.error_log.before_start()) or "nothing"
                reason = f"ended without a word; Slurm says {word} and ran its task again"
                known = AttemptFolder(folder / f"attempt_{attempt.number}")
                known.write_outcome(outcome_of(word) or Outcome.NODE, reason, ended_s=time.time())

    def _note_trouble(self, failed: Failure, drives: Drives) -> None:
        """Remember what makes every further try on this machine pointless."""
        is_start = failed.outcome is Outcome.SIMULATOR_START
        self.start_failures = self.start_failures + 1 if is_start else 0
        if self.start_failures >= MAX_START_FAILURES:
            self.trouble = f"the simulator does not start here: {failed.reason}"
        elif drives.endpoint is not None and failed.outcome not in (Outcome.CANCELLED, Outcome.RETURNED):
            self.trouble = drives.endpoint.why_gone()

    def _keep_result(self, unit: Unit, attempt: AttemptFolder) -> bool:
        self.start_failures = 0
        if (why := defect(attempt.result)) is not None:
            attempt.write_outcome(Outcome.AGENT, f"its result {why}", fingerprint="damaged result", ended_s=time.time())
            return True
        content = read_json(attempt.result)
        wall_s = content["_checkpoint"]["records"][0]["meta"]["duration_system"]
        self.drive_wall_s += wall_s
        self.results += 1
        attempt.write_outcome(Outcome.RESULT, "", ended_s=time.time(), drive_wall_s=wall_s)
        publish_attempt(self.request.run, unit, attempt, content)
        return False

    def _finish_earlier(self, unit: Unit) -> bool:
        """Choose the result of an attempt whose worker was killed just before it did so; True if there is one."""
        for attempt in attempt_folders(self.request.run.unit_folder(unit)):
            if attempt.result.is_file() and defect(attempt.result) is None:
                attempt.write_outcome(Outcome.RESULT, "", ended_s=attempt.result.stat().st_mtime)
                publish_attempt(self.request.run, unit, attempt, read_json(attempt.result))
                return True
        return False

    def _facts(self) -> dict[str, Any]:
        return {
            "token": self.request.token,
            "task": self.request.task,
            "job_id": os.environ.get("SLURM_JOB_ID", ""),
            "restarts": self.restarts,
            "node": node_name(),
            "pid": self.here.pid,
            "machine": self.here.machine,
            "started_s": time.time(),
        }

    def _write_record(self) -> None:
        """Say what the task's time went into."""
        facts = {
            "began_s": self.began_s,
            "wall_s": round(time.monotonic() - self.began_monotonic_s, 3),
            "drive_wall_s": round(self.drive_wall_s, 3),
            "results": self.results,
            "node": node_name(),
        }
        publish_json(self.record, facts)

    def _is_attempt_running(self, attempt: Path) -> bool:
        unit = attempt.parent
        is_last = attempt_folders(unit)[-1:] == [AttemptFolder(attempt)]
        return is_last and is_live(unit, self.here, file_system_time_s(unit), self.request.lease_s)

    def _heed_signals(self) -> None:
        def end(number: int, frame: object) -> None:
            self.wishes.is_ended = True

        def close(number: int, frame: object) -> None:
            self.wishes.deadline_s = time.monotonic() + self.request.warning_s

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGUSR1, close)


def _not_live(attempt: Attempt) -> Attempt:
    """An attempt that this process finds while it holds the claim is over, whatever its files say."""
    return replace(attempt, is_live=False)


def publish_attempt(run: RunFolder, unit: Unit, attempt: AttemptFolder, content: dict[str, Any]) -> None:
    """Let the result of an attempt count: move what it recorded to where it belongs, then choose it."""
    if run.is_dataset:
        folder = run.root / content["harness"]["wall"]["data_folder"]
        folder.parent.mkdir(parents=True, exist_ok=True)
        if attempt.recording.is_dir():
            attempt.recording.rename(folder)
        record = run.published_record(unit)
        record.parent.mkdir(parents=True, exist_ok=True)
        publish_json(record, content)
    give_motion(run.unit_folder(unit), attempt, content)
    choose(run.unit_folder(unit), attempt)


def node_name() -> str:
    """Return the name of this machine, as the scheduler calls it."""
    return os.environ.get("SLURMD_NODENAME") or platform.node()

"""How a run stands: what is done, what failed and why, who is at it, and how long it will take."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datatypes.job import Attempt, Outcome, UnitState
from harness.datatypes.unit import Unit
from harness.errors import HarnessError
from harness.jobs.attempts import attempt_folders, read_state
from harness.jobs.budget import settle
from harness.jobs.claims import Holder
from harness.jobs.launchers.slurm import Slurm
from harness.jobs.launchers.slurm_text import QueueRow, is_alive_state, parse_job_name
from harness.jobs.ledger import Ledger
from harness.jobs.node_health import node_health
from harness.jobs.publish import read_json
from harness.jobs.reconcile import Facts, reconcile
from harness.jobs.run_folder import RunFolder
from harness.record.usability import failure_reason
from harness.stages.cancel import open_submissions
from harness.stages.history import predicted_s
from harness.stages.launch import SLURM, load_launch

# LEAD's experience with failed routes; a scenario type that fails more often than these is worth a look.
USUAL_FAILURE_SHARE, HARD_FAILURE_SHARE = 0.10, 0.50
MOST_TROUBLES = 20


@dataclass(frozen=True, kw_only=True)
class Group:
    """Units that have something in common.

    Attributes:
        failed: with a result that says the drive failed.
        given_up: without a result, and not tried again.
    """

    name: str
    total: int
    done: int
    failed: int
    running: int
    given_up: int

    @property
    def failure_share(self) -> float | None:
        """Share of the finished ones that failed; None if none is finished."""
        finished = self.done + self.given_up
        return (self.failed + self.given_up) / finished if finished else None

    @property
    def remark(self) -> str:
        """Say whether the share of failures is usual."""
        share = self.failure_share
        if share is None or share < USUAL_FAILURE_SHARE:
            return ""
        if share <= HARD_FAILURE_SHARE:
            return "more than 10 % is unusual, but some scenario types reach 50 %"
        return "more than 50 %: look at the troubles below"


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Attempts that failed alike.

    Attributes:
        example: folder of the last one.
        evidence: last line of its log.
    """

    outcome: str
    reason: str
    count: int
    units: int
    example: str
    evidence: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a run stands.

    Attributes:
        state: complete, running, cancelled or idle.
        jobs: state and reason -> number of tasks in Slurm; None if Slurm does not answer.
        attempts: number of attempts -> number of units.
        eta_s: predicted seconds to the end; None if nothing runs.
    """

    run: Path
    verb: str
    state: str
    whole: Group
    by_scenario: list[Group]
    by_town: list[Group]
    jobs: Mapping[str, int] | None
    attempts: Mapping[int, int]
    outcomes: Mapping[str, int]
    troubles: list[Trouble]
    nodes: list[dict[str, Any]]
    eta_s: float | None


def run_status(run: RunFolder, is_failed: Callable[[Any], bool]) -> Status:
    """Look at a run; changes nothing.

    Args:
        is_failed: tells of the content of a result file whether the drive counts as failed.
    """
    units, launch = run.units(), load_launch(run)
    by_token = {submission.token: submission for submission in Ledger(run.ledger).read()}
    here, now_s = Holder.this_process("", 0), time.time()
    found = [read_state(run.unit_folder(unit), here, now_s, launch.profile.poll.lease_s) for unit in units]
    states = [_settled(state, by_token) for state in found]
    policy = launch.policy(launch.attempts_limit().read())
    judged = Facts(
        units=found,
        wanted=range(len(units)),
        submissions=list(by_token.values()),
        views={},
        policy=policy,
        since_s=launch.began_s,
    )
    verdicts = reconcile(judged).given_up
    given_up = [number in verdicts for number in range(len(units))]
    failed = [state.is_done and _is_failed(run, unit, is_failed) for unit, state in zip(units, states, strict=True)]

    def group(name: str, numbers: Sequence[int]) -> Group:
        return Group(
            name=name,
            total=len(numbers),
            done=sum(states[n].is_done for n in numbers),
            failed=sum(failed[n] for n in numbers),
            running=sum(states[n].is_live for n in numbers),
            given_up=sum(given_up[n] for n in numbers),
        )

    def groups(key: Callable[[Unit], str]) -> list[Group]:
        members = defaultdict(list)
        for number, unit in enumerate(units):
            members[key(unit)].append(number)
        return [group(name, numbers) for name, numbers in sorted(members.items())]

    jobs = _jobs(run)
    whole = group("all", range(len(units)))
    attempts = [attempt for state in states for attempt in state.attempts]
    left = [n for n, state in enumerate(states) if not state.is_done and not given_up[n]]
    return Status(
        run=run.root,
        verb=launch.verb,
        state=_state(run, whole, jobs),
        whole=whole,
        by_scenario=groups(lambda unit: unit.scenario or "-") if run.is_dataset else [],
        by_town=groups(lambda unit: unit.town),
        jobs=jobs,
        attempts=dict(sorted(Counter(len(state.attempts) for state in states if state.attempts).items())),
        outcomes=dict(Counter(str(a.outcome or ("running" if a.is_live else "lost")) for a in attempts)),
        troubles=_troubles(run, units, states),
        nodes=[{"node": name, "summary": health.summary()} for name, health in node_health(attempts).items()],
        eta_s=_eta_s(run, units, left, whole.running),
    )


def _settled(state: UnitState, by_token: Mapping[str, Any]) -> UnitState:
    return UnitState(is_done=state.is_done, attempts=tuple(settle(attempt, by_token) for attempt in state.attempts))


def has_failed(content: Any) -> bool:
    """Tell of a result file whether its drive is of no use by LEAD's rule, such as one that broke."""
    record = content["_checkpoint"]["records"][0]
    return bool(failure_reason(record, has_first_frame=True))


def _is_failed(run: RunFolder, unit: Unit, is_failed: Callable[[Any], bool]) -> bool:
    file = run.result_of(unit)
    return file is not None and is_failed(read_json(file))


def _jobs(run: RunFolder) -> Mapping[str, int] | None:
    """Return what Slurm says of the run's tasks, counted; empty if nothing was handed to Slurm."""
    tokens = {s.token for s in open_submissions(run) if s.backend == SLURM}
    if not tokens:
        return {}
    slurm = Slurm(30.0)
    rows = slurm.queue() if slurm.is_installed() else None
    if rows is None:
        return None
    ours = [row for row in rows if parse_job_name(row.name) in tokens and is_alive_state(row.state)]
    return dict(Counter(map(_job_text, ours)))


def _job_text(row: QueueRow) -> str:
    has_reason = row.state == "PENDING" and row.reason not in ("", "None")
    return f"{row.state} ({row.reason})" if has_reason else row.state


def _state(run: RunFolder, whole: Group, jobs: Mapping[str, int] | None) -> str:
    if whole.done == whole.total:
        return "complete"
    if run.cancel_wish.exists():
        return "cancelled"
    if jobs or whole.running or run.controller() is not None:
        return "running"
    return "unknown: Slurm does not answer" if jobs is None else "idle: the same command continues"


def _troubles(run: RunFolder, units: Sequence[Unit], states: Sequence[UnitState]) -> list[Trouble]:
    alike: dict[tuple[str, str], list[tuple[int, Attempt]]] = defaultdict(list)
    for number, state in enumerate(states):
        for attempt in state.attempts:
            if attempt.outcome not in (None, Outcome.RESULT):
                alike[str(attempt.outcome), attempt.fingerprint].append((number, attempt))
    found = []
    for (outcome, _), cases in sorted(alike.items(), key=lambda item: -len(item[1]))[:MOST_TROUBLES]:
        number, attempt = max(cases, key=lambda case: case[1].started_s)
        folder = run.unit_folder(units[number]) / f"attempt_{attempt.number}"
        found.append(
            Trouble(
                outcome=outcome,
                reason=attempt.reason,
                count=len(cases),
                units=len({n for n, _ in cases}),
                example=str(folder),
                evidence=_last_evidence(folder),
            )
        )
    return found


def _last_evidence(folder: Path) -> str:
    try:
        lines = read_json(folder / "outcome.json").get("evidence", [])
        return str(lines[-1]) if lines else ""
    except (HarnessError, AttributeError, KeyError, TypeError):
        return ""


def _eta_s(run: RunFolder, units: Sequence[Unit], left: Sequence[int], running: int) -> float | None:
    if not left or not running:
        return None
    costs = predicted_s(run, units)
    begun = sum(_progress_share(run, units[number]) * costs[number] for number in left)
    return max(sum(costs[number] for number in left) - begun, 0.0) / running


def _progress_share(run: RunFolder, unit: Unit) -> float:
    folders = attempt_folders(run.unit_folder(unit))
    return folders[-1].read_progress()[0] / 100.0 if folders else 0.0

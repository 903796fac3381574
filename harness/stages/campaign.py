"""The loop that brings a run to its end: look, decide, act, again. Killed anywhere, it is begun again.

What is looked at are files and the scheduler; what is decided is a pure function of that (`jobs.reconcile`); nothing
is kept in memory that a second loop could not find out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from signal import SIGINT, SIGTERM
from signal import signal as on_signal
from typing import Any

from harness.datatypes.job import Presence, Submission, TaskKey, TaskView, UnitState
from harness.datatypes.unit import Unit
from harness.errors import JobError
from harness.jobs.attempts import attempt_folders, read_state
from harness.jobs.budget import Verdict, settle
from harness.jobs.claims import Holder, file_system_time_s
from harness.jobs.events import abandoned, cancel, ended, intent
from harness.jobs.launchers.local import LocalTasks
from harness.jobs.launchers.slurm_text import is_hopeless_reason
from harness.jobs.ledger import Ledger
from harness.jobs.node_health import bad_nodes
from harness.jobs.publish import publish_text
from harness.jobs.reconcile import Decision, Facts, reconcile
from harness.jobs.run_folder import RunFolder
from harness.stages.history import predicted_s, since
from harness.stages.launch import LOCAL, Launch
from harness.stages.roles import Backend, Reporter
from harness.stages.submissions import Planned, Setting, plan_submissions, write_scancel_script

LOCAL_POLL_S = 0.3
# From Ctrl-C to the end of a wait.
ANSWER_USER_S = 0.5
# A single look waits this many times the time after which a missing task is asked for.
ONE_LOOK_SHARE = 2.0
# How long the last tasks of a run that is complete are waited for.
CLOSING_LIMIT_S = 30.0
# Stands in a preview for the token of a submission of a run that does not exist yet.
UNKNOWN_TOKEN = "0" * 12


@dataclass(frozen=True, kw_only=True)
class CampaignResult:
    """How a campaign ended.

    Attributes:
        given_up: unit number -> why it will have no result.
        stop: why the whole run was given up; empty if it was not.
        is_complete: there is nothing to wait for.
        is_interrupted: the user stopped it.
        is_cancelled: the user wants nothing more to be done; see `make scancel`.
        present: tokens of the submissions of which something is there, those just made included.
    """

    given_up: Mapping[int, Verdict]
    stop: str
    is_complete: bool
    is_interrupted: bool
    is_cancelled: bool = False
    present: frozenset[str] = frozenset()


@dataclass
class Campaign:
    """Works on the units of a run.

    Attributes:
        wanted: numbers of the units that this command is about.
        is_once: look, decide and act one time, then return.
    """

    run: RunFolder
    units: Sequence[Unit]
    wanted: Sequence[int]
    launch: Launch
    backend: Backend
    reporter: Reporter
    is_once: bool = False
    _is_interrupted: bool = False
    _done: dict[int, UnitState] = field(default_factory=dict)
    _told: set[int] = field(default_factory=set)
    _slots: int = 0
    _problems: int = 0
    _has_open_tasks: bool = False
    _has_unknown_tasks: bool = False
    _settled_s: float = 0.0
    _uses_bad_nodes: bool = False
    _hopeless: dict[int, str] = field(default_factory=dict)
    _began_s: float = 0.0
    _present: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._ledger = Ledger(self.run.ledger)
        self._here = Holder.this_process("", 0)
        self._parallel, self._attempts = self.launch.parallel_limit(), self.launch.attempts_limit()

    def work(self) -> CampaignResult:
        """Go on until every wanted unit is done or given up, or the user stops it."""
        for folder in (self.run.scripts, self.run.stdout, self.run.stderr):
            folder.mkdir(exist_ok=True)
        decision: Decision | None = None
        self._began_s = time.monotonic()
        # What was done before this command is no news.
        self._told.update(n for n, state in enumerate(self._states(time.time())) if state.is_done)
        try:
            with _on_interrupt(self._interrupt):
                while not self._is_interrupted:
                    began_s = time.monotonic()
                    decision = self._turn()
                    if self._is_over(decision):
                        break
                    self._wait(max(self.backend.poll_s, 5.0 * (time.monotonic() - began_s)))
        finally:
            if text := self.backend.leave():
                self.reporter.say(text)
            self._record_local_ends()
        states = self._states(file_system_time_s(self.run.folder))
        self._tell(states, {})
        if self._is_interrupted and self.launch.backend == LOCAL:
            for number in self.wanted:
                if number not in self._told and since(states[number], self.launch.began_s).attempts:
                    self.reporter.unit_ended(number, self.units[number], None, "interrupted")
        return CampaignResult(
            given_up=decision.given_up if decision else {},
            stop=decision.stop if decision else "",
            is_complete=decision.is_complete if decision else False,
            is_interrupted=self._is_interrupted,
            is_cancelled=self.run.cancel_wish.exists(),
            present=frozenset(self._present),
        )

    def _is_over(self, decision: Decision) -> bool:
        """Tell whether there is nothing more to wait for.

        The last tasks get a moment to end by themselves, so that the ledger knows what became of each of them.
        """
        is_settled = decision.is_complete or bool(decision.stop) or self.run.cancel_wish.exists()
        if not is_settled:
            return self.is_once and (not self._has_unknown_tasks or self._has_waited())
        if self.launch.backend == LOCAL or not self._has_open_tasks:
            return True
        self._settled_s = self._settled_s or time.monotonic()
        return time.monotonic() - self._settled_s > max(CLOSING_LIMIT_S, 2.0 * self.backend.poll_s)

    def _has_waited(self) -> bool:
        """Tell whether a single look has lasted long enough for what is missing to be known as gone."""
        return time.monotonic() - self._began_s > ONE_LOOK_SHARE * self.launch.profile.poll.confirm_s + CLOSING_LIMIT_S

    def foresee(self, *, is_new: bool) -> list[Planned]:
        """Return the calls that `work` would make first; writes nothing.

        Args:
            is_new: the run has no folder yet, so its tokens are not known.
        """
        look = self._look(time.time(), lambda event: None)
        return self._plan(look, hidden_token=UNKNOWN_TOKEN if is_new else "")

    def _interrupt(self) -> None:
        self._is_interrupted = True

    def _wait(self, seconds: float) -> None:
        """Wait for the next turn, but no longer once the user wants the end."""
        deadline_s = time.monotonic() + seconds
        had_wish = self.run.cancel_wish.exists()
        while (left_s := deadline_s - time.monotonic()) > 0.0:
            if self.backend.wait(min(left_s, ANSWER_USER_S)) or self._is_interrupted:
                return
            if not had_wish and self.run.cancel_wish.exists():
                return

    def _tell_problems(self) -> None:
        for problem in self._ledger.problems[self._problems :]:
            self.reporter.say(f"{self.run.ledger}: {problem}")
        self._problems = len(self._ledger.problems)

    # --- one turn ----------------------------------------------------------------------------------------------------

    def _turn(self) -> Decision:
        look = self._look(file_system_time_s(self.run.folder), self._ledger.append)
        if look.decision.submit and (why := self.backend.obstacle()):
            look = replace(look, decision=replace(look.decision, submit=(), stop=why))
        decision = look.decision
        self._record(decision, look.by_token)
        self._has_open_tasks = any(view.presence is not Presence.ABSENT for view in look.views.values())
        self._present = {token for (token, _), view in look.views.items() if _is_present(view)}
        self._has_unknown_tasks = any(view.presence is Presence.UNKNOWN for view in look.views.values())
        if decision.stop:
            self._cancel([(key, decision.stop) for key, view in look.views.items() if _is_present(view)], look.by_token)
        self._submit(look)
        if look.limit != self._slots:
            if self._slots:
                self.backend.throttle(look.open_ones, look.views, look.limit)
            self._slots = look.limit
        self._tell(look.states, decision.given_up)
        return decision

    def _submit(self, look: _Look) -> None:
        try:
            for planned in self._plan(look):
                if not self._is_interrupted:
                    self._hand_over(planned)
        except JobError as error:
            if not self._excluded(look):
                raise
            # Without the bad nodes there may be none left in the partition.
            self.reporter.say(f"{error.message}; from now on bad nodes are used again")
            self._uses_bad_nodes = True

    def _excluded(self, look: _Look) -> tuple[str, ...]:
        if self._uses_bad_nodes:
            return ()
        return bad_nodes(settle(a, look.by_token) for state in look.states for a in state.attempts)

    def _look(self, now_s: float, record: Callable[[dict[str, Any]], None]) -> _Look:
        """Ask the scheduler and the files, and decide."""
        submissions = self._ledger.read()
        self._tell_problems()
        open_ones = [s for s in submissions if not s.is_abandoned and len(s.ended) < len(s.tasks)]
        # First the scheduler, then the files: a task that is gone has written all that it will ever write.
        views = self.backend.views(open_ones, record)
        by_token = {submission.token: submission for submission in submissions}
        states = self._states(now_s)
        self._note_hopeless(submissions, views)
        limit, attempts = self._parallel.read(), self._attempts.read()
        for problem in (self._parallel.take_problem(), self._attempts.take_problem()):
            if problem:
                self.reporter.say(problem)
        policy = self.launch.policy(attempts)
        facts = Facts(
            units=states,
            wanted=self.wanted,
            submissions=submissions,
            views=views,
            is_cancelled=self.run.cancel_wish.exists(),
            policy=policy,
            stuck_reasons=self.backend.stuck_reasons,
            hopeless=self._hopeless,
            since_s=self.launch.began_s,
        )
        return _Look(
            submissions=submissions,
            open_ones=open_ones,
            views=views,
            by_token=by_token,
            states=states,
            limit=limit,
            max_attempts=policy.max_attempts,
            decision=reconcile(facts),
        )

    def _note_hopeless(self, submissions: Sequence[Submission], views: Mapping[TaskKey, TaskView]) -> None:
        """Remember which units wait in tasks that will never start: they ask for more time than there is, and so on."""
        for submission in submissions:
            for number, units in enumerate(submission.tasks):
                view = views.get((submission.token, number))
                if view is not None and view.state == "PENDING" and is_hopeless_reason(view.reason):
                    where = submission.partition or "the default partition"
                    why = f"job {view.job_id} would wait for ever in {where}: {view.reason}"
                    self._hopeless.update(dict.fromkeys(units, why))

    def _states(self, now_s: float) -> list[UnitState]:
        return [self._state(number, unit, now_s) for number, unit in enumerate(self.units)]

    def _state(self, number: int, unit: Unit, now_s: float) -> UnitState:
        if number not in self._done:
            state = read_state(self.run.unit_folder(unit), self._here, now_s, self.launch.profile.poll.lease_s)
            if not state.is_done:
                return state
            self._done[number] = state
        return self._done[number]

    def _record(self, decision: Decision, by_token: Mapping[str, Submission]) -> None:
        for (token, task), state in decision.ended:
            self._ledger.append(ended(token, task, state))
        for token in decision.abandon:
            self._ledger.append(abandoned(token, "the scheduler has never heard of it"))
        self._cancel(decision.cancel, by_token)

    def _record_local_ends(self) -> None:
        """Write down what became of the local tasks: nobody else will know."""
        mine = [s for s in self._ledger.read() if s.backend == LOCAL and not s.ended and not s.is_abandoned]
        for key, view in LocalTasks().views(mine).items():
            if view.presence is Presence.ABSENT:
                self._ledger.append(ended(*key, view.state))

    def _cancel(self, meant: Sequence[tuple[TaskKey, str]], by_token: Mapping[str, Submission]) -> None:
        """Write the wish down, then cancel."""
        reasons: dict[tuple[str, str], list[int]] = {}
        for (token, task), why in meant:
            reasons.setdefault((token, why), []).append(task)
        for (token, why), tasks in reasons.items():
            self._ledger.append(cancel(token, tasks, why))
        if meant:
            self.backend.cancel([key for key, _ in meant], by_token)

    def _plan(self, look: _Look, hidden_token: str = "") -> list[Planned]:
        """Return the calls that a decision asks for, as many as there is room for."""
        # A job that was submitted just now is unknown until it is listed, and takes its place all the same.
        slots = look.limit - sum(view.presence is not Presence.ABSENT for view in look.views.values())
        if not look.decision.submit or slots <= 0:
            return []
        setting = Setting(
            run=self.run,
            launch=self.launch,
            earlier=len(look.submissions),
            max_attempts=look.max_attempts,
            excluded=self._excluded(look),
            now_s=time.time(),
            hidden_token=hidden_token,
        )
        return plan_submissions(setting, look.decision.submit, predicted_s(self.run, self.units), slots)

    def _hand_over(self, planned: Planned) -> None:
        """Write the intent, call the scheduler, write its answer: a job without an intent cannot exist."""
        if planned.text:
            publish_text(planned.script, planned.text)
        self._ledger.append(intent(planned.submission, str(planned.script), planned.command))
        # Before the call: it cancels by name, and the name is known.
        write_scancel_script(self.run)
        text = self.backend.submit(planned, self._ledger.append)
        self._present.add(planned.submission.token)
        if text:
            self.reporter.say(text)

    def _tell(self, states: Sequence[UnitState], given_up: Mapping[int, Verdict]) -> None:
        for number in self.wanted:
            unit, state = self.units[number], states[number]
            if number in self._told:
                continue
            if state.is_done or number in given_up:
                self._told.add(number)
                verdict = given_up.get(number)
                text = "" if verdict is None else verdict.reason
                self.reporter.unit_ended(number, unit, self.run.result_of(unit), text)
            elif state.is_live:
                attempt = attempt_folders(self.run.unit_folder(unit))[-1]
                self.reporter.unit_progress(number, unit, attempt.number, *attempt.read_progress())


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What one turn found out."""

    submissions: Sequence[Submission]
    open_ones: Sequence[Submission]
    views: Mapping[TaskKey, TaskView]
    by_token: Mapping[str, Submission]
    states: Sequence[UnitState]
    limit: int
    max_attempts: int
    decision: Decision


def _is_present(view: TaskView) -> bool:
    return view.presence is Presence.PRESENT


@contextmanager
def _on_interrupt(act: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM call `act`, instead of an exception wherever the main thread happens to be."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: on_signal(number, lambda *_: act()) for number in (SIGINT, SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            on_signal(number, handler)

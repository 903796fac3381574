"""What to do next: files, ledger and the scheduler's answer in, actions out. Everybody who acts calls this function.

What is not known causes nothing: a task of which the scheduler does not speak may be running, and its units wait.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.datatypes.job import Attempt, Outcome, Presence, Submission, TaskKey, TaskView, UnitState
from harness.jobs.budget import Policy, Verdict, judge, settle, word_of

STOP_AFTER = 3
_NO_VIEW = TaskView(presence=Presence.UNKNOWN)
_FIRST_TRY = Verdict()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known at one moment.

    Attributes:
        units: index is the line in the manifest. To be read after the scheduler was asked: a task that has ended by
            then has written all that it ever will. Attempts as the files have them, not settled.
        wanted: numbers of the units that this command wants.
        submissions: what the ledger says.
        views: what the scheduler says; a task that is missing here is unknown, unless the ledger has its end.
        policy: when a unit is given up.
        is_cancelled: the user wants it all to end.
        stuck_reasons: beginnings of reasons for which the scheduler holds a task for good, in any case.
        hopeless: unit -> why the scheduler would never start a task with it, however often it is submitted.
        since_s: Unix time of the command; what was tried before it does not count against a unit.
    """

    units: Sequence[UnitState]
    wanted: Collection[int]
    submissions: Sequence[Submission] = ()
    views: Mapping[TaskKey, TaskView]
    policy: Policy
    is_cancelled: bool = False
    stuck_reasons: Collection[str] = ()
    hopeless: Mapping[int, str] = field(default_factory=dict)
    since_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Units to submit with the same resources.

    Attributes:
        units: numbers, in ascending order.
        partition_rank: position of the partition in the list of the command.
        time_factor: times the usual time limit.
    """

    units: tuple[int, ...]
    partition_rank: int
    time_factor: int


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do, in this order: record `ended` and `abandon`, cancel, submit.

    Attributes:
        submit: no unit is in two batches.
        cancel: tasks, each with why.
        ended: tasks that ended, each with the scheduler's last word, to be written to the ledger once.
        abandon: tokens of intents of which the scheduler never heard.
        given_up: wanted units that are not tried again, with why.
        stop: why nothing is submitted any more although units are missing; empty if there is no reason.
        is_complete: there is nothing to wait for.
    """

    submit: tuple[Batch, ...] = ()
    cancel: tuple[tuple[TaskKey, str], ...] = ()
    ended: tuple[tuple[TaskKey, str], ...] = ()
    abandon: tuple[str, ...] = ()
    given_up: Mapping[int, Verdict] = field(default_factory=dict)
    stop: str = ""
    is_complete: bool = False


@dataclass(frozen=True)
class _Task:
    submission: Submission
    number: int
    view: TaskView

    @property
    def key(self) -> TaskKey:
        return self.submission.token, self.number

    @property
    def units(self) -> tuple[int, ...]:
        return self.submission.tasks[self.number]

    @property
    def is_open(self) -> bool:
        return self.view.presence is not Presence.ABSENT


def reconcile(facts: Facts) -> Decision:
    """Decide what to do next.

    A unit is left alone if it is done, given up, held by a living process, or in a task that is present or unknown.
    Everything else that is wanted is submitted.
    """
    tasks = [task for submission in facts.submissions for task in _tasks(submission, facts.views)]
    abandon = tuple(submission.token for submission in facts.submissions if _is_unheard(submission, facts.views))
    never_there = {*abandon, *(submission.token for submission in facts.submissions if submission.is_abandoned)}
    ended = tuple(
        (task.key, task.view.state)
        for task in tasks
        if not task.is_open and task.number not in task.submission.ended and task.submission.token not in never_there
    )
    verdicts = _verdicts(facts, tasks, dict(ended))
    given_up = {number for number, verdict in verdicts.items() if verdict.is_given_up}
    covered = {unit for task in tasks if task.is_open for unit in task.units}
    wanted = sorted(set(facts.wanted))
    stop = _stop(facts, wanted, verdicts)
    return Decision(
        submit=() if facts.is_cancelled or stop else _batches(facts.units, wanted, verdicts, covered),
        cancel=tuple((task.key, why) for task in tasks if (why := _why_cancel(task, facts, given_up))),
        ended=ended,
        abandon=abandon,
        given_up={number: verdicts[number] for number in wanted if number in given_up},
        stop=stop,
        is_complete=all(
            facts.units[number].is_done or (number in given_up and number not in covered) for number in wanted
        ),
    )


def _tasks(submission: Submission, views: Mapping[TaskKey, TaskView]) -> Iterator[_Task]:
    """Yield the tasks with what is to be believed of them.

    The ledger overrules silence, and presence overrules the ledger: a task may be queued again by the scheduler, and a
    submission may arrive there after it was abandoned.
    """
    for number in range(len(submission.tasks)):
        view = views.get((submission.token, number), _NO_VIEW)
        if view.presence is Presence.UNKNOWN and (submission.is_abandoned or number in submission.ended):
            view = TaskView(presence=Presence.ABSENT, state=submission.ended.get(number, ""))
        yield _Task(submission, number, view)


def _is_unheard(submission: Submission, views: Mapping[TaskKey, TaskView]) -> bool:
    """Return whether the scheduler positively knows nothing of an intent."""
    if submission.job_ids or submission.ended or submission.is_abandoned or not submission.tasks:
        return False
    answers = [views.get((submission.token, number), _NO_VIEW) for number in range(len(submission.tasks))]
    return all(view.presence is Presence.ABSENT and not (view.state or view.job_id) for view in answers)


def _verdicts(facts: Facts, tasks: Sequence[_Task], ended: Mapping[TaskKey, str]) -> dict[int, Verdict]:
    """Judge the units that are neither done nor in somebody's hands.

    A task of which the scheduler says that it ended, and which had not begun any unit, counts as a try of each of its
    units, mostly one that costs nothing. Otherwise a script that fails in its first line, or a partition that holds
    every task for good, would be submitted forever.
    """
    by_token = {submission.token: submission for submission in facts.submissions}
    news: dict[str, dict[int, str]] = defaultdict(dict)
    for (token, number), state in ended.items():
        news[token][number] = state
    for token, states in news.items():
        by_token[token] = replace(by_token[token], ended={**by_token[token].ended, **states})

    open_keys = {task.key for task in tasks if task.is_open}
    begun = {attempt.task for unit in facts.units for attempt in unit.attempts}
    fruitless: dict[int, list[Attempt]] = defaultdict(list)
    for task in tasks:
        if task.is_open or task.key in begun or task.submission.intended_s < facts.since_s:
            continue
        if (attempt := _fruitless_try(task, by_token)) is not None:
            for number in task.units:
                fruitless[number].append(attempt)

    order = {token: index for index, token in enumerate(by_token)}
    verdicts = {}
    for number, unit in enumerate(facts.units):
        if unit.is_done or unit.is_live:
            continue
        attempts = [
            attempt if attempt.task in open_keys else settle(attempt, by_token)
            for attempt in (*_since(unit.attempts, facts.since_s), *fruitless.get(number, ()))
        ]
        if number in fruitless:
            attempts.sort(key=lambda attempt: order.get(attempt.task[0], -1))
        verdicts[number] = judge(attempts, facts.policy) if attempts else _FIRST_TRY
        if number in facts.hopeless:
            verdicts[number] = Verdict(is_given_up=True, outcome=Outcome.CONFIG, reason=facts.hopeless[number])
    return verdicts


def _since(attempts: Sequence[Attempt], since_s: float) -> list[Attempt]:
    return [attempt for attempt in attempts if attempt.started_s >= since_s or attempt.is_live]


def _fruitless_try(task: _Task, by_token: Mapping[str, Submission]) -> Attempt | None:
    submission = by_token[task.submission.token]
    word = word_of(submission.ended.get(task.number, ""))
    if not word and task.number not in submission.cancelled:
        return None
    attempt = settle(Attempt(number=0, task=task.key), by_token)
    if attempt.outcome is not Outcome.LOST:
        return attempt
    reason = f"its task ended before it began a unit; the scheduler says {word}"
    return replace(attempt, outcome=Outcome.RETURNED, reason=reason)


def _why_cancel(task: _Task, facts: Facts, given_up: Collection[int]) -> str:
    """Return why a task is to be cancelled, nothing if it is not."""
    if task.view.presence is not Presence.PRESENT:
        return ""
    word = word_of(task.view.state)
    if task.number in task.submission.cancelled:
        # The wish is on record, but whoever wrote it may have ended before the deed.
        return "" if word == "COMPLETING" else "its cancellation was asked for before"
    if facts.is_cancelled:
        return "the run is cancelled"
    reason = task.view.reason.casefold()
    is_waiting = word not in ("RUNNING", "COMPLETING")
    if is_waiting and any(reason.startswith(stuck.casefold()) for stuck in facts.stuck_reasons):
        return f"the scheduler holds it for good: {task.view.reason}"
    if word == "PENDING" and not any(_is_left(number, facts.units, given_up) for number in task.units):
        return "none of its units is left to do"
    return ""


def _is_left(number: int, units: Sequence[UnitState], given_up: Collection[int]) -> bool:
    """Return whether a unit still needs a result, wanted by this command or by another one."""
    return number >= len(units) or not (units[number].is_done or number in given_up)


def _batches(
    units: Sequence[UnitState], wanted: Sequence[int], verdicts: Mapping[int, Verdict], covered: Collection[int]
) -> tuple[Batch, ...]:
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number in wanted:
        if units[number].is_done or units[number].is_live or number in covered:
            continue
        verdict = verdicts[number]
        if not verdict.is_given_up:
            groups[verdict.partition_rank, verdict.time_factor].append(number)
    return tuple(
        Batch(units=tuple(numbers), partition_rank=rank, time_factor=factor)
        for (rank, factor), numbers in sorted(groups.items())
    )


def _stop(facts: Facts, wanted: Sequence[int], verdicts: Mapping[int, Verdict]) -> str:
    """Return why the whole command is pointless: the first units that finished have all failed by a setting.

    A result counts among them if the agent did not even come to drive, and not at all if nothing was tried for it.
    """

    def last_start_s(number: int) -> float:
        return max((attempt.started_s for attempt in facts.units[number].attempts), default=float("inf"))

    def why(number: int) -> str:
        if facts.units[number].is_done:
            return facts.units[number].setup_failure
        return verdicts[number].reason if verdicts[number].outcome is Outcome.CONFIG else ""

    finished = [
        number
        for number in wanted
        if (facts.units[number].attempts if facts.units[number].is_done else verdicts.get(number, _FIRST_TRY).outcome)
    ]
    first = sorted(finished, key=last_start_s)[:STOP_AFTER]
    is_all_done = all(facts.units[number].is_done for number in wanted)
    if is_all_done or len(first) < STOP_AFTER or not all(map(why, first)):
        return ""
    return f"the first {STOP_AFTER} units that finished all failed by a setting; {why(first[0])}"

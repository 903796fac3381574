"""What a campaign asks of the two schedulers there are: processes on this machine, and Slurm."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.datatypes.job import Presence, Submission, TaskKey, TaskView
from harness.errors import JobError
from harness.jobs.budget import word_of
from harness.jobs.events import abandoned, registered, submitted
from harness.jobs.launchers.local import LocalTasks
from harness.jobs.launchers.slurm import Slurm, SubmitAnswer
from harness.jobs.launchers.slurm_notes import ErrorLog, last_word
from harness.jobs.launchers.slurm_text import STUCK_REASONS
from harness.jobs.launchers.slurm_views import Memory, judge_views
from harness.jobs.processes import last_lines
from harness.jobs.run_folder import RunFolder
from harness.stages.campaign import LOCAL_POLL_S
from harness.stages.launch import LOCAL, SLURM
from harness.stages.submissions import Planned, error_log
from harness.stages.supervision import Address

# Tasks on this machine, one after the other, that end with an error before the run is given up.
MAX_FAILED_TASKS = 3
_UNKNOWN = TaskView(presence=Presence.UNKNOWN)
Record = Callable[[dict[str, Any]], None]


class LocalBackend:
    """Tasks as processes of this machine.

    Args:
        slurm: knows what the run has handed to Slurm before it was continued here.
        gpus: that the tasks take turns with.
        endpoint: server that they drive in, None if each starts a simulator of its own.
    """

    poll_s = LOCAL_POLL_S
    stuck_reasons: Sequence[str] = ()

    def __init__(
        self,
        run: RunFolder,
        slurm: SlurmBackend,
        gpus: Sequence[str] = (),
        endpoint: Address | None = None,
    ) -> None:
        self._run = run
        self._endpoint = endpoint
        self._tasks = LocalTasks(gpus)
        self._slurm = slurm

    def views(self, submissions: Sequence[Submission], record: Record) -> Mapping[TaskKey, TaskView]:
        """Return what there is, here and in Slurm: the run may have been begun there."""
        here = self._tasks.views([s for s in submissions if s.backend == LOCAL])
        return {**self._slurm.views_of_jobs(submissions, record), **here}

    def submit(self, planned: Planned, record: Record) -> str:
        """Start the process of a task."""
        job_id = self._tasks.start(planned.submission.token, planned.command, self._run.stdout / f"{planned.name}.log")
        record(submitted(planned.submission.token, job_id))
        return ""

    def cancel(self, keys: Sequence[TaskKey], submissions: Mapping[str, Submission]) -> None:
        """End tasks."""
        self._tasks.end([token for token, _ in keys if submissions[token].backend == LOCAL])
        self._slurm.cancel(keys, submissions)

    def obstacle(self) -> str:
        """Return that the server is gone, or that nothing but errors comes of tasks here."""
        failed = self._tasks.failed_in_a_row()
        if len(failed) >= MAX_FAILED_TASKS:
            errors = [line for line in last_lines(failed[-1]).splitlines() if line.startswith("error: ")]
            last = f"last: {errors[-1].removeprefix('error: ')}; " if errors else ""
            return f"{len(failed)} tasks in a row ended with an error; {last}see {failed[-1]}"
        return self._endpoint.why_gone() if self._endpoint else ""

    def throttle(self, submissions: Sequence[Submission], views: Mapping[TaskKey, TaskView], limit: int) -> None:
        """Do nothing: a running task is not ended because there are too many; the next one is not begun."""

    def wait(self, seconds: float) -> bool:
        """Return when a task has ended, or after a time."""
        began_s = time.monotonic()
        self._tasks.wait_for_change(seconds)
        return time.monotonic() - began_s < seconds

    def leave(self) -> str:
        """End all tasks."""
        self._tasks.end()
        return ""


class SlurmBackend:
    """Tasks of Slurm jobs.

    Args:
        poll_s: time between two queries.
        confirm_s: a task has to be missing for this long before Slurm is asked for it by its number.
    """

    stuck_reasons: Sequence[str] = STUCK_REASONS

    def __init__(
        self, run: RunFolder, slurm: Slurm, poll_s: float, confirm_s: float, say: Callable[[str], None]
    ) -> None:
        self.poll_s = poll_s
        self._run = run
        self._slurm = slurm
        self._confirm_s = confirm_s
        self._say = say
        self._memory = Memory()
        self._is_silent = False
        self._asked_s = float("-inf")
        self._last: Mapping[TaskKey, TaskView] = {}

    def views(self, submissions: Sequence[Submission], record: Record) -> Mapping[TaskKey, TaskView]:
        """Return what there is, in Slurm and here: the run may have been begun on this machine."""
        here = LocalTasks().views([s for s in submissions if s.backend == LOCAL])
        return {**self.views_of_jobs(submissions, record), **here}

    def views_of_jobs(self, submissions: Sequence[Submission], record: Record) -> Mapping[TaskKey, TaskView]:
        """Ask Slurm once for everything; what is missing long enough is asked for by its number.

        Asked again within half a poll, it repeats its last answer.
        """
        ours = [s for s in submissions if s.backend == SLURM]
        if not ours:
            return {}
        if time.monotonic() - self._asked_s < 0.5 * self.poll_s:
            return {key: self._last.get(key, _UNKNOWN) for s in ours for key in s.task_keys() if key[1] not in s.ended}
        self._asked_s = time.monotonic()
        rows = self._slurm.queue()
        self._tell_silence(rows is None)
        judged = judge_views(ours, rows, self._memory, time.time(), self._confirm_s)
        if judged.questions:
            denied = self._slurm.check(judged.questions)
            judged = judge_views(ours, rows, judged.memory, time.time(), self._confirm_s, denied)
        self._memory = judged.memory
        for token, job_id in judged.adopted.items():
            record(registered(token, job_id))
        by_token = {submission.token: submission for submission in ours}
        self._last = {key: self._explained(by_token[key[0]], key[1], view) for key, view in judged.views.items()}
        return self._last

    def _explained(self, submission: Submission, task: int, view: TaskView) -> TaskView:
        """Say so if a task failed for its memory: Slurm's word for that is the same as for any other failure."""
        is_news = view.presence is Presence.ABSENT and task not in submission.ended
        if not is_news or word_of(view.state) != "FAILED":
            return view
        log = ErrorLog.whole(error_log(self._run, submission, task, view.job_id))
        return replace(view, state="OUT_OF_MEMORY") if last_word(log.since_start()) == "OUT_OF_MEMORY" else view

    def _tell_silence(self, is_silent: bool) -> None:
        if is_silent != self._is_silent:
            self._is_silent = is_silent
            self._say("Slurm does not answer; nothing is decided until it does" if is_silent else "Slurm answers again")

    def submit(self, planned: Planned, record: Record) -> str:
        """Call sbatch.

        Raises:
            JobError: Slurm refuses the job, and would refuse it again.
        """
        answer: SubmitAnswer = self._slurm.submit(list(planned.command))
        token = planned.submission.token
        if answer.job_id:
            record(submitted(token, answer.job_id))
            tasks = len(planned.submission.tasks)
            return f"submitted job {answer.job_id} ({tasks} task{'s' if tasks > 1 else ''}): {planned.name}"
        if answer.is_refused:
            record(abandoned(token, answer.message))
            raise JobError(f"sbatch refused the job: {answer.message}", hint=f"see {planned.script}")
        return f"sbatch gave no answer ({answer.message}); the job is looked for before anything is submitted again"

    def cancel(self, keys: Sequence[TaskKey], submissions: Mapping[str, Submission]) -> None:
        """Cancel tasks by the numbers that Slurm listed with our name just now, else by those of the ledger.

        A slurmctld that has lost its memory may have given a number of the ledger's to somebody else's job.
        """
        ids = []
        for token, task in keys:
            submission, view = submissions[token], self._last.get((token, task))
            if submission.backend != SLURM:
                continue
            if view is not None and view.job_id:
                ids.append(view.job_id)
            elif submission.is_array:
                ids += [f"{job_id}_{task}" for job_id in submission.job_ids]
            else:
                ids += submission.job_ids
        if ids:
            self._slurm.cancel(ids)

    def obstacle(self) -> str:
        """Return nothing: a cluster has many machines, and reconciling sees to those that fail."""
        return ""

    def throttle(self, submissions: Sequence[Submission], views: Mapping[TaskKey, TaskView], limit: int) -> None:
        """Share a new limit among the arrays that still have tasks waiting."""
        waiting = {
            key[0] for key, view in views.items() if view.presence is Presence.PRESENT and view.state == "PENDING"
        }
        arrays = [s for s in submissions if s.is_array and s.job_ids and s.token in waiting]
        for submission in arrays:
            self._slurm.set_throttle(submission.job_ids[-1], max(1, limit // len(arrays)))

    def wait(self, seconds: float) -> bool:
        """Wait."""
        time.sleep(seconds)
        return False

    def leave(self) -> str:
        """Leave the jobs where they are."""
        return ""

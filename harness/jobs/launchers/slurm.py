"""Slurm's commands, run: every call has a time limit, and its answer says whether it can be believed."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.jobs.launchers.slurm_text import (
    QUEUE_FORMAT,
    AnswerError,
    QueueRow,
    is_alive_state,
    parse_job_name,
    parse_queue,
)
from harness.jobs.launchers.slurm_views import Question

# Words of sbatch after which the request may have been accepted all the same, or will be yet; so it is with words that
# we do not know. A limit to the number of jobs is no refusal either: there will be room later.
_LOST = re.compile(
    r"timed out|time-?out|unable to (?:contact|establish)|connect|transmitted|receive|communicat|temporarily|try again"
    r"|retry|credential|munge|authenticat|configuration (?:file|source)|SubmitJob",
    re.IGNORECASE,
)
# It said no, and would say it again.
_REFUSED = re.compile(
    r"invalid|unrecognized option|requires an argument|ambiguous|not available|not permitted|denied|violates|violating"
    r"|dependency problem|can ?not be satisfied|unable to open file|batch script|exceeds|too (?:large|long|many)"
    r"|unsupported|not supported|disabled|not allowed|specification|does not exist|missing",
    re.IGNORECASE,
)
_UNKNOWN_JOB = "Invalid job id specified"
_RECORD = re.compile(r"^JobId=[0-9]+ .*?\bJobName=(?P<name>.*?) UserId=(?P<user>[^ (]*)\(", re.MULTILINE | re.DOTALL)
_IDS_PER_CALL = 200
# Runs a program that dies with the process that asked for it.
_TIED = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)\n"
    "os.getppid() == int(sys.argv[1]) or sys.exit(1)\n"
    "os.execvp(sys.argv[2], sys.argv[2:])\n"
)


@dataclass(frozen=True, kw_only=True)
class SubmitAnswer:
    """What sbatch said.

    Attributes:
        job_id: empty if there is none.
        is_refused: it does not accept this job; if neither this nor a job id is there, nobody knows.
        message: its words.
    """

    job_id: str = ""
    is_refused: bool = False
    message: str = ""


def read_answer(status: int, stdout: str, stderr: str) -> SubmitAnswer:
    """Return what sbatch said; in doubt it is neither yes nor no."""
    message = " ".join(stderr.replace("sbatch: error:", "").split()) or f"sbatch ended with {status} and no word"
    job_id = stdout.strip().partition(";")[0]
    if re.fullmatch(r"[0-9]+", job_id):
        return SubmitAnswer(job_id=job_id, message=message if stderr.strip() else "")
    is_refused = status != 0 and _LOST.search(message) is None and _REFUSED.search(message) is not None
    return SubmitAnswer(is_refused=is_refused, message=message)


class Slurm:
    """Slurm, as seen from a machine that has its commands.

    Args:
        limit_s: time limit of every call.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._user = _user_name()

    @staticmethod
    def is_installed() -> bool:
        """Tell whether its commands are on this machine."""
        return all(shutil.which(program) for program in ("sbatch", "squeue", "scancel", "scontrol"))

    def submit(self, command: Sequence[str]) -> SubmitAnswer:
        """Call sbatch, which ends with this process: nothing is in flight behind a controller that was killed."""
        answer = self._call([sys.executable, "-I", "-S", "-c", _TIED, str(os.getpid()), *command], dict(os.environ))
        if answer is None:
            return SubmitAnswer(message=f"sbatch gave no answer within {self._limit_s:g} s")
        return read_answer(answer.returncode, answer.stdout, answer.stderr)

    def queue(self) -> list[QueueRow] | None:
        """Return every job of this user that Slurm remembers, ended ones too; None if there is no whole answer."""
        # Newest first: what is cut off at the end of a list is what we know of already.
        answer = self._query("squeue", "-h", "-r", "-t", "all", "-S", "-i", "-u", self._user, "-o", QUEUE_FORMAT)
        if answer is None or answer.returncode:
            return None
        try:
            return parse_queue(answer.stdout)
        except AnswerError:
            return None

    def check(self, questions: Sequence[Question]) -> frozenset[Question]:
        """Return the questions to which Slurm says that there is no such job; silence denies nothing.

        Answers as many as it can within one time limit; the others can be asked again.
        """
        deadline_s = time.monotonic() + self._limit_s
        denied = {question for question in questions if not question.job_id}
        if denied:
            denied -= self._not_denied(denied)
        is_unknown: dict[Question, bool] = {}
        for question in questions:
            if not question.job_id or time.monotonic() > deadline_s:
                continue
            # Of an array that is gone altogether one call tells all.
            base = Question(question.token, question.job_id.partition("_")[0])
            if base not in is_unknown:
                is_unknown[base] = self._denies(base)
            if is_unknown[base] or (base != question and self._denies(question)):
                denied.add(question)
        return frozenset(denied)

    def _not_denied(self, questions: set[Question]) -> set[Question]:
        """Return which of some tokens may be known to Slurm: those it lists, and all if it does not answer."""
        answer = self._query("scontrol", "-o", "show", "job")
        if answer is None or answer.returncode or not answer.stdout.endswith("\n"):
            return questions
        records = list(_RECORD.finditer(answer.stdout))
        if not records and not answer.stdout.startswith("No jobs in the system"):
            return questions
        tokens = {parse_job_name(record["name"]) for record in records}
        return {question for question in questions if question.token in tokens}

    def _denies(self, question: Question) -> bool:
        answer = self._query("scontrol", "-o", "show", "job", question.job_id)
        if answer is None:
            return False
        if answer.returncode:
            said = answer.stderr + answer.stdout
            return _UNKNOWN_JOB in said or re.search(rf"\bJob {question.job_id} not found", said) is not None
        records = list(_RECORD.finditer(answer.stdout))
        return bool(records) and not any(self._may_be(record, question.token) for record in records)

    def _may_be(self, record: re.Match[str], token: str) -> bool:
        """Tell whether a job may be the one with a token; somebody may have given it another name by hand."""
        named = parse_job_name(record["name"])
        return named == token or (named is None and record["user"] == self._user)

    def cancel(self, ids: Sequence[str]) -> bool:
        """Ask for the end of jobs or tasks; False if Slurm did not hear it. True does not say that they have ended."""
        chunks = [ids[first : first + _IDS_PER_CALL] for first in range(0, len(ids), _IDS_PER_CALL)]
        answers = [self._query("scancel", *chunk) for chunk in chunks]
        return all(answer is not None and answer.returncode == 0 for answer in answers)

    def cancel_names(self, names: Sequence[str]) -> bool:
        """Ask for the end of this user's jobs with these names, and of those that submitted themselves again.

        False if Slurm did not hear it.
        """
        rows = self.queue()
        if rows is None:
            return False
        tokens = {parse_job_name(name) for name in names} - {None}
        ours = [row for row in rows if is_alive_state(row.state) and parse_job_name(row.name) in tokens]
        return self.cancel(list(dict.fromkeys(row.array_id for row in ours)))

    def set_throttle(self, job_id: str, limit: int) -> bool:
        """Let at most so many tasks of an array run side by side."""
        answer = self._query("scontrol", "update", f"jobid={job_id}", f"ArrayTaskThrottle={limit}")
        return answer is not None and answer.returncode == 0

    def _query(self, *command: str) -> subprocess.CompletedProcess[str] | None:
        """Run a command free of the user's habits, such as SQUEUE_PARTITION or SLURM_TIME_FORMAT."""
        habits = ("SQUEUE_", "SCANCEL_", "SCONTROL_", "SLURM_TIME_FORMAT", "SLURM_BITSTR_LEN")
        return self._call(command, {name: value for name, value in os.environ.items() if not name.startswith(habits)})

    def _call(self, command: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str] | None:
        """Run a command; None if it cannot be run, or does not end in time and is killed."""
        try:
            return subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=self._limit_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None


def _user_name() -> str:
    """Return the name of this user as the system has it, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())

"""Limits that can be changed while a run goes on: text files with one number each, read again at every poll.

    slurm/configs/max_num_parallel_jobs_<what>.txt      tasks at the same time
    slurm/configs/max_num_attempts_<what>.txt           tries of one unit, counted in LEAD's way

`<what>` is ``collect_data`` or a suite. Names, numbers and meaning are LEAD's, so that habits carry over.
"""

from __future__ import annotations

import re
from pathlib import Path

COLLECT = "collect_data"
CONFIG_FOLDER = Path("slurm") / "configs"

# LEAD's own values, and for suites that it does not know those of its small ones.
_PARALLEL_JOBS = {COLLECT: 48, "bench2drive": 92, "longest6": 8, "town13": 8}
_OTHER_PARALLEL_JOBS = 8

HIGHEST = 100_000
_LONGEST_FILE = 4096


class LiveLimit:
    """One number in a file that somebody may edit at any time.

    Args:
        folder: of the files; need not exist.
        name: of the file without ``.txt``, in any case: ``town13`` also finds ``Town13``.
        default: what holds while there is no file.
    """

    def __init__(self, folder: Path, name: str, default: int) -> None:
        self.folder, self.name = folder, f"{name}.txt"
        self._value = default
        self._was_there = False
        self._problem = ""
        self._is_told = True

    def read(self) -> int:
        """Return the number in the file; while it holds none, the last good one."""
        problem = ""
        try:
            path = self._find()
            if path is None:
                problem = f"{self.folder / self.name} is gone, expected a number" if self._was_there else ""
            else:
                self._value = _number(path)
                self._was_there = True
        except (OSError, ValueError) as error:
            problem = str(error)
        if problem != self._problem:
            self._problem, self._is_told = problem, not problem
        return self._value

    def take_problem(self) -> str:
        """Return what is wrong with the file, once; empty if there is nothing new to tell."""
        if self._is_told:
            return ""
        self._is_told = True
        return f"{self._problem}; {self._value} stays"

    def _find(self) -> Path | None:
        exact = self.folder / self.name
        if exact.exists():
            return exact
        wanted = self.name.casefold()
        try:
            names = sorted(entry.name for entry in self.folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return None
        return next((self.folder / name for name in names if name.casefold() == wanted), None)


def _number(path: Path) -> int:
    if not path.is_file():
        raise ValueError(f"{path} is no file, expected one with a number")
    with path.open("rb") as file:
        text = file.read(_LONGEST_FILE).decode("utf-8-sig", errors="replace").strip()
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) > HIGHEST:
        raise ValueError(f"{path} holds {text[:20]!r}, expected a number from 0 to {HIGHEST}")
    return int(text)


def default_parallel_jobs(what: str) -> int:
    """Return LEAD's own limit of tasks at the same time.

    Args:
        what: `COLLECT` or the name of a suite.
    """
    return _PARALLEL_JOBS.get(what.casefold(), _OTHER_PARALLEL_JOBS)


def total_attempts(what: str, number: int) -> int:
    """Return how often a unit may be tried in all, at least once.

    Args:
        what: `COLLECT` or the name of a suite.
        number: as LEAD counts: the tries after the first one where data is collected, all where a suite is evaluated.
    """
    return number + 1 if what == COLLECT else max(number, 1)

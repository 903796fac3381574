"""What the past of a run says: which attempts count, and how long drives take."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from harness.datatypes.job import UnitState
from harness.datatypes.unit import Unit
from harness.errors import HarnessError
from harness.jobs.attempts import RESULT
from harness.jobs.packing import predict_costs
from harness.jobs.publish import read_json
from harness.jobs.run_folder import RunFolder
from harness.results.own_result import result_problem

# Name of an evaluation's folder: the time, and a number if several began in one second.
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{2}-[0-9]{2}-[0-9]{2})(?:_([0-9]{1,3}))?")


def since(state: UnitState, began_s: float) -> UnitState:
    """Leave out the attempts before a time: what was given up then may have been put right since."""
    attempts = tuple(attempt for attempt in state.attempts if attempt.started_s >= began_s or attempt.is_live)
    return state if len(attempts) == len(state.attempts) else replace(state, attempts=attempts)


def predicted_s(run: RunFolder, units: Sequence[Unit]) -> dict[int, float]:
    """Return unit number -> predicted wall-clock seconds, from what drives took and the routes' lengths."""
    return predict_costs([(unit.route, unit.length_m) for unit in units], history_s(run, units))


def history_s(run: RunFolder, units: Sequence[Unit]) -> dict[str, float]:
    """Return route -> wall-clock seconds of its last drive.

    Of an evaluation, what this run does not know comes from the newest earlier run of the same suite and agent that has
    results; the run itself need not exist yet.
    """
    found = _durations_s((unit.route, run.unit_folder(unit) / RESULT) for unit in units)
    if run.is_dataset or not units:
        return found
    for folders in _earlier(run, units[0].suite):
        if before := _all_durations_s(folders):
            return {**before, **found}
    return found


def _earlier(run: RunFolder, suite: str) -> list[tuple[Path, ...]]:
    """Return the folders of each earlier run of a suite, one per seed, newest run first."""
    own = _age(run.folder.name)
    is_seed = re.compile(rf"{re.escape(suite)}_seed[0-9]+")
    runs: dict[tuple[str, int], list[Path]] = defaultdict(list)
    for folder in sorted(run.folder.parent.parent.glob(f"{suite}_seed*/*")):
        age = _age(folder.name)
        if age is not None and (own is None or age < own) and is_seed.fullmatch(folder.parent.name):
            runs[age].append(folder)
    return [tuple(runs[age]) for age in sorted(runs, reverse=True)]


def _age(name: str) -> tuple[str, int] | None:
    match = _TIME.fullmatch(name)
    return None if match is None else (match[1], int(match[2] or 1))


# The campaign asks at every turn; a run that is over does not change, and one that is not is good enough as it was.
@lru_cache(maxsize=8)
def _all_durations_s(folders: tuple[Path, ...]) -> Mapping[str, float]:
    return _durations_s((file.parent.name, file) for folder in folders for file in folder.glob(f"*/{RESULT}"))


def _durations_s(files: Iterable[tuple[str, Path]]) -> dict[str, float]:
    durations_s = ((route, _duration_s(file)) for route, file in files)
    return {route: duration_s for route, duration_s in durations_s if duration_s is not None}


def _duration_s(file: Path) -> float | None:
    """Return how long a drive took, None if its file is missing or damaged."""
    if not file.is_file():
        return None
    try:
        content = read_json(file)
    except HarnessError:
        return None
    if result_problem(content) is not None:
        return None
    return float(content["_checkpoint"]["records"][0]["meta"]["duration_system"])

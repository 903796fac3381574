"""Find what a dataset is better off without: failed routes, and recordings that killed attempts have left behind."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.datatypes.unit import Unit
from harness.errors import ConfigError, HarnessError
from harness.jobs.attempts import RESULT, AttemptFolder, attempt_folders
from harness.jobs.claims import Holder, is_live
from harness.jobs.publish import read_json
from harness.jobs.run_folder import RunFolder
from harness.record.recorder import RESULTS
from harness.record.usability import NOT_DRIVEN
from harness.stages.dataset import FailedRoute, failed_routes
from harness.stages.recorded_route import read_record


@dataclass(frozen=True, kw_only=True)
class Waste:
    """Something to delete.

    Attributes:
        folder: with the data.
        reason: why it is of no use.
        is_repeated: the route is collected again by the next `make collect`; a route that was driven badly is not,
            since it would be driven in the same way again.
        unit: whose it is, None if the dataset was not collected here.
    """

    folder: Path
    reason: str
    is_repeated: bool
    unit: Unit | None


def find_waste(run: RunFolder) -> list[Waste]:
    """Return what could be deleted from a dataset; changes nothing.

    Raises:
        ConfigError: the run is no dataset.
    """
    if not run.is_dataset:
        raise ConfigError(f"{run.root} is an evaluation, expected a dataset", hint="make clean-failed RUN=data/name")
    units = run.units()
    by_folder = {folder: unit for unit in units for folder in _data_folders(run, unit)}
    waste = [_of_route(route, by_folder.get(route.folder.resolve())) for route in failed_routes(run.root)]
    return waste + list(_left_recordings(run, units))


def _data_folders(run: RunFolder, unit: Unit) -> Iterator[Path]:
    file = run.unit_folder(unit) / RESULT
    try:
        yield (run.root / read_json(file)["harness"]["wall"]["data_folder"]).resolve()
    except (HarnessError, KeyError, TypeError):
        return


def _of_route(route: FailedRoute, unit: Unit | None) -> Waste:
    record = read_record(route.folder)[0] if (route.folder / RESULTS).is_file() else None
    was_driven = record is not None and record["status"] not in NOT_DRIVEN
    return Waste(folder=route.folder, reason=route.reason, is_repeated=unit is not None and not was_driven, unit=unit)


def _left_recordings(run: RunFolder, units: list[Unit]) -> Iterator[Waste]:
    here, now_s = Holder.this_process("", 0), time.time()
    for unit in units:
        folder = run.unit_folder(unit)
        if is_live(folder, here, now_s):
            continue
        for attempt in attempt_folders(folder):
            if attempt.recording.is_dir() and not attempt.result.is_file():
                reason = f"attempt {attempt.number} ended before it was complete"
                yield Waste(folder=attempt.recording, reason=reason, is_repeated=False, unit=None)


def delete(run: RunFolder, waste: list[Waste]) -> None:
    """Delete what was found.

    Raises:
        HarnessError: another process works on the dataset.
    """
    run.lock()
    try:
        for each in waste:
            if each.unit is not None and each.is_repeated:
                _forget_result(run, each.unit)
            shutil.rmtree(each.folder)
            if each.unit is not None:
                name = f"{each.unit.town}_Rep{each.unit.repetition}_{each.unit.route}_result.json"
                (run.root / "results" / each.unit.scenario / name).unlink(missing_ok=True)
    finally:
        run.unlock()


def _forget_result(run: RunFolder, unit: Unit) -> None:
    """Let a unit be without a result again; what its attempts have published stays under another name."""
    folder = run.unit_folder(unit)
    (folder / RESULT).unlink(missing_ok=True)
    for attempt in attempt_folders(folder):
        _set_aside(attempt)


def _set_aside(attempt: AttemptFolder) -> None:
    if attempt.result.is_file():
        attempt.result.rename(attempt.folder / "result.deleted.json")

"""Find what a dataset is better off without: failed routes, and recordings that killed attempts have left behind."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.datatypes.unit import Unit
from harness.errors import ConfigError, HarnessError
from harness.jobs.attempts import RESULT, AttemptFolder, attempt_folders
from harness.jobs.claims import Holder, file_system_time_s, is_live, take_claim
from harness.jobs.publish import read_json
from harness.jobs.run_folder import RunFolder
from harness.record.recorder import RESULTS
from harness.record.usability import NOT_DRIVEN
from harness.stages.dataset import FailedRoute, failed_routes
from harness.stages.launch import load_launch
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
        is_current: it is what the unit's result is about, which goes with it.
        attempt: that left it behind, None if it stands among the routes.
    """

    folder: Path
    reason: str
    is_repeated: bool
    unit: Unit | None
    is_current: bool = False
    attempt: AttemptFolder | None = None


@dataclass
class Deletion:
    """What became of the waste.

    Attributes:
        held: left alone, since somebody works on the unit now.
    """

    deleted: list[Waste] = field(default_factory=list)
    held: list[Waste] = field(default_factory=list)


def find_waste(run: RunFolder) -> list[Waste]:
    """Return what could be deleted from a dataset; changes nothing.

    Raises:
        ConfigError: the run is no dataset.
        HarnessError: its files cannot be read.
    """
    lease_s = _lease_s(run)
    units = run.units()
    # A route stands among the others before the result of its attempt is chosen.
    owners = {folder: unit for unit in units for folder in _recorded_folders(run, unit)}
    waste = [_of_route(run, route, owners.get(route.folder.resolve())) for route in failed_routes(run.root)]
    return waste + list(_left_recordings(run, units, lease_s))


def _lease_s(run: RunFolder) -> float:
    if not run.is_dataset:
        raise ConfigError(f"{run.root} is an evaluation, expected a dataset", hint="make clean-failed RUN=data/name")
    return load_launch(run).profile.poll.lease_s


def _recorded_folders(run: RunFolder, unit: Unit) -> Iterator[Path]:
    folder = run.unit_folder(unit)
    for file in (folder / RESULT, *(attempt.result for attempt in attempt_folders(folder))):
        if (recorded := _recorded_folder(run, file)) is not None:
            yield recorded


def _recorded_folder(run: RunFolder, result: Path) -> Path | None:
    """Return the route folder that a result is about."""
    try:
        return (run.root / str(read_json(result)["harness"]["wall"]["data_folder"])).resolve()
    except (HarnessError, KeyError, TypeError):
        return None


def _of_route(run: RunFolder, route: FailedRoute, unit: Unit | None) -> Waste:
    record = read_record(route.folder)[0] if (route.folder / RESULTS).is_file() else None
    was_driven = record is not None and record["status"] not in NOT_DRIVEN
    chosen = _recorded_folder(run, run.unit_folder(unit) / RESULT) if unit is not None else None
    is_current = unit is not None and chosen in (None, route.folder.resolve())
    return Waste(
        folder=route.folder,
        reason=route.reason,
        is_repeated=is_current and not was_driven,
        unit=unit,
        is_current=is_current,
    )


def _left_recordings(run: RunFolder, units: list[Unit], lease_s: float) -> Iterator[Waste]:
    here, now_s = Holder.this_process("", 0), _time_s(run)
    for unit in units:
        folder = run.unit_folder(unit)
        if is_live(folder, here, now_s, lease_s):
            continue
        for attempt in attempt_folders(folder):
            if _is_left(attempt):
                reason = f"attempt {attempt.number} ended before it was complete"
                yield Waste(folder=attempt.recording, reason=reason, is_repeated=False, unit=unit, attempt=attempt)


def _is_left(attempt: AttemptFolder) -> bool:
    return attempt.recording.is_dir() and not attempt.result.is_file()


def _time_s(run: RunFolder) -> float:
    """Return the time of the file system; of ours where nothing can be written, and so nothing be deleted either."""
    try:
        return file_system_time_s(run.folder)
    except OSError:
        return time.time()


def delete_waste(run: RunFolder) -> Deletion:
    """Look for waste while nobody submits anything, and delete what nobody works on.

    Raises:
        ConfigError: the run is no dataset.
        HarnessError: another process works on the dataset, or its files cannot be read.
    """
    lease_s, deletion = _lease_s(run), Deletion()
    run.lock()
    try:
        for each in find_waste(run):
            _delete(run, each, lease_s, deletion)
    finally:
        run.unlock()
    return deletion


def _delete(run: RunFolder, waste: Waste, lease_s: float, deletion: Deletion) -> None:
    """Delete one folder if its unit can be claimed: tasks on a cluster work whether or not we hold the run's lock."""
    if waste.unit is None:
        shutil.rmtree(waste.folder)
        deletion.deleted.append(waste)
        return
    claim = take_claim(run.unit_folder(waste.unit), Holder.this_process("", 0), lease_s)
    if claim is None:
        deletion.held.append(waste)
        return
    try:
        # Its task may have ended, and published what it recorded, since we looked.
        if waste.folder.is_dir() and (waste.attempt is None or _is_left(waste.attempt)):
            if waste.is_repeated:
                _forget_result(run, waste.unit)
            shutil.rmtree(waste.folder)
            if waste.is_current:
                run.published_record(waste.unit).unlink(missing_ok=True)
            deletion.deleted.append(waste)
    finally:
        claim.release()


def _forget_result(run: RunFolder, unit: Unit) -> None:
    """Let a unit be without a result again; what its attempts have published stays under another name."""
    folder = run.unit_folder(unit)
    (folder / RESULT).unlink(missing_ok=True)
    for attempt in attempt_folders(folder):
        if attempt.result.is_file():
            attempt.result.rename(attempt.folder / "result.deleted.json")

"""What the past of a run says: which attempts count, and how long drives take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.datatypes.job import UnitState
from harness.datatypes.unit import Unit
from harness.jobs.packing import predict_costs
from harness.jobs.publish import read_json
from harness.jobs.run_folder import RunFolder


def since(state: UnitState, began_s: float) -> UnitState:
    """Leave out the attempts before a time: what was given up then may have been put right since."""
    attempts = tuple(attempt for attempt in state.attempts if attempt.started_s >= began_s or attempt.is_live)
    return state if len(attempts) == len(state.attempts) else replace(state, attempts=attempts)


def predicted_s(run: RunFolder, units: Sequence[Unit]) -> dict[int, float]:
    """Return unit number -> predicted wall-clock seconds, from what drives took so far and the routes' lengths."""
    return predict_costs([(unit.route, unit.length_m) for unit in units], history_s(run, units))


def history_s(run: RunFolder, units: Sequence[Unit]) -> dict[str, float]:
    """Return route -> wall-clock seconds of its last drive in this run."""
    found: dict[str, float] = {}
    for unit in units:
        if (file := run.result_of(unit)) is not None:
            record = read_json(file)["_checkpoint"]["records"][0]
            found[unit.route] = float(record["meta"]["duration_system"])
    return found

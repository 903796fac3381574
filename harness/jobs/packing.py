"""How units are spread over tasks: predicted by what they took before, longest first, well inside the time limit."""

from __future__ import annotations

import heapq
import math
import statistics
from collections.abc import Mapping, Sequence

# The embedded simulator: what a drive takes on top of its length, and per metre when nothing has been measured.
UNIT_OVERHEAD_S = 1.0
DEFAULT_S_PER_M = 0.02
# From the start of a task to its first drive.
TASK_OVERHEAD_S = 30.0
_GROWTH = 8


def predict_costs(units: Sequence[tuple[str, float]], history: Mapping[str, float]) -> dict[int, float]:
    """Predict how many seconds each unit takes, the unmeasured ones from the measured ones.

    Args:
        units: key and length [m] of each unit; several units may have the same key.
        history: key -> seconds its drive took in an earlier run.

    Returns:
        Position in `units` -> seconds.
    """
    s_per_m = fit_s_per_m(dict(units), history)
    return {number: predict_cost_s(key, length_m, history, s_per_m) for number, (key, length_m) in enumerate(units)}


def fit_s_per_m(lengths_m: Mapping[str, float], history: Mapping[str, float]) -> float:
    """Return the median pace of what was measured, the embedded simulator's if nothing was."""
    paces = [
        max(cost_s - UNIT_OVERHEAD_S, 0.0) / length_m
        for key, cost_s in history.items()
        if _is_measured(cost_s) and (length_m := lengths_m.get(key, 0.0)) > 0
    ]
    return statistics.median(paces) if paces else DEFAULT_S_PER_M


def predict_cost_s(key: str, length_m: float, history: Mapping[str, float], s_per_m: float = DEFAULT_S_PER_M) -> float:
    """Predict how long one unit takes: as long as last time, else by its length."""
    cost_s = history.get(key, math.nan)
    return cost_s if _is_measured(cost_s) else UNIT_OVERHEAD_S + s_per_m * length_m


def _is_measured(cost_s: float) -> bool:
    return math.isfinite(cost_s) and cost_s > 0


def pack(
    costs: Mapping[int, float],
    *,
    slots: int,
    limit_s: int,
    overhead_s: float = TASK_OVERHEAD_S,
    share: float = 0.8,
    least_s: float = 60.0,
) -> list[tuple[int, ...]]:
    """Spread units over tasks.

    There are as many tasks as slots, unless the tasks would be shorter than `least_s` or longer than their share of the
    time limit. Tasks that do not fit in the slots at once come in whole rounds, so that the last round is not a short
    one that everybody waits for.

    Args:
        costs: unit number -> predicted seconds, finite and not negative.
        slots: tasks that run at the same time.
        limit_s: of each task; 0 for none.
        overhead_s: what a task takes before its first unit.
        share: of the time limit that may be planned. A unit that needs more has a task of its own.
        least_s: what a task is worth starting for.

    Returns:
        Every unit once; no task is empty; the longest task and in each task the longest unit come first.
    """
    if not costs:
        return []
    total_s, slots = math.fsum(costs.values()), max(slots, 1)
    budget_s = share * limit_s - overhead_s if limit_s > 0 else math.inf
    number = needed = _tasks_needed(costs, total_s, budget_s)
    worthwhile = len(costs) if total_s >= least_s * len(costs) else int(total_s // least_s)
    while True:
        rounds = math.ceil(number / slots)
        tasks = spread(costs, max(needed, min(rounds * slots, worthwhile), 1))
        fits = all(len(task) == 1 or math.fsum(costs[unit] for unit in task) <= budget_s for task in tasks)
        if fits or len(tasks) >= len(costs):
            return tasks
        # Whole units do not fill a task to the brim.
        number = needed = len(tasks) + max(1, len(tasks) // _GROWTH)


def _tasks_needed(costs: Mapping[int, float], total_s: float, budget_s: float) -> int:
    """Return how many tasks there are at the very least."""
    if math.isinf(budget_s):
        return 1
    if budget_s <= 0:
        return len(costs)
    # No two units that take more than half of it share a task.
    return max(math.ceil(total_s / budget_s), sum(cost_s > budget_s / 2 for cost_s in costs.values()), 1)


def spread(costs: Mapping[int, float], number: int) -> list[tuple[int, ...]]:
    """Spread units over a number of tasks, or fewer if there are fewer units: longest first onto the shortest task.

    The longest task is at most 4/3 of the shortest possible one.

    Source: Graham, Bounds on multiprocessing timing anomalies, SIAM J. Appl. Math. 17, 1969.
    """
    number = min(number, len(costs))
    tasks: list[list[int]] = [[] for _ in range(number)]
    # Load, units, task: among equally long tasks an empty one comes first, also for units that take no time.
    heap = [(0.0, 0, index) for index in range(number)]
    for unit in sorted(costs, key=lambda unit: (-costs[unit], unit)):
        load_s, count, index = heap[0]
        tasks[index].append(unit)
        heapq.heapreplace(heap, (load_s + costs[unit], count + 1, index))
    loads_s = {index: load_s for load_s, _, index in heap}
    return [tuple(tasks[index]) for index in sorted(range(number), key=lambda index: (-loads_s[index], tasks[index]))]

"""Everything in this folder measures and runs only with `make bench`; what has a bar is set against it at the end.

A bar is never asserted: a loaded machine would fail what is right. The table tells what is missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.jobs.ports import take_port_block

HERE = Path(__file__).parent
ROUND_TRIP = "test_round_trip_of_a_bare_echo"

# In median round trips of the bare echo that the same run measured, so that every machine has the same bars.
ROUND_TRIP_BARS = {"test_tick[1-0]": 8.0, "test_tick[50-20]": 20.0, "test_tick[200-0]": 60.0}


class Figure(NamedTuple):
    """What was measured beside the time of a benchmark."""

    what: str
    value: float
    unit: str
    bar: float


FIGURES = pytest.StashKey[list[Figure]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.bench)


@pytest.fixture(scope="module")
def ports() -> Iterator[Any]:
    block = take_port_block()
    yield block
    block.release()


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> list[Figure]:
    """The figures that the table at the end sets against their bars; a test appends to it."""
    return request.config.stash.setdefault(FIGURES, [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print every figure that has a bar."""
    session = getattr(config, "_benchmarksession", None)
    benchmarks = [bench for bench in getattr(session, "benchmarks", ()) if bench.stats.rounds]
    medians_s = {bench.name: bench.stats.median for bench in benchmarks}
    rows = list(config.stash.get(FIGURES, []))
    if ROUND_TRIP in medians_s:
        trip_s = medians_s[ROUND_TRIP]
        rows += [
            Figure(name, medians_s[name] / trip_s, "round trips", bar)
            for name, bar in ROUND_TRIP_BARS.items()
            if name in medians_s
        ]
    if rows:
        terminalreporter.section("figures with a bar")
        for row in rows:
            verdict = "ok" if row.value <= row.bar else f"MISSED by {row.value / row.bar - 1.0:.0%}"
            terminalreporter.write_line(f"{row.what:<44} {row.value:>8.2f} {row.unit:<12} bar {row.bar:<8g} {verdict}")
    rates = [(bench.name, what, value) for bench in benchmarks for what, value in bench.extra_info.items()]
    if rates:
        terminalreporter.section("rates")
        for name, what, value in rates:
            terminalreporter.write_line(f"{name:<44} {value:>8} {what}")

"""What is said while an evaluation runs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from harness import progress
from harness.datatypes.unit import Unit
from harness.progress import LiveReporter, PlainReporter, make_reporter, outcome_text


def unit(route: str = "05", seed: int = 1) -> Unit:
    return Unit(
        suite="mini",
        rule_version="lb20",
        route=route,
        route_id=route,
        route_file="",
        town="Borough01",
        repetition=0,
        seed=seed,
        traffic_seed=0,
        agent="expert",
        agent_sha256="",
        config="",
    )


def record(status: str = "Perfect", score: float = 100.0, wall_s: float = 2.5) -> dict[str, Any]:
    return {
        "status": status,
        "scores": {"score_composed": score},
        "meta": {"duration_game": 40.0, "duration_system": wall_s},
    }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list whose one element is the time."""
    now_s = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    return now_s


def test_a_log_tells_results_and_the_time_left(clock: list[float]) -> None:
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    reporter.begin(Path("outputs/run"), total=4, done=1, workers=2, notes=["continuing outputs/run"])
    reporter.unit_started(0, unit(), 1)
    reporter.unit_progress(0, 50.0, 20.0)
    clock[0] = 110.0
    reporter.unit_finished(0, unit(), record(), "")
    reporter.unit_started(1, unit("07", 2), 2)
    clock[0] = 130.0
    reporter.unit_finished(1, unit("07", 2), record("Failed - Agent crashed", 12.345), "")
    reporter.unit_finished(1, unit("08", 2), None, "error 1: no answer")
    assert stream.getvalue().splitlines() == [
        "continuing outputs/run",
        "3 of 4 drives to do, 2 at a time; run folder outputs/run",
        "[2/4] 05 seed 1: Perfect, driving score 100.00, 40 s simulated in 2.5 s (16x); about 20 s left",
        "07 seed 2: attempt 2",
        "[3/4] 07 seed 2: Failed - Agent crashed, driving score 12.35, 40 s simulated in 2.5 s (16x); about 15 s left",
        "[3/4] 08 seed 2: no result: error 1: no answer; about 15 s left",
    ]


def test_time_left_is_finite_before_the_first_result(clock: list[float]) -> None:
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    reporter.begin(Path("run"), total=2, done=0, workers=1, notes=[])
    clock[0] = 103.0
    reporter.unit_finished(0, unit(), None, "reason")
    assert stream.getvalue().splitlines()[-1] == "[0/2] 05 seed 1: no result: reason; about 6 s left"


def test_outcome_of_a_drive_that_took_no_time() -> None:
    assert outcome_text(unit(), record(wall_s=0.0), "").endswith("40 s simulated in 0.0 s (0x)")


def test_plain_lines_where_there_is_no_terminal() -> None:
    with make_reporter(io.StringIO()) as reporter:
        assert isinstance(reporter, PlainReporter)


def test_live_display_follows_every_worker() -> None:
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    screen = io.StringIO()
    columns = (TextColumn("{task.description} {task.completed:.0f} {task.fields[detail]}"),)
    with Progress(*columns, console=Console(file=screen, width=120), auto_refresh=False) as bars:
        reporter = LiveReporter(bars)
        reporter.begin(Path("outputs/run"), total=3, done=1, workers=2, notes=["continuing [outputs/run]"])
        reporter.unit_started(0, unit(), 1)
        reporter.unit_started(1, unit("07"), 2)
        reporter.unit_progress(0, 42.0, 17.4)
        shown = {task.description: (task.completed, task.fields["detail"]) for task in bars.tasks}
        assert shown == {
            "drives": (1, "1/3"),
            "  05 seed 1": (42.0, "17 s simulated"),
            "  07 seed 1 (attempt 2)": (0, "starting"),
        }
        reporter.unit_finished(0, unit(), record(), "")
        reporter.unit_finished(1, unit("07"), None, "[reason]")
        assert [(task.description, task.completed, task.fields["detail"]) for task in bars.tasks] == [
            ("drives", 2, "2/3")
        ]
        # A worker that tries again has one bar, not two.
        reporter.unit_started(0, unit(), 1)
        reporter.unit_started(0, unit(), 2)
        assert len(bars.tasks) == 2
    text = screen.getvalue()
    assert "continuing [outputs/run]" in text
    assert "05 seed 1: Perfect, driving score 100.00" in text
    assert "07 seed 1: no result: [reason]" in text

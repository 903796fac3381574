"""What is said while an evaluation runs."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

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


def result(
    folder: Path,
    route: str = "05",
    status: str = "Perfect",
    score: float = 100.0,
    wall_s: float = 2.5,
    detail: str = "",
) -> Path:
    """Draw the result file of a drive of 40 simulated seconds."""
    record = {
        "status": status,
        "scores": {"score_composed": score},
        "meta": {"duration_game": 40.0, "duration_system": wall_s},
    }
    file = folder / f"{route}.json"
    file.write_text(json.dumps({"_checkpoint": {"records": [record]}, "harness": {"failure_detail": detail}}))
    return file


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list whose one element is the time."""
    now_s = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    return now_s


def test_a_log_tells_results_and_the_time_left(clock: list[float], tmp_path: Path) -> None:
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    reporter.begin(Path("outputs/run"), total=4, done=1, notes=["continuing outputs/run"])
    reporter.unit_progress(1, unit(), 1, 0.0, 0.0)
    reporter.unit_progress(1, unit(), 1, 50.0, 20.0)
    clock[0] = 110.0
    reporter.unit_ended(1, unit(), result(tmp_path), "")
    reporter.unit_progress(2, unit("07", 2), 1, 10.0, 2.0)
    for percent in (0.0, 60.0):
        reporter.unit_progress(2, unit("07", 2), 2, percent, 4.0)
    clock[0] = 130.0
    crashed = result(tmp_path, "07", "Failed - Agent crashed", 12.345, detail="ValueError: two\nlines\x1b[0m")
    reporter.unit_ended(2, unit("07", 2), crashed, "")
    reporter.unit_ended(3, unit("08", 2), None, "3 failures (3 agent), last: error 1:\nno answer")
    assert stream.getvalue().splitlines() == [
        "continuing outputs/run",
        "3 of 4 drives to do; run folder outputs/run",
        "[2/4] 05 seed 1: Perfect, driving score 100.00, 40 s simulated in 2.5 s (16x); about 20 s left",
        "07 seed 2: attempt 2",
        "[3/4] 07 seed 2: Failed - Agent crashed, driving score 12.35, 40 s simulated in 2.5 s (16x)"
        "; ValueError: two lines [0m; about 15 s left",
        "[3/4] 08 seed 2: no result: 3 failures (3 agent), last: error 1: no answer; about 0 s left",
    ]


def test_time_left_is_finite_before_the_first_result(clock: list[float]) -> None:
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    reporter.begin(Path("run"), total=3, done=0, notes=[])
    clock[0] = 103.0
    reporter.unit_ended(0, unit(), None, "reason")
    assert stream.getvalue().splitlines()[-1] == "[0/3] 05 seed 1: no result: reason; about 6 s left"


def test_a_unit_that_was_tried_before_this_command_says_so_once() -> None:
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    reporter.begin(Path("run"), total=1, done=0, notes=[])
    for _ in range(3):
        reporter.unit_progress(0, unit(), 4, 0.0, 0.0)
    assert stream.getvalue().splitlines()[1:] == ["05 seed 1: attempt 4"]


def test_outcome_of_a_drive_that_took_no_time(tmp_path: Path) -> None:
    assert outcome_text(unit(), result(tmp_path, wall_s=0.0), "").endswith("40 s simulated in 0.0 s (0x)")


def test_a_drive_of_a_dataset_is_named_by_all_that_tells_it_from_others() -> None:
    one = replace(unit("12"), scenario="Accident", repetition=2)
    assert outcome_text(one, None, "reason") == "Accident/Borough01 12 rep 2: no result: reason"


def test_plain_lines_where_there_is_no_terminal() -> None:
    with make_reporter(io.StringIO()) as reporter:
        assert isinstance(reporter, PlainReporter)


def test_live_display_follows_every_unit_that_is_driven(tmp_path: Path) -> None:
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    screen = io.StringIO()
    columns = (TextColumn("{task.description} {task.completed:.0f} {task.fields[detail]}"),)
    with Progress(*columns, console=Console(file=screen, width=120), auto_refresh=False) as bars:
        reporter = LiveReporter(bars)
        reporter.begin(Path("outputs/run"), total=3, done=1, notes=["continuing [outputs/run]"])
        reporter.unit_progress(1, unit(), 1, 42.0, 17.4)
        reporter.unit_progress(2, unit("07"), 2, 0.0, 0.0)
        shown = {task.description: (task.completed, task.fields["detail"]) for task in bars.tasks}
        assert shown == {
            "drives": (1, "1/3"),
            "  05 seed 1": (42.0, "17 s simulated"),
            "  07 seed 1 (attempt 2)": (0, "starting"),
        }
        reporter.unit_ended(1, unit(), result(tmp_path), "")
        reporter.unit_ended(2, unit("07"), None, "[reason]")
        assert [(task.description, task.completed, task.fields["detail"]) for task in bars.tasks] == [
            ("drives", 2, "2/3")
        ]
        # A unit that is tried again has one bar, not two.
        reporter.unit_progress(0, unit("08"), 1, 99.0, 40.0)
        reporter.unit_progress(0, unit("08"), 2, 0.0, 0.0)
        assert [task.description for task in bars.tasks] == ["drives", "  08 seed 1 (attempt 2)"]
        # One whose end nobody has seen, because it was given up between two looks, leaves none behind.
        reporter.unit_ended(4, unit("09"), None, "given up")
    text = screen.getvalue()
    assert "continuing [outputs/run]" in text
    assert "05 seed 1: Perfect, driving score 100.00" in text
    assert "07 seed 1: no result: [reason]" in text
    assert "09 seed 1: no result: given up" in text

"""`harness checkpoint`: what it makes of events, and what it says to a file that it cannot use."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import cli
from harness.errors import ConfigError
from harness.metrics.rules import RuleVersion
from harness.results.event_file import FAILURES, KINDS

OFF_LANE = "Agent went outside its route lanes for about 12.5 meters (12.5% of the completed route)"
ROUTE: dict[str, Any] = {
    "route_id": "RouteScenario_7_rep0",
    "route_points": [[0.0, 0.0, 0.0], [3.0, 4.0, 0.0], [3.0, 4.0, 95.0]],
    "duration_game": 20.5,
    "duration_system": 2.5,
    "events": [
        {"type": "ROUTE_COMPLETION", "message": "Agent has completed 100 of the route", "route_completed": 100},
        {"type": "OUTSIDE_ROUTE_LANES_INFRACTION", "message": OFF_LANE, "percentage": 12.5},
        {"type": "MIN_SPEED_INFRACTION", "message": "Average speed is 50.0% of ...", "percentage": 50.0},
        {"type": "STOP_INFRACTION", "message": "in words of its own"},
    ],
}
#: An integer that is no float, and what is shown of it.
HUGE: Final = 10**400
CUT: Final = f"1{'0' * 19}...{'0' * 20}"


def routes(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Return the route that often, under ids of its own, with some values replaced."""
    return [copy.deepcopy({**ROUTE, "route_id": f"RouteScenario_{7 + n}_rep0", **changes}) for n in range(count)]


RUN: dict[str, Any] = {"total_routes": 2, "sensors": ["carla_camera"], "routes": routes(2)}


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    """Return the run with one value replaced."""
    run = copy.deepcopy(RUN)
    place: Any = run
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return run


def written(folder: Path, run: Any) -> Path:
    file = folder / "run.events.json"
    file.write_bytes(run if isinstance(run, bytes) else json.dumps(run).encode())
    return file


def made(folder: Path, run: Any, rules: str = "lb20") -> dict[str, Any]:
    """Return the result file that the command prints."""
    answer = CliRunner().invoke(cli, ["checkpoint", str(written(folder, run)), "--rules", rules])
    assert answer.exit_code == 0, answer.output + str(answer.exception)
    content: dict[str, Any] = json.loads(answer.stdout)
    return content


def refused(*arguments: str) -> str:
    """Return what the command says, which has to be one error for people."""
    answer = CliRunner().invoke(cli, ["checkpoint", *arguments])
    assert isinstance(answer.exception, ConfigError), answer.output + repr(answer.exception)
    assert (answer.exception.exit_code, answer.stdout) == (2, "")
    return answer.exception.message


# --- what is written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "penalty"),
    [("lb20", 0.875 * 0.85 * 0.8), ("lb21", 0.875 / 1.45), ("bench2drive", 0.7), ("fail2drive", 0.875 * 0.85 * 0.8)],
)
def test_same_events_by_each_rule_version(tmp_path: Path, rules: str, penalty: float) -> None:
    content = made(tmp_path, RUN, rules)
    record = content["_checkpoint"]["records"][1]
    assert record["scores"]["score_penalty"] == round(penalty, 6)
    assert (record["index"], record["status"], record["num_infractions"]) == (1, "Completed", 3)
    assert record["meta"] == {"route_length": 100.0, "duration_game": 20.5, "duration_system": 2.5}
    assert ("save_name" in record) == (rules == "bench2drive")
    assert (content["entry_status"], content["eligible"], content["sensors"]) == ("Finished", True, ["carla_camera"])


def test_every_rule_version_can_be_asked_for() -> None:
    option = next(each for each in cli.commands["checkpoint"].params if each.name == "rules")
    assert tuple(option.type.choices) == tuple(RuleVersion)


def test_sentences_are_copied(tmp_path: Path) -> None:
    infractions = made(tmp_path, RUN)["_checkpoint"]["records"][0]["infractions"]
    assert infractions["stop_infraction"] == ["in words of its own"]
    assert infractions["outside_route_lanes"] == [OFF_LANE]


def test_names_are_in_the_records_of_the_fork_alone(tmp_path: Path) -> None:
    run = changed("routes", 0, "weather_id", to="3")
    first, second = made(tmp_path, run, "bench2drive")["_checkpoint"]["records"]
    assert (first["weather_id"], second["weather_id"], second["town_name"]) == ("3", None, None)
    assert "weather_id" not in made(tmp_path, run)["_checkpoint"]["records"][0]


@pytest.mark.parametrize(
    ("failure", "rules", "status", "found", "entry"),
    [
        ("load", "lb20", "Failed - Simulation crashed", 1, "Crashed"),
        ("sensors", "lb20", "Failed - Agent's sensors were invalid", 1, "Rejected"),
        ("agent_init", "lb20", "Failed - Agent couldn't be set up", 2, "Finished"),
        ("agent_init", "bench2drive", "Failed - Agent couldn't be set up", 1, "Started"),
        ("agent_runtime", "lb21", "Failed - Agent crashed", 2, "Finished"),
        ("simulation", "lb20", "Failed - Simulation crashed", 1, "Crashed"),
        ("tick_runtime", "bench2drive", "Failed - TickRuntime", 2, "Finished"),
    ],
)
def test_what_ends_a_route_from_outside(
    tmp_path: Path, failure: str, rules: str, status: str, found: int, entry: str
) -> None:
    run = changed("routes", 0, "failure", to=failure)
    run["routes"][0]["events"][0]["route_completed"] = 40.0
    content = made(tmp_path, run, rules)
    records = content["_checkpoint"]["records"]
    assert (len(records), records[0]["status"], content["entry_status"]) == (found, status, entry)
    assert bool(content["_checkpoint"]["global_record"]) == (entry == "Finished")
    assert (records[0]["scores"]["score_route"], records[0]["num_infractions"]) == (
        (0.0, 0) if failure == "load" else (40.0, 3)
    )


def test_cut_drives_are_of_the_fork_alone(tmp_path: Path) -> None:
    file = written(tmp_path, changed("routes", 0, "failure", to="tick_runtime"))
    said = refused(str(file), "--rules", "lb21")
    assert said == (
        f"cannot use events file {file}: found failure 'tick_runtime' of route 'RouteScenario_7_rep0', "
        "expected one of rules lb21; only bench2drive cuts a drive"
    )


def test_interrupted_run_has_no_global_record(tmp_path: Path) -> None:
    content = made(tmp_path, {**RUN, "total_routes": 5})
    assert (content["_checkpoint"]["progress"], content["entry_status"]) == ([2, 5], "Started")
    assert (content["_checkpoint"]["global_record"], content["values"]) == ({}, [])


def test_agent_without_sensors_does_not_pass_the_evaluators_own_look(tmp_path: Path) -> None:
    content = made(tmp_path, {**RUN, "sensors": []})
    assert (content["entry_status"], content["eligible"]) == ("Invalid", False)
    assert content["values"][0] == str(content["_checkpoint"]["global_record"]["scores_mean"]["score_composed"])
    never_asked = {**RUN, "sensors": [], "routes": routes(2, failure="agent_init")}
    assert made(tmp_path, never_asked)["entry_status"] == "Finished"


def test_means_are_added_as_the_evaluators_add_them(tmp_path: Path) -> None:
    """Three shares of a tenth make 0.30000000000000004, and the fourth decimal place of a total shows it."""
    run = {**RUN, "total_routes": 10, "routes": routes(10, duration_game=0.1)}
    total = made(tmp_path, run)["_checkpoint"]["global_record"]["meta"]["duration_game"]
    assert total == 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 != 1.0


def test_last_completion_counts_and_none_is_zero(tmp_path: Path) -> None:
    run = changed("routes", 0, "events", to=[])
    earlier = {"type": "ROUTE_COMPLETION", "message": "", "route_completed": 10.5}
    run["routes"][1]["events"].insert(0, earlier)
    records = made(tmp_path, run)["_checkpoint"]["records"]
    assert [record["scores"]["score_route"] for record in records] == [0.0, 100]
    assert records[0]["status"] == "Failed"


# --- where it is written ---------------------------------------------------------------------------------------------


def test_file_that_is_there_is_replaced_only_if_told(tmp_path: Path) -> None:
    events, output = str(written(tmp_path, RUN)), tmp_path / "result.json"
    output.write_text("mine")
    assert refused(events, "--output", str(output)) == f"{output} is there already, expected the name of a new file"
    assert output.read_text() == "mine"
    answer = CliRunner().invoke(cli, ["checkpoint", events, "--output", str(output), "--force"])
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert json.loads(output.read_text())["_checkpoint"]["progress"] == [2, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result.json", "run.events.json"]


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to a pipe", "link to nothing"])
def test_what_is_no_file_is_never_replaced(tmp_path: Path, kind: str) -> None:
    output = tmp_path / "result.json"
    if kind == "folder":
        output.mkdir()
    else:
        os.mkfifo(tmp_path / "pipe")
        if kind == "pipe":
            (tmp_path / "pipe").rename(output)
        else:
            output.symlink_to(tmp_path / ("pipe" if "pipe" in kind else "nothing"))
    before = output.lstat()
    said = refused(str(written(tmp_path, RUN)), "--output", str(output), "--force")
    assert said == f"{output} is no file, expected the name of a new one"
    assert output.lstat().st_ino == before.st_ino


@pytest.mark.parametrize("is_forced", [False, True])
@pytest.mark.parametrize("kind", ["itself", "by a detour", "symbolic link", "hard link"])
def test_events_are_never_overwritten_by_their_own_result(tmp_path: Path, kind: str, is_forced: bool) -> None:
    (tmp_path / "folder").mkdir()
    events, output = written(tmp_path, RUN), tmp_path / "result.json"
    if kind == "symbolic link":
        output.symlink_to(events.name)
    elif kind == "hard link":
        output.hardlink_to(events)
    else:
        output = events if kind == "itself" else tmp_path / "folder" / ".." / events.name
    said = refused(str(events), "--output", str(output), *["--force"] * is_forced)
    assert said == f"{output} is the events file {events} itself, expected another name"
    assert json.loads(events.read_text()) == RUN
    # The other way round: what is read is the link.
    assert "is the events file" in refused(str(output), "--output", str(events), *["--force"] * is_forced)


def test_bad_events_leave_the_output_alone(tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    output.write_text("mine")
    refused(str(written(tmp_path, {})), "--output", str(output), "--force")
    assert output.read_text() == "mine"


@pytest.mark.parametrize("output", ["no/such/folder.json", "x" * 300])
def test_place_that_cannot_be_written_is_named(tmp_path: Path, output: str) -> None:
    answer = CliRunner().invoke(cli, ["checkpoint", str(written(tmp_path, RUN)), "--output", str(tmp_path / output)])
    assert isinstance(answer.exception, ConfigError | OSError), repr(answer.exception)
    assert output[:20] in str(answer.exception)


# --- what cannot be used ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "found an empty file, expected JSON"),
        (b" \n\t", "found 3 blank bytes, expected JSON"),
        (b"{", "found input data was truncated, expected complete JSON"),
        (b"[]", "found `array`, expected `object`"),
        (b'{"total_routes": NaN}', "expected complete JSON"),
        (b"\xff\xfe{", "expected complete JSON"),
        (b"[" * 100_000, "expected"),
        ({}, "found no total_routes, expected one"),
        ({**RUN, "route": []}, "found the key 'route', expected those of docs/events.md only"),
        ({**RUN, "total_routes": 0}, "found 0 at total_routes, expected 1 to 1000000"),
        ({**RUN, "total_routes": 1}, "found 2 routes at routes, expected at most the 1 of total_routes"),
        ({**RUN, "total_routes": True}, "found `bool` at total_routes, expected `int`"),
        ({**RUN, "sensors": "camera"}, "found `str` at sensors, expected `array`"),
        (changed("routes", 1, "route_id", to=""), "found an empty text at routes[1].route_id"),
        (
            changed("routes", 1, "route_id", to="RouteScenario_7_rep0"),
            "found 'RouteScenario_7_rep0' of routes[0] again at routes[1].route_id, expected each route and repetition",
        ),
        (changed("routes", 1, "failur", to="load"), "found the key 'failur' at routes[1], expected those of"),
        (
            changed("routes", 1, "events", 2, "percent", to=5),
            "found the key 'percent' at routes[1].events[2]",
        ),
        (changed("routes", 1, "failure", to="rain\n"), r"found 'rain\\n' at routes[1].failure, expected one of load, "),
        (
            changed("routes", 0, "route_points", 1, to=[1.0, 2.0]),
            "found another length at routes[0].route_points[1], expected `array` of length 3",
        ),
        (changed("routes", 0, "route_points", 1, 2, to=1e300), "found 1e+300 m at routes[0].route_points[1]"),
        (changed("routes", 0, "duration_game", to=-0.5), "found -0.5 at routes[0].duration_game, expected 0 to 1e+12"),
        (
            changed("routes", 0, "duration_game", to="20"),
            "found `str` at routes[0].duration_game, expected ",
        ),
        (
            changed("routes", 1, "events", 3, "type", to="HONKED"),
            "found 'HONKED' at routes[1].events[3].type, expected one of ROUTE_COMPLETION, COLLISION_STATIC, ",
        ),
        (
            changed("routes", 1, "events", 0, "route_completed", to=100.5),
            "found 100.5 at routes[1].events[0].route_completed, expected 0 to 100",
        ),
        (
            changed("routes", 0, "events", 1, to={"type": "OUTSIDE_ROUTE_LANES_INFRACTION", "message": OFF_LANE}),
            "found none at routes[0].events[1].percentage, expected 0 to 100",
        ),
        (
            changed("routes", 0, "duration_game", to=HUGE),
            f"found {CUT} at routes[0].duration_game, expected 0 to 1e+12",
        ),
        (
            changed("routes", 1, "duration_system", to=-HUGE),
            f"found -1{'0' * 18}...{'0' * 20} at routes[1].duration_system, expected 0 to 1e+12",
        ),
        (
            changed("routes", 0, "events", 0, "route_completed", to=HUGE),
            f"found {CUT} at routes[0].events[0].route_completed, expected 0 to 100",
        ),
        (
            changed("routes", 0, "events", 2, "percentage", to=HUGE),
            f"found {CUT} at routes[0].events[2].percentage, expected 0 to 1e+12",
        ),
        ({**RUN, "total_routes": HUGE}, f"found {CUT} at total_routes, expected 1 to 1000000"),
        (
            json.dumps(changed("routes", 0, "duration_game", to=12.5)).replace("12.5", "9" * 5000).encode(),
            "found a number beyond all bounds at routes[0].duration_game, expected one of fewer digits",
        ),
        (changed("routes", 0, "events", 2, "percentage", to=-1), "found -1 at routes[0].events[2].percentage"),
        (changed("routes", 0, "events", 1, "percentage", to=101.0), "found 101 at routes[0].events[1].percentage"),
        (
            changed("routes", 0, "events", 1, "message", to="far outside"),
            "record RouteScenario_7_rep0: found 'far outside', expected 'Agent went outside its route lanes",
        ),
    ],
)
def test_error_names_file_place_and_expectation(tmp_path: Path, content: Any, said: str) -> None:
    file = written(tmp_path, content)
    message = refused(str(file))
    assert message.startswith(f"cannot use events file {file}: ")
    assert said in message
    assert message.isprintable()


def test_speed_above_that_of_the_traffic_is_no_error(tmp_path: Path) -> None:
    run = changed("routes", 0, "events", 2, "percentage", to=250.0)
    assert made(tmp_path, run, "bench2drive")["_checkpoint"]["records"][0]["scores"]["score_penalty"] == 0.7


def test_what_is_no_plain_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, found in (
        ("missing.json", "No such file"),
        ("", "a folder"),
        ("pipe", "a FIFO"),
        ("x" * 300, "too long"),
    ):
        message = refused(str(tmp_path / name))
        assert message.startswith(f"cannot use events file {str(tmp_path / name)[:100]}")
        assert found in message
        assert "expected a" in message


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of every value in a document."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(20, 4200).map(lambda digits: 10**digits)
    | st.floats(allow_nan=False)
    | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=8,
)
words = st.sampled_from([*KINDS, *FAILURES, "ROUTE_COMPLETION", OFF_LANE])


def outcome(content: bytes, rules: str) -> None:
    """Ask for the result of any bytes: it is a result, or one line with the file's name and what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        file = written(Path(folder), content)
        answer = CliRunner().invoke(cli, ["checkpoint", str(file), "--rules", rules])
        if answer.exception is None:
            assert json.loads(answer.stdout)["_checkpoint"]["records"] is not None
            return
        assert isinstance(answer.exception, ConfigError), repr(answer.exception)
        assert str(file) in answer.exception.message
        assert "found " in answer.exception.message
        assert "expected " in answer.exception.message
        assert "\n" not in answer.exception.message


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(places(RUN))), any_json | words, st.sampled_from(list(RuleVersion)))
def test_any_value_in_any_place(path: tuple[str | int, ...], value: Any, rules: RuleVersion) -> None:
    outcome(json.dumps(changed(*path, to=value)).encode(), rules.value)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    whole = json.dumps(RUN).encode()
    begin = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(begin, len(whole)))
    damage: Callable[[bytes], bytes] = data.draw(
        st.sampled_from(
            [lambda b: b[:begin], lambda b: b[:begin] + b[end:], lambda b: b[:begin] + b"\x00\xff" + b[begin + 2 :]]
        )
    )
    outcome(damage(whole), "lb20")


def test_program_prints_one_line_and_no_traceback(tmp_path: Path, repository: Path) -> None:
    file = written(tmp_path, b'{"total_routes": "many"}')
    answer = subprocess.run(
        [sys.executable, "-m", "harness", "checkpoint", str(file)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        f"error: cannot use events file {file}: found `str` at total_routes, expected `int` "
        "(try: docs/events.md describes the file)\n"
    )

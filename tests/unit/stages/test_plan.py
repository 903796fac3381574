"""What an evaluation consists of, and which requests make no sense."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness.stages.plan
from harness.errors import ConfigError, HarnessError, RouteError
from harness.jobs.runs import create_run
from harness.metrics.engine import LEADERBOARD_20
from harness.metrics.rules import RuleVersion
from harness.stages.evaluate import EvaluateRequest, preview
from harness.stages.launch import LaunchOptions
from harness.stages.plan import EvaluationPlan, plan_evaluation, route_cost_m
from harness.suites import NotRunnable


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    monkeypatch.setenv("HARNESS_CACHE", "/absent")


def plan(bench: str = "mini", only: Sequence[str] = (), seeds: Sequence[int] = (), **more: Any) -> EvaluationPlan:
    defaults = {"agent": "expert", "agent_config": "", "sim": "embedded"}
    return plan_evaluation(bench=bench, only=only, seeds=seeds, **{**defaults, **more})


def refused(kind: type[HarnessError], **request: Any) -> HarnessError:
    with pytest.raises(kind) as caught:
        plan(**request)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value


# --- what is planned -------------------------------------------------------------------------------------------------


def test_units_are_routes_times_seeds_seed_by_seed() -> None:
    units = plan(only=["07", "05"], seeds=[2, 1]).units
    assert [(unit.seed, unit.route) for unit in units] == [(2, "05"), (2, "07"), (1, "05"), (1, "07")]
    assert {(unit.suite, unit.town, unit.rule_version, unit.repetition) for unit in units} == {
        ("mini", "Borough01", "lb20", 0)
    }


def test_units_differ_in_their_traffic() -> None:
    seeds = [unit.traffic_seed for unit in plan(seeds=[1, 2, 3]).units]
    assert len(set(seeds)) == len(seeds)


def test_suites_own_seeds_are_the_default() -> None:
    found = plan()
    assert found.config["seeds"] == list(found.suite.seeds)


def test_configuration_names_everything_that_results_depend_on() -> None:
    config = plan(only=["5"], agent_config="weights.pth").config
    assert config["routes"] == ["05"]
    assert (config["agent_config"], config["sim"], config["rule_version"]) == ("weights.pth", "embedded", "lb20")
    assert set(config) >= {"bench", "set_version", "seeds", "agent", "agent_sha256", "version", "commit"}


def test_an_agents_content_is_part_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "pilot.py"
    file.write_text("first")
    first = plan(agent=f"{file}:Pilot")
    file.write_text("second")
    second = plan(agent=f"{file}:Pilot")
    assert first.config["agent_sha256"] == hashlib.sha256(b"first").hexdigest() == first.units[0].agent_sha256
    assert first.config != second.config


def test_cost_is_the_length_of_the_line_through_the_points(harness_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = {name: route_cost_m(route) for name, route in plan().routes.items()}
    assert 100.0 < min(costs.values()) < max(costs.values()) < 2000.0
    monkeypatch.setenv("HARNESS_DATA", str(harness_data))
    long_routes = plan("longest6", ["00", "01"]).routes.values()
    assert min(route_cost_m(route) for route in long_routes) > 500.0


# --- what makes no sense ---------------------------------------------------------------------------------------------


def test_unknown_suite_lists_those_there_are() -> None:
    message = refused(RouteError, bench="maxi").message
    assert "suite 'maxi' not in " in message
    assert "mini" in message


def test_unknown_route_lists_those_there_are() -> None:
    message = refused(RouteError, only=["05", "99"]).message
    assert message.startswith("route '99' not in suite 'mini' (has 01, 02, 03, ")


def test_seed_twice() -> None:
    assert refused(ConfigError, seeds=[3, 1, 3]).message == "seeds 3, 1, 3 name one twice, expected distinct numbers"


def test_seed_beyond_what_the_traffic_manager_takes() -> None:
    assert plan(only=["05"], seeds=[99_999]).units[0].seed == 99_999
    assert refused(ConfigError, seeds=[1, 100_000]).message == "seed 100000 is too large, expected 0 to 99999"


def test_rules_that_are_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.stages.plan.ENGINES", {"other": LEADERBOARD_20})
    assert refused(ConfigError).message == "suite 'mini' is scored by rules 'lb20', this version has other"


def test_a_suite_is_driven_by_its_own_rules(harness_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", str(harness_data))
    found = plan("bench2drive", ["1711"], [1])
    assert found.config["rule_version"] == "bench2drive"
    assert [unit.rule_version for unit in found.units] == ["bench2drive"]


@pytest.mark.parametrize("version", list(RuleVersion))
def test_a_suite_may_name_any_rule_version(version: RuleVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    load = harness.stages.plan.load_suite
    monkeypatch.setattr(
        "harness.stages.plan.load_suite", lambda *given: replace(load(*given), rule_version=version.value)
    )
    assert [unit.rule_version for unit in plan(only=["05"]).units] == [version]


def test_suite_without_its_data() -> None:
    message = refused(RouteError, bench="longest6", only=["00", "01"]).message
    assert message.startswith("none of the 2 routes of suite 'longest6' can be driven: 00: HARNESS_DATA is not set")


@pytest.fixture
def drawn_data(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that makes a data folder with routes of longest6, all in our own town unless told otherwise."""

    def draw(**routes: str) -> Path:
        folder = tmp_path / "data" / "routes" / "longest6"
        folder.mkdir(parents=True)
        good = (repository / "routes" / "mini" / "05.xml").read_text()
        for number, text in routes.items():
            stem = number.removeprefix("r")
            (folder / f"{stem}.xml").write_text(text or good.replace('id="5"', f'id="{int(stem)}"'))
        monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))
        return tmp_path / "data"

    return draw


def test_malformed_and_missing_routes_are_named_before_anything_starts(drawn_data: Callable[..., Path]) -> None:
    data = drawn_data(
        r00="", r01="<routes><route id='1'", r02="<routes><route id='2' town='Atlantis'></route></routes>"
    )
    found = plan("longest6", ["00", "01", "02", "03"], [1])
    assert [unit.route for unit in found.units] == ["00"]
    problems = {problem.route_name: problem.reason for problem in found.not_runnable}
    file = data / "routes" / "longest6"
    assert problems == {
        "01": f"route file {file}/01.xml line 1: found 'unclosed token', expected well-formed XML",
        "02": f"route file {file}/02.xml line 1: found 0 <position> in route '2', expected at least two",
        "03": f"no file {file}/03.xml",
    }


def test_missing_town_is_named_with_the_folders(drawn_data: Callable[..., Path], repository: Path) -> None:
    good = (repository / "routes" / "mini" / "05.xml").read_text()
    data = drawn_data(r00="", r01=good.replace('id="5"', 'id="1"').replace("Borough01", "Atlantis"))
    (problem,) = plan("longest6", ["00", "01"]).not_runnable
    assert problem.reason == (
        "town Atlantis not found, expected Atlantis.xodr or .xodr.gz in "
        f"{repository}/routes/towns, {data}/maps, /absent/maps"
    )
    # A server has its own towns; one that does not tell of them may have any.
    assert not plan("longest6", ["00", "01"], sim="127.0.0.1:2000").not_runnable
    (missing,) = plan("longest6", ["00", "01"], sim="127.0.0.1:2000", server_towns=["Atlantis"]).not_runnable
    assert missing == NotRunnable("00", "the server has no town Borough01 (has Atlantis)")


def test_town_from_a_maps_folder(drawn_data: Callable[..., Path], repository: Path, tmp_path: Path) -> None:
    good = (repository / "routes" / "mini" / "05.xml").read_text()
    drawn_data(r01=good.replace('id="5"', 'id="1"').replace("Borough01", "Atlantis"))
    with pytest.raises(RouteError, match="none of the 1 routes"):
        plan("longest6", ["01"])
    (tmp_path / "maps").mkdir()
    shutil.copy(repository / "routes" / "towns" / "Borough01.xodr", tmp_path / "maps" / "Atlantis.xodr")
    assert len(plan("longest6", ["01"], [1], maps=(tmp_path / "maps",)).units) == 1


# --- preview ---------------------------------------------------------------------------------------------------------


def tree(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "folder"
        for file in sorted(folder.rglob("*"))
    }


def test_preview_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "pilot.py").write_text("open('written', 'w')")
    before = tree(tmp_path)
    shown = preview(EvaluateRequest(agent=f"{tmp_path}/pilot.py:Pilot", outputs=tmp_path / "outputs", only=("05",)))
    assert tree(tmp_path) == before
    assert (shown.run, [unit.route for unit in shown.missing]) == (None, ["05"])
    (planned,) = shown.planned
    assert (planned.submission.backend, planned.submission.tasks, planned.text) == ("local", ((0,),), "")
    assert "work" in planned.command
    assert "--sim" not in planned.command


def test_preview_of_what_has_begun_shows_only_what_is_missing(tmp_path: Path) -> None:
    planned = plan(only=["05", "07"])
    run = create_run(tmp_path, planned.config, planned.facts, planned.units)
    run.unlock()
    before = tree(tmp_path)
    shown = preview(EvaluateRequest(only=("05", "07"), outputs=tmp_path))
    assert tree(tmp_path) == before
    assert shown.run is not None
    assert shown.run.folder == run.folder
    assert [unit.route for unit in shown.missing] == ["05", "07"]
    assert str(run.folder) in shown.planned[0].command
    # What would be called is foretold to the letter: the token is that of the real submission.
    again = preview(EvaluateRequest(only=("05", "07"), outputs=tmp_path))
    assert [call.command for call in again.planned] == [call.command for call in shown.planned]


def test_preview_for_a_server_has_one_task_that_is_told_where_it_is(tmp_path: Path) -> None:
    options = LaunchOptions(jobs=4)
    shown = preview(EvaluateRequest(only=("05", "07"), sim="carla.example:2000", outputs=tmp_path, options=options))
    (planned,) = shown.planned
    assert planned.command[planned.command.index("--sim") + 1] == "carla.example:2000"
    assert len(planned.submission.tasks[0]) == 2


@pytest.mark.parametrize("sim", ["", "carla", "carla:", ":2000", "carla:0", "carla:65536", "a b:2000", "carla:20 00"])
def test_malformed_address(sim: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        preview(EvaluateRequest(only=("05",), sim=sim, outputs=tmp_path))
    assert caught.value.message == f"SIM is {sim!r}, expected embedded or host:port"


def test_run_of_another_configuration_names_what_differs(tmp_path: Path) -> None:
    planned = plan(only=["05"])
    run = create_run(tmp_path, planned.config, planned.facts, planned.units)
    run.unlock()
    with pytest.raises(ConfigError) as caught:
        preview(EvaluateRequest(only=("05",), seeds=(7,), agent="constant", run=run.folder, outputs=tmp_path))
    assert caught.value.message == (
        f"run {run.folder} has another agent, seeds ('expert', [1]), expected that of this command"
    )


def test_changed_checkpoint_is_another_configuration(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.pth").write_bytes(b"1")
    before = plan(agent_config=str(tmp_path / "weights")).config
    assert plan(agent_config=str(tmp_path / "weights")).config == before
    (tmp_path / "weights" / "model.pth").write_bytes(b"2")
    assert plan(agent_config=str(tmp_path / "weights")).config["agent_config_sha256"] != before["agent_config_sha256"]
    assert plan(agent_config="no such file").config["agent_config_sha256"] == ""

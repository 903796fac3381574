"""Numbers that could be computed and should not be trusted: other suites, other rules, records against themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.metrics.rules import RuleVersion
from harness.results.result_set import DuplicateError, OnDuplicate
from harness.stages.score import ScoreReport, ScoreRequest, score
from harness.stages.score_table import make_table
from harness.stages.score_text import score_lines
from tests.unit.results.drawn import checkpoint, record, write
from tests.unit.stages.test_score import MINI, drive, of_bench2drive

RED = "Agent ran a red light 7 at (x=1.0, y=2.0, z=0.0)"


def scored(*paths: Path, bench: str = "mini", **options: Any) -> ScoreReport:
    return score(ScoreRequest(paths=paths, bench=bench, **options))


def own(suite: str, drawn: dict[str, Any], rules: str = "lb20", seed: int = 1) -> dict[str, Any]:
    """Return the result of a unit of ours."""
    section = {"suite": suite, "seed": seed, "agent": "expert", "rule_version": rules}
    return checkpoint([drawn]) | {"harness": section}


def red_lights(xml_id: object, penalty: float, count: int = 1) -> dict[str, Any]:
    scores = {"score_route": 100.0, "score_penalty": penalty, "score_composed": 100.0 * penalty}
    return record(xml_id, scores=scores, infractions={"red_light": [RED] * count})


def test_runs_of_another_suite_count_for_nothing(tmp_path: Path) -> None:
    """Ids are small numbers: without it the results of two suites would add up to a driving score above 100."""
    for xml_id in range(1, MINI + 1):
        write(tmp_path / "mini" / str(xml_id) / "result.json", own("mini", drive(xml_id, 100.0)))
        write(tmp_path / "longest6" / str(xml_id) / "result.json", own("longest6", drive(xml_id, 60.0)))
    report = scored(tmp_path)
    assert (report.scores.found, report.scores.driving_score, len(report.outside)) == (MINI, 100.0, MINI)
    with pytest.raises(ConfigError, match="found results of longest6, mini, expected runs of one suite"):
        scored(tmp_path, bench="")
    assert scored(tmp_path / "mini", bench="").suite.name == "mini"
    write(tmp_path / "other.json", checkpoint([drive(1)]))
    with pytest.raises(ConfigError, match="found results of no stated benchmark, expected runs of one suite"):
        scored(tmp_path / "other.json", bench="")


def test_a_subset_of_the_routes_with_the_same_rules_is_of_the_benchmark(tmp_path: Path) -> None:
    dev10 = of_bench2drive("2091", town="Town12")
    first = write(tmp_path / "a" / "result.json", own("bench2drive_dev10", dev10, "bench2drive"))
    report = scored(tmp_path, bench="bench2drive")
    assert [each.route.route_id for each in report.records] == [dev10["route_id"]]
    second = write(tmp_path / "b" / "result.json", own("bench2drive", dev10, "bench2drive"))
    with pytest.raises(DuplicateError, match=f"{first} and {second}"):
        scored(tmp_path, bench="bench2drive")


def test_files_named_as_routes_of_fail2drive_are_of_no_other_benchmark(tmp_path: Path) -> None:
    for xml_id in range(1, MINI + 1):
        write(tmp_path / f"Base_Animals_{xml_id:04d}.json", checkpoint([drive(xml_id)]))
    with pytest.raises(ConfigError, match=r"files named as Fail2Drive's routes \(Base_Animals_0001.json\)"):
        scored(tmp_path)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"scores": {"score_route": 10.0, "score_penalty": 1.0, "score_composed": 100.0}},
            "found driving score 100.00 of RouteScenario_1_rep0, expected completion x penalty, 10.00",
        ),
        (
            {"scores": {"score_route": 100.0, "score_penalty": 1.0, "score_composed": 0.0}},
            "found driving score 0.00 of RouteScenario_1_rep0, expected completion x penalty, 100.00",
        ),
        (
            {"scores": {"score_route": 10.0, "score_penalty": 1.0, "score_composed": 10.0}, "status": "Perfect"},
            "found status Perfect of RouteScenario_1_rep0, expected a finished route without any infraction",
        ),
        (red_lights(1, 0.7) | {"status": "Perfect"}, "found status Perfect of RouteScenario_1_rep0"),
    ],
)
def test_a_record_that_contradicts_itself_is_a_problem(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    file = write(tmp_path / "a.json", checkpoint([drive(1, 100.0) | changes, drive(2, 33.33)]))
    (found,) = scored(tmp_path).problems
    assert str(found).startswith(f"{file} record 0: {problem}")


@pytest.mark.parametrize(("rules", "is_told"), [("lb20", False), ("fail2drive", False), ("lb21", True), ("x", True)])
def test_a_drive_by_other_rules_than_the_benchmark_has_is_a_problem(tmp_path: Path, rules: str, is_told: bool) -> None:
    """Fail2Drive's penalties are those of Leaderboard 2.0."""
    write(tmp_path / "1" / "result.json", own("mini", drive(1), rules))
    problems = [str(problem) for problem in scored(tmp_path).problems]
    assert any(f"found a drive by rules {rules}, expected rules lb20" in text for text in problems) is is_told
    assert any("a drive by rules" in text for text in problems) is is_told
    if rules == "lb21":
        assert scored(tmp_path, rules=RuleVersion.LEADERBOARD_21).problems == ()


def test_penalties_of_other_rules_take_the_headline_away(tmp_path: Path) -> None:
    """One seed by Leaderboard 2.1 in which most drives are perfect, beside one by 2.0."""
    by_21 = [red_lights(xml_id, 1.0 / 1.4) if xml_id < 3 else drive(xml_id, 100.0) for xml_id in range(1, MINI + 1)]
    by_20 = [red_lights(xml_id, 0.7) for xml_id in range(1, MINI + 1)]
    write(tmp_path / "seed1" / "a.json", checkpoint(by_20))
    write(tmp_path / "seed2" / "a.json", checkpoint(by_21))
    report = scored(tmp_path)
    (problem,) = report.foreign_rules
    assert str(problem) == (
        "seed 2: found 0 of 2 penalties that tell, 2 by Leaderboard 2.1, expected the rules of mini, Leaderboard 2.0"
    )
    assert not report.missing and not report.has_headline
    assert "no score of drives by other rules" in "\n".join(score_lines(report, with_means=False))
    assert scored(tmp_path / "seed2", rules=RuleVersion.LEADERBOARD_21).has_headline


def test_rules_that_explain_more_penalties_than_the_benchmarks_are_named(tmp_path: Path) -> None:
    """A red light costs the same by 2.0 and by Bench2Drive; slow driving tells them apart."""
    slow = {"min_speed_infractions": ["Average speed is 50.0% of the surrounding traffic's one"]}
    drives = [red_lights(1, 0.7), red_lights(2, 0.7), drive(3, 100.0, infractions=slow)]
    write(tmp_path / "a.json", checkpoint([*drives, *(drive(xml_id) for xml_id in range(4, MINI + 1))]))
    (problem,) = scored(tmp_path).foreign_rules
    assert "found 2 of 3 penalties that tell, 3 by Bench2Drive" in str(problem)


def test_a_sentence_that_no_evaluator_writes_is_told_in_the_audit(tmp_path: Path) -> None:
    odd = drive(2, infractions={"red_light": ["Agent flew over a red light"]})
    write(tmp_path / "a.json", checkpoint([drive(1), odd]))
    report = scored(tmp_path)
    assert [route.xml_id for route, _ in report.audit.unreadable] == ["2"]
    told = "\n".join(score_lines(report, with_means=True))
    assert "RouteScenario_2_rep0: not audited: record RouteScenario_2_rep0: found 'Agent flew over a red light'" in told


def test_penalties_that_no_rules_explain_take_it_away_too(tmp_path: Path) -> None:
    """The engine of LEAD's expert, whose files look like all others."""
    drives = [red_lights(xml_id, 0.123) for xml_id in range(1, MINI)] + [drive(MINI, 100.0)]
    write(tmp_path / "a.json", checkpoint(drives))
    (problem,) = scored(tmp_path).foreign_rules
    assert "0 of 15 penalties that tell follow from their events by Leaderboard 2.0" in str(problem)


def test_an_agent_that_could_not_be_set_up_is_no_success_and_no_headline(tmp_path: Path) -> None:
    """Fail2Drive's parser drops such drives, so an agent that does not start on hard routes would gain by it."""
    for number in (*range(100), *range(1000, 1100)):
        drawn = drive(number, 100.0)
        if number == 1007:
            drawn = drive(number, 0.0, status="Failed - Agent couldn't be set up")
        write(tmp_path / f"{number}.json", checkpoint([drawn]))
    report = scored(tmp_path, bench="fail2drive")
    assert (report.scores.successes, report.missing, report.dropped) == (199, 0, 1)
    assert not report.has_headline
    table = make_table({"a": report})
    assert table.rows[0][1:7] == ("-",) * 6
    told = "\n".join(score_lines(report, with_means=True))
    assert "1 whose agent could not be set up: zeros in the official number, dropped in the splits" in told
    assert "official (missing = 0, divisor 200): DS 99.50, SR 99.50 % (f2d)" in told


def test_routes_of_a_pair_are_drawn_together(tmp_path: Path) -> None:
    """They share way, weather and traffic: where each pair has the same mean, other pairs would change nothing."""
    for number in range(100):
        for xml_id, driving_score in ((number, 100.0), (1000 + number, 0.0)):
            write(tmp_path / f"{xml_id}.json", checkpoint([drive(xml_id, driving_score)]))
    report = scored(tmp_path, bench="fail2drive")
    assert (report.scores.driving_score, report.interval.low, report.interval.high) == (50.0, 50.0, 50.0)


def test_seeds_that_are_asked_for_count_also_without_a_record(tmp_path: Path) -> None:
    write(tmp_path / "seed1" / "a.json", checkpoint([drive(xml_id, 100.0) for xml_id in range(1, MINI + 1)]))
    assert scored(tmp_path).has_headline
    report = scored(tmp_path, seeds=(1, 2))
    assert (report.scores.expected, report.missing, report.scores.driving_score) == (2 * MINI, MINI, 50.0)


def test_repeated_drives_have_no_headline(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.json", checkpoint([drive(xml_id, 50.0) for xml_id in range(1, MINI + 1)]))
    report = scored(tmp_path, on_duplicate=OnDuplicate.ALL)
    assert (report.scores.driving_score, report.missing, report.has_headline) == (100.0, 0, False)
    told = "\n".join(score_lines(report, with_means=False))
    assert "16 more than expected: repeated drives are added" in told and "no score of repeated drives" in told

"""The numbers in which evaluators differ while they drive."""

from __future__ import annotations

from harness.metrics.engine import ENGINES, Engine
from harness.metrics.rules import RuleVersion


def test_every_rule_version_has_an_engine_and_only_the_fork_of_bench2drive_has_its_own() -> None:
    assert list(ENGINES) == list(RuleVersion)
    assert [version for version, engine in ENGINES.items() if engine != Engine()] == [RuleVersion.BENCH2DRIVE]


def test_numbers_of_the_evaluators() -> None:
    ours, fork = ENGINES[RuleVersion.LEADERBOARD_20], ENGINES[RuleVersion.BENCH2DRIVE]
    assert (ours.speed_checks, ours.most_standing_s, ours.most_ticks) == (4, 180.0, None)
    assert (fork.speed_checks, fork.most_standing_s, fork.most_ticks) == (20, 60.0, 4000)
    assert not (ours.logs_every_speed or ours.setup_failure_ends_run or ours.names_routes or ours.logs_motion)
    assert fork.logs_every_speed
    assert fork.setup_failure_ends_run

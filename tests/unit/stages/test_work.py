"""What becomes of the units of a task; jobs and simulators are small programs here."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from harness.datatypes.job import Outcome
from harness.errors import JobError
from harness.jobs.attempts import begin_attempt
from harness.jobs.budget import Policy
from harness.jobs.publish import publish_json, read_json
from harness.stages import work as work_module
from harness.stages.supervision import Address
from tests.unit.jobs.drawn import RESULT, unit
from tests.unit.stages.drawn import TOKEN, Simulator, TaskScene

LIMIT_S = 20.0
SERVER = Address("carla.example", 2000)

# --- results ---------------------------------------------------------------------------------------------------------


def test_result_of_a_job_is_chosen(task_scene: TaskScene) -> None:
    assert task_scene.work("publish()", 0)
    assert task_scene.outcomes() == [Outcome.RESULT]
    assert task_scene.chosen() == 1
    folder = task_scene.run.unit_folder(unit())
    assert sorted(file.name for file in folder.iterdir()) == ["attempt_1", "claim.lock", "result.json"]
    facts = read_json(folder / "attempt_1" / "attempt.json")
    assert (facts["token"], facts["task"], facts["pid"], facts["restarts"]) == (TOKEN, 0, os.getpid(), 0)
    ending = read_json(folder / "attempt_1" / "outcome.json")
    assert facts["started_s"] <= ending["ended_s"] <= time.time()
    assert ending["drive_wall_s"] == 2.5


def test_units_share_one_simulator(task_scene: TaskScene) -> None:
    assert task_scene.work("publish()", 0, 1, 2)
    assert [task_scene.chosen(one.route) for one in task_scene.units] == [1, 1, 1]
    (simulator,) = task_scene.simulators
    assert (simulator.starts, simulator.stops) == (3, 1)


def test_the_task_says_what_its_time_went_into(task_scene: TaskScene) -> None:
    task_scene.work("publish()", 0, 1)
    (file,) = (task_scene.run.folder / "tasks").iterdir()
    assert file.name.startswith(f"{TOKEN}_0_{os.getpid()}_")
    facts = read_json(file)
    assert (facts["results"], facts["drive_wall_s"]) == (2, 5.0)
    assert 0.0 < facts["wall_s"] < LIMIT_S


def test_what_has_a_result_is_not_driven_again(task_scene: TaskScene) -> None:
    task_scene.work("publish()", 0)
    before = (task_scene.run.unit_folder(unit()) / "result.json").stat()
    assert task_scene.work("publish()")
    assert task_scene.outcomes() == [Outcome.RESULT]
    assert (task_scene.run.unit_folder(unit()) / "result.json").stat() == before


def test_a_result_whose_worker_was_killed_before_it_was_chosen_is_not_driven_again(task_scene: TaskScene) -> None:
    folder = task_scene.run.unit_folder(unit())
    folder.mkdir(parents=True)
    publish_json(begin_attempt(folder, unit(), {}).result, RESULT)
    task_scene.work("publish()", 0)
    assert task_scene.outcomes() == [Outcome.RESULT]
    assert task_scene.chosen() == 1


@pytest.mark.parametrize("damage", ["", "{}", '{"_checkpoint": '])
def test_a_damaged_result_is_set_aside_and_the_drive_repeated(task_scene: TaskScene, damage: str) -> None:
    task_scene.work("publish()", 0)
    chosen = task_scene.run.unit_folder(unit()) / "result.json"
    chosen.write_text(damage)  # which damages the attempt's own file too: it is the same
    task_scene.work("publish()")
    assert task_scene.outcomes() == [Outcome.RESULT, Outcome.RESULT]
    assert task_scene.chosen() == 2
    assert chosen.with_name("result.damaged_1.json").read_text() == damage


def test_a_job_that_publishes_nonsense_is_tried_again(task_scene: TaskScene) -> None:
    task_scene.work("result = {} if attempt == 1 else result; publish()", 0)
    assert task_scene.outcomes() == [Outcome.AGENT, Outcome.RESULT]
    assert task_scene.reasons()[0] == "its result holds no record"
    assert task_scene.chosen() == 2


# --- failures --------------------------------------------------------------------------------------------------------


def test_failed_job_is_tried_again_with_a_fresh_simulator(
    task_scene: TaskScene, capsys: pytest.CaptureFixture[str]
) -> None:
    task_scene.work("publish() if attempt == 2 else fail(1, 'error: no answer (try: make simulator)')", 0)
    assert task_scene.outcomes() == [Outcome.AGENT, Outcome.RESULT]
    assert task_scene.chosen() == 2
    (simulator,) = task_scene.simulators
    assert (simulator.starts, simulator.stops) == (2, 2)
    assert capsys.readouterr().out == "05 attempt 1: agent: error 1: no answer (try: make simulator)\n"


def test_three_tries_are_enough(task_scene: TaskScene) -> None:
    assert task_scene.work("fail(1, 'noise\\nerror: no answer')", 0)
    assert task_scene.outcomes() == [Outcome.AGENT] * 3
    assert task_scene.reasons() == ["error 1: no answer"] * 3
    assert task_scene.chosen() is None
    prints = {read_json(attempt.folder / "outcome.json")["fingerprint"] for attempt in task_scene.attempts()}
    assert len(prints) == 1


def test_the_policy_says_how_many(task_scene: TaskScene) -> None:
    task_scene.work("fail(1, f'error: {\"abc\"[attempt % 3]}')", 0, policy=Policy(max_attempts=5))
    assert task_scene.outcomes() == [Outcome.AGENT] * 5


def test_error_of_the_route_is_not_tried_again(task_scene: TaskScene) -> None:
    task_scene.work("fail(2, 'error: route file is gone')", 0)
    assert (task_scene.outcomes(), task_scene.reasons()) == ([Outcome.CONFIG], ["error 2: route file is gone"])


def test_one_failure_does_not_stop_the_others(task_scene: TaskScene) -> None:
    assert task_scene.work("fail(2, 'error: gone') if route == '05' else publish()", 0, 1)
    assert task_scene.outcomes("05") == [Outcome.CONFIG]
    assert task_scene.outcomes("07") == [Outcome.RESULT]


def test_machine_where_no_simulator_starts_is_given_up(
    task_scene: TaskScene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Simulator, "refuses", "the simulator ended with code 2 at its start: port in use")
    assert not task_scene.work("publish()", 0, 1)
    assert task_scene.outcomes("05") == [Outcome.SIMULATOR_START] * 2
    assert task_scene.outcomes("07") == []
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"error: the simulator does not start here: {Simulator.refuses}"


def test_simulator_that_starts_at_the_second_try_is_good_enough(
    task_scene: TaskScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Simulator.ensure_running

    def start_late(self: Simulator, town: str) -> None:
        self.refuses = "not yet" if self.starts % 2 == 0 else ""
        start(self, town)

    monkeypatch.setattr(Simulator, "ensure_running", start_late)
    assert task_scene.work("publish()", 0, 1, 2)
    assert [task_scene.outcomes(one.route) for one in task_scene.units] == [
        [Outcome.SIMULATOR_START, Outcome.RESULT]
    ] * 3


def test_server_that_is_gone_stops_the_rest(
    task_scene: TaskScene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Address, "version", lambda self: None)
    assert not task_scene.work("fail(70, 'error: time-out')", 0, 1, endpoint=SERVER)
    assert task_scene.outcomes("05") == [Outcome.SIMULATOR_HANG]
    assert task_scene.outcomes("07") == []
    assert capsys.readouterr().out.endswith("error: no CARLA server answers at carla.example:2000 any more\n")
    assert task_scene.simulators == []


def test_server_that_still_answers_is_tried_again(task_scene: TaskScene) -> None:
    assert task_scene.work("publish() if attempt == 2 else fail(70, 'error: time-out')", 0, endpoint=SERVER)
    assert task_scene.outcomes() == [Outcome.SIMULATOR_CRASH, Outcome.RESULT]
    assert task_scene.simulators == []


def test_defect_of_our_own_is_raised(task_scene: TaskScene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise JobError("no free block")

    monkeypatch.setattr(work_module, "take_port_block", refuse)
    with pytest.raises(JobError, match="no free block"):
        task_scene.work("publish()", 0)


def test_defect_during_a_drive_leaves_no_simulator_and_no_claim(
    task_scene: TaskScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(work_module, "begin_attempt", refuse)
    with pytest.raises(OSError, match="No space left"):
        task_scene.work("publish()", 0)
    (simulator,) = task_scene.simulators
    assert simulator.stops == 1
    assert not (task_scene.run.unit_folder(unit()) / "claim.json").exists()

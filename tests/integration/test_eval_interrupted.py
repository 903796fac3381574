"""However an evaluation ends, nothing of it keeps running, and the same command does the rest."""

from __future__ import annotations

import signal
import time

import pytest

from tests.integration.evaluation import Evaluation, attempt_of, ended, outcomes, wait_for

pytestmark = pytest.mark.timeout(180)
COMMAND = ("--only", "00,01", "--jobs", "1")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 3), (signal.SIGKILL, -signal.SIGKILL)])
def test_interrupted_run_leaves_no_process_and_is_continued(
    evaluation: Evaluation, number: signal.Signals, code: int
) -> None:
    with ended(evaluation.start_eval(*COMMAND)) as process:
        (run,) = wait_for(evaluation.runs, "the run")
        (first,) = wait_for(lambda: list(evaluation.results(run).values()), "the first result")
        wait_for(lambda: len(list(run.glob("*/attempt_1/unit.json"))) == 2, "the second drive")
        wait_for(lambda: evaluation.process("drive-unit"), "its process")
        assert len(evaluation.processes()) == 4  # the command, its task, the simulator and the job
        process.send_signal(number)
        out, err = process.communicate(timeout=20.0)
    assert process.returncode == code
    wait_for(lambda: not evaluation.processes(), "the end of all processes")
    assert len(evaluation.results(run)) == 1
    if number != signal.SIGKILL:
        assert "interrupted: 1 of 2 drives have a result; the same command continues" in out
        assert "no result: interrupted" in err

    before = (first.read_bytes(), first.stat().st_ino, first.stat().st_mtime_ns)
    answer = evaluation.run(*COMMAND)
    assert answer.returncode == 0, answer.stderr
    assert f"continuing {run.relative_to(evaluation.folder)}; NEW=1 starts a new run" in answer.stderr
    assert "1 of 2 drives to do" in answer.stderr
    assert evaluation.runs() == [run]
    results = evaluation.results(run)
    assert set(results) == {"00", "01"}
    assert (first.read_bytes(), first.stat().st_ino, first.stat().st_mtime_ns) == before
    assert sorted(attempt_of(file).name for file in results.values()) == ["attempt_1", "attempt_2"]
    (repeated,) = (file.parent for file in results.values() if file.parent != first.parent)
    assert outcomes(repeated) == ["cancelled" if number != signal.SIGKILL else None, "result"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_while_the_simulator_starts(evaluation: Evaluation, number: signal.Signals) -> None:
    with ended(evaluation.start_eval(*COMMAND)) as process:
        wait_for(lambda: evaluation.process("simulator"), "the simulator")
        began_s = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=20.0)
    assert process.returncode == 3
    assert time.monotonic() - began_s < 10.0
    assert evaluation.processes() == []


def test_two_commands_do_not_work_on_one_run(evaluation: Evaluation) -> None:
    with ended(evaluation.start_eval("--only", "00")) as process:
        wait_for(lambda: evaluation.process("drive-unit"), "the drive")
        with ended(evaluation.start_eval("--only", "00")) as second:
            _, err = second.communicate(timeout=20.0)
        assert second.returncode == 1
        assert err.startswith("error: another process works on outputs/evaluation/expert/longest6_seed1/")
        assert "NEW=1 starts a run of its own" in err
        process.communicate(timeout=60.0)
    assert process.returncode == 0

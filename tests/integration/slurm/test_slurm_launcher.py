"""The launcher against a real Slurm: jobs that are submitted, changed and cancelled, and what runs in them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.datatypes.job import Presence
from harness.jobs.launchers.slurm import Slurm, SubmitAnswer
from harness.jobs.launchers.slurm_text import scancel_script
from harness.jobs.launchers.slurm_views import Memory, Question, judge_views
from harness.jobs.templates import read_template, render
from tests.integration.slurm.batch_jobs import Jobs, rows_of, states, submission
from tests.slurm_cluster import SlurmCluster

pytestmark = pytest.mark.slurm
TEMPLATES = Path(__file__).parent / "templates"


# Submitting


def test_array_is_submitted_seen_and_ends(slurm: SlurmCluster, launcher: Slurm, jobs: Jobs) -> None:
    body = 'echo "$SLURM_ARRAY_TASK_ID $CUDA_VISIBLE_DEVICES"; echo trouble >&2'
    answer = launcher.submit(jobs.command(body, array_size=3, array_limit=2, gpu=1, gpu_type="2080ti", cpu=2))
    assert answer == SubmitAnswer(job_id=answer.job_id)
    slurm.wait_for(lambda: {states(launcher).get(f"{answer.job_id}_{n}") for n in range(3)} == {"COMPLETED"}, "the end")
    name = jobs.name
    assert [line[0] for line in jobs.output().values()] == ["0", "1", "2"]
    assert jobs.output("err") == {f"{name}_{n}.log": "trouble\n" for n in range(3)}
    meant = submission(jobs, answer.job_id, is_array=True, tasks=((0,), (1,), (2,)))
    views = judge_views([meant], launcher.queue(), Memory(), 0.0, 60.0).views
    assert [(view.presence, view.state) for view in views.values()] == [(Presence.ABSENT, "COMPLETED")] * 3


def test_job_knows_the_variables_it_may_know_and_no_others(
    slurm: SlurmCluster, launcher: Slurm, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_DATA", "/data, and more")
    monkeypatch.setenv("SECRET_TOKEN", "sesame")
    answer = launcher.submit(jobs.command("env", export=("PATH", "HARNESS_DATA", "NOT_SET_AT_ALL")))
    slurm.wait_for(lambda: states(launcher).get(answer.job_id) == "COMPLETED", "the end")
    (printed,) = jobs.output().values()
    assert "HARNESS_DATA=/data, and more\n" in printed
    assert "sesame" not in printed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partition": "nowhere"}, "invalid partition specified: nowhere"),
        ({"gpu": 99}, "Requested node configuration is not available"),
        ({"array_size": 30_000}, "Invalid job array specification"),
        ({"constraint": "gold"}, "Invalid feature specification"),
        ({"exclude": ("node-of-nobody",)}, "Invalid node name specified"),
        ({"dependency": "afterany:x"}, "Job dependency problem"),
        ({"mem": "lots"}, "Invalid --mem specification"),
        ({"extra": ("--surprise",)}, "unrecognized option"),
    ],
)
def test_job_that_slurm_will_never_take_is_refused(
    launcher: Slurm, jobs: Jobs, changes: dict[str, object], message: str
) -> None:
    answer = launcher.submit(jobs.command("true", **changes))
    assert answer.is_refused
    assert answer.job_id == ""
    assert message in answer.message


def test_script_without_a_first_line_is_refused(launcher: Slurm, jobs: Jobs) -> None:
    command = jobs.command("true")
    Path(command[-1]).write_text("true\n")
    assert launcher.submit(command).is_refused
    Path(command[-1]).unlink()
    assert launcher.submit(command).is_refused


def test_answer_that_is_lost_is_neither_yes_nor_no(slurm: SlurmCluster, launcher: Slurm, jobs: Jobs) -> None:
    slurm.kill_slurmctld(signal.SIGTERM)
    impatient = Slurm(1.0)
    assert impatient.queue() is None
    assert impatient.submit(jobs.command("true")) == SubmitAnswer(message="sbatch gave no answer within 1 s")
    assert not impatient.cancel(["1"])
    assert not impatient.cancel_names([jobs.name])
    assert not impatient.set_throttle("1", 2)


def test_job_may_be_accepted_after_sbatch_gave_up(slurm: SlurmCluster, launcher: Slurm, jobs: Jobs) -> None:
    controller = slurm.daemons["slurmctld"]
    impatient = Slurm(1.0)
    controller.suspend()
    try:
        answer = impatient.submit(jobs.command("sleep 60"))
    finally:
        controller.resume()
    assert answer == SubmitAnswer(message="sbatch gave no answer within 1 s")
    slurm.wait_for(lambda: rows_of(launcher, jobs) != [], "the job that nobody was told of")
    judged = judge_views([submission(jobs, "")], launcher.queue(), Memory(), 0.0, 60.0)
    assert judged.adopted == {jobs.token: rows_of(launcher, jobs)[0].array_id}
    assert judged.views[jobs.token, 0].presence is Presence.PRESENT
    assert launcher.check([Question(jobs.token, ""), Question(jobs.other, "")]) == {Question(jobs.other, "")}


SUBMITTER = """
import sys
from harness.jobs.launchers.slurm import Slurm
Slurm(60.0).submit(["sleep", "77"])
"""


def test_sbatch_dies_with_whoever_called_it(repository: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SUBMITTER], cwd=repository) as submitter:
        process = psutil.Process(submitter.pid)
        deadline_s = time.monotonic() + 20.0
        while not (children := [child for child in process.children() if child.cmdline() == ["sleep", "77"]]):
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        submitter.kill()
    _, alive = psutil.wait_procs(children, 5.0)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


# Changing


def test_throttle_lets_more_tasks_run(slurm: SlurmCluster, launcher: Slurm, jobs: Jobs) -> None:
    base = launcher.submit(jobs.command("sleep 60", array_size=3, array_limit=1)).job_id

    def running() -> int:
        return list(states(launcher).values()).count("RUNNING")

    slurm.wait_for(lambda: running() == 1, "one task")
    assert launcher.set_throttle(base, 3)
    slurm.wait_for(lambda: running() == 3, "three tasks")
    assert not launcher.set_throttle("999999", 3)


def test_cancel_by_number_and_by_name(slurm: SlurmCluster, launcher: Slurm, jobs: Jobs) -> None:
    first = launcher.submit(jobs.command("sleep 60")).job_id
    second = launcher.submit(jobs.command("sleep 60", jobs.other_name)).job_id
    assert launcher.cancel([first, "999999"])
    slurm.wait_for(lambda: states(launcher)[first] == "CANCELLED", "the end of the first")
    assert states(launcher)[second] != "CANCELLED"
    assert launcher.cancel_names([jobs.other_name, "wrap"])
    slurm.wait_for(lambda: states(launcher)[second] == "CANCELLED", "the end of the second")
    assert launcher.cancel([])
    assert launcher.cancel_names([])


def test_scancel_script_ends_what_is_ours_and_nothing_else(
    slurm: SlurmCluster, launcher: Slurm, jobs: Jobs, tmp_path: Path
) -> None:
    base = launcher.submit(jobs.command("sleep 60", array_size=3, array_limit=1)).job_id
    again = slurm.submit("--output=/dev/null", str(jobs.folder / "scripts" / f"{jobs.name}.sbatch"))
    strangers = [
        launcher.submit(jobs.command("sleep 60", jobs.other_name)).job_id,
        slurm.submit("--output=/dev/null", "--wrap=sleep 60"),
    ]
    script = scancel_script([jobs.name], [base], tmp_path / "cancelled")
    for _ in range(2):
        answer = slurm.run("bash", "-c", script)
        assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "cancelled").exists()
    slurm.wait_for(lambda: {row.state for row in rows_of(launcher, jobs)} == {"CANCELLED"}, "the end of ours")
    assert states(launcher)[again] == "CANCELLED"
    assert not {"CANCELLED", "COMPLETING"} & {states(launcher)[job_id] for job_id in strangers}


# Templates


def rendered(template: Path, cmd: list[str], script: Path, *, timeout: str = "600", partition: str = "") -> str:
    return render(
        read_template(template),
        name=str(template),
        cmd=cmd,
        filename=script,
        partition=partition,
        gpu=1,
        cpu=1,
        timeout=timeout,
    )


@pytest.mark.parametrize("name", ["resubmit.sh", "resubmit_escaped.sh"])
def test_script_that_submits_itself_again_stays_ours(
    slurm: SlurmCluster, launcher: Slurm, tmp_path: Path, name: str
) -> None:
    # The templates write beside the script, whose folder must hold no pattern then.
    jobs = Jobs(tmp_path / "my runs")
    # The first run is slower than its limit of one second, the second is not.
    mark = tmp_path / "it's a mark"
    work = ["bash", "-c", '[ -e "$1" ] || { touch "$1"; sleep 60; }; echo done', "work", str(mark)]
    script = jobs.folder / "scripts" / f"{jobs.name}.sbatch"
    text = rendered(TEMPLATES / name, work, script, timeout="1", partition="gpu-2080ti")
    first = launcher.submit(jobs.command(text, partition="gpu-2080ti", gpu=1)).job_id
    slurm.wait_for(
        lambda: [row.state for row in rows_of(launcher, jobs) if row.name.endswith(".sbatch")] == ["COMPLETED"],
        "the second run",
    )
    (second,) = [row.job_id for row in rows_of(launcher, jobs) if row.job_id != first]
    assert "done" in (script.parent / f"{script.name}-slurm-{second}.out").read_text()
    judged = judge_views([submission(jobs, first)], launcher.queue(), Memory(), 0.0, 60.0)
    assert judged.views[jobs.token, 0].job_id == second


LISTENER = """
import signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(3))
print(1, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("verb", ["collect", "eval", "train"])
def test_shipped_templates_hear_slurm(
    slurm: SlurmCluster, launcher: Slurm, jobs: Jobs, repository: Path, verb: str
) -> None:
    script = jobs.folder / "scripts" / "x.sbatch"
    text = rendered(repository / f"slurm_templates/{verb}.sbatch", [sys.executable, "-c", LISTENER], script)
    job_id = launcher.submit(jobs.command(text, signal_lead_s=60)).job_id
    slurm.wait_for(lambda: "1\n" in jobs.output().values(), "the work to begin")
    slurm.run("scancel", "--batch", "--signal=USR1", job_id)
    if verb == "train":
        # There is more to do and the time was up: it waits to run again under its number.
        slurm.wait_for(lambda: states(launcher)[job_id] == "PENDING", "the job to wait for its next run")
    else:
        slurm.wait_for(lambda: states(launcher)[job_id] == "FAILED", "the end")
        assert "ExitCode=3:0" in slurm.run("scontrol", "show", "job", job_id).stdout


def test_thousand_tasks_are_listed_quickly(slurm: SlurmCluster, launcher: Slurm, jobs: Jobs) -> None:
    base = launcher.submit(jobs.command("sleep 60", array_size=1000, begin="now+1hour")).job_id
    began_s = time.monotonic()
    assert sum(row.array_id == base for row in launcher.queue() or []) == 1000
    assert time.monotonic() - began_s < 5.0

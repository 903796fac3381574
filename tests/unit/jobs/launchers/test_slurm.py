"""What sbatch says: yes, no, or nothing that can be relied on. Most of its words were recorded from Slurm 22.05."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs.launchers.slurm import SubmitAnswer, read_answer

FAILED = "sbatch: error: Batch job submission failed: "


@pytest.mark.parametrize(("stdout", "job_id"), [("17\n", "17"), ("17;mini\n", "17"), (" 17 \n", "17")])
def test_number_is_a_yes(stdout: str, job_id: str) -> None:
    assert read_answer(0, stdout, "") == SubmitAnswer(job_id=job_id)


def test_warning_beside_a_number_is_kept() -> None:
    assert read_answer(0, "17\n", "sbatch: Warning: can't run 1 processes on 2 nodes\n").message.startswith(
        "sbatch: Warn"
    )


@pytest.mark.parametrize(
    "stderr",
    [
        "sbatch: error: invalid partition specified: nope\n" + FAILED + "Invalid partition name specified\n",
        FAILED + "Requested node configuration is not available\n",
        "sbatch: error: Memory specification can not be satisfied\n",
        FAILED + "Invalid job array specification\n",
        FAILED + "Invalid feature specification\n",
        FAILED + "Invalid node name specified\n",
        FAILED + "Job dependency problem\n",
        FAILED + "Invalid qos specification\n",
        FAILED + "Invalid account or account/partition combination specified\n",
        FAILED + "Requested time limit is invalid (missing or exceeds some limit)\n",
        FAILED + "Access/permission denied\n",
        "sbatch: error: QOSMaxWallDurationPerJobLimit\n" + FAILED
        + "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n",
        "sbatch: error: Invalid --time specification\n",
        "sbatch: unrecognized option '--nosuch'\nTry \"sbatch --help\" for more information\n",
        "sbatch: error: Unable to open file /nonexist.sh\n",
        "sbatch: error: Batch script is empty!\n",
        "sbatch: error: This does not look like a batch script.  The first\nsbatch: error: line must start with #!\n",
        "sbatch: error: Batch script contains DOS line breaks (\\r\\n)\n",
    ],
)  # fmt: skip
def test_refusal_is_a_no(stderr: str) -> None:
    answer = read_answer(1, "", stderr)
    assert answer.is_refused
    assert "sbatch: error:" not in answer.message
    assert "\n" not in answer.message


@pytest.mark.parametrize(
    "stderr",
    [
        "",
        FAILED + "Unable to contact slurm controller (connect failure)\n",
        FAILED + "Socket timed out on send/recv operation\n",
        FAILED + "Zero Bytes were transmitted or received\n",
        FAILED + "Slurm temporarily unable to accept job, sleeping and retrying\n",
        FAILED + "Transport endpoint is not connected\n",
        FAILED + "Invalid authentication credential\n",
        FAILED + "Protocol authentication error\n",
        FAILED + "Unspecified error\n",
        FAILED + "Message receive failure\n",
        "sbatch: error: Munge encode failed: Unable to access \"/run/munge\": No such file or directory\n",
        "sbatch: error: DNS SRV lookup failed\nsbatch: fatal: Could not establish a configuration source\n",
        "sbatch: error: s_p_parse_file: cannot stat file /x\nsbatch: fatal: Unable to process configuration file\n",
        "sbatch: error: AssocMaxSubmitJobLimit\n" + FAILED
        + "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n",
        "Killed\n",
    ],
)  # fmt: skip
def test_lost_answer_and_full_queue_are_neither(stderr: str) -> None:
    answer = read_answer(1, "", stderr)
    assert (answer.job_id, answer.is_refused) == ("", False)
    assert answer.message


def test_success_without_a_number_is_neither() -> None:
    assert read_answer(0, "", "invalid").is_refused is False
    assert read_answer(0, "Submitted batch job 17\n", "").job_id == ""


@given(st.integers(0, 255), st.text(max_size=20), st.text(max_size=40))
def test_any_answer_is_at_most_one_of_yes_and_no(status: int, stdout: str, stderr: str) -> None:
    answer = read_answer(status, stdout, stderr)
    assert not (answer.job_id and answer.is_refused)
    assert answer.message or answer.job_id

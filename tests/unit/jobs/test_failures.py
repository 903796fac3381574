"""What an attempt died of, told from its exit code, its last words and the simulator."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.job import Outcome
from harness.errors import EXIT_SIMULATOR, EXIT_USAGE
from harness.jobs.failures import EVIDENCE_LINES, Failure, SimulatorState, classify, failure

ANSWERS, SILENT, GONE = SimulatorState.ANSWERS, SimulatorState.SILENT, SimulatorState.GONE

MEMORY_OF_TORCH = """Traceback (most recent call last):
  File "agent.py", line 31, in setup
    self.net = Net().cuda()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 10.75 GiB
error: unexpected OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB (try: ...)"""
MEMORY_OF_CPP = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc"
MEMORY_OF_SLURM = "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=17.batch cgroup."
MEMORY_OF_PYTHON = "numpy.core._exceptions._ArrayMemoryError\nMemoryError: Unable to allocate 8.00 GiB"
CLIENT_TIMEOUT = (
    "error: the simulator failed on route 7: time-out of 20000ms while waiting for the simulator, make sure it is "
    "ready and connected to 127.0.0.1:21000"
)
TICK_HUNG = "error: world.tick() did not return in time (client hung)"
CLIENT_ABORT = "terminate called after throwing an instance of 'carla::client::TimeoutException'"
NO_SERVER = "error: no CARLA server answers at 127.0.0.1:21000: rpc::rpc_error during call"
DEFECT = """Traceback (most recent call last):
  File "harness/drive/rollout.py", line 12, in drive
ValueError: x
error: unexpected ValueError: x (try: the same command with HARNESS_VERBOSE=1 or --verbose, and report it)"""
ROUTE_GONE = "error: route '7' is no longer in routes/7.xml, expected the file of the plan"


@pytest.mark.parametrize(
    ("exit_code", "log_tail", "simulator", "expected"),
    [
        (EXIT_USAGE, ROUTE_GONE, ANSWERS, Outcome.CONFIG),
        (EXIT_USAGE, ROUTE_GONE, GONE, Outcome.CONFIG),
        (1, MEMORY_OF_TORCH, ANSWERS, Outcome.OUT_OF_MEMORY),
        (-signal.SIGABRT, MEMORY_OF_CPP, ANSWERS, Outcome.OUT_OF_MEMORY),
        (-signal.SIGKILL, MEMORY_OF_SLURM, SILENT, Outcome.OUT_OF_MEMORY),
        (1, MEMORY_OF_PYTHON, ANSWERS, Outcome.OUT_OF_MEMORY),
        (EXIT_SIMULATOR, NO_SERVER, GONE, Outcome.SIMULATOR_CRASH),
        (-signal.SIGABRT, CLIENT_ABORT, GONE, Outcome.SIMULATOR_CRASH),
        (EXIT_SIMULATOR, NO_SERVER, ANSWERS, Outcome.SIMULATOR_CRASH),
        (EXIT_SIMULATOR, NO_SERVER, SILENT, Outcome.SIMULATOR_HANG),
        (EXIT_SIMULATOR, CLIENT_TIMEOUT, ANSWERS, Outcome.SIMULATOR_HANG),
        (EXIT_SIMULATOR, TICK_HUNG, ANSWERS, Outcome.SIMULATOR_HANG),
        (-signal.SIGABRT, CLIENT_ABORT, SILENT, Outcome.SIMULATOR_HANG),
        (-signal.SIGKILL, "", ANSWERS, Outcome.LOST),
        (-signal.SIGSEGV, "", ANSWERS, Outcome.AGENT),
        (-signal.SIGABRT, CLIENT_ABORT, ANSWERS, Outcome.AGENT),
        (1, DEFECT, ANSWERS, Outcome.AGENT),
        (0, "", ANSWERS, Outcome.AGENT),
        (99, "", ANSWERS, Outcome.AGENT),
    ],
)
def test_what_a_drive_died_of(exit_code: int, log_tail: str, simulator: SimulatorState, expected: Outcome) -> None:
    found = classify(exit_code, log_tail, simulator)
    assert found.outcome is expected
    assert "\n" not in found.reason
    assert found.fingerprint


@pytest.mark.parametrize(
    ("exit_code", "log_tail", "reason"),
    [
        (1, "noise\nerror: first\nnoise\nerror: no answer (try: x)\nnoise", "error 1: no answer (try: x)"),
        (-signal.SIGSEGV, "", "signal SIGSEGV: the drive ended without a result; see attempt_1/drive.log"),
        (0, "an error: in a sentence", "error 0: the drive ended without a result; see attempt_1/drive.log"),
        (-signal.SIGRTMIN - 3, "error: x", f"signal {signal.SIGRTMIN + 3}: x"),
        (-250, "error: x", "signal 250: x"),
    ],
)
def test_the_reason_is_the_last_word_or_where_to_look(exit_code: int, log_tail: str, reason: str) -> None:
    assert classify(exit_code, log_tail, ANSWERS, "attempt_1/drive.log").reason == reason


def test_the_end_of_the_log_is_evidence() -> None:
    lines = [f"line {number}" for number in range(100)]
    assert classify(1, "\n".join(lines), ANSWERS).evidence == tuple(lines[-EVIDENCE_LINES:])
    assert failure(Outcome.CANCELLED, "interrupted", "").evidence == ()


# --- fingerprints ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("no frame after 812 within 15 s", "no frame after 90001 within 15 s"),
        ("cannot read /data/run_1/05/unit.json: gone", "cannot read /scratch/me/run_2/07/unit.json: gone"),
        ("object at 0x7f3a2b1c refuses", "object at 0xdeadbeef refuses"),
        ("no answer from 127.0.0.1:21000 within 60 s", "no answer from 127.0.0.1:28990 within 60 s"),
    ],
)
def test_failures_that_differ_in_numbers_and_paths_look_alike(first: str, second: str) -> None:
    one, other = failure(Outcome.AGENT, first, "log"), failure(Outcome.AGENT, second, "another log")
    assert one.fingerprint == other.fingerprint
    assert one.reason != other.reason


def test_failures_that_differ_in_words_or_kind_do_not_look_alike() -> None:
    prints = {
        failure(Outcome.AGENT, "KeyError: 'speed'", "").fingerprint,
        failure(Outcome.AGENT, "KeyError: 'route'", "").fingerprint,
        failure(Outcome.SIMULATOR_CRASH, "KeyError: 'route'", "").fingerprint,
    }
    assert len(prints) == 3


TEXTS = st.text(max_size=200)


@given(TEXTS, st.integers(0, 10**9), st.integers(0, 10**9))
def test_numbers_never_tell_failures_apart(text: str, first: int, second: int) -> None:
    def fingerprint(number: int) -> str:
        return failure(Outcome.AGENT, f"{text} {number} end", "").fingerprint

    assert fingerprint(first) == fingerprint(second)


@given(st.integers(-300, 300), TEXTS, st.sampled_from(SimulatorState))
def test_anything_can_be_classified(exit_code: int, log_tail: str, simulator: SimulatorState) -> None:
    found = classify(exit_code, log_tail, simulator)
    assert isinstance(found, Failure)
    assert found == classify(exit_code, log_tail, simulator)
    assert found.outcome not in (Outcome.RESULT, Outcome.QUARANTINED)
    assert len(found.evidence) <= EVIDENCE_LINES

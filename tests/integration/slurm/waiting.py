"""Waits for something that a command does, and not longer than the command lives."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from tests.integration.slurm.cluster_runs import ClusterRun


def wait_in(
    run: ClusterRun, command: subprocess.Popen[str], condition: Callable[[], bool], what: str, limit_s: float = 60.0
) -> None:
    """Wait until something is true.

    Raises:
        AssertionError: the command has ended before; says what it printed.
        RuntimeError: it is not within the limit.
    """
    is_true = False

    def is_settled() -> bool:
        nonlocal is_true
        has_ended = command.poll() is not None
        is_true = condition()
        return is_true or has_ended

    run.cluster.wait_for(is_settled, what, limit_s)
    assert is_true, f"the command has ended, before {what}: {run.said(_last_number(run))}"


def _last_number(run: ClusterRun) -> int:
    return len(list(run.folder.glob("command_*.out"))) - 1

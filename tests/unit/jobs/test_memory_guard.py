"""The kernel's count of processes killed for their memory is found in both versions of control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.jobs.memory_guard import oom_kills

VERSION_1 = "9:name=systemd:/\n4:cpu,memory:/slurm/uid_0/job_7/step_batch\n0::/\n"
VERSION_2 = "0::/system.slice/slurmstepd.scope/job_7/step_batch/user/task_0\n"


def place(folder: Path, group: str, file: str, text: str) -> tuple[Path, Path]:
    cgroup, counter = folder / "cgroup", folder / "mount" / file
    cgroup.write_text(group)
    counter.parent.mkdir(parents=True)
    counter.write_text(text)
    return cgroup, folder / "mount"


@pytest.mark.parametrize(
    ("group", "file", "text"),
    [
        (
            VERSION_1,
            "memory/slurm/uid_0/job_7/step_batch/memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
        ),
        (
            VERSION_2,
            "system.slice/slurmstepd.scope/job_7/step_batch/user/task_0/memory.events",
            "low 0\nhigh 7\nmax 12\noom 4\noom_kill 3\noom_group_kill 0\n",
        ),
    ],
)
def test_kills_are_counted(tmp_path: Path, group: str, file: str, text: str) -> None:
    assert oom_kills(*place(tmp_path, group, file, text)) == 3


def test_where_nobody_counts_there_are_none(tmp_path: Path) -> None:
    assert oom_kills(tmp_path / "missing", tmp_path) == 0
    cgroup, mount = place(tmp_path, VERSION_1 + VERSION_2 + "odd\n", "memory.events", "oom 4\n")
    assert oom_kills(cgroup, mount) == 0


def test_this_process_can_ask() -> None:
    assert oom_kills() >= 0

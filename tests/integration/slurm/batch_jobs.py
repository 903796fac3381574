"""Batch jobs for the tests of the launcher, and what it says of them."""

from __future__ import annotations

import secrets
from pathlib import Path

from harness.datatypes.job import Submission
from harness.jobs.launchers.slurm import Slurm
from harness.jobs.launchers.slurm_text import BatchJob, QueueRow, job_name, sbatch_command


class Jobs:
    """Makes batch jobs in a folder, under names that no other test has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token, self.other = secrets.token_hex(6), secrets.token_hex(6)
        self.name, self.other_name = job_name("eval", "mini", self.token), job_name("eval", "mini", self.other)
        for name in ("scripts", "out", "err"):
            (folder / name).mkdir(parents=True)

    def command(self, body: str, name: str = "", **changes: object) -> list[str]:
        name = name or self.name
        script = self.folder / "scripts" / f"{name}.sbatch"
        script.write_text(body if body.startswith("#!") else f"#!/usr/bin/env bash\n{body}\n")
        pattern = f"{name}_%a.log" if "array_size" in changes else f"{name}_%j.log"
        job = BatchJob(
            name=name, script=script, stdout=self.folder / "out" / pattern, stderr=self.folder / "err" / pattern,
            **{"export": ("PATH", "HOME", "SLURM_CONF"), "time_limit_s": 600, **changes},  # type: ignore[arg-type]
        )  # fmt: skip
        return sbatch_command(job)

    def output(self, kind: str = "out") -> dict[str, str]:
        return {file.name: file.read_text() for file in sorted((self.folder / kind).iterdir())}


def states(launcher: Slurm) -> dict[str, str]:
    rows = launcher.queue()
    assert rows is not None
    return {row.job_id: row.state for row in rows}


def rows_of(launcher: Slurm, jobs: Jobs) -> list[QueueRow]:
    rows = launcher.queue()
    assert rows is not None
    return [row for row in rows if jobs.token in row.name]


def submission(jobs: Jobs, job_id: str, **changes: object) -> Submission:
    return Submission(
        token=jobs.token, name=jobs.name, backend="slurm", intended_s=0.0,
        **{"tasks": ((0,),), "job_ids": (job_id,) if job_id else (), **changes},  # type: ignore[arg-type]
    )  # fmt: skip

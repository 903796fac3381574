"""Make the backend of a launch, and tell how well its tasks used their time."""

from __future__ import annotations

from harness.errors import ConfigError, HarnessError
from harness.jobs.launchers.local import local_gpus, local_slots
from harness.jobs.launchers.slurm import Slurm
from harness.jobs.publish import read_json
from harness.jobs.run_folder import RunFolder
from harness.stages.backends import LocalBackend, SlurmBackend
from harness.stages.launch import LOCAL, Launch
from harness.stages.roles import Backend, Reporter
from harness.stages.supervision import parse_address

CALL_LIMIT_S = 60.0


def make_backend(run: RunFolder, launch: Launch, reporter: Reporter, *, is_preview: bool = False) -> Backend:
    """Return the backend that a launch asks for.

    Args:
        is_preview: nothing will be submitted, so it need not be here.

    Raises:
        ConfigError: it is not on this machine, or has fewer GPUs than a task is to get.
    """
    slurm, poll = Slurm(CALL_LIMIT_S), launch.profile.poll
    cluster = SlurmBackend(run, slurm, poll.interval_s, poll.confirm_s, reporter.say)
    if launch.backend == LOCAL:
        slots = local_slots(local_gpus(), launch.gpu) if launch.gpu and not is_preview else ()
        return LocalBackend(run, cluster, slots, parse_address(launch.sim))
    if not is_preview:
        require_backend(launch)
    return cluster


def require_backend(launch: Launch) -> None:
    """Refuse a launch whose scheduler is not on this machine.

    Raises:
        ConfigError: it is not.
    """
    if launch.backend != LOCAL and not Slurm.is_installed():
        raise ConfigError(
            "Slurm is not here: found no sbatch, expected a login node of the cluster",
            hint="leave PARTITION and BACKEND out to run on this machine",
        )


def task_overhead(run: RunFolder) -> float | None:
    """Return the share of the tasks' wall-clock time that was not driving; None if nothing was driven."""
    drive_s = wall_s = 0.0
    for file in sorted((run.folder / "tasks").glob("*.json")):
        try:
            content = read_json(file)
            drive_s, wall_s = drive_s + float(content["drive_wall_s"]), wall_s + float(content["wall_s"])
        except (HarnessError, KeyError, TypeError, ValueError):
            continue  # a file of a killed task; what it would have told is lost
    return 1.0 - drive_s / wall_s if drive_s else None

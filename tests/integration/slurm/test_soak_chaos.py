"""Chaos: every few seconds something is killed, and in the end every unit has been driven once."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.integration.evaluation import route_xml
from tests.integration.slurm.cluster_runs import (
    ClusterRun,
    assert_each_unit_was_driven_once,
    assert_ledger_is_accounted_for,
    is_short,
    read,
)
from tests.slurm_cluster import SlurmCluster

# Short routes under names of longest6. While Slurm's own parts are killed it has work for nobody most of the time: the
# units have to fit into what is left.
ROUTES = ("00", "01")
SEEDS = 40 if is_short() else 375
FAULTS_S = 60.0 if is_short() else 600.0
SETTLE_S = 300.0
PAUSE_S = (2.0, 5.0)
pytestmark = [pytest.mark.soak, pytest.mark.slurm, pytest.mark.timeout(FAULTS_S + SETTLE_S + 180.0)]


class Chaos:
    """Does something bad now and then, always the same for one seed; keeps typing the command."""

    def __init__(self, run: ClusterRun, command: list[str], seed: int) -> None:
        self.run, self.command = run, command
        self.random = random.Random(seed)
        self.controller = run.start(*command)
        self.done: Counter[str] = Counter()
        self._repairs: list[tuple[float, Callable[[], None]]] = []
        self._down: set[str] = set()

    def step(self) -> None:
        """Repair what is due, type the command again if it was killed, and do one bad thing."""
        self.repair(time.monotonic())
        self.type_again()
        fault = self.random.choice(
            [
                self.kill_controller,
                self.kill_worker,
                self.kill_simulator,
                self.kill_step,
                self.kill_slurmd,
                self.kill_slurmctld,
                self.cancel_job,
            ]
        )
        if fault():
            self.done[fault.__name__] += 1

    def type_again(self) -> None:
        """Type the command again if it has ended without being complete."""
        if self.controller.poll() not in (None, 0):
            self.controller = self.run.start(*self.command)

    def repair(self, now_s: float) -> None:
        """Do the repairs that are due."""
        due = [repair for at_s, repair in self._repairs if at_s <= now_s]
        self._repairs = [(at_s, repair) for at_s, repair in self._repairs if at_s > now_s]
        for repair in due:
            repair()

    def kill_controller(self) -> bool:
        if self.controller.poll() is not None:
            return False
        self.controller.kill()
        self.controller.wait()
        return True

    def kill_worker(self) -> bool:
        return self._kill_one(self.run.processes_of("work"))

    def kill_simulator(self) -> bool:
        return self._kill_one(self.run.processes_of("simulator"))

    def kill_step(self) -> bool:
        """Kill the batch shell of a task, or Slurm's own process beside it."""
        steps = [p for p in psutil.process_iter() if p.name() == "slurmstepd" and self._is_of_cluster(p)]
        shells = [p.parent() for p in self.run.processes_of("work")]
        return self._kill_one([*steps, *(p for p in shells if p is not None and p.name() in ("bash", "slurm_script"))])

    def kill_slurmd(self) -> bool:
        node = self.random.choice(("gpu2080-01", "gpu2080-02"))
        if node in self._down:
            return False
        self._down.add(node)
        self.run.cluster.kill_slurmd(node)
        # Long enough for Slurm to give the node up, or not.
        self._later(self.random.choice((3.0, 20.0, 60.0)), lambda: self._start_slurmd(node))
        return True

    def kill_slurmctld(self) -> bool:
        if "slurmctld" in self._down:
            return False
        self._down.add("slurmctld")
        self.run.cluster.kill_slurmctld()
        self._later(self.random.uniform(0.0, 10.0), self._start_slurmctld)
        return True

    def cancel_job(self) -> bool:
        answer = self.run.cluster.run("squeue", "-h", "-r", "-o", "%i")
        if answer.returncode or not (ids := answer.stdout.split()):
            return False
        return self.run.cluster.run("scancel", self.random.choice(ids)).returncode == 0

    def resume_nodes(self) -> None:
        """Do what an administrator does: bring nodes back that Slurm has drained, since what it started there died."""
        if "slurmctld" in self._down:
            return
        for node, state in self.run.cluster.node_states().items():
            if "drain" in state:
                self.run.cluster.run("scontrol", "update", f"nodename={node}", "state=resume")

    def restore(self) -> None:
        """Repair everything; there are no more faults."""
        self.repair(float("inf"))
        self.resume_nodes()

    def _later(self, delay_s: float, repair: Callable[[], None]) -> None:
        self._repairs.append((time.monotonic() + delay_s, repair))

    def _start_slurmd(self, node: str) -> None:
        self._down.discard(node)
        self.run.cluster.start_slurmd(node, waits=False)
        self.resume_nodes()

    def _start_slurmctld(self) -> None:
        self._down.discard("slurmctld")
        self.run.cluster.start_slurmctld()

    def _kill_one(self, processes: list[psutil.Process]) -> bool:
        if not processes:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            self.random.choice(sorted(processes, key=lambda p: p.pid)).kill()
        return True

    def _is_of_cluster(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("SLURM_CONF") == str(self.run.cluster.conf)
        except psutil.Error:
            return False


def short_routes(data: Path) -> Path:
    """Return a data folder with the routes."""
    folder = data / "routes" / "longest6"
    folder.mkdir(parents=True)
    for name in ROUTES:
        (folder / f"{name}.xml").write_text(route_xml(name))
    return data


def test_every_unit_is_driven_once_whatever_is_killed(slurm: SlurmCluster, tmp_path: Path, repository: Path) -> None:
    run = ClusterRun(tmp_path / "work", slurm, repository, data=short_routes(tmp_path / "data"))
    limits = run.folder / "slurm" / "configs"
    limits.mkdir(parents=True)
    (limits / "max_num_attempts_longest6.txt").write_text("12")
    seeds = ",".join(str(seed) for seed in range(1, SEEDS + 1))
    command = [
        "eval",
        "--bench",
        "longest6",
        "--only",
        ",".join(ROUTES),
        "--seeds",
        seeds,
        "--partition",
        "gpu-2080ti",
        "--jobs",
        "2",
        "--timeout",
        "1800",
    ]
    chaos = Chaos(run, command, seed=20_26)
    end_s = time.monotonic() + FAULTS_S
    while time.monotonic() < end_s and chaos.controller.poll() != 0:
        time.sleep(chaos.random.uniform(*PAUSE_S))
        chaos.step()
    chaos.restore()
    settled_from_s = time.monotonic()
    chaos.type_again()
    while chaos.controller.poll() is None and time.monotonic() - settled_from_s < SETTLE_S:
        time.sleep(0.5)
        chaos.type_again()
    print(f"faults: {dict(chaos.done)}; settled in {time.monotonic() - settled_from_s:.0f} s")
    chaos.controller.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        chaos.controller.wait(30.0)
    assert chaos.controller.poll() == 0, run.said(len(list(run.folder.glob("command_*.out"))) - 1)
    latest = run.latest()
    board = read(latest / "scoreboard.json")["data"]
    assert board["found"] == board["expected"] == len(ROUTES) * SEEDS
    units = [
        latest.parent.parent / f"longest6_seed{row['seed']}" / latest.name / row["route"] for row in board["routes"]
    ]
    assert_each_unit_was_driven_once(units)
    assert len(list(run.folder.glob("outputs/evaluation/*/*/*/run.toml"))) == 1
    run.wait_for_no_job()
    assert_ledger_is_accounted_for(latest)

"""A real Slurm cluster of four virtual nodes on this machine: private, below one folder, gone when its owner is gone.

    cluster = SlurmCluster(folder)
    cluster.start()
    cluster.run("sbatch", "--wrap=hostname")
    cluster.stop()

The daemons are children of a guard (`tests/slurm_guard.py`), which ends them all, and whatever their jobs left behind,
once the process that made the cluster has ended, however that happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.slurm_files import NODES, PortLock, user_name, write_files
from tests.slurm_guard import end_leftovers, is_alive

NOT_INSTALLED = "Slurm is not installed; type: apt-get install --no-install-recommends slurm-wlm munge"
LIMIT_S = 30.0


class SlurmCluster:
    """The cluster, seen from the process that owns it.

    Attributes:
        folder: configuration, state and logs (``log/``).
        spool: sockets and scripts of jobs; its path is short, as that of a socket has to be.
        env: environment in which every Slurm command talks to this cluster.
        daemons: ``munged``, ``slurmctld`` and ``slurmd.<node>`` with pid and start time (`psutil.Process`).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.spool = self.folder
        self.conf = self.folder / "etc" / "slurm.conf"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_SLURM_VARIABLES)}
        self.env = {**inherited, "SLURM_CONF": str(self.conf), "PATH": _search_path()}
        self.daemons: dict[str, psutil.Process] = {}
        self._guard: subprocess.Popen[str] | None = None
        self._ports: PortLock | None = None

    @staticmethod
    def is_installed() -> bool:
        """Tell whether the daemons are on this machine."""
        programs = ("munged", "slurmctld", "slurmd", "sbatch")
        return all(shutil.which(program, path=_search_path()) for program in programs)

    def start(self) -> None:
        """Start every daemon and wait until all nodes take jobs.

        Raises:
            RuntimeError: a daemon ended at once, or the nodes are not ready in time; with the ends of the logs.
        """
        self._ports = PortLock()
        self.spool = Path(tempfile.mkdtemp(prefix="slurm-"))
        write_files(self.folder, self.spool, self._ports.first)
        self._guard = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("slurm_guard.py")), str(self.conf), str(self.spool)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=self.env,
            start_new_session=True,
        )
        try:
            self._spawn("munged", *self._munged())
            self.wait_for(lambda: self._succeeds("munge", "-n", "-S", str(self._socket)), "munged")
            self.start_slurmctld()
            for node in NODES:
                self._spawn(f"slurmd.{node}", "slurmd", "-D", "-N", node)
            self.wait_for(self.is_ready, "all nodes to be idle")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End jobs, daemons and whatever they left; safe to call twice."""
        if self._guard is None:
            return
        if self._is_alive("slurmctld"):
            with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
                self.cancel_all(limit_s=10.0)
        assert self._guard.stdin is not None and self._guard.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.close()
        self._guard.wait(LIMIT_S)
        self._guard.stdout.close()
        self._guard = None
        self.daemons.clear()
        if self._ports is not None:
            self._ports.release()

    # What a test does to it

    def kill_slurmctld(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the controller; TERM lets it save its state, KILL makes it forget the last seconds."""
        self._kill("slurmctld", number)

    def start_slurmctld(self) -> None:
        """Start the controller and wait until it answers."""
        self._spawn("slurmctld", "slurmctld", "-D")
        self.wait_for(lambda: self._succeeds("scontrol", "ping"), "slurmctld")

    def kill_slurmd(self, node: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End the daemon of a node; its jobs go on."""
        self._kill(f"slurmd.{node}", number)

    def crash_node(self, node: str) -> None:
        """End the daemon of a node and all its jobs at once, as a power cut does; the controller sees it after 30 s."""
        self.kill_slurmd(node)
        end_leftovers(self.conf, node)

    def start_slurmd(self, node: str, *, waits: bool = True) -> None:
        """Start the daemon of a node and wait until the node takes jobs, unless told otherwise."""
        self._spawn(f"slurmd.{node}", "slurmd", "-D", "-N", node)
        if waits:
            self.wait_for(lambda: self.node_states().get(node) in _READY, f"{node} to be ready")

    def set_node(self, node: str, state: str) -> None:
        """Set the state of a node: ``down`` ends its jobs at once, ``resume`` brings it back."""
        answer = self.run("scontrol", "update", f"nodename={node}", f"state={state}", "reason=test")
        if answer.returncode:
            raise RuntimeError(f"{node} does not become {state}: {answer.stderr}")

    def cancel_all(self, limit_s: float = LIMIT_S) -> None:
        """Cancel every job and wait until none is left in the queue."""
        self.run("scancel", "-u", user_name())
        self.wait_for(lambda: self.squeue() == [], "an empty queue", limit_s)

    def heal(self) -> None:
        """Bring the cluster back to where it was after `start`: all daemons, all nodes, no job."""
        if not self._is_alive("slurmctld"):
            self.start_slurmctld()
        for node in NODES:
            if not self._is_alive(f"slurmd.{node}"):
                self._spawn(f"slurmd.{node}", "slurmd", "-D", "-N", node)
        self.cancel_all()
        end_leftovers(self.conf)
        for node, state in self.node_states().items():
            if state not in _READY:
                self.run("scontrol", "update", f"nodename={node}", "state=resume")
        self.wait_for(self.is_ready, "all nodes to be idle")

    # What a test asks

    def run(self, *command: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command against this cluster and return its answer, whatever that is."""
        return subprocess.run(
            command, env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def submit(self, *arguments: str) -> str:
        """Run ``sbatch --parsable`` with these arguments and return the job's id."""
        answer = self.run("sbatch", "--parsable", *arguments)
        if answer.returncode:
            raise RuntimeError(f"sbatch {' '.join(arguments)}: {answer.stderr}")
        return answer.stdout.strip().partition(";")[0]

    def squeue(self, *arguments: str, columns: str = "%i|%T|%r|%j") -> list[str]:
        """Return one line per task; without arguments those that are pending, running or completing.

        Raises:
            RuntimeError: the controller did not answer.
        """
        answer = self.run("squeue", "-h", "-r", "-o", columns, *arguments)
        if answer.returncode:
            raise RuntimeError(f"squeue: {answer.stderr}")
        return answer.stdout.splitlines()

    def states(self, job_id: str) -> list[str]:
        """Return the states of a job's tasks, ended ones included."""
        return self.squeue("-t", "all", "-j", job_id, columns="%T")

    def node_states(self) -> dict[str, str]:
        """Return the state of every node; empty if the controller does not answer."""
        answer = self.run("sinfo", "-hN", "-o", "%N %T")
        return dict(line.split() for line in answer.stdout.splitlines())

    def is_ready(self) -> bool:
        """Tell whether every node is idle."""
        return [self.node_states().get(node) for node in NODES] == ["idle"] * len(NODES)

    def wait_for(self, condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
        """Wait until something is true.

        Raises:
            RuntimeError: it is not within the limit.
        """
        deadline_s = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"waited {limit_s:.0f} s for {what}\n{self.ends_of_logs()}")
            time.sleep(0.05)

    def ends_of_logs(self) -> str:
        """Return the last lines of every log, for the message of a failed test."""
        logs = sorted((self.folder / "log").iterdir())
        return "\n".join(f"{log.name}: {line}" for log in logs for line in _last_lines(log))

    # How it is made

    @property
    def _socket(self) -> Path:
        return self.spool / "munge.socket"

    def _munged(self) -> list[str]:
        # Without --force it wants a folder that every user may enter; this one is closed.
        etc, run = self.folder / "etc", self.folder / "run"
        files = (
            ("--key-file", etc / "munge.key"),
            ("--pid-file", run / "munged.pid"),
            ("--seed-file", run / "munge.seed"),
        )
        options = [f"{option}={path}" for option, path in (("--socket", self._socket), *files)]
        return ["munged", "--foreground", "--force", "--num-threads=2", *options]

    def _spawn(self, name: str, *command: str) -> None:
        assert self._guard is not None and self._guard.stdin is not None and self._guard.stdout is not None
        print(json.dumps([str(self.folder / "log" / f"{name}.out"), *command]), file=self._guard.stdin)
        pid = int(self._guard.stdout.readline())
        self.daemons[name] = psutil.Process(pid)

    def _kill(self, name: str, number: signal.Signals) -> None:
        self.daemons[name].send_signal(number)
        self.wait_for(lambda: not self._is_alive(name), f"{name} to end")

    def _is_alive(self, name: str) -> bool:
        return name in self.daemons and is_alive(self.daemons[name])

    def _succeeds(self, *command: str) -> bool:
        dead = [name for name in self.daemons if not self._is_alive(name)]
        if "munged" in dead or "slurmctld" in dead:
            raise RuntimeError(f"{' and '.join(dead)} ended at once\n{self.ends_of_logs()}")
        return self.run(*command).returncode == 0


_READY = ("idle", "mixed", "allocated")
_SLURM_VARIABLES = ("SLURM", "SBATCH_", "SQUEUE_", "SCANCEL_", "SINFO_", "SCONTROL_", "MUNGE")


def _search_path() -> str:
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def _last_lines(log: Path, count: int = 4) -> list[str]:
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if not re.search("pmi|MPI|Unauthorized credential|CPUs=", line)][-count:]

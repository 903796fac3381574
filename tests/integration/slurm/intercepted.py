"""Slurm's commands behind scripts of the same names: every call is counted, and the answers are bent at will."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.slurm_cluster import SlurmCluster

PROGRAMS = ("sbatch", "squeue", "sacct", "scontrol")
HONEST = "honest"
# Lies that every program tells alike.
EMPTY, CUT, TORN, FAILING, SLOW = LIES = ("empty", "cut", "torn", "failing", "slow")
# The job is accepted, and then the answer is lost.
UNANSWERED, KILLED = "unanswered", "killed"

# The call is written down when it is made, and once more when it has been answered.
_SCRIPT = """\
#!/bin/bash
echo "call $EPOCHREALTIME $*" >>{folder}/{program}.log
read -r mode <{folder}/{program}.mode
case $mode in
  failing) echo "{program}: error: Unable to contact slurm controller (connect failure)" >&2; status=1 ;;
  slow) sleep {slow_s}; {real} "$@"; status=$? ;;
  empty) status=0 ;;
  torn) {real} "$@" | head -c -10; status=0 ;;
  cut) {real} "$@" | head -n -1; status=0 ;;
  unanswered) {real} "$@" >/dev/null; echo "{program}: error: Unable to contact slurm controller" >&2; status=1 ;;
  killed) {real} "$@" >/dev/null; kill -9 $$ ;;
  *) {real} "$@"; status=$? ;;
esac
echo "done $*" >>{folder}/{program}.log
exit "$status"
"""


class Intercepted:
    """Scripts in front of the programs of a cluster.

    Args:
        slow_s: how long a slow answer takes.

    Attributes:
        environment: variables with which `harness` finds the scripts first.
    """

    def __init__(self, folder: Path, cluster: SlurmCluster, slow_s: int = 5) -> None:
        self.folder = folder / "intercepted"
        programs = self.folder / "bin"
        programs.mkdir(parents=True)
        self.environment = {"PATH": f"{programs}:{cluster.env['PATH']}"}
        for program in PROGRAMS:
            real = shutil.which(program, path=cluster.env["PATH"])
            script = _SCRIPT.format(folder=self.folder, program=program, real=real, slow_s=slow_s)
            (programs / program).write_text(script)
            (programs / program).chmod(0o755)
            self.answer(HONEST, program)

    def answer(self, mode: str, *programs: str) -> None:
        """Let some programs, or all but sbatch, answer in a way from now on."""
        for program in programs or PROGRAMS[1:]:
            scratch = self.folder / f".{program}.mode"
            scratch.write_text(f"{mode}\n")
            scratch.replace(self.folder / f"{program}.mode")

    def calls(self, program: str) -> list[str]:
        """Return the arguments of each call of a program so far."""
        return [line.partition(" ")[2] for line in self._lines(program, "call ")]

    def call_times_s(self, program: str) -> list[float]:
        """Return when each call of a program was made [Unix time]."""
        return [float(line.split()[0]) for line in self._lines(program, "call ")]

    def answered(self, program: str) -> int:
        """Return how many calls of a program are over."""
        return len(self._lines(program, "done "))

    def _lines(self, program: str, beginning: str) -> list[str]:
        log = self.folder / f"{program}.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.removeprefix(beginning) for line in lines if line.startswith(beginning)]

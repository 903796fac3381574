"""Before anything is installed: find a Python that can run the harness, or say in one line why there is none.

Prints the interpreter that .venv is to be made with. Runs before .venv exists, on whatever python3 the machine has:
standard library only, Python 3.6 syntax.

    python3 -I harness/preflight.py            the first that fits of python3.12, python3.11, python3
    python3 -I harness/preflight.py PYTHON     that one or none
"""

import json
import subprocess
import sys
from typing import NamedTuple

SUPPORTED = ((3, 11), (3, 12))  # what both the carla 0.9.16 wheel (3.10 to 3.12) and current numpy (3.11 on) exist for
OLDEST_GLIBC = (2, 31)  # tag of the carla 0.9.16 wheel: manylinux_2_31_x86_64
CANDIDATES = ("python3.12", "python3.11", "python3")
EXIT_USAGE = 2
PROBE_LIMIT_S = 30.0

PROBE = """
import json, platform, sys
try:
    import ensurepip, venv
    has_venv = True
except ImportError:
    has_venv = False
print(json.dumps([platform.system(), platform.machine(), sys.version_info[:2], platform.libc_ver(), has_venv]))
"""


class Facts(NamedTuple):
    """What decides whether an interpreter can run the harness."""

    system: str  # as platform.system() names it
    machine: str  # as platform.machine() names it
    version: "tuple[int, int]"  # major and minor version of Python
    libc: "tuple[str, str]"  # name and version as platform.libc_ver() gives them, both empty for musl
    has_venv: bool  # whether it can make a virtual environment with pip


def problem(facts: Facts) -> "str | None":
    """Return why the harness cannot run and what to do about it, None if it can."""
    if (facts.system, facts.machine) != ("Linux", "x86_64"):
        return (
            f"this machine is {facts.system} {facts.machine}, expected Linux x86_64: "
            "type the same command on such a machine, in WSL 2 or in an x86_64 container"
        )
    version = "{}.{}".format(*facts.version)
    if facts.version not in SUPPORTED:
        return (
            f"found Python {version}, expected 3.11 or 3.12, which carla has wheels for: "
            "install one (Debian 12: apt-get install python3.11-venv) and type make setup PYTHON=path/to/python3.11"
        )
    if facts.libc[0] != "glibc" or tuple(map(int, facts.libc[1].split(".")[:2])) < OLDEST_GLIBC:
        return (
            f"found {' '.join(facts.libc).strip() or 'no glibc'}, expected glibc 2.31 or newer for the carla wheel: "
            "type the same command on Debian 11, Ubuntu 20.04, RHEL 9 or newer, or in a container of one of them"
        )
    if not facts.has_venv:
        return (
            f"Python {version} has no ensurepip, expected it for making .venv: "
            f"type apt-get install python{version}-venv (Debian, Ubuntu), then the same command again"
        )
    return None


def probe(python: str) -> "Facts | None":
    """Ask one interpreter for its facts; None if there is no such program, or it does not answer as Python does."""
    command = [python, "-c", PROBE]
    try:
        answer = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, timeout=PROBE_LIMIT_S
        )
        system, machine, version, libc, has_venv = json.loads(answer.stdout.decode())
        return Facts(system, machine, (version[0], version[1]), (libc[0], libc[1]), has_venv)
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, IndexError):
        return None


def main(arguments: "list[str]") -> int:
    """Print the first interpreter that fits, or else the problem of the first one that runs."""
    candidates = [python for python in arguments if python] or list(CANDIDATES)
    problems = []
    for python in candidates:
        facts = probe(python)
        if facts is None:
            continue
        reason = problem(facts)
        if reason is None:
            print(python)
            return 0
        problems.append(reason)
    problems.append(f"{candidates[-1]} does not run, expected Python 3.11 or 3.12: type make setup PYTHON=its/path")
    print(f"error: {problems[0]}", file=sys.stderr)
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Python, packages, cores and memory."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

from harness.config import core_count
from harness.jobs.checks.answers import Answer, ask
from harness.jobs.checks.check import Check, State
from harness.preflight import SUPPORTED

DISTRIBUTION = "carla-harness"
# Extras that are of use to who runs something, in the words of the command that installs them.
_EXTRAS = ("sim", "train")
_EXTRA = re.compile(r"extra\s*==\s*['\"](?P<extra>[\w.-]+)['\"]")
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*(?P<conditions>[^;]*)(?:;(?P<marker>.*))?")
_CONDITION = re.compile(r"(?P<relation>==|>=)\s*(?P<version>[0-9][\w.+!-]*)")
# A simulator and a drive work side by side.
CORES_PER_TASK = 2
MIB = 1 << 20
# A simulator takes 100 MiB, the drive 200 MiB, towns and agents add to it.
LEAST_MEMORY_MIB, WANTED_MEMORY_MIB = 512, 2048
# What a cgroup of version 1 says when it sets no limit is near the largest number of 64 bits.
_NO_LIMIT_BYTES = 1 << 60
CGROUPS = Path("/sys/fs/cgroup")
CARLA_LIMIT_S = 60.0


def judge_python(version: tuple[int, int, int], executable: str) -> Check:
    """Judge the interpreter."""
    found = f"{'.'.join(map(str, version))} ({executable})"
    if version[:2] in SUPPORTED:
        return Check(name="Python", state=State.OK, found=found, is_needed=True)
    return Check(
        name="Python",
        state=State.FAILED,
        found=found,
        expected="3.11 or 3.12, which carla has wheels for",
        hint="make setup PYTHON=path/to/python3.11",
        is_needed=True,
    )


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """A package that the harness needs.

    Attributes:
        conditions: ``==`` or ``>=`` and a version; others are not judged.
        extra: empty if everybody needs it.
    """

    name: str
    conditions: tuple[tuple[str, str], ...] = ()
    extra: str = ""

    def is_met(self, version: str) -> bool:
        """Tell whether a version will do."""
        found = _version_key(version)
        wanted = [(relation, _version_key(text)) for relation, text in self.conditions]
        return all(found == key if relation == "==" else found >= key for relation, key in wanted)

    def __str__(self) -> str:
        return self.name + ",".join(relation + version for relation, version in self.conditions)


def parse_requirement(line: str) -> Requirement:
    """Read a requirement as the metadata of a package has it; what cannot be judged is left out."""
    match = _REQUIREMENT.match(line.strip())
    if match is None:
        return Requirement(name=line.strip())
    extra = _EXTRA.search(match["marker"] or "")
    conditions = tuple((found["relation"], found["version"]) for found in _CONDITION.finditer(match["conditions"]))
    return Requirement(name=match["name"], conditions=conditions, extra=extra["extra"] if extra else "")


def _version_key(version: str) -> tuple[int, ...]:
    """Return the numbers of a version; without zeros at the end, so that 1.0 is 1, and without what follows a plus."""
    numbers = [int(digits) for digits in re.findall(r"(?:^|(?<=\.))[0-9]+", version.partition("+")[0])]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def judge_packages(requirements: Iterable[str], version_of: Callable[[str], str | None]) -> list[Check]:
    """Judge the packages that everybody needs, and those of each extra.

    Args:
        requirements: lines of the harness's own metadata.
        version_of: returns the version of an installed package, None if it is not here.
    """
    parsed = [parse_requirement(line) for line in requirements]
    checks = [_judge_group("packages", [r for r in parsed if not r.extra], version_of, "make setup", is_needed=True)]
    for extra in _EXTRAS:
        if group := [r for r in parsed if r.extra == extra]:
            command = f".venv/bin/pip install -c constraints.txt -e '.[{extra}]'"
            checks.append(_judge_group(f"packages: {extra}", group, version_of, command, is_needed=False))
    return checks


def _judge_group(
    name: str, group: Sequence[Requirement], version_of: Callable[[str], str | None], command: str, *, is_needed: bool
) -> Check:
    versions = {requirement: version_of(requirement.name) for requirement in group}
    found = ", ".join(f"{r.name} {version}" for r, version in versions.items() if version) or "none"
    wrong = [str(r) for r, version in versions.items() if version and not r.is_met(version)]
    missing = [str(r) for r, version in versions.items() if version is None]
    if not wrong and not missing:
        return Check(name=name, state=State.OK, found=found, is_needed=is_needed)
    # One of another version often works; a missing one never does.
    lacking = State.FAILED if is_needed else State.ABSENT
    state = lacking if missing else State.WARNING
    expected = ", ".join([*missing, *wrong])
    return Check(name=name, state=state, found=found, expected=expected, hint=command, is_needed=is_needed)


def judge_carla(answer: Answer | None, *, has_home: bool = True) -> Check:
    """Judge the import of the carla package in a process of its own."""
    name, expected = "import carla", "a package that can be loaded"
    if answer is not None and answer.is_ok:
        return Check(name=name, state=State.OK, found=f"{answer.seconds:.1f} s", is_needed=True)
    if answer is None:
        found, hint = f"cannot run {sys.executable}", "make setup"
    elif answer.code is None:
        found = answer.ending
        hint = "put .venv on a faster disk, or type it again when the disk has read the files once"
    elif not has_home:
        found, hint = f"{answer.ending}; HOME is not set", "export HOME=/tmp"
    else:
        found, hint = answer.ending, ".venv/bin/pip install --force-reinstall --no-deps -c constraints.txt carla"
    return Check(name=name, state=State.FAILED, found=found, expected=expected, hint=hint, is_needed=True)


def judge_cores(usable: int, total: int, quota: float | None) -> Check:
    """Judge the number of cores.

    Args:
        usable: that this process may run on.
        quota: cores' worth of time that its cgroup gets; None for all.
    """
    found = f"{usable} of {total}" + (f", time of {quota:.3g}" if quota is not None and quota < usable else "")
    if min(usable, quota if quota is not None else usable) >= CORES_PER_TASK:
        return Check(name="cores", state=State.OK, found=found)
    return Check(
        name="cores",
        state=State.WARNING,
        found=found,
        expected=f"{CORES_PER_TASK} per task, for a simulator and a drive",
        hint=f"CPU={CORES_PER_TASK} for a job; JOBS=1 on this machine",
    )


def judge_memory(available_bytes: int, limit_bytes: int | None) -> Check:
    """Judge the memory that is left.

    Args:
        limit_bytes: of the cgroup of this process, None if it has none.
    """
    left_mib = min(available_bytes, limit_bytes if limit_bytes is not None else available_bytes) // MIB
    found = f"{available_bytes / MIB / 1024:.1f} GiB free"
    if limit_bytes is not None:
        found += f", limited to {limit_bytes / MIB / 1024:.1f} GiB"
    if left_mib >= WANTED_MEMORY_MIB:
        return Check(name="memory", state=State.OK, found=found, is_needed=True)
    return Check(
        name="memory",
        state=State.WARNING if left_mib >= LEAST_MEMORY_MIB else State.FAILED,
        found=found,
        expected=f"{WANTED_MEMORY_MIB // 1024} GiB per task",
        hint="MEM=4G for a job; fewer JOBS on this machine",
        is_needed=True,
    )


def cgroup_folders(text: str, controller: str, root: Path = CGROUPS) -> list[Path]:
    """Return the folders in which limits of a process may stand, from ``/proc/<pid>/cgroup``; its own one first.

    Args:
        controller: ``memory`` or ``cpu``; version 2 has one folder for all.
    """
    folders: list[Path] = []
    for line in text.splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        inner = Path(path.lstrip("/"))
        if ".." in inner.parts:
            continue  # the cgroup lies outside of what this container may see
        if number == "0" and not controllers:
            tops = [root, root / "unified"]
        elif controller in controllers.split(","):
            tops = [root / controller, root / controllers]
        else:
            continue
        for top in tops:
            folders += [top / inner, *(top / parent for parent in inner.parents)]
    return list(dict.fromkeys(folders))


def parse_memory_limit(text: str) -> int | None:
    """Return the limit that a file of a cgroup sets, in bytes; None if it sets none."""
    number = int(text) if text.strip().isdecimal() else _NO_LIMIT_BYTES
    return number if number < _NO_LIMIT_BYTES else None


def parse_cpu_quota(text: str) -> float | None:
    """Return cores' worth of time from ``quota period``, as ``cpu.max`` has them; None for all."""
    words = text.split()
    if len(words) != 2 or not all(word.isdecimal() and int(word) > 0 for word in words):
        return None
    return int(words[0]) / int(words[1])


def examine_machine() -> list[Check]:
    """Examine interpreter, packages, cores and memory of this machine."""
    groups = _text(Path("/proc/self/cgroup"))
    memory_limits = [
        limit
        for folder in cgroup_folders(groups, "memory")
        for file in ("memory.max", "memory.limit_in_bytes")
        if (limit := parse_memory_limit(_text(folder / file))) is not None
    ]
    quotas = [
        quota
        for folder in cgroup_folders(groups, "cpu")
        for text in (
            _text(folder / "cpu.max"),
            _text(folder / "cpu.cfs_quota_us") + _text(folder / "cpu.cfs_period_us"),
        )
        if (quota := parse_cpu_quota(text)) is not None
    ]
    carla = ask([sys.executable, "-c", "import carla"], limit_s=CARLA_LIMIT_S)
    return [
        judge_python(sys.version_info[:3], sys.executable),
        *_examine_packages(),
        judge_carla(carla, has_home="HOME" in os.environ),
        judge_cores(core_count(), os.cpu_count() or 1, min(quotas, default=None)),
        judge_memory(psutil.virtual_memory().available, min(memory_limits, default=None)),
    ]


def _examine_packages() -> list[Check]:
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        found, expected = f"{DISTRIBUTION} runs here, but is not installed", "it and its packages in .venv"
        return [Check(name="packages", state=State.WARNING, found=found, expected=expected, hint="make setup")]
    return judge_packages(requirements, _version_of)


def _version_of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError):
        return ""

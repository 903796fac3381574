"""Python, packages, cores and memory, judged from what the system says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.jobs.checks.answers import Answer
from harness.jobs.checks.check import Check, State
from harness.jobs.checks.machine import (
    Requirement,
    cgroup_folders,
    examine_machine,
    judge_carla,
    judge_cores,
    judge_memory,
    judge_packages,
    judge_python,
    parse_cpu_quota,
    parse_memory_limit,
    parse_requirement,
)

# As importlib.metadata gives them.
REQUIREMENTS = [
    "carla==0.9.16",
    "click>=8.2",
    'scenariogeneration>=0.16; extra == "sim"',
    'torch==2.13.0; extra == "train"',
    'pytest>=8.3; extra == "dev"',
]
INSTALLED = {"carla": "0.9.16", "click": "8.5.1", "scenariogeneration": "0.16.7", "torch": "2.13.0+cu126"}
GIB = 1 << 30
VERSIONS = st.lists(st.integers(0, 99), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


def packages(**changes: str | None) -> dict[str, Check]:
    return {check.name: check for check in judge_packages(REQUIREMENTS, {**INSTALLED, **changes}.get)}


@pytest.mark.parametrize(
    ("version", "state"),
    [((3, 11, 7), State.OK), ((3, 12, 0), State.OK), ((3, 10, 1), "failed"), ((3, 13, 0), "failed")],
)
def test_python_is_one_that_carla_has_wheels_for(version: tuple[int, int, int], state: State) -> None:
    check = judge_python(version, "python")
    assert (check.state, check.is_needed) == (state, True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("carla==0.9.16", Requirement(name="carla", conditions=(("==", "0.9.16"),))),
        ("numpy<3,>=2.0", Requirement(name="numpy", conditions=((">=", "2.0"),))),
        ("rich", Requirement(name="rich")),
        ("click (>=8.2)", Requirement(name="click", conditions=((">=", "8.2"),))),
        ("x[y]>=1; extra == 'sim'", Requirement(name="x", conditions=((">=", "1"),), extra="sim")),
        ('tomli>=1; python_version < "3.11"', Requirement(name="tomli", conditions=((">=", "1"),))),
    ],
)
def test_requirement_is_read(line: str, expected: Requirement) -> None:
    assert parse_requirement(line) == expected


@given(VERSIONS, VERSIONS)
def test_of_two_versions_one_is_at_least_the_other(one: str, other: str) -> None:
    wants_one, wants_other = (Requirement(name="x", conditions=((">=", version),)) for version in (one, other))
    assert wants_one.is_met(one)
    assert wants_one.is_met(other) or wants_other.is_met(one)
    same = Requirement(name="x", conditions=(("==", one),))
    assert same.is_met(other) == (wants_one.is_met(other) and wants_other.is_met(one))


@pytest.mark.parametrize(
    ("condition", "version", "is_met"),
    [
        (("==", "2.13.0"), "2.13.0+cu126", True),
        (("==", "2.13.0"), "2.13.0+cu12.6", True),
        ((">=", "8.2"), "8.10", True),
        ((">=", "8.2"), "8.1.9", False),
        (("==", "1.0"), "1", True),
        ((">=", "2.0"), "2.0rc1", True),
    ],
)
def test_versions_are_compared_by_number(condition: tuple[str, str], version: str, is_met: bool) -> None:
    assert Requirement(name="x", conditions=(condition,)).is_met(version) is is_met


def test_packages_that_are_there_are_listed_with_versions() -> None:
    found = packages()
    assert list(found) == ["packages", "packages: sim", "packages: train"]
    assert {check.state for check in found.values()} == {State.OK}
    assert found["packages"].found == "carla 0.9.16, click 8.5.1"


def test_missing_package_is_fatal_and_another_version_is_not() -> None:
    missing = packages(carla=None)["packages"]
    assert missing.is_fatal
    assert (missing.found, missing.expected, missing.hint) == ("click 8.5.1", "carla==0.9.16", "make setup")
    other = packages(carla="0.9.15")["packages"]
    assert (other.state, other.expected) == (State.WARNING, "carla==0.9.16")


def test_missing_extra_is_absent_and_says_what_to_type() -> None:
    check = packages(torch=None)["packages: train"]
    assert (check.state, check.is_needed) == (State.ABSENT, False)
    assert check.hint == ".venv/bin/pip install -c constraints.txt -e '.[train]'"


def answer(code: int | None, err: str = "") -> Answer:
    return Answer(code=code, out="", err=err, seconds=1.25)


def test_import_of_carla_tells_how_it_failed() -> None:
    assert judge_carla(answer(0)).found == "1.2 s"
    crash = judge_carla(answer(-11))
    assert crash.is_fatal
    assert crash.found == "killed by SIGSEGV"
    assert "force-reinstall" in crash.hint
    homeless = judge_carla(answer(-11), has_home=False)
    assert homeless.found == "killed by SIGSEGV; HOME is not set"
    assert homeless.hint == "export HOME=/tmp"
    missing = judge_carla(answer(1, "Traceback\nModuleNotFoundError: No module named 'carla'\n"))
    assert missing.found == "exit code 1: ModuleNotFoundError: No module named 'carla'"
    assert "faster disk" in judge_carla(answer(None)).hint
    assert judge_carla(None).is_fatal


@pytest.mark.parametrize(
    ("usable", "quota", "state"),
    [(2, None, "ok"), (1, None, "warning"), (64, 1.5, "warning"), (64, 2.0, "ok"), (4, 8.0, "ok")],
)
def test_two_cores_are_wanted(usable: int, quota: float | None, state: str) -> None:
    assert judge_cores(usable, 64, quota).state == state


@pytest.mark.parametrize(
    ("available", "limit", "state"),
    [
        (8 * GIB, None, "ok"),
        (8 * GIB, 1 * GIB, "warning"),
        (8 * GIB, GIB // 4, "failed"),
        (GIB // 4, 64 * GIB, "failed"),
        (2 * GIB, 2 * GIB, "ok"),
    ],
)
def test_memory_is_what_is_left_within_the_limit(available: int, limit: int | None, state: str) -> None:
    check = judge_memory(available, limit)
    assert check.state == state
    assert ("limited" in check.found) == (limit is not None)


def test_limits_of_version_2_stand_in_the_own_folder_and_above() -> None:
    folders = cgroup_folders("0::/system.slice/slurmstepd.scope/job_17/step_batch\n", "memory", Path("/c"))
    assert folders[0] == Path("/c/system.slice/slurmstepd.scope/job_17/step_batch")
    assert Path("/c/system.slice/slurmstepd.scope/job_17") in folders
    assert Path("/c") in folders


def test_limits_of_version_1_stand_below_their_controller() -> None:
    text = "9:name=systemd:/\n4:memory:/slurm/uid_1/job_17\n2:cpu,cpuacct:/slurm\n0::/\n"
    assert cgroup_folders(text, "memory", Path("/c"))[0] == Path("/c/memory/slurm/uid_1/job_17")
    assert Path("/c/cpu,cpuacct/slurm") in cgroup_folders(text, "cpu", Path("/c"))
    assert not any("slurm" in folder.parts for folder in cgroup_folders(text, "blkio", Path("/c")))


@example("4:memory:/../other\n0::/../../other\n")
@given(st.text())
def test_cgroup_folders_stay_below_their_root(text: str) -> None:
    for folder in cgroup_folders(text, "memory", Path("/c")):
        assert Path("/c") in (folder, *folder.parents)
        assert ".." not in folder.parts


@pytest.mark.parametrize(
    ("text", "limit"),
    [("max\n", None), ("9223372036854771712\n", None), ("2147483648\n", 2147483648), ("", None), ("-1\n", None)],
)
def test_memory_limit_is_read(text: str, limit: int | None) -> None:
    assert parse_memory_limit(text) == limit


@pytest.mark.parametrize(
    ("text", "quota"),
    [("max 100000\n", None), ("150000 100000\n", 1.5), ("-1\n100000\n", None), ("", None), ("1 0", None)],
)
def test_cpu_quota_is_read(text: str, quota: float | None) -> None:
    assert parse_cpu_quota(text) == quota


def test_this_machine_can_be_examined() -> None:
    before = set(sys.modules)
    checks = {check.name: check for check in examine_machine()}
    assert checks["Python"].state is State.OK
    assert checks["import carla"].state is State.OK
    assert "carla 0.9.16" in checks["packages"].found
    # In this process it may crash.
    assert "carla" in before or "carla" not in sys.modules

"""Apptainer and what it needs; that it is not here is normal."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.jobs.checks.answers import Answer
from harness.jobs.checks.containers import (
    examine_containers,
    judge_apptainer,
    judge_image_mounts,
    judge_user_namespaces,
    parse_version,
)


def said(text: str, code: int = 0) -> Answer:
    return Answer(code=code, out=text if not code else "", err=text if code else "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apptainer version 1.4.5-2\n", ("apptainer", (1, 4, 5))),
        ("singularity-ce version 4.1.0-jammy\n", ("singularity-ce", (4, 1, 0))),
        ("singularity version 3.8.7-1.el8\n", ("singularity", (3, 8, 7))),
        ("something else\n", ("something else", ())),
    ],
)
def test_version_is_read(text: str, expected: tuple[str, tuple[int, ...]]) -> None:
    assert parse_version(text) == expected


def test_no_apptainer_is_absent_and_says_how_to_get_it() -> None:
    check = judge_apptainer(None, None)
    assert (check.state, check.is_needed) == ("absent", False)
    assert check.hint.startswith("module load apptainer")
    assert judge_apptainer(None, Path("containers/get-apptainer")).hint.startswith("containers/get-apptainer, or ")


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("apptainer version 1.4.5", "ok"),
        ("apptainer version 1.3.6", "warning"),
        ("singularity version 3.8.7", "ok"),
        ("bash: no", "warning"),
    ],
)
def test_old_apptainer_does_not_bind_the_vulkan_driver(text: str, state: str) -> None:
    assert judge_apptainer(said(text), None).state == state


def test_apptainer_that_does_not_run_is_a_warning() -> None:
    check = judge_apptainer(said("cannot open shared object file", 127), None)
    assert (check.state, check.found) == ("warning", "exit code 127: cannot open shared object file")


def test_closed_switch_is_named_with_what_opens_it() -> None:
    refused = said("unshare: unshare failed: Operation not permitted", 1)
    closed = {"kernel/unprivileged_userns_clone": "0\n", "user/max_user_namespaces": "95000\n"}
    check = judge_user_namespaces(refused, closed, is_used=True)
    assert check.state == "warning"
    assert check.found.startswith("kernel.unprivileged_userns_clone = 0")
    assert check.hint == "as root: sysctl kernel.unprivileged_userns_clone=1"
    ubuntu = {"kernel/apparmor_restrict_unprivileged_userns": "1\n"}
    assert judge_user_namespaces(refused, ubuntu, is_used=True).hint.endswith("restrict_unprivileged_userns=0")
    full = {"user/max_user_namespaces": "0\n"}
    assert judge_user_namespaces(refused, full, is_used=True).hint.endswith("user.max_user_namespaces=15000")


def test_name_spaces_matter_only_where_there_is_an_apptainer() -> None:
    assert judge_user_namespaces(said(""), {}, is_used=True).state == "ok"
    assert judge_user_namespaces(None, {}, is_used=False).state == "absent"
    assert "suid" in judge_user_namespaces(said("no", 1), {}, is_used=False).hint


@pytest.mark.parametrize(
    ("has_fuse", "has_squashfuse", "is_root", "found"),
    [
        (True, True, False, "by squashfuse"),
        (False, False, True, "by the kernel"),
        (False, True, False, "no /dev/fuse"),
        (False, False, False, "no /dev/fuse and no squashfuse"),
    ],
)
def test_images_are_mounted_by_fuse_or_by_root(has_fuse: bool, has_squashfuse: bool, is_root: bool, found: str) -> None:
    check = judge_image_mounts(has_fuse=has_fuse, has_squashfuse=has_squashfuse, is_root=is_root)
    assert (check.found, check.state) == (found, "ok" if "by" in found else "warning")


def test_this_machine_can_be_examined() -> None:
    names = [check.name for check in examine_containers()]
    assert names[:2] == ["Apptainer", "user namespaces"]

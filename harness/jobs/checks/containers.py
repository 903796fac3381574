"""Apptainer, and what it needs of the system."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from harness.config import REPOSITORY
from harness.jobs.checks.answers import Answer, ask
from harness.jobs.checks.check import Check, State

# From this version on --nv binds the file that names NVIDIA's Vulkan driver.
BINDS_VULKAN = (1, 4)
_PROGRAMS = ("apptainer", "singularity")
_SWITCHES = (
    "user/max_user_namespaces",
    "kernel/unprivileged_userns_clone",
    "kernel/apparmor_restrict_unprivileged_userns",
)
# With these values of a switch nobody but root gets a name space.
_FORBIDS = {
    "user/max_user_namespaces": "0",
    "kernel/unprivileged_userns_clone": "0",
    "kernel/apparmor_restrict_unprivileged_userns": "1",
}
_SYSTEM = Path("/proc/sys")


def parse_version(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the name and the version in e.g. ``apptainer version 1.4.5-2``; the version is empty if there is none."""
    match = re.search(r"(?P<name>[\w-]+) version (?P<numbers>[0-9]+(?:\.[0-9]+)*)", text)
    if match is None:
        return " ".join(text.split()), ()
    return match["name"], tuple(map(int, match["numbers"].split(".")))


def judge_apptainer(answer: Answer | None, installer: Path | None) -> Check:
    """Judge the program.

    Args:
        answer: to ``--version``; None if there is no such program.
        installer: our own script that gets it, if this version has one.
    """
    name = "Apptainer"
    if answer is None:
        ours = f"{installer}, or " if installer else ""
        return Check(
            name=name,
            state=State.ABSENT,
            found="no apptainer",
            expected="one, to run real CARLA from its image; the embedded simulator needs none",
            hint=f"{ours}module load apptainer on a cluster, dnf install apptainer (Fedora, RHEL with EPEL), "
            "add-apt-repository ppa:apptainer/ppa and apt-get install apptainer (Ubuntu)",
        )
    program, version = parse_version(answer.out)
    if not answer.is_ok or not version:
        found, expected = answer.ending, "its version"
        return Check(name=name, state=State.WARNING, found=found, expected=expected, hint="apptainer --version")
    found = f"{program} {'.'.join(map(str, version))}"
    if program == "apptainer" and version < BINDS_VULKAN:
        return Check(
            name=name,
            state=State.WARNING,
            found=found,
            expected="1.4 or newer, which binds the file that names NVIDIA's Vulkan driver",
            hint="with this one: apptainer exec --bind and VK_ICD_FILENAMES for nvidia_icd.json",
        )
    return Check(name=name, state=State.OK, found=found)


def judge_user_namespaces(answer: Answer | None, switches: Mapping[str, str], *, is_used: bool) -> Check:
    """Judge whether this user may have name spaces of his own.

    Args:
        answer: to a trial; None if there is no program to try with.
        switches: those below ``/proc/sys`` that have to do with it.
        is_used: there is an Apptainer here.
    """
    name = "user namespaces"
    if answer is not None and answer.is_ok:
        return Check(name=name, state=State.OK, found="allowed")
    closed = [f"{switch.replace('/', '.')} = {switches[switch]}" for switch in closed_switches(switches)]
    if answer is None:
        found = ", ".join(closed) or "not tried: there is no unshare"
    else:
        found = ", ".join([*closed, answer.ending])
    opened = " ".join(
        f"{switch.replace('/', '.')}={'15000' if _FORBIDS[switch] == '0' and 'max' in switch else 1 - int(value)}"
        for switch, value in _FORBIDS.items()
        if switch in closed_switches(switches)
    )
    return Check(
        name=name,
        state=State.WARNING if is_used else State.ABSENT,
        found=found,
        expected="allowed, or an Apptainer that is installed with setuid",
        hint=f"as root: sysctl {opened}" if opened else "ask the administrator for apptainer-suid",
    )


def closed_switches(switches: Mapping[str, str]) -> list[str]:
    """Return the switches that forbid user name spaces."""
    return [switch for switch, value in _FORBIDS.items() if switches.get(switch, "").strip() == value]


def judge_image_mounts(*, has_fuse: bool, has_squashfuse: bool, is_root: bool) -> Check:
    """Judge how fast an image can be mounted by this user."""
    name = "image mounts"
    if is_root or (has_fuse and has_squashfuse):
        return Check(name=name, state=State.OK, found="by the kernel" if is_root else "by squashfuse")
    missing = [text for is_here, text in ((has_fuse, "/dev/fuse"), (has_squashfuse, "squashfuse")) if not is_here]
    return Check(
        name=name,
        state=State.WARNING,
        found=f"no {' and no '.join(missing)}",
        expected="both; without them every start unpacks the image first",
        hint="apt-get install squashfuse, or unpack once: apptainer build --sandbox carla/ carla.sif",
    )


def examine_containers() -> list[Check]:
    """Examine Apptainer and what it needs."""
    program = next((name for name in _PROGRAMS if shutil.which(name)), None)
    script = REPOSITORY / "containers" / "get-apptainer"
    installer = script.relative_to(REPOSITORY) if script.exists() else None
    checks = [
        judge_apptainer(ask([program, "--version"]) if program else None, installer),
        judge_user_namespaces(
            ask(["unshare", "--user", "--map-root-user", "true"]),
            {switch: _read(_SYSTEM / switch) for switch in _SWITCHES},
            is_used=program is not None,
        ),
    ]
    if program is not None:
        has_squashfuse = any(shutil.which(name) for name in ("squashfuse_ll", "squashfuse"))
        has_fuse = os.access("/dev/fuse", os.R_OK | os.W_OK)
        checks.append(judge_image_mounts(has_fuse=has_fuse, has_squashfuse=has_squashfuse, is_root=os.geteuid() == 0))
    return checks


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError):
        return ""

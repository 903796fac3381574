"""Vulkan: which drivers are named, and which devices answer. Real CARLA draws with nothing else."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.jobs.checks.answers import Answer, ask
from harness.jobs.checks.check import Check, State

ONLY_CARLA = "only real CARLA needs it"
# They name the files themselves; the first that is set wins.
_OVERRIDES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
_SYSTEM_FOLDERS = ("/usr/local/etc", "/usr/local/share", "/etc", "/usr/share")
_SOFTWARE = re.compile(r"llvmpipe|lavapipe|swiftshader|softpipe", re.IGNORECASE)
_NVIDIA = re.compile(r"nvidia", re.IGNORECASE)
_LOADER = "harness.jobs.checks.vulkan_loader"


@dataclass(frozen=True, kw_only=True)
class Driver:
    """A file that names a Vulkan driver.

    Attributes:
        library: that it names; empty if the file cannot be read.
    """

    file: Path
    library: str

    @property
    def is_nvidia(self) -> bool:
        """It is NVIDIA's."""
        return _NVIDIA.search(f"{self.file.name} {self.library}") is not None


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device that a Vulkan driver offers.

    Attributes:
        kind: ``DISCRETE_GPU``, ``INTEGRATED_GPU``, ``VIRTUAL_GPU``, ``CPU`` or ``OTHER``.
    """

    name: str
    kind: str

    @property
    def is_software(self) -> bool:
        """It draws with the cores of the machine."""
        return self.kind == "CPU" or _SOFTWARE.search(self.name) is not None


def driver_places(environment: Mapping[str, str]) -> list[Path]:
    """Return files, and folders of files, in which the Vulkan loader looks for drivers, in its order."""
    for variable in _OVERRIDES:
        if value := environment.get(variable):
            return [Path(part) for part in value.split(":") if part]
    home = environment.get("HOME", "/nonexistent")
    users = [
        environment.get("XDG_CONFIG_HOME") or f"{home}/.config",
        environment.get("XDG_DATA_HOME") or f"{home}/.local/share",
    ]
    added = [Path(part) for part in environment.get("VK_ADD_DRIVER_FILES", "").split(":") if part]
    return [*added, *(Path(folder) / "vulkan" / "icd.d" for folder in (*users, *_SYSTEM_FOLDERS))]


def parse_driver(file: Path, text: str) -> Driver:
    """Read a file that names a driver."""
    try:
        library = json.loads(text)["ICD"]["library_path"]
    except (ValueError, KeyError, TypeError, RecursionError):
        library = ""
    return Driver(file=file, library=library if isinstance(library, str) else "")


def judge_drivers(drivers: Sequence[Driver], *, has_nvidia: bool) -> Check:
    """Judge the files that name drivers.

    Args:
        has_nvidia: this machine has a GPU of NVIDIA's.
    """
    name = "Vulkan drivers"
    found = ", ".join(str(driver.file) + ("" if driver.library else " (broken)") for driver in drivers) or "none"
    if has_nvidia and not any(driver.is_nvidia and driver.library for driver in drivers):
        return Check(
            name=name,
            state=State.WARNING,
            found=found,
            expected="nvidia_icd.json: without it CARLA draws with the cores of the machine, and ends",
            hint="install the driver's graphics part (Debian: nvidia-vulkan-icd, Ubuntu: libnvidia-gl-<version>); "
            "in a container NVIDIA_DRIVER_CAPABILITIES=all",
        )
    if not drivers:
        hint = "apt-get install libvulkan1 and the driver of the GPU, if there is one"
        return Check(name=name, state=State.ABSENT, found=found, expected=ONLY_CARLA, hint=hint)
    return Check(name=name, state=State.OK, found=found)


def parse_vulkaninfo(text: str) -> list[Device]:
    """Read the devices in what ``vulkaninfo --summary`` prints."""
    devices: list[Device] = []
    kind = "OTHER"
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        if re.fullmatch(r"GPU[0-9]+:", line.strip()):
            kind = "OTHER"
        elif key == "deviceType":
            kind = value.removeprefix("PHYSICAL_DEVICE_TYPE_") or "OTHER"
        elif key == "deviceName" and value:
            # The type stands before the name.
            devices.append(Device(name=value, kind=kind))
    return devices


def parse_loader(text: str) -> list[Device]:
    """Read the devices in what our own question to the loader prints; none if it is something else."""
    try:
        return [Device(name=str(name), kind=str(kind)) for name, kind in json.loads(text)]
    except (ValueError, TypeError, RecursionError):
        return []


def judge_devices(devices: Sequence[Device], failure: str, *, has_nvidia: bool) -> Check:
    """Judge the devices that answer.

    Args:
        failure: why there are none; empty if nothing failed.
        has_nvidia: this machine has a GPU of NVIDIA's.
    """
    name = "Vulkan devices"
    real = [device for device in devices if not device.is_software]
    found = ", ".join(device.name for device in devices) or failure or "none"
    if real:
        return Check(name=name, state=State.OK, found=found)
    if not has_nvidia:
        found += " (drawn by the cores of the machine)" if devices else ""
        return Check(name=name, state=State.ABSENT, found=found, expected=ONLY_CARLA)
    return Check(
        name=name,
        state=State.WARNING,
        found=found + (" (drawn by the cores of the machine)" if devices else ""),
        expected="the GPU: on anything else real CARLA ends while it loads a town",
        hint="see the line about drivers; VK_ICD_FILENAMES names the file of the driver that is to be used",
    )


def examine_vulkan(*, has_nvidia: bool) -> list[Check]:
    """Examine drivers and devices.

    Args:
        has_nvidia: this machine has a GPU of NVIDIA's.
    """
    drivers = [parse_driver(file, _read(file)) for place in driver_places(os.environ) for file in _files(place)]
    devices, failure = _ask_for_devices()
    return [
        judge_drivers(drivers, has_nvidia=has_nvidia),
        judge_devices(devices, failure, has_nvidia=has_nvidia),
    ]


def _ask_for_devices() -> tuple[list[Device], str]:
    """Return the devices, or why there are none; drivers crash, so that others ask them."""
    # A display that nobody answers at would be waited for.
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    answer = ask(["vulkaninfo", "--summary"], environment=environment)
    if answer is not None and answer.is_ok and (devices := parse_vulkaninfo(answer.out)):
        return devices, ""
    # Few compute nodes have that program; the loader itself is enough.
    direct = ask([sys.executable, "-m", _LOADER], environment=environment)
    if direct is not None and direct.is_ok:
        return parse_loader(direct.out), ""
    return [], _failure(answer) or _failure(direct)


def _failure(answer: Answer | None) -> str:
    return answer.ending if answer is not None else ""


def _files(place: Path) -> list[Path]:
    try:
        return sorted(place.glob("*.json")) if place.is_dir() else [place] if place.is_file() else []
    except OSError:
        return []


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""

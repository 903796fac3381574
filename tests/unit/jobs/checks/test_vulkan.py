"""Vulkan's drivers and devices, from recorded words of its tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs.checks.vulkan import (
    Device,
    Driver,
    driver_places,
    examine_vulkan,
    judge_devices,
    judge_drivers,
    parse_driver,
    parse_loader,
    parse_vulkaninfo,
)

# Recorded on a machine without a GPU, Mesa 22.3.6.
LAVAPIPE = """\
==========
VULKANINFO
==========

Vulkan Instance Version: 1.3.239


Instance Extensions: count = 14
-------------------------------
VK_EXT_debug_report                    : extension revision 10
VK_KHR_portability_enumeration         : extension revision 1

Instance Layers:
----------------

Devices:
========
GPU0:
\tapiVersion         = 1.3.230
\tdriverVersion      = 0.0.1
\tvendorID           = 0x10005
\tdeviceID           = 0x0000
\tdeviceType         = PHYSICAL_DEVICE_TYPE_CPU
\tdeviceName         = llvmpipe (LLVM 15.0.6, 256 bits)
\tdriverID           = DRIVER_ID_MESA_LLVMPIPE
\tdriverName         = llvmpipe
\tdriverInfo         = Mesa 22.3.6 (LLVM 15.0.6)
"""
BOTH = LAVAPIPE.replace(
    "GPU0:\n",
    "GPU0:\n\tdeviceType         = PHYSICAL_DEVICE_TYPE_DISCRETE_GPU\n"
    "\tdeviceName         = NVIDIA GeForce RTX 2080 Ti\nGPU1:\n",
)
NVIDIA_FILE = (
    '{"file_format_version": "1.0.0", "ICD": {"library_path": "libGLX_nvidia.so.0", "api_version": "1.3.242"}}'
)
SOFTWARE = Device(name="llvmpipe (LLVM 15.0.6, 256 bits)", kind="CPU")
CARD = Device(name="NVIDIA GeForce RTX 2080 Ti", kind="DISCRETE_GPU")


def test_devices_are_read() -> None:
    assert parse_vulkaninfo(LAVAPIPE) == [SOFTWARE]
    assert parse_vulkaninfo(BOTH) == [CARD, SOFTWARE]
    assert parse_loader(json.dumps([[SOFTWARE.name, SOFTWARE.kind], [CARD.name, CARD.kind]])) == [SOFTWARE, CARD]


@given(st.text())
def test_any_text_is_a_list_of_devices(text: str) -> None:
    assert all(device.name for device in parse_vulkaninfo(text))
    parse_loader(text)
    parse_driver(Path("x.json"), text)


@pytest.mark.parametrize(
    ("device", "is_software"),
    [
        (SOFTWARE, True),
        (Device(name="SwiftShader Device (LLVM 10.0.0)", kind="OTHER"), True),
        (Device(name="something", kind="CPU"), True),
        (CARD, False),
        (Device(name="AMD Radeon RX 6600 XT", kind="DISCRETE_GPU"), False),
    ],
)
def test_software_is_told_from_a_gpu(device: Device, is_software: bool) -> None:
    assert device.is_software is is_software


def test_software_is_a_warning_only_where_there_is_a_gpu() -> None:
    without = judge_devices([SOFTWARE], "", has_nvidia=False)
    assert (without.state, "drawn by the cores" in without.found) == ("absent", True)
    beside = judge_devices([SOFTWARE], "", has_nvidia=True)
    assert (beside.state, beside.is_needed) == ("warning", False)
    assert judge_devices([SOFTWARE, CARD], "", has_nvidia=True).state == "ok"
    failed = judge_devices([], "exit code 1: ERROR_INCOMPATIBLE_DRIVER", has_nvidia=True)
    assert (failed.state, failed.found) == ("warning", "exit code 1: ERROR_INCOMPATIBLE_DRIVER")
    assert judge_devices([], "", has_nvidia=False).found == "none"


def test_driver_is_nvidias_by_file_or_library() -> None:
    assert parse_driver(Path("nvidia_icd.json"), NVIDIA_FILE) == Driver(
        file=Path("nvidia_icd.json"), library="libGLX_nvidia.so.0"
    )
    assert parse_driver(Path("10.json"), NVIDIA_FILE).is_nvidia
    assert not parse_driver(Path("lvp_icd.json"), '{"ICD": {"library_path": "libvulkan_lvp.so"}}').is_nvidia
    assert parse_driver(Path("x.json"), '{"ICD": {"library_path": 3}}').library == ""


def test_gpu_without_its_vulkan_driver_is_a_warning() -> None:
    software = Driver(file=Path("/usr/share/vulkan/icd.d/lvp_icd.json"), library="libvulkan_lvp.so")
    broken = Driver(file=Path("/etc/vulkan/icd.d/nvidia_icd.json"), library="")
    check = judge_drivers([software, broken], has_nvidia=True)
    assert check.state == "warning"
    assert "nvidia_icd.json (broken)" in check.found
    assert "NVIDIA_DRIVER_CAPABILITIES" in check.hint
    whole = Driver(file=broken.file, library="libGLX_nvidia.so.0")
    assert judge_drivers([software, whole], has_nvidia=True).state == "ok"
    assert judge_drivers([software], has_nvidia=False).state == "ok"
    assert judge_drivers([], has_nvidia=False).state == "absent"


def test_loader_looks_where_the_environment_says() -> None:
    everywhere = driver_places({"HOME": "/h", "VK_ADD_DRIVER_FILES": "/a.json"})
    assert everywhere[:3] == [Path("/a.json"), Path("/h/.config/vulkan/icd.d"), Path("/h/.local/share/vulkan/icd.d")]
    assert Path("/etc/vulkan/icd.d") in everywhere
    assert Path("/usr/share/vulkan/icd.d") in everywhere
    named = {"VK_ICD_FILENAMES": "/one.json:/two.json", "VK_ADD_DRIVER_FILES": "/a.json"}
    assert driver_places(named) == [Path("/one.json"), Path("/two.json")]
    assert driver_places({**named, "VK_DRIVER_FILES": "/three.json"}) == [Path("/three.json")]


def test_this_machine_can_be_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "nvidia_icd.json"
    file.write_text(NVIDIA_FILE)
    monkeypatch.setenv("VK_DRIVER_FILES", str(tmp_path))
    drivers, devices = examine_vulkan(has_nvidia=True)
    assert (drivers.state, drivers.found) == ("ok", str(file))
    assert devices.name == "Vulkan devices"


def test_fake_vulkaninfo_is_asked_without_a_display(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "vulkaninfo"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --summary ] || exit 2\n[ -z "$DISPLAY" ] || exit 3\n'
        "printf 'GPU0:\\n\\tdeviceType = PHYSICAL_DEVICE_TYPE_DISCRETE_GPU\\n\\tdeviceName = Card\\n'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("DISPLAY", ":99")
    _, devices = examine_vulkan(has_nvidia=True)
    assert (devices.state, devices.found) == ("ok", "Card")

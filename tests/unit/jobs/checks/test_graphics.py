"""GPUs from the words of nvidia-smi; there is none where these tests run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs.checks.answers import Answer
from harness.jobs.checks.graphics import Gpu, is_compute_only, judge_gpus, judge_visible, parse_gpus

TWO = (
    "0, GPU-22b2c6ac-2d49-4863-197c-9c469071178a, NVIDIA GeForce RTX 2080 Ti, 535.86.10, 11264, 1\n"
    "1, GPU-0200523e-f473-3a45-9b4a-fbbe0e41ccf8, NVIDIA GeForce RTX 2080 Ti, 535.86.10, 11264, 9216\n"
)
COMPUTE = "0, GPU-aa, NVIDIA A100-SXM4-80GB, 535.86.10, 81920, 4\n"
SILENT = "0, GPU-aa, NVIDIA GB10, 580.1, [N/A], [N/A]\n"
NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
    "Make sure that the latest NVIDIA driver is installed and running.\n\n"
)


def said(text: str, code: int | None = 0) -> Answer:
    return Answer(code=code, out=text, err="")


def gpus(count: int) -> list[Gpu]:
    return [
        Gpu(index=number, uuid=f"GPU-{number}{number}", name="RTX", driver="1", memory_mib=None, used_mib=None)
        for number in range(count)
    ]


def test_gpus_are_listed_with_driver_and_memory() -> None:
    first, second = judge_gpus(said(TWO))
    assert (first.name, first.state) == ("GPU 0", "ok")
    assert first.found == "NVIDIA GeForce RTX 2080 Ti, 11 GiB, driver 535.86.10"
    assert (second.name, second.state) == ("GPU 1", "warning")
    assert second.found.endswith("9.0 GiB in use")


def test_gpu_that_does_not_tell_its_memory_is_fine() -> None:
    (check,) = judge_gpus(said(SILENT))
    assert (check.state, check.found) == ("ok", "NVIDIA GB10, driver 580.1")


def test_gpu_made_for_computing_is_a_warning_for_real_carla() -> None:
    (check,) = judge_gpus(said(COMPUTE))
    assert (check.state, check.is_needed) == ("warning", False)
    assert "real CARLA" in check.expected


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB PCIe", "NVIDIA H100 80GB HBM3", "NVIDIA H200", "NVIDIA A30",
        "NVIDIA GH200 480GB", "NVIDIA H20", "gpu:a100:4", "gpu:nvidia_h100_80gb_hbm3:8", "gpu:h200:1",
        "AMD Instinct MI300X",
    ],
)  # fmt: skip
def test_names_of_gpus_made_for_computing(name: str) -> None:
    assert is_compute_only(name)


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA RTX A1000", "NVIDIA RTX A3000 Laptop GPU", "NVIDIA A10", "NVIDIA A40", "NVIDIA L40S",
        "Tesla V100-SXM2-32GB",
        "NVIDIA GeForce RTX 2080 Ti", "Tesla T4", "gpu:2080ti:8", "gpu:a10:2", "gpu:l40s:4", "gpu:8",
        "gpu:rtxa30:1", "gpu",
    ],
)  # fmt: skip
def test_names_of_gpus_that_draw(name: str) -> None:
    assert not is_compute_only(name)


def test_no_gpu_is_absent_and_a_broken_driver_is_not() -> None:
    for answer in (None, said(""), said("No devices were found\n", 6)):
        (check,) = judge_gpus(answer)
        assert (check.state, check.is_needed) == ("absent", False)
    (broken,) = judge_gpus(said(NO_DRIVER, 9))
    assert broken.state == "warning"
    assert "couldn't communicate with the NVIDIA driver" in broken.found
    (hung,) = judge_gpus(said("", None))
    assert (hung.state, "no answer within" in hung.found) == ("warning", True)


@given(st.text())
def test_any_text_is_a_list_of_gpus(text: str) -> None:
    assert all(gpu.index >= 0 for gpu in parse_gpus(text))


@given(st.lists(st.text(st.characters(exclude_characters=",\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), min_size=1)))
def test_name_may_hold_commas(parts: list[str]) -> None:
    name = ", ".join(part.strip() for part in parts)
    (gpu,) = parse_gpus(f"3, GPU-3, {name}, 550.1, 100, 7\n")
    assert (gpu.index, gpu.uuid, gpu.driver, gpu.memory_mib, gpu.used_mib) == (3, "GPU-3", "550.1", 100, 7)
    assert gpu.name == name


@pytest.mark.parametrize(
    ("value", "count", "state", "word"),
    [
        ("0", 1, "ok", "no other GPU can be seen"),
        ("3", 1, "ok", "no other GPU can be seen"),  # a job that sees its own alone, under the number of the node
        ("0,1", 2, "ok", "no other GPU"),
        ("0", 8, "ok", "all of them can be seen"),
        ("3", 8, "warning", "all of them can be seen"),
        ("GPU-33", 8, "warning", "all of them can be seen"),
        ("MIG-1234", 1, "ok", "no other GPU"),
        ("5", 2, "warning", "of which 5 cannot be seen"),
        ("0", 0, "warning", "of which 0 cannot be seen"),
        ("", 1, "warning", "no GPU may be used"),
        ("-1", 1, "warning", "no GPU may be used"),
        ("", 0, "ok", "no GPU may be used"),
    ],
)
def test_visible_devices(value: str, count: int, state: str, word: str) -> None:
    check = judge_visible(value, gpus(count))
    assert check is not None
    assert (check.state, word in check.found) == (state, True), check


def test_carla_has_to_be_told_which_gpu_the_job_has() -> None:
    check = judge_visible("3", gpus(8))
    assert check is not None
    assert check.hint == "real CARLA needs -graphicsadapter=3 here"
    assert judge_visible(None, gpus(8)) is None


@given(st.text(), st.integers(0, 4))
def test_any_value_is_judged(value: str, count: int) -> None:
    check = judge_visible(value, gpus(count))
    assert check is not None
    assert check.state in ("ok", "warning")

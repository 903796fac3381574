"""GPUs: which there are, which this process may use, and whether they can draw."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.jobs.checks.answers import Answer, ask
from harness.jobs.checks.check import Check, State

QUERY = (
    "nvidia-smi",
    "--query-gpu=index,uuid,name,driver_version,memory.total,memory.used",
    "--format=csv,noheader,nounits",
)
NOT_NEEDED = "only real CARLA and training need it"
# Made for computing: they lack most of what draws, and real CARLA is very slow there or hangs.
_COMPUTE_ONLY = re.compile(
    r"(?<![a-z0-9])(?:a30|a100x?|a800|h20|h100|h800|h200|gh200|b100|b200|b300|gb200|gb300|mi[0-9]{3}x?)(?![0-9])",
    re.IGNORECASE,
)
# More than the driver takes for itself.
_MUCH_USED_MIB = 1024


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A GPU as nvidia-smi lists it.

    Attributes:
        memory_mib, used_mib: None where it does not say.
    """

    index: int
    uuid: str
    name: str
    driver: str
    memory_mib: int | None
    used_mib: int | None

    @property
    def is_compute_only(self) -> bool:
        """It was made for computing, not for drawing."""
        return is_compute_only(self.name)


def is_compute_only(name: str) -> bool:
    """Tell whether a GPU was made for computing, from its name or its type in Slurm, e.g. ``gpu:a100:4``."""
    return _COMPUTE_ONLY.search(name) is not None


def parse_gpus(text: str) -> list[Gpu]:
    """Read what nvidia-smi prints for `QUERY`; lines that are no GPU are left out."""
    gpus = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) >= 6 and fields[0].isascii() and fields[0].isdecimal():
            # No field but the name may hold a comma.
            index, uuid, *name, driver, memory, used = fields
            gpus.append(
                Gpu(
                    index=int(index),
                    uuid=uuid,
                    name=", ".join(name),
                    driver=driver,
                    memory_mib=_number(memory),
                    used_mib=_number(used),
                )
            )
    return gpus


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def judge_gpus(answer: Answer | None) -> list[Check]:
    """Judge the GPUs, one check each; one check if there is none.

    Args:
        answer: to `QUERY`; None if there is no nvidia-smi.
    """
    gpus = parse_gpus(answer.out) if answer is not None and answer.is_ok else []
    if gpus:
        return [_judge_gpu(gpu) for gpu in gpus]
    if answer is None or answer.is_ok or "No devices were found" in answer.out + answer.err:
        found = "no nvidia-smi" if answer is None else "nvidia-smi lists no GPU"
        hint = "make doctor PARTITION=name GPU=1 looks on a node with GPUs"
        return [Check(name="GPU", state=State.ABSENT, found=found, expected=NOT_NEEDED, hint=hint)]
    return [
        Check(
            name="GPU",
            state=State.WARNING,
            found=f"nvidia-smi: {answer.ending}",
            expected="a list of GPUs",
            hint="nvidia-smi; after an update of the driver the machine has to be started again",
        )
    ]


def _judge_gpu(gpu: Gpu) -> Check:
    name, driver = f"GPU {gpu.index}", f"driver {gpu.driver}"
    memory = f", {gpu.memory_mib / 1024:.0f} GiB" if gpu.memory_mib is not None else ""
    found = f"{gpu.name}{memory}, {driver}"
    if gpu.is_compute_only:
        return Check(
            name=name,
            state=State.WARNING,
            found=found,
            expected="a GPU that draws, for real CARLA: on this one it is very slow or hangs",
            hint="train here, and run real CARLA on GPUs such as RTX, A10, A40, L4, L40",
        )
    if gpu.used_mib is not None and gpu.used_mib > _MUCH_USED_MIB:
        return Check(
            name=name,
            state=State.WARNING,
            found=f"{found}, {gpu.used_mib / 1024:.1f} GiB in use",
            expected="its memory free: CARLA and a network need it",
            hint=f"nvidia-smi -i {gpu.index} shows what uses it",
        )
    return Check(name=name, state=State.OK, found=found)


def judge_visible(value: str | None, gpus: Sequence[Gpu]) -> Check | None:
    """Judge CUDA_VISIBLE_DEVICES; None if it is not set, which hides nothing.

    Vulkan pays no attention to it: a CARLA that is not told otherwise draws on the first GPU that the system shows.

    Args:
        value: of the variable, None if it is not set.
        gpus: that nvidia-smi lists, which does not heed the variable.
    """
    name = "CUDA_VISIBLE_DEVICES"
    if value is None:
        return None
    words = [word.strip() for word in value.split(",") if word.strip()]
    if not words or words[0] == "-1":
        state = State.WARNING if gpus else State.OK
        return Check(
            name=name,
            state=state,
            found=f"{value!r}: no GPU may be used",
            expected="unset, or names of GPUs" if gpus else "",
            hint="unset CUDA_VISIBLE_DEVICES" if gpus else "",
        )
    unknown = [word for word in words if not any(_names(word, gpu, len(gpus)) for gpu in gpus)]
    if unknown:
        return Check(
            name=name,
            state=State.WARNING,
            found=f"{value}, of which {', '.join(unknown)} cannot be seen; nvidia-smi lists {len(gpus)}",
            expected="names of GPUs that are here",
            hint="nvidia-smi -L",
        )
    if len(words) < len(gpus):
        adapter = next(number for number, gpu in enumerate(gpus) if _names(words[0], gpu, len(gpus)))
        return Check(
            name=name,
            state=State.WARNING if adapter else State.OK,
            found=f"{value} of {len(gpus)}, but all of them can be seen",
            expected="the job confined to its GPUs: Vulkan does not heed this variable" if adapter else "",
            hint=f"real CARLA needs -graphicsadapter={adapter} here" if adapter else "",
        )
    return Check(name=name, state=State.OK, found=f"{value}, and no other GPU can be seen")


def _names(word: str, gpu: Gpu, count: int) -> bool:
    """Tell whether a word of CUDA_VISIBLE_DEVICES means a GPU."""
    if word.isdecimal():
        # Where a job sees its GPUs alone, they are counted from zero while Slurm may name them as it does itself.
        return int(word) == gpu.index or count == 1
    return gpu.uuid.startswith(word) or word.startswith("MIG-")


def examine_gpus() -> tuple[list[Check], bool]:
    """Examine the GPUs; return also whether there is one of NVIDIA's."""
    answer = ask(QUERY)
    gpus = parse_gpus(answer.out) if answer is not None and answer.is_ok else []
    visible = judge_visible(os.environ.get("CUDA_VISIBLE_DEVICES"), gpus)
    return [*judge_gpus(answer), *([visible] if visible else [])], bool(gpus)

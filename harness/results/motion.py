"""The ego's motion from ``metric_info.json``, which Bench2Drive's agents leave in the folder ``save_name`` of a route.

A file holds an object with one entry per step, ``"0"``, ``"1"`` and so on, each with ``acceleration`` [m/s^2],
``angular_velocity`` [deg/s], ``forward_vector`` and ``right_vector``, all with three parts in the world frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from harness.metrics.smoothness import MotionStep
from harness.results.contents import contents_of
from harness.results.openings import Refused
from harness.results.parsing import problem
from harness.results.record_format import refusal
from harness.results.result_set import Problem, ProblemKind, ResultFile

# Beyond any acceleration or turn; larger numbers are damage.
_LARGEST: Final = 1e9

_Vector = tuple[float, float, float]


class _Step(msgspec.Struct, gc=False):
    acceleration: _Vector
    angular_velocity: _Vector
    forward_vector: _Vector
    right_vector: _Vector


_STEPS: Final = msgspec.json.Decoder(dict[str, _Step])


def read_motion(files: Iterable[ResultFile]) -> Iterator[tuple[ResultFile, list[MotionStep] | Problem]]:
    """Yield the motion of each file, or what is wrong with it, one at a time.

    Raises:
        HarnessError: a file is no longer what was read before.
    """
    for file, data in contents_of(files):
        try:
            yield file, _motion(data)
        except Refused as error:
            yield file, problem(file.name, error)


def _motion(data: bytes) -> list[MotionStep]:
    try:
        steps = _STEPS.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusal(error) from error
    return [_motion_step(name, step) for name, step in steps.items()]


def _motion_step(name: str, step: _Step) -> MotionStep:
    if not all(
        math.isfinite(part) and abs(part) <= _LARGEST
        for vector in (step.acceleration, step.angular_velocity, step.forward_vector, step.right_vector)
        for part in vector
    ):
        raise Refused(ProblemKind.MALFORMED, f"a number beyond {_LARGEST:g} in step {name!r:.40}", "metres and degrees")
    return MotionStep(
        acceleration_mps2=step.acceleration[:2],
        forward=step.forward_vector[:2],
        right=step.right_vector[:2],
        yaw_rate_degps=step.angular_velocity[2],
    )

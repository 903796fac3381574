"""Working traffic lights: the controllers of a junction take turns, each green, then yellow, then red for all.

Times are CARLA's defaults. A light that a client sets by hand keeps that state until its controller switches next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.signals import Controller, Signal


class LightState(IntEnum):
    """CARLA's TrafficLightState; controllers show the first three, clients may set any."""

    RED = 0
    YELLOW = 1
    GREEN = 2
    OFF = 3
    UNKNOWN = 4


DEFAULT_TIMES_S = (10.0, 3.0, 2.0)  # green, yellow, red
_TIME_COLUMN = {LightState.GREEN: 0, LightState.YELLOW: 1, LightState.RED: 2}
_NEXT = {LightState.GREEN: LightState.YELLOW, LightState.YELLOW: LightState.RED, LightState.RED: LightState.GREEN}
# A client may set a time of zero; a cycle must not spin forever inside one tick.
_SHORTEST_PHASE_S = 0.01


@dataclass(kw_only=True)
class _Group:
    """The controllers of one junction and whose turn it is.

    Attributes:
        turns: per controller the lights that switch together.
    """

    turns: list[list[int]]
    current: int = 0
    phase: LightState = LightState.GREEN
    elapsed_s: float = 0.0
    is_frozen: bool = False


class TrafficLights:
    """All lights of a town, indexed as in the list of signals given.

    Attributes:
        state: (L,) uint8, each a LightState.
        elapsed_s: (L,) time since the state changed; stands still while frozen.
        times_s: (L, 3) how long the light's controller shows green, yellow and red.
        frozen: (L,) bool, the cycle of the light's junction stands still.
        pole_index: (L,) number of the light among those of its junction, from 0.
    """

    def __init__(self, signals: Sequence[Signal], controllers: Sequence[Controller]) -> None:
        self.state: NDArray[np.uint8] = np.zeros(len(signals), np.uint8)
        self.elapsed_s: NDArray[np.float64] = np.zeros(len(signals))
        self.times_s: NDArray[np.float64] = np.tile(np.array(DEFAULT_TIMES_S), (len(signals), 1))
        self.frozen: NDArray[np.bool_] = np.zeros(len(signals), np.bool_)
        self._groups = _build_groups(signals, controllers)
        self._group_of = {light: group for group in self._groups for turn in group.turns for light in turn}
        self.pole_index: NDArray[np.uint32] = np.zeros(len(signals), np.uint32)
        for group in self._groups:
            members = sorted(light for turn in group.turns for light in turn)
            self.pole_index[members] = np.arange(len(members))
        self._turn_of = {light: turn for group in self._groups for turn in group.turns for light in turn}
        self.reset_all()

    def step(self, dt_s: float) -> None:
        """Let `dt_s` pass."""
        self.elapsed_s[~self.frozen] += dt_s
        for group in self._groups:
            if group.is_frozen:
                continue
            group.elapsed_s += dt_s
            while group.elapsed_s >= (phase_s := self._phase_s(group)) - 1e-9:
                group.elapsed_s -= phase_s
                self._switch(group)

    def _phase_s(self, group: _Group) -> float:
        light = group.turns[group.current][0]
        return max(float(self.times_s[light, _TIME_COLUMN[group.phase]]), _SHORTEST_PHASE_S)

    def _switch(self, group: _Group) -> None:
        group.phase = _NEXT[group.phase]
        if group.phase == LightState.GREEN:
            group.current = (group.current + 1) % len(group.turns)
        self._show(group.turns[group.current], group.phase)

    def _show(self, lights: Sequence[int], state: int) -> None:
        self.state[lights] = state
        self.elapsed_s[lights] = 0.0

    def set_state(self, light: int, state: int) -> None:
        """Show `state` until the light's controller switches next."""
        self._show([light], state)

    def set_time(self, light: int, state: LightState, seconds: float) -> None:
        """Set how long the light's controller shows `state`."""
        self.times_s[self._turn_of[light], _TIME_COLUMN[state]] = max(seconds, 0.0)

    def freeze(self, light: int, is_frozen: bool) -> None:
        """Stop or continue the cycle of the light's junction."""
        self._freeze(self._group_of[light], is_frozen)

    def freeze_all(self, is_frozen: bool) -> None:
        """Stop or continue every cycle."""
        for group in self._groups:
            self._freeze(group, is_frozen)

    def _freeze(self, group: _Group, is_frozen: bool) -> None:
        group.is_frozen = is_frozen
        for turn in group.turns:
            self.frozen[turn] = is_frozen

    def group(self, light: int) -> list[int]:
        """Return the lights of the same junction, the light itself included."""
        return sorted(other for turn in self._group_of[light].turns for other in turn)

    def reset_group(self, light: int) -> None:
        """Start the cycle of the light's junction anew."""
        self._reset(self._group_of[light])

    def reset_all(self) -> None:
        """Start every cycle anew."""
        for group in self._groups:
            self._reset(group)

    def _reset(self, group: _Group) -> None:
        group.current, group.phase, group.elapsed_s = 0, LightState.GREEN, 0.0
        for turn in group.turns:
            self._show(turn, LightState.RED)
        self._show(group.turns[0], LightState.GREEN)


def _build_groups(signals: Sequence[Signal], controllers: Sequence[Controller]) -> list[_Group]:
    """Return one group per junction; a light that no controller lists takes its turn after those that are listed."""
    index = {signal.signal_id: number for number, signal in enumerate(signals)}
    junctions: dict[str, list[list[int]]] = {}
    placed: set[int] = set()
    for controller in sorted(controllers, key=lambda item: item.sequence):
        lights = [index[name] for name in controller.signal_ids if name in index and index[name] not in placed]
        if lights:
            placed.update(lights)
            junction = controller.junction_id or f"controller {controller.controller_id}"
            junctions.setdefault(junction, []).append(lights)
    for light, signal in enumerate(signals):
        if light not in placed:
            junction_id = signal.stop_lines[0].junction_id
            junction = str(junction_id) if junction_id >= 0 else f"signal {signal.signal_id}"
            junctions.setdefault(junction, []).append([light])
    return [_Group(turns=turns) for turns in junctions.values()]

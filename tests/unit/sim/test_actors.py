"""The actor table against a plain dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from harness.sim.world.actors import SOLID_KINDS, ActorInfo, ActorTable, Kin, Kind

KINDS = st.sampled_from(list(Kind))


class TableMachine(RuleBasedStateMachine):
    """Adds, changes and removes actors in the table and in a dictionary id -> (kind, x)."""

    def __init__(self) -> None:
        super().__init__()
        self.table = ActorTable()
        self.model: dict[int, tuple[Kind, float]] = {}
        self.next_id = 1

    @rule(kind=KINDS, x_m=st.floats(-1e6, 1e6), count=st.integers(1, 40))
    def add(self, kind: Kind, x_m: float, count: int) -> None:
        for _ in range(count):
            row = self.table.add(ActorInfo(id=self.next_id, type_id="a", kind=kind), np.array([x_m, 0, 0, 0, 0, 0]))
            assert row == len(self.table) - 1
            self.table.mass_kg[row] = self.next_id
            self.model[self.next_id] = (kind, x_m)
            self.next_id += 1

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        actor_id = data.draw(st.sampled_from(sorted(self.model)))
        self.table.remove(actor_id)
        del self.model[actor_id]

    @precondition(lambda self: self.model)
    @rule(data=st.data(), x_m=st.floats(-1e6, 1e6))
    def move(self, data: st.DataObject, x_m: float) -> None:
        actor_id = data.draw(st.sampled_from(sorted(self.model)))
        row = self.table.row(actor_id)
        assert row is not None
        self.table.kin[row, Kin.X] = x_m
        self.model[actor_id] = (self.model[actor_id][0], x_m)

    @invariant()
    def agrees(self) -> None:
        table = self.table
        assert table.ids.tolist() == list(self.model) == list(table.info)
        assert [(Kind(k), x) for k, x in zip(table.kind, table.kin[:, Kin.X], strict=True)] == list(self.model.values())
        assert table.mass_kg.tolist() == [float(actor_id) for actor_id in self.model]
        assert [table.row(actor_id) for actor_id in self.model] == list(range(len(self.model)))
        assert table.row(0) is None
        vehicles = [row for row, (kind, _) in enumerate(self.model.values()) if kind is Kind.VEHICLE]
        walkers = [row for row, (kind, _) in enumerate(self.model.values()) if kind is Kind.WALKER]
        solid = [row for row, (kind, _) in enumerate(self.model.values()) if kind in SOLID_KINDS]
        assert (table.vehicle_rows.tolist(), table.walker_rows.tolist()) == (vehicles, walkers)
        assert table.solid_rows.tolist() == solid


TestTable = TableMachine.TestCase
TestTable.settings = settings(max_examples=40, stateful_step_count=20)


def test_a_reused_row_starts_from_zero() -> None:
    table = ActorTable()
    row = table.add(ActorInfo(id=1, type_id="a", kind=Kind.VEHICLE), np.ones(6))
    table.control[row], table.speed_limit_kmh[row], table.light_index[row] = 1.0, 90.0, 3
    table.remove(1)
    row = table.add(ActorInfo(id=2, type_id="a", kind=Kind.VEHICLE), np.zeros(6))
    assert table.control[row].tolist() == [0.0, 0.0, 0.0]
    assert (table.speed_limit_kmh[row], table.light_index[row]) == (0.0, -1)


def test_velocity_is_kept_in_both_frames_and_bounded() -> None:
    table = ActorTable()
    row = table.add(ActorInfo(id=1, type_id="a", kind=Kind.VEHICLE), np.array([0, 0, 0, 0, 90.0, 0]))
    table.set_velocity(row, (1.0, 5.0, 0.0))
    assert abs(table.along_mps[row] - 5.0) < 1e-12 and abs(table.side_mps[row] + 1.0) < 1e-12
    table.set_velocity(row, (1e30, -1e30, 0.0))
    assert table.kin[row, Kin.VX : Kin.WX].tolist() == [150.0, -150.0, 0.0]

"""A run whose tasks are done with drawn programs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.stages import work as work_module
from harness.stages.supervision import Address
from tests.unit.stages.drawn import Simulator, TaskScene


@pytest.fixture
def task_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TaskScene]:
    made: list[Any] = []

    class Remembered(Simulator):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(work_module, "EmbeddedSimulator", Remembered)
    monkeypatch.setattr(work_module, "SECOND_LOOK_S", 0.0)
    monkeypatch.setattr(Address, "version", lambda self: "0.9.16")
    for name in [name for name in os.environ if name.startswith("SLURM")]:
        monkeypatch.delenv(name)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield TaskScene(tmp_path, monkeypatch, made)
    for number, handler in handlers.items():
        signal.signal(number, handler)

"""Only a drive of the expert can be recorded."""

from __future__ import annotations

import pytest

from harness.drive.agent_session import AgentSession
from harness.drive.agents import ConstantAgent, ExpertAgent
from harness.errors import ConfigError
from tests.unit.record.drawn import DrawnDrive


def test_the_expert_lets_itself_be_seen() -> None:
    drive = DrawnDrive()
    session = AgentSession(ExpertAgent, "", is_trusted=True)
    assert session.start(drive.context)
    scene = drive.scene()
    control = session.control(scene, 0.0, drive.map)
    decision = session.expert.decision
    assert control.throttle == pytest.approx(decision.throttle)
    assert session.expert.driver.index > session.expert.driver.route.start_index - 40


def test_another_agent_is_refused() -> None:
    session = AgentSession(ConstantAgent, "", is_trusted=True)
    assert session.start(DrawnDrive().context)
    with pytest.raises(
        ConfigError, match="the drive of ConstantAgent cannot be recorded, expected the expert"
    ) as caught:
        _ = session.expert
    assert caught.value.hint

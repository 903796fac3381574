"""Agents come from names and files; what is wrong with a file is said in one line that names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import carla
import pytest

from harness.drive.agents import Agent, ConstantAgent, ExpertAgent, check_agent_spec, load_agent
from harness.errors import AgentError

WHOLE = """
class Pilot:
    def setup(self, config): self.config = config
    def sensors(self): return []
    def run_step(self, input_data, timestamp): return None
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write_agent(text: str) -> Path:
        path = tmp_path / "my pilot.py"
        path.write_text(text)
        return path

    return write_agent


def refused(spec: str) -> AgentError:
    with pytest.raises(AgentError) as caught:
        load_agent(spec)
    assert caught.value.hint
    return caught.value


def test_built_in_agents_have_names() -> None:
    assert type(load_agent("expert")) is ExpertAgent
    assert type(load_agent("constant")) is ConstantAgent


def test_a_class_of_a_file_needs_no_base_class(write: Callable[[str], Path]) -> None:
    agent = load_agent(f"{write(WHOLE)}:Pilot")
    agent.setup("weights.pth")
    assert (type(agent).__name__, agent.config) == ("Pilot", "weights.pth")  # type: ignore[attr-defined]


def test_entry_point_names_the_class(write: Callable[[str], Path]) -> None:
    path = write(WHOLE + "def get_entry_point(): return 'Pilot'")
    assert type(load_agent(str(path))).__name__ == "Pilot"


@pytest.mark.parametrize(
    ("signature", "arguments"),
    [
        ("self", ()),
        ("self, port=1", (1,)),
        ("self, host, port", ("127.0.0.1", 2000)),
        ("self, carla_host, carla_port, debug=False", ("127.0.0.1", 2000, False)),
        ("self, *args, **kwargs", ((), {})),
    ],
)
def test_constructors_of_every_leaderboard_generation(
    write: Callable[[str], Path], signature: str, arguments: tuple[Any, ...]
) -> None:
    text = WHOLE + f"    def __init__({signature}): self.seen = tuple(v for k, v in locals().items() if k != 'self')"
    assert load_agent(f"{write(text)}:Pilot").seen == arguments  # type: ignore[attr-defined]


def test_modules_beside_the_file_can_be_imported(write: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "its_network.py").write_text("LAYERS = 3")
    agent = load_agent(f"{write('import its_network' + WHOLE + '    layers = its_network.LAYERS')}:Pilot")
    assert agent.layers == 3  # type: ignore[attr-defined]


def test_dataclasses_and_pickles_find_their_module(write: Callable[[str], Path]) -> None:
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n    x: int = 1\n"
    )
    assert type(load_agent(f"{write(text + WHOLE)}:Pilot")).__name__ == "Pilot"


def test_missing_file_is_named(tmp_path: Path) -> None:
    assert refused(f"{tmp_path}/absent.py:Pilot").message.startswith(f"agent file {tmp_path}/absent.py not found")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def (:", "SyntaxError: invalid syntax"),
        ("import a_module_that_is_not_there", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit('bye')", "SystemExit: bye"),
    ],
)
def test_file_that_does_not_import_says_why(write: Callable[[str], Path], text: str, reason: str) -> None:
    path = write(text)
    assert refused(f"{path}:Pilot").message.startswith(f"agent file {path} does not import: {reason}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Pilot = 3", "no class"),
        ("", "no class"),
        ("from pathlib import Path", "no class"),
        (WHOLE.replace("Pilot", "Other") + WHOLE.replace("Pilot", "Third"), "Other, Third"),
    ],
)
def test_missing_class_lists_those_that_the_file_has(write: Callable[[str], Path], text: str, found: str) -> None:
    path = write(text)
    assert refused(f"{path}:Pilot").message == f"agent class 'Pilot' not in {path} (has {found})"


@pytest.mark.parametrize("method", ["setup", "sensors", "run_step"])
def test_missing_method_is_named(write: Callable[[str], Path], method: str) -> None:
    path = write(WHOLE.replace(method, "another_method"))
    assert refused(f"{path}:Pilot").message == (
        f"agent Pilot in {path} has no {method}; expected the Leaderboard's agent interface"
    )


@pytest.mark.parametrize("body", ["raise ValueError('no weights')", "import sys; sys.exit('no weights')"])
def test_constructor_that_fails_says_why(write: Callable[[str], Path], body: str) -> None:
    path = write(WHOLE + f"    def __init__(self): {body}")
    message = refused(f"{path}:Pilot").message
    assert message.startswith(f"agent Pilot in {path} cannot be made: ")
    assert message.endswith(": no weights")


def test_file_without_class_name_needs_an_entry_point(write: Callable[[str], Path]) -> None:
    path = write(WHOLE)
    assert refused(str(path)).message == f"{path} has no get_entry_point(), expected one or a class name"
    path = write(WHOLE + "def get_entry_point(): raise RuntimeError('not today')")
    assert refused(str(path)).message == f"get_entry_point() of {path} fails: RuntimeError: not today"


def test_loading_again_runs_the_file_again(write: Callable[[str], Path]) -> None:
    path = write(WHOLE + "    number = 1")
    load_agent(f"{path}:Pilot")
    write(WHOLE + "    number = 22222")
    assert load_agent(f"{path}:Pilot").number == 22222  # type: ignore[attr-defined]


@pytest.mark.parametrize("spec", ["expert", "constant"])
def test_check_accepts_built_in_names(spec: str) -> None:
    check_agent_spec(spec)


def test_check_imports_nothing(write: Callable[[str], Path]) -> None:
    path = write("raise SystemExit('imported')")
    check_agent_spec(f"{path}:Pilot")
    check_agent_spec(str(path))


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("experte", "neither a built-in agent nor a .py file"),
        ("", "neither a built-in agent nor a .py file"),
        ("expert:Pilot", "neither a built-in agent nor a .py file"),
        ("absent.py:Pilot", "no such file"),
        ("absent.py", "no such file"),
    ],
)
def test_check_refuses_what_cannot_be_an_agent(spec: str, found: str) -> None:
    with pytest.raises(AgentError) as caught:
        check_agent_spec(spec)
    assert caught.value.message == (f"agent {spec!r}: {found}, expected expert, constant or path/to/file.py:ClassName")


def test_check_refuses_a_folder_called_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "agent.py").mkdir()
    with pytest.raises(AgentError, match="no such file"):
        check_agent_spec(f"{tmp_path}/agent.py:Pilot")


def test_base_class_keeps_what_the_evaluator_hands_over() -> None:
    agent = Agent()
    context = SimpleNamespace(hero="hero", world="world", carla_map="map", route=None)
    agent.attach(context)  # type: ignore[arg-type]
    agent.set_global_plan(["gps"], ["places"])
    assert (agent.hero, agent.world, agent.carla_map) == ("hero", "world", "map")
    assert (agent._global_plan, agent._global_plan_world_coord) == (["gps"], ["places"])
    assert agent.sensors() == []
    with pytest.raises(AgentError, match="Agent has no run_step"):
        agent.run_step({}, 0.0)


@pytest.mark.parametrize(("speed_mps", "pedal"), [(0.0, "throttle"), (4.0, "throttle"), (8.0, "brake")])
def test_constant_agent_holds_its_speed_and_never_steers(speed_mps: float, pedal: str) -> None:
    agent = ConstantAgent()
    agent.hero = SimpleNamespace(get_velocity=lambda: carla.Vector3D(speed_mps, 0.0, 0.0))
    control = agent.run_step({}, 0.0)
    assert control.steer == 0.0
    assert (control.throttle > 0.0, control.brake > 0.0) == (pedal == "throttle", pedal == "brake")

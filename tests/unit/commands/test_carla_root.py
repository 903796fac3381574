"""The real server's command line: what it asks for, what has no effect, what is unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.commands.carla_root import _RPC_PORT_FLAGS, CARLA_ROOT, ServerFlags, parse_server_flags
from harness.errors import ConfigError

# As Leaderboard, Bench2Drive, Fail2Drive, LEAD and others start the server.
WITHOUT_A_WARNING = [
    ("", ServerFlags()),
    (
        "-RenderOffScreen -nosound -carla-rpc-port=30000 -graphicsadapter=0",
        ServerFlags(rpc_port=30000, streaming_port=30001),
    ),
    ("--world-port=2004 -opengl", ServerFlags(rpc_port=2004, streaming_port=2005)),
    ("-carla-streaming-port=0 -carla-rpc-port=4000", ServerFlags(rpc_port=4000, streaming_port=0)),
    (
        "-carla-rpc-port=5000 -carla-streaming-port=6000 -carla-primary-port=0 -nullrhi -nosound -RenderOffscreen",
        ServerFlags(rpc_port=5000, streaming_port=6000),
    ),
    ("/Game/Carla/Maps/Town05 -windowed -ResX=800 -ResY=600 -benchmark -fps=20", ServerFlags(town="Town05")),
    ("Town03 -fps 20 -quality-level Low", ServerFlags(town="Town03")),
    ("CarlaUE4 -vulkan -prefernvidia -log -stdout Town01_Opt?game=x", ServerFlags(town="Town01_Opt")),
    ("-ini:[/Script/Engine.RendererSettings]:r.GraphicsAdapter=2 -ExecCmds=stat", ServerFlags()),
    ("-p 2100 -carla-host 0.0.0.0", ServerFlags(rpc_port=2100, streaming_port=2101, host="0.0.0.0")),
    ("-CARLA-RPC-PORT=2200 -quality-level=Epic", ServerFlags(rpc_port=2200, streaming_port=2201)),
]


@pytest.mark.parametrize(("line", "expected"), WITHOUT_A_WARNING)
def test_command_lines_of_known_scripts_are_read_in_silence(line: str, expected: ServerFlags) -> None:
    assert parse_server_flags(line.split()) == (expected, [])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--ros2", ["--ros2 is unknown to this server and has no effect"]),
        ("-foo=1 -bar 7 Town02", ["-foo=1 is unknown", "-bar is unknown"]),
        ("-carla-rpc-port= Town02", ["-carla-rpc-port= has no value and no effect"]),
        ("Town02 Town03", ["'Town03' is not understood: the town is 'Town02' already"]),
    ],
)
def test_each_unknown_word_gives_one_line(line: str, expected: list[str]) -> None:
    settings, warnings = parse_server_flags(line.split())
    assert [found.startswith(start) for found, start in zip(warnings, expected, strict=True)] == [True] * len(expected)
    assert settings.rpc_port == 2000
    assert settings.town in ("", "Town02")


@pytest.mark.parametrize("port", ["0", "-1", "65536", "2000.0", "99999999999", "\u0663", "port"])
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(ConfigError, match=r"-carla-rpc-port is '.*', expected a port from 1 to 65535"):
        parse_server_flags([f"-carla-rpc-port={port}"])
    if port != "0":
        with pytest.raises(ConfigError, match="-carla-streaming-port is"):
            parse_server_flags([f"-carla-streaming-port={port}"])


@pytest.mark.parametrize("words", [["-p=65535"], ["-p=3000", "-carla-streaming-port=3000"]])
def test_the_streaming_port_is_another_one(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="-carla-streaming-port is"):
        parse_server_flags(words)


@given(
    st.sampled_from(sorted(_RPC_PORT_FLAGS)),
    st.sampled_from(["-", "--"]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 65534),
)
def test_a_port_is_read_however_it_is_written(flag: str, dash: str, is_joined: bool, is_large: bool, port: int) -> None:
    word = dash + (flag.upper() if is_large else flag)
    words = [f"{word}={port}"] if is_joined else [word, str(port)]
    assert parse_server_flags(words) == (ServerFlags(rpc_port=port, streaming_port=port + 1), [])


@given(st.lists(st.text(max_size=12) | st.sampled_from(["-", "--", "=", "-=", "-p", "-fps", "Town01", "-ini:"])))
def test_any_words_are_read_or_refused(words: list[str]) -> None:
    try:
        settings, warnings = parse_server_flags(words)
    except ConfigError as error:
        assert "expected" in error.message
        return
    assert len(warnings) <= len(words)
    assert 0 < settings.rpc_port <= 65535


def test_the_folder_looks_like_the_real_one() -> None:
    assert CARLA_ROOT.is_absolute()
    for script in ("CarlaUE4.sh", "CarlaUE4/Binaries/Linux/CarlaUE4-Linux-Shipping"):
        assert (CARLA_ROOT / script).stat().st_mode & 0o111 == 0o111
    assert (CARLA_ROOT / "VERSION").read_text() == "0.9.16\n"
    # An __init__.py in there would hide the client from scripts that have PythonAPI on their path.
    assert (CARLA_ROOT / "PythonAPI" / "carla").is_dir()
    assert not list(CARLA_ROOT.rglob("*.py"))

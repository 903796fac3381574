"""The embedded simulator in the place of CARLA's server: a folder with a `CarlaUE4.sh` that takes the same flags."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from harness.commands.options import set_up_logging
from harness.errors import ConfigError

CARLA_ROOT = Path(__file__).resolve().parent.parent / "sim" / "carla_root"
DEFAULT_RPC_PORT = 2000
_LAST_PORT = 65535
# The real server begins in the first; the own town is there without a download.
_DEFAULT_TOWNS = ("Town10HD_Opt", "Town10HD", "Borough01")
_PROGRAM = "CarlaUE4"
_PROCESS_NAME = "CarlaUE4-Linux-"  # of CarlaUE4-Linux-Shipping, as much as the kernel keeps
_HOST_FLAG = "carla-host"
_RPC_PORT_FLAGS = frozenset({"carla-rpc-port", "carla-port", "carla-world-port", "world-port", "p"})
_STREAMING_PORT_FLAG = "carla-streaming-port"
# Flags of the real server and of Unreal about pictures, sound, windows, logs and further servers, of which there are
# none here. Those with a value may have it behind "=" or in the next word.
_WITHOUT_EFFECT = frozenset(
    {
        *("renderoffscreen", "nosound", "nullrhi", "opengl", "opengl3", "opengl4", "vulkan", "prefernvidia"),
        *("windowed", "fullscreen", "vsync", "novsync", "nohmd", "nosplash", "notexturestreaming", "benchmark"),
        *("usefixedtimestep", "deterministic", "log", "stdout", "fullstdoutlogoutput", "forcelogflush", "nolog"),
        *("unattended", "nocrashreports", "carla-server", "carla-no-hud", "game", "server", "messaging"),
    }
)
_WITHOUT_EFFECT_WITH_VALUE = frozenset(
    {
        *("quality-level", "graphicsadapter", "fps", "resx", "resy", "winx", "winy", "execcmds", "carla-settings"),
        *("abslog", "logcmds", "carla-primary-port", "carla-primary-host", "carla-secondary-port"),
    }
)
_WITH_VALUE = _WITHOUT_EFFECT_WITH_VALUE | _RPC_PORT_FLAGS | {_STREAMING_PORT_FLAG, _HOST_FLAG}


@dataclass(frozen=True, kw_only=True)
class ServerFlags:
    """What the flags of the real server ask for.

    Attributes:
        streaming_port: 0 = any free port.
        town: empty = none named.
        host: address to listen on, empty = none named.
    """

    rpc_port: int = DEFAULT_RPC_PORT
    streaming_port: int = DEFAULT_RPC_PORT + 1
    town: str = ""
    host: str = ""


def parse_server_flags(words: Sequence[str]) -> tuple[ServerFlags, list[str]]:
    """Read a command line of the real server.

    As with Unreal, names are the same in capitals, one dash does what two do, and the first word that is no flag
    names the map.

    Returns:
        The settings, and one line for each word that is not understood.

    Raises:
        ConfigError: a port is not one.
    """
    values: dict[str, str] = {}
    town, warnings, left = "", [], list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-"):
            if _is_program(word):
                continue
            if town:
                warnings.append(f"{word!r} is not understood: the town is {town!r} already")
            else:
                town = _town_of(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        name = name.lower()
        if not equals and left and _takes_next(name, left[0]):
            value = left.pop(0)
        if name in _WITH_VALUE and name not in _WITHOUT_EFFECT_WITH_VALUE:
            name = "carla-rpc-port" if name in _RPC_PORT_FLAGS else name
            if value:
                values[name] = value
            else:
                warnings.append(f"{word} has no value and no effect")
        elif not _is_known(name):
            warnings.append(f"{word} is unknown to this server and has no effect")
    rpc_port = _port("carla-rpc-port", values.get("carla-rpc-port", str(DEFAULT_RPC_PORT)), first=1)
    streaming_port = _port(_STREAMING_PORT_FLAG, values.get(_STREAMING_PORT_FLAG, str(rpc_port + 1)), first=0)
    if rpc_port == streaming_port:
        raise ConfigError(f"-{_STREAMING_PORT_FLAG} is {streaming_port}, expected another port than that of the calls")
    settings = ServerFlags(
        rpc_port=rpc_port, streaming_port=streaming_port, town=town, host=values.get(_HOST_FLAG, "").strip()
    )
    return settings, warnings


def _is_program(word: str) -> bool:
    """Return whether a word is the name of the program or of its project, which CARLA's own script hands on."""
    return word.rsplit("/", 1)[-1] in (_PROGRAM, f"{_PROGRAM}-Linux-Shipping")


def _town_of(word: str) -> str:
    """Return the town in a map's path, e.g. Town05 in /Game/Carla/Maps/Town05?game=x."""
    return word.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1].removesuffix(".umap")


def _takes_next(name: str, word: str) -> bool:
    """Return whether the next word is the value of a flag without "="; an unknown flag may have a number."""
    if word.startswith("-"):
        return False
    return name in _WITH_VALUE or (not _is_known(name) and word.replace(".", "", 1).isdecimal())


def _is_known(name: str) -> bool:
    return name in _WITHOUT_EFFECT or name in _WITH_VALUE or name.startswith("ini:")


def _port(flag: str, text: str, *, first: int) -> int:
    port = int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else -1
    if not first <= port <= _LAST_PORT:
        raise ConfigError(f"-{flag} is {text[:60]!r}, expected a port from {first} to {_LAST_PORT}")
    return port


@click.command("carla-root")
def carla_root_command() -> None:
    """Print a folder to use as CARLA_ROOT: its CarlaUE4.sh takes the real server's flags and starts this simulator."""
    click.echo(CARLA_ROOT)


@click.command("carla-ue4", hidden=True, context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def carla_ue4_command(words: tuple[str, ...]) -> None:
    """Serve as CarlaUE4.sh was told to."""
    flags, warnings = parse_server_flags(words)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    _take_name()
    from harness.config import carla_root_host, town_folders

    set_up_logging(False)
    from harness.stages.simulate import first_available, free_port, serve

    folders, host = town_folders(), flags.host or carla_root_host()
    wanted = (flags.town, flags.town.removesuffix("_Opt")) if flags.town else _DEFAULT_TOWNS
    serve(
        host=host,
        port=flags.rpc_port,
        stream_port=flags.streaming_port or free_port(host),
        town=first_available(wanted, folders),
        folders=folders,
        resets_between_clients=False,
        on_ready=lambda text: click.echo(text, err=True),
    )


def _take_name() -> None:
    """Be found by scripts that look for the real server: pkill CarlaUE4, killall CarlaUE4-Linux-Shipping."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(_PROCESS_NAME)

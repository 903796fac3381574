"""Start, probe, restart and end one simulator process."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from harness.errors import SimError, WireError
from harness.jobs.processes import end, harness_command, last_lines, start
from harness.sim.wire.rpc import ResponseReader, encode_request

# The first start in a large town parses it, which takes half a minute, or minutes on a busy machine.
START_LIMIT_S = 300.0
PROBE_LIMIT_S = 2.0


def probe_version(host: str, port: int, limit_s: float = PROBE_LIMIT_S) -> str | None:
    """Return the version that a CARLA server at an address answers, None if none answers in time."""
    answer = _ask(host, port, "version", limit_s)
    return answer if isinstance(answer, str) else None


def probe_towns(host: str, port: int, limit_s: float = PROBE_LIMIT_S) -> list[str] | None:
    """Return the names of the towns that a CARLA server can load, None if it does not tell."""
    answer = _ask(host, port, "get_available_maps", limit_s)
    return sorted({str(name).rsplit("/", 1)[-1] for name in answer}) if isinstance(answer, list) and answer else None


def listens(pid: int, port: int) -> bool:
    """Tell whether a process listens at a TCP port; False if that cannot be found out."""
    try:
        sockets = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.Error:
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in sockets)


def _ask(host: str, port: int, method: str, limit_s: float) -> Any | None:
    """Return the answer to a call without arguments, None if nobody gives one within the limit."""
    deadline_s = time.monotonic() + limit_s
    reader = ResponseReader(message_id=1)
    try:
        with socket.create_connection((host, port), limit_s) as connection:
            connection.sendall(encode_request(1, method))
            while (left_s := deadline_s - time.monotonic()) > 0.0:
                connection.settimeout(left_s)
                data = connection.recv(65536)
                if not data:
                    return None
                answer = reader.receive(data)
                if answer is not None:
                    return answer
    except (OSError, WireError):
        return None
    return None


class EmbeddedSimulator:
    """One embedded simulator on a port, kept warm across routes.

    Args:
        port: RPC port; the streaming port is the next one.
        maps: folders with more towns than the simulator knows by itself.
        log: file that gets its output.
    """

    def __init__(self, port: int, maps: Sequence[Path], log: Path) -> None:
        self.port = port
        self._maps = list(maps)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def ensure_running(self, town: str) -> None:
        """Start the simulator unless it answers.

        Args:
            town: to begin with; clients load others as they need.

        Raises:
            SimError: it does not answer within the limit, or ends at once; the message ends with its last words.
        """
        if self._process is not None:
            if self._process.poll() is None and self._is_ready(self._process, PROBE_LIMIT_S):
                return
            self.stop()
        command = harness_command("simulator", "--port", str(self.port), "--town", town, "--reset-between-clients")
        for folder in self._maps:
            command += ["--maps", str(folder)]
        self._process = start([*command, "--parent", str(os.getpid())], self._log)
        self._wait_until_ready(self._process)

    def is_alive(self) -> bool:
        """Tell whether the process is there; it may be hung all the same."""
        return self._process is not None and self._process.poll() is None

    def last_words(self) -> str:
        """Return the end of its log."""
        return last_lines(self._log)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline_s = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline_s:
            if process.poll() is not None:
                raise SimError(
                    f"the simulator ended with code {process.returncode} at its start: "
                    f"{last_lines(self._log, 1).removeprefix('error: ')}",
                    hint=f"see {self._log}",
                )
            if self._is_ready(process, 0.5):
                return
            time.sleep(0.05)
        is_foreign = probe_version("127.0.0.1", self.port) is not None and not listens(process.pid, self.port)
        self.stop()
        whose = ", where another process answers," if is_foreign else ""
        raise SimError(
            f"no answer from 127.0.0.1:{self.port}{whose} within {START_LIMIT_S:.0f} s of the start",
            hint=f"see {self._log}",
        )

    def _is_ready(self, process: subprocess.Popen[bytes], limit_s: float) -> bool:
        """Tell whether our process answers; another one on our port, of another task, is not to be driven in."""
        return probe_version("127.0.0.1", self.port, limit_s) is not None and listens(process.pid, self.port)

    def stop(self) -> None:
        """End the process and its children."""
        if self._process is not None:
            end(self._process)
            self._process = None

"""Workers side by side on this machine: each drives one unit after the other, every drive in a process of its own."""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.datatypes.unit import Unit
from harness.errors import SimError
from harness.jobs.ports import PortBlock, take_port_block
from harness.jobs.processes import end, harness_command, last_lines, start
from harness.jobs.publish import read_json
from harness.jobs.run_folder import Attempt, RunFolder
from harness.supervisor import EmbeddedSimulator, probe_version

# Tries of a unit in one command; only failures of the simulator or of the job's process are tried again.
MAX_ATTEMPTS = 3
# An agent may load a large network before its first tick.
STALL_LIMIT_S = 600.0
ANSWER_LIMIT_S = 5.0
# From the job's last word to its end.
EXIT_LIMIT_S = 30.0
_POLL_S = 0.25


class Reporter(Protocol):
    """Who is told how it goes; called from several threads."""

    def begin(self, run: Path, total: int, done: int, workers: int, notes: list[str]) -> None:
        """The work starts; `done` of `total` units have results already."""

    def unit_started(self, worker: int, unit: Unit, attempt: int) -> None:
        """A worker begins a unit."""

    def unit_progress(self, worker: int, percent: float, sim_s: float) -> None:
        """A worker's unit is that far."""

    def unit_finished(self, worker: int, unit: Unit, record: dict[str, Any] | None, text: str) -> None:
        """A unit has its result, or `record` is None and `text` says why not."""


@dataclass(frozen=True)
class Address:
    """A CARLA server that is already running."""

    host: str
    port: int

    def version(self) -> str | None:
        """Return the version of the CARLA server that is there now, None if there is none."""
        return probe_version(self.host, self.port, ANSWER_LIMIT_S)


@dataclass
class Crew:
    """Workers side by side, each a thread with its own simulator; units come from one queue.

    Attributes:
        endpoint: the server to drive in; None gives every worker an embedded simulator.
        maps: folders with more towns for the embedded simulators.
        failures: units without a result, and why.
    """

    run: RunFolder
    units: list[Unit]
    workers: int
    endpoint: Address | None
    maps: list[Path]
    reporter: Reporter
    failures: list[tuple[Unit, str]] = field(default_factory=list)
    _drives: int = 0

    def work(self) -> bool:
        """Drive all units; True if the user interrupted it. No process is left either way."""
        self._queue: queue.SimpleQueue[Unit] = queue.SimpleQueue()
        for unit in self.units:
            self._queue.put(unit)
        self._stop = threading.Event()
        self._broken: list[BaseException] = []
        self._is_interrupted = False
        threads = [threading.Thread(target=self._guarded, args=(number,)) for number in range(self.workers)]
        with _on_interrupt(self._interrupt):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self._broken:
            raise self._broken[0]
        return self._is_interrupted

    def _interrupt(self) -> None:
        self._is_interrupted = True
        self._stop.set()

    def _guarded(self, number: int) -> None:
        try:
            self._run_worker(number)
        except BaseException as error:
            self._broken.append(error)
            self._stop.set()

    def _run_worker(self, number: int) -> None:
        block = take_port_block()
        simulator = (
            None
            if self.endpoint
            else EmbeddedSimulator(block.rpc, self.maps, self.run.folder / "simulators" / f"worker_{number}.log")
        )
        try:
            while not self._stop.is_set():
                try:
                    unit = self._queue.get_nowait()
                except queue.Empty:
                    return
                self._drive(number, unit, simulator, block)
        finally:
            if simulator is not None:
                simulator.stop()
            block.release()

    def _drive(self, number: int, unit: Unit, simulator: EmbeddedSimulator | None, block: PortBlock) -> None:
        reason = ""
        for _ in range(MAX_ATTEMPTS):
            attempt = self.run.next_attempt(unit)
            self.reporter.unit_started(number, unit, attempt.number)
            try:
                if simulator is not None:
                    simulator.ensure_running(unit.town)
                reason = self._try(number, unit, attempt, simulator, block)
            except SimError as error:
                reason = error.message
            if attempt.result.is_file():
                content = read_json(attempt.result)
                detail = _one_line(content["harness"]["failure_detail"])
                self.reporter.unit_finished(number, unit, content["_checkpoint"]["records"][0], detail)
                return
            if self._stop.is_set() or reason.startswith(_NOT_RETRIED):
                break
            if simulator is not None:
                # Whatever went wrong, a fresh simulator is the cheapest way to be sure of it.
                simulator.stop()
            elif self.endpoint is not None and self.endpoint.version() is None:
                reason = f"no CARLA server answers at {self.endpoint.host}:{self.endpoint.port} any more"
                self._stop.set()
                break
        self.failures.append((unit, reason))
        self.reporter.unit_finished(number, unit, None, reason)

    def _try(
        self, number: int, unit: Unit, attempt: Attempt, simulator: EmbeddedSimulator | None, block: PortBlock
    ) -> str:
        """Run the job of a unit; return why it left no result, if it left none."""
        reading, writing = os.pipe()
        process = start(self._job_command(attempt, block, writing), attempt.log, pass_fds=[writing])
        os.close(writing)
        given_up = ""
        try:
            given_up = self._follow(reading, number, attempt.log, simulator)
            if not given_up:
                process.wait(EXIT_LIMIT_S)
        except subprocess.TimeoutExpired:
            given_up = f"the job did not end within {EXIT_LIMIT_S:.0f} s of its last word; see {attempt.log}"
        finally:
            os.close(reading)
            end(process)
        return given_up or _exit_reason(process.returncode, attempt.log)

    def _job_command(self, attempt: Attempt, block: PortBlock, progress_fd: int) -> list[str]:
        address = self.endpoint or Address("127.0.0.1", block.rpc)
        self._drives += 1
        traffic_manager_port = block.traffic_manager_of(self._drives) if self.endpoint else block.traffic_manager
        return harness_command(
            *("drive-unit", "--unit", str(attempt.unit_file), "--result", str(attempt.result)),
            *("--host", address.host, "--port", str(address.port)),
            *("--traffic-manager-port", str(traffic_manager_port)),
            *("--label", "CARLA" if self.endpoint else "embedded"),
            *("--progress-fd", str(progress_fd), "--parent", str(os.getpid())),
        )

    def _follow(self, reading: int, number: int, log: Path, simulator: EmbeddedSimulator | None) -> str:
        """Pass progress lines on until the job closes its end; return why it was given up before, if it was."""
        buffer, heard_s = b"", time.monotonic()
        while not self._stop.is_set():
            ready, _, _ = select.select([reading], [], [], _POLL_S)
            if ready:
                data = os.read(reading, 65536)
                if not data:
                    return ""
                heard_s = time.monotonic()
                *lines, buffer = (buffer + data).split(b"\n")
                buffer = buffer[-_LONGEST_LINE_BYTES:]
                for percent, sim_s in filter(None, map(_parse_progress, lines)):
                    self.reporter.unit_progress(number, percent, sim_s)
            elif simulator is not None and not simulator.is_alive():
                # The client would wait for half a minute before it noticed.
                return "the simulator ended during the drive"
            elif time.monotonic() - heard_s > STALL_LIMIT_S:
                return f"no progress for {STALL_LIMIT_S:.0f} s; see {log}"
        return "interrupted"


_LONGEST_LINE_BYTES = 4096
_LONGEST_DETAIL = 300
# Ends of a job that another try cannot change.
_NOT_RETRIED = ("interrupted", "error 2: ")


def _one_line(text: str) -> str:
    """Return what can be printed of a text, on one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST_DETAIL]


def _parse_progress(line: bytes) -> tuple[float, float] | None:
    """Return percent and simulated seconds; None for anything else, since an agent can write to any descriptor."""
    try:
        match json.loads(line):
            case {"percent": int() | float() as percent, "sim_s": int() | float() as sim_s}:
                return float(percent), float(sim_s)
    except (ValueError, RecursionError):
        return None
    return None


def _exit_reason(code: int, log: Path) -> str:
    errors = [line for line in last_lines(log).splitlines() if line.startswith("error: ")]
    text = errors[-1].removeprefix("error: ") if errors else f"the job ended without a result; see {log}"
    return f"signal {signal.Signals(-code).name}: {text}" if code < 0 else f"error {code}: {text}"


@contextmanager
def _on_interrupt(act: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM call `act`, instead of an exception wherever the main thread happens to be."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: act()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

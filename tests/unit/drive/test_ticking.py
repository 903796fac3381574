"""Ticking beside a Traffic Manager: waiting for its thread to sleep, and noticing a tick that never returns."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.drive import ticking
from harness.drive.ticking import Ticker, find_worker, threads
from harness.errors import EXIT_SIMULATOR

TASKS = Path("/proc/self/task")
LONG_S = 10.0


def world_of(tick: Callable[[], object]) -> SimpleNamespace:
    return SimpleNamespace(tick=lambda limit_s: tick(), apply_settings=lambda settings: tick())


class Worker:
    """A thread that first spins without holding Python's lock, then sleeps until it is told to end.

    Attributes:
        spun_s: when it stopped spinning.
    """

    def __init__(self, name: str = "", spin_rounds: int = 0) -> None:
        self._name, self._rounds = name, spin_rounds
        self._may_end, self._has_begun = threading.Event(), threading.Event()
        self.spun_s = 0.0
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        assert self._has_begun.wait(LONG_S)

    def _work(self) -> None:
        if self._name:
            (TASKS / str(threading.get_native_id()) / "comm").write_text(self._name)
        self._has_begun.set()
        if self._rounds:
            hashlib.pbkdf2_hmac("sha256", b"", b"", self._rounds)
        self.spun_s = time.monotonic()
        self._may_end.wait()

    @property
    def thread_id(self) -> int:
        assert self._thread.native_id is not None
        return self._thread.native_id

    def end(self) -> None:
        """End the thread and wait until the system has forgotten it."""
        self._may_end.set()
        self._thread.join()
        wait_until(lambda: not (TASKS / str(self.thread_id)).exists())


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LONG_S
    while not is_true():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


@contextmanager
def worker(name: str = "", spin_rounds: int = 0) -> Iterator[Worker]:
    made = Worker(name, spin_rounds)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def rounds_per_s() -> float:
    began_s = time.monotonic()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 50_000)
    return 50_000 / (time.monotonic() - began_s)


# --- waiting for the worker -------------------------------------------------------------------------------------------


def tick(ticker: Ticker) -> None:
    ticker.tick()


def set_free(ticker: Ticker) -> None:
    """The client lets the Traffic Manager work in this call, too."""
    ticker.apply_settings("settings")


@pytest.mark.parametrize("call", [tick, set_free])
def test_a_busy_worker_delays_the_tick_until_it_sleeps(
    monkeypatch: pytest.MonkeyPatch, rounds_per_s: float, call: Callable[[Ticker], None]
) -> None:
    monkeypatch.setattr(ticking, "_PARK_LIMIT_S", LONG_S)
    ticked_s: list[float] = []
    ticker = Ticker(world_of(lambda: ticked_s.append(time.monotonic())))
    with worker(spin_rounds=int(0.3 * rounds_per_s)) as busy:
        ticker.watch_worker(busy.thread_id)
        began_s = time.monotonic()
        call(ticker)
        wait_until(lambda: busy.spun_s > 0.0)
        # Between its spinning and its note of the time, the worker may have slept to get Python's lock.
        assert ticked_s[0] > busy.spun_s - 0.05
        assert ticked_s[0] - began_s > 0.05
    ticker.close()


def test_a_worker_that_never_sleeps_delays_the_tick_only_so_long(
    monkeypatch: pytest.MonkeyPatch, rounds_per_s: float
) -> None:
    monkeypatch.setattr(ticking, "_PARK_LIMIT_S", 0.1)
    ticked_s: list[float] = []
    ticker = Ticker(world_of(lambda: ticked_s.append(time.monotonic())))
    with worker(spin_rounds=int(1.0 * rounds_per_s)) as busy:
        ticker.watch_worker(busy.thread_id)
        began_s = time.monotonic()
        ticker.tick()
        assert busy.spun_s == 0.0
        assert ticked_s[0] - began_s >= 0.1
    ticker.close()


@pytest.mark.parametrize("name", ["", "a b", ") R (", "x) R 1"])
def test_a_sleeping_worker_delays_nothing_whatever_its_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(ticking, "_PARK_LIMIT_S", LONG_S)
    ticker = Ticker(world_of(lambda: None))
    with worker(name) as idle:
        wait_until(lambda: idle.spun_s > 0.0)
        ticker.watch_worker(idle.thread_id)
        began_s = time.monotonic()
        ticker.tick()
        assert time.monotonic() - began_s < LONG_S / 2.0
    ticker.close()


@pytest.mark.parametrize(
    ("call", "is_waiting"),
    [
        # As the kernel shows them: glibc 2.36 on x86_64, 2.31, aarch64; a busy thread; std::future, sleep, poll.
        (b"202 0x55e31e1f6404 0x189 0x0 0x0 0x0 0xffffffff 0x7ffe87141ed0 0x7fa35caa3f16", True),
        (b"202 0x55e31e1f6404 0x80 0x0 0x0 0x0 0x0 0x7ffe87141ed0 0x7fa35caa3f16", True),
        (b"98 0x55e31e1f6404 0x189 0x0 0x0 0x0 0xffffffff 0x7ffe87141ed0 0x7fa35caa3f16", True),
        (b"running", False),
        (b"202 0x7f8b94001050 0x109 0x80000000 0x7fd01da36b30 0x0 0xffffffff 0x7fd01da36b08 0x7fd02351f829", False),
        (b"202 0x7f8b94001050 0x189 0x0 0x7fd01da36b30 0x0 0xffffffff 0x7fd01da36b08 0x7fd02351f829", False),
        (b"230 0x1 0x80 0x7fa356892a20 0x0 0x0 0x0 0x7fa356892a00 0x7fa35caed545", False),
        (b"7 0x1 0x80 0x0 0x0 0x0 0x0 0x7fa356892a00 0x7fa35caed545", False),
    ],
)
def test_only_a_condition_variable_is_waited_for_in_this_way(call: bytes, is_waiting: bool) -> None:
    assert ticking._is_on_condition(call) is is_waiting


def test_a_worker_that_has_ended_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticking, "_PARK_LIMIT_S", LONG_S)
    ticks: list[None] = []
    ticker = Ticker(world_of(lambda: ticks.append(None)))
    with worker() as gone:
        ticker.watch_worker(gone.thread_id)
    began_s = time.monotonic()
    ticker.tick()
    assert time.monotonic() - began_s < LONG_S / 2.0
    assert len(ticks) == 1
    ticker.close()


def test_without_a_worker_the_world_is_just_ticked() -> None:
    ticks: list[None] = []
    ticker = Ticker(world_of(lambda: ticks.append(None)))
    ticker.watch_worker(None)
    for _ in range(3):
        ticker.tick()
    assert len(ticks) == 3
    ticker.close()


# --- which thread it is -----------------------------------------------------------------------------------------------


def test_the_worker_is_the_new_thread_that_is_no_server() -> None:
    before = threads()
    with worker("server"), worker() as wanted, worker("server"):
        assert find_worker(before) == wanted.thread_id


def test_a_server_that_takes_its_name_late_is_waited_for() -> None:
    before = threads()
    with worker() as late, worker() as wanted:
        threading.Timer(0.1, (TASKS / str(late.thread_id) / "comm").write_text, ["server"]).start()
        assert find_worker(before | {t.native_id for t in threading.enumerate() if isinstance(t, threading.Timer)}) == (
            wanted.thread_id
        )


def test_no_worker_if_none_or_several_are_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticking, "_NAMING_LIMIT_S", 0.05)
    before = threads()
    assert find_worker(before) is None
    with worker("server"):
        assert find_worker(before) is None
    with worker(), worker("other"):
        assert find_worker(before) is None


def test_old_threads_are_not_the_worker() -> None:
    with worker() as old:
        assert old.thread_id in threads()
        before = threads()
        with worker() as new:
            assert find_worker(before) == new.thread_id


# --- a tick that does not return --------------------------------------------------------------------------------------


@pytest.fixture
def quick_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a tick count as stuck after 0.2 s."""
    monkeypatch.setattr(ticking, "TICK_LIMIT_S", 0.2)
    monkeypatch.setattr(ticking, "FIRST_TICK_LIMIT_S", 0.2)
    monkeypatch.setattr(ticking, "_WATCH_PAUSE_S", 0.02)


@pytest.mark.usefixtures("quick_watch")
@pytest.mark.parametrize("call", [tick, set_free])
def test_a_tick_that_never_returns_is_reported_once(call: Callable[[Ticker], None]) -> None:
    may_return, calls, noticed = threading.Event(), [], threading.Event()

    def on_stuck() -> None:
        calls.append(time.monotonic())
        noticed.set()

    ticker = Ticker(world_of(may_return.wait), on_stuck)
    began_s = time.monotonic()
    ticking_thread = threading.Thread(target=call, args=(ticker,), daemon=True)
    ticking_thread.start()
    assert noticed.wait(LONG_S)
    assert calls[0] - began_s > 0.2
    time.sleep(0.1)
    assert len(calls) == 1
    may_return.set()
    ticking_thread.join()
    ticker.close()


@pytest.mark.usefixtures("quick_watch")
def test_ticks_that_return_or_fail_are_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticking, "TICK_LIMIT_S", 0.6)
    monkeypatch.setattr(ticking, "FIRST_TICK_LIMIT_S", 0.6)
    calls: list[None] = []
    ticker = Ticker(world_of(lambda: time.sleep(0.03)), lambda: calls.append(None))
    for _ in range(25):
        ticker.tick()

    def fail() -> None:
        raise RuntimeError("time-out")

    failing = Ticker(world_of(fail), lambda: calls.append(None))
    with pytest.raises(RuntimeError, match="time-out"):
        failing.tick()
    time.sleep(0.8)  # a caller that thinks about the failure
    assert calls == []
    ticker.close()
    failing.close()


@pytest.mark.parametrize(("snapshot", "is_busy", "is_lost"), [(8, False, True), (7, False, False), (8, True, False)])
def test_two_sides_that_sleep_although_the_frame_is_there_are_lost(
    monkeypatch: pytest.MonkeyPatch, snapshot: int, is_busy: bool, is_lost: bool
) -> None:
    monkeypatch.setattr(ticking, "_WATCH_PAUSE_S", 0.02)
    monkeypatch.setattr(ticking, "LOST_SIGNAL_S", 0.3)
    may_return, is_over, noticed = threading.Event(), threading.Event(), threading.Event()
    returned = iter([7])

    def tick(limit_s: float) -> int:
        for frame in returned:
            return frame
        may_return.wait()
        return 8

    def poll() -> None:
        while not is_over.wait(0.01 if is_busy else LONG_S):
            pass

    side = threading.Thread(target=poll, daemon=True)
    side.start()
    world = SimpleNamespace(tick=tick, get_snapshot=lambda: SimpleNamespace(frame=snapshot))
    ticker = Ticker(world, noticed.set)

    def drive() -> None:
        ticker.watch_worker(side.native_id)
        ticker.tick()
        ticker.tick()

    driving = threading.Thread(target=drive, daemon=True)
    driving.start()
    assert noticed.wait(LONG_S if is_lost else 1.0) is is_lost
    for event in (may_return, is_over):
        event.set()
    driving.join()
    ticker.close()


def test_the_first_tick_may_take_longer_than_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticking, "TICK_LIMIT_S", 10.0)
    monkeypatch.setattr(ticking, "FIRST_TICK_LIMIT_S", 100.0)
    limits_s: list[float] = []
    ticker = Ticker(SimpleNamespace(tick=limits_s.append))
    for _ in range(3):
        ticker.tick()
    ticker.close()
    assert limits_s == [80.0, 8.0, 8.0]


def test_the_process_ends_with_one_line_if_nothing_else_is_asked_for() -> None:
    program = (
        "import threading\n"
        "from types import SimpleNamespace\n"
        "from harness.drive import ticking\n"
        "ticking.FIRST_TICK_LIMIT_S, ticking._WATCH_PAUSE_S = 0.1, 0.02\n"
        "ticking.Ticker(SimpleNamespace(tick=lambda limit_s: threading.Event().wait())).tick()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == EXIT_SIMULATOR
    assert done.stderr == "error: world.tick() did not return in time (client hung)\n"


# --- closing ----------------------------------------------------------------------------------------------------------


def open_files() -> list[str]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:  # the listing's own descriptor
            continue
    return found


def test_close_releases_the_descriptor_and_ends_the_watch() -> None:
    before = set(threading.enumerate())
    ticker = Ticker(world_of(lambda: None))
    (watch,) = set(threading.enumerate()) - before
    with worker() as watched:
        ticker.watch_worker(watched.thread_id)
        assert any(f"/task/{watched.thread_id}/syscall" in name for name in open_files())
        ticker.close()
        assert not any(f"/task/{watched.thread_id}/syscall" in name for name in open_files())
    watch.join(LONG_S)
    assert not watch.is_alive()
    ticker.close()

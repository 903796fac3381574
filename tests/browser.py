"""A headless Chromium that tests talk to by its DevTools protocol, over a pipe: no port, no driver, no package.

with Browser(folder) as browser:
    tab = browser.open(file, width_px=400)
    tab.value("document.title")
    tab.complaints, tab.requests
"""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from select import select
from time import monotonic
from types import TracebackType
from typing import Any

NOT_INSTALLED = "Chromium is not installed; type: apt-get install --no-install-recommends chromium"
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_LIMIT_S = 30.0
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update"),
    "--remote-debugging-pipe",
)


class Browser:
    """A browser with a profile of its own below a folder; it ends with the block."""

    def __init__(self, folder: Path) -> None:
        # Chromium reads commands from 3 and writes answers to 4; ours must not be those numbers.
        (theirs_in, self._out), (self._in, theirs_out) = (tuple(map(_high, os.pipe())) for _ in range(2))
        flags = [*_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        with (folder / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}', _program(), *flags],
                pass_fds=(theirs_in, theirs_out),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        os.close(theirs_in)
        os.close(theirs_out)
        self._log = folder / "chromium.log"
        self._ids = itertools.count(1)
        self._buffer = b""
        self._tabs: dict[str, Tab] = {}

    @staticmethod
    def is_installed() -> bool:
        """Tell whether there is one on this machine."""
        return any(map(shutil.which, _PROGRAMS))

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def open(self, file: Path, *, width_px: int = 1280, height_px: int = 900, is_dark: bool = False) -> Tab:
        """Open a file as a page of some width and wait until it is loaded."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{domain}.enable")
        size = {"width": width_px, "height": height_px, "deviceScaleFactor": 1, "mobile": False}
        tab.call("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        tab.call("Emulation.setEmulatedMedia", {"features": [scheme]})
        tab.call("Page.navigate", {"url": file.resolve().as_uri()})
        self.wait(lambda: tab.is_loaded)
        return tab

    def call(self, method: str, parameters: dict[str, Any] | None = None, session: str = "") -> dict[str, Any]:
        """Send a command and return its result.

        Raises:
            AssertionError: the browser refused it, did not answer in time or is gone.
        """
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters or {}}
        _write(self._out, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        answers: list[dict[str, Any]] = []
        self.wait(
            lambda: bool(answers), lambda received: answers.append(received) if received.get("id") == number else None
        )
        assert "error" not in answers[0], f"{method}: {answers[0]['error']}"
        result: dict[str, Any] = answers[0]["result"]
        return result

    def wait(self, is_over: Callable[[], bool], take: Callable[[dict[str, Any]], None] = lambda message: None) -> None:
        """Receive messages until something holds."""
        limit = monotonic() + _LIMIT_S
        while not is_over():
            while b"\0" not in self._buffer:
                assert select([self._in], [], [], max(0.0, limit - monotonic()))[0], f"no answer in {_LIMIT_S:.0f} s"
                received = os.read(self._in, 1 << 20)
                assert received, f"the browser ended: {self._log.read_text(errors='replace')[-2000:]}"
                self._buffer += received
            line, _, self._buffer = self._buffer.partition(b"\0")
            message = json.loads(line)
            if tab := self._tabs.get(message.get("sessionId", "")):
                tab.notice(message)
            take(message)


class Tab:
    """One page.

    Attributes:
        complaints: what stands in its console as an error or a warning, and errors that nothing caught.
        requests: addresses that it asked for, itself included.
    """

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.is_loaded = False
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def call(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a command for this page."""
        return self._browser.call(method, parameters, self._session)

    def value(self, expression: str) -> Any:
        """Return what a JavaScript expression gives, as JSON has it; errors fail the test."""
        answer = self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key, such as Tab or Enter."""
        codes = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " ")}
        code, text = codes[key]
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", {"type": kind, "key": key, "windowsVirtualKeyCode": code, "text": text})

    def screenshot(self, file: Path, *, is_whole: bool = True) -> None:
        """Write a PNG of the page, all of it or what the window shows."""
        answer = self.call("Page.captureScreenshot", {"captureBeyondViewport": is_whole, **self._clip(is_whole)})
        file.write_bytes(base64.b64decode(answer["data"]))

    def _clip(self, is_whole: bool) -> dict[str, Any]:
        if not is_whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def notice(self, message: dict[str, Any]) -> None:
        """Keep what an event of this page says."""
        parameters = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self.is_loaded = True
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                self.complaints.append(json.dumps(parameters["args"]))
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self.complaints.append(parameters["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])


def _write(descriptor: int, content: bytes) -> None:
    # A pipe may take a part.
    while content:
        content = content[os.write(descriptor, content) :]


def _high(descriptor: int) -> int:
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return copy


def _program() -> str:
    return next(found for program in _PROGRAMS if (found := shutil.which(program)))

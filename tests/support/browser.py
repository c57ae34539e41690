"""A Chromium without a window, driven over a pipe: what the tests of the HTML report look through.

The browser is Debian's, and it speaks the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/) on
two descriptors, one JSON message after another, each ended by a zero byte. That is all a test needs, so that nothing
has to be downloaded or to match the browser's version.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

PATIENCE: Final = 90.0
"""Seconds that the browser may take for one answer, on a slow machine under load."""
_FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-default-apps",
    "--disable-dev-shm-usage", "--hide-scrollbars",
    "--force-color-profile=srgb", "--remote-debugging-pipe",
)  # fmt: skip


def find() -> str | None:
    """The browser's path, if there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class BrowserError(Exception):
    """The browser refused, ended, or took too long."""


class Browser:
    """A running browser; a context manager."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="datacrumbs-browser-", ignore_cleanup_errors=True)
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        # The browser's ends have to be its descriptors 3 and 4, so on their way they must be none of these.
        command_read, answer_write = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 50) for fd in (commands, answers))
        os.close(commands)
        os.close(answers)
        script = f'exec "$@" 3<&{command_read} 4>&{answer_write} {command_read}<&- {answer_write}>&-'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", find() or "chromium", *_FLAGS, f"--user-data-dir={self._profile.name}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[command_read, answer_write],
        )  # fmt: skip
        os.close(command_read)
        os.close(answer_write)
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.send("Browser.close")
        except (BrowserError, OSError):
            self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()

    def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """One command and its answer; what happens meanwhile is added to `events`.

        Raises:
            BrowserError: the browser refuses it, or is gone.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(self._read, 1 << 20) if ready else b""
            if not part:
                raise BrowserError("the browser ended" if ready else "the browser does not answer")
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        value: dict[str, Any] = json.loads(message)
        return value

    @contextmanager
    def page(self, width: int = 1280, height: int = 900, *, dark: bool = False) -> Iterator[Page]:
        """A tab with a window of that size."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        try:
            for domain in ("Page", "Runtime", "Log", "Network"):
                page.send(f"{domain}.enable")
            page.resize(width, height)
            page.scheme("dark" if dark else "light")
            yield page
        finally:
            self.send("Target.closeTarget", targetId=target)


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One command for this tab."""
        return self._browser.send(method, self._session, **params)

    def resize(self, width: int, height: int = 900) -> None:
        """Gives the window another size, in CSS pixels."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def scheme(self, name: str) -> None:
        """What the reader prefers: "light" or "dark"."""
        wishes = {"prefers-color-scheme": name, "prefers-reduced-motion": "reduce"}
        self.send("Emulation.setEmulatedMedia", features=[{"name": k, "value": v} for k, v in wishes.items()])

    def open(self, path: Path, fragment: str = "") -> None:
        """Opens a file and waits until the report has drawn itself."""
        self.send("Page.navigate", url=path.resolve().as_uri() + fragment)
        self.wait("document.documentElement?.dataset.ready === 'yes'")
        self.settle()

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for.

        Raises:
            BrowserError: it throws.
        """
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Waits until a JavaScript expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.run(f"Boolean({condition})"):
            if time.monotonic() > deadline:
                raise BrowserError(f"still not true: {condition}")
            time.sleep(0.03)

    def settle(self) -> None:
        """Waits until what was asked for is drawn: observers and animation frames have run."""
        self.run(
            "new Promise((done) => requestAnimationFrame(() => setTimeout(() => requestAnimationFrame(done), 60)))"
        )

    def key(self, name: str, *, text: str = "") -> None:
        """Presses a key, such as "Tab", "ArrowLeft", "Escape" or "a"."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38,
                 "ArrowRight": 39, "ArrowDown": 40}  # fmt: skip
        text = text or (name if len(name) == 1 else "\r" if name == "Enter" else "")
        key = {"key": name, "code": name, "windowsVirtualKeyCode": codes.get(name, 0)}
        self.send("Input.dispatchKeyEvent", type="keyDown", **key, **({"text": text} if text else {}))
        self.send("Input.dispatchKeyEvent", type="keyUp", **key)
        self.settle()

    def drag(self, selector: str, begin: float, end: float, height: float = 0.5) -> None:
        """Drags over an element, from one share of its width to another."""
        box = self.run(
            f"(() => {{ const node = document.querySelector({json.dumps(selector)});"
            " node.scrollIntoView({block: 'center'}); const box = node.getBoundingClientRect();"
            " return [box.x, box.y, box.width, box.height]; })()"
        )
        self.settle()
        left, top, width, tall = box
        y = top + tall * height
        for kind, share, buttons in (
            ("mouseMoved", begin, 0), ("mousePressed", begin, 1), ("mouseMoved", (begin + end) / 2, 1),
            ("mouseMoved", end, 1), ("mouseReleased", end, 0),
        ):  # fmt: skip
            self.send("Input.dispatchMouseEvent", type=kind, x=left + width * share, y=y, button="left",
                      buttons=buttons, clickCount=1)  # fmt: skip
        self.settle()

    def picture(self, *, whole: bool = False) -> bytes:
        """What the tab shows as PNG; `whole`: the whole page and not only what is in view."""
        params: dict[str, Any] = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            size = self.send("Page.getLayoutMetrics")["cssContentSize"]
            params["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        return base64.b64decode(self.send("Page.captureScreenshot", **params)["data"])

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, uncaught exceptions and breaches of the security policy so far."""
        found = []
        for event in self._events():
            params = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                found.append(details.get("exception", {}).get("description") or details["text"])
            elif event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(params["entry"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append(str(params["args"]))
        return found

    def requests(self) -> list[str]:
        """Addresses of all that the tab has asked for."""
        return [e["params"]["request"]["url"] for e in self._events() if e["method"] == "Network.requestWillBeSent"]

    def _events(self) -> list[dict[str, Any]]:
        self.run("0")
        return [
            event for event in self._browser.events if event.get("sessionId") == self._session and "method" in event
        ]

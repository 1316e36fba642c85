"""A headless Chromium that a test can drive: DevTools' protocol over a pipe, without a port or a driver."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 30.0
"""Seconds to wait for an answer."""
KEYS = {" ": ("Space", 32), "End": ("End", 35), "Home": ("Home", 36), "ArrowLeft": ("ArrowLeft", 37)}
KEYS |= {"ArrowRight": ("ArrowRight", 39), "Tab": ("Tab", 9), "n": ("KeyN", 78), "p": ("KeyP", 80)}


def found() -> str | None:
    """The path of a Chromium, None where there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Chromium:
    """One page; ``errors`` are those that it logged."""

    def __init__(self, profile: Path) -> None:
        mine, theirs = os.pipe(), os.pipe()  # what it reads, what it writes

        def connect() -> None:  # in the child: file 3 is what it reads, file 4 what it writes
            read, write = os.dup(mine[0]), os.dup(theirs[1])
            os.dup2(read, 3)
            os.dup2(write, 4)

        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"]
        self._process = subprocess.Popen(
            [str(found()), *flags, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=connect, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(mine[0])
        os.close(theirs[1])
        self._write, self._read = mine[1], theirs[0]
        self._left, self._number, self._session = b"", 0, ""
        self.errors: list[str] = []
        target = next(t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def open(self, url: str, wide: int, high: int, dark: bool = False) -> float:
        """Show a page in a window of this size; returns the seconds until it had run."""
        size = {"width": wide, "height": high, "deviceScaleFactor": 1, "mobile": wide < 600}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._call("Emulation.setEmulatedMedia", features=scheme)
        began = time.monotonic()
        self._call("Page.navigate", url="about:blank")
        self._call("Page.navigate", url=url)
        while self.run("document.readyState + location.href") != "complete" + url.replace(" ", "%20"):
            if time.monotonic() - began > PATIENCE:
                raise TimeoutError(f"{url} does not finish to load")
        return time.monotonic() - began

    def run(self, expression: str) -> Any:
        """The value of an expression of JavaScript in the page."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key."""
        code, number = KEYS[key]
        told: dict[str, Any] = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        text = {"text": key} if len(key) == 1 else {}
        self._call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **told, **text)
        self._call("Input.dispatchKeyEvent", type="keyUp", **told)

    def picture(self, path: Path, whole: bool = False) -> None:
        """A PNG of the window, or of the ``whole`` page."""
        shot = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        told: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            told["sessionId"] = self._session
        os.write(self._write, json.dumps(told).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(str(answer["params"]["exceptionDetails"]))
            if answer.get("method") == "Log.entryAdded" and answer["params"]["entry"]["level"] == "error":
                self.errors.append(str(answer["params"]["entry"]["text"]))
            if answer.get("method") == "Runtime.consoleAPICalled" and answer["params"]["type"] == "error":
                self.errors.append(str(answer["params"]["args"]))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            if not select.select([self._read], [], [], PATIENCE)[0]:
                raise TimeoutError("the browser does not answer")
            more = os.read(self._read, 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self._left += more
        message, self._left = self._left.split(b"\0", 1)
        return dict(json.loads(message))

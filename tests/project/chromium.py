"""A headless Chromium, driven through its debugging pipe: no package is needed for that.

See the DevTools protocol: messages are JSON, each ended by a NUL; commands are answered by `id`,
events have none.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 60.0
# Chromium takes commands at descriptor 3 and answers at 4: number them so, then become Chromium.
NUMBERED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find_chromium() -> str | None:
    """Return its path, if one is installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page. `events` holds what Chromium told unasked, in order."""

    def __init__(self, commands: int, answers: int) -> None:
        self.events: list[dict[str, Any]] = []
        self._commands, self._answers = commands, answers
        self._unread = b""
        self._number = 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while True:
            message = self._read(deadline)
            if message.get("id") == self._number:
                assert "error" not in message, (method, message["error"])
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression, of a promise when it is kept."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Return the expression's value as soon as it is true, in JavaScript's sense."""
        deadline = time.monotonic() + SECONDS
        while not (value := self.evaluate(script)):
            assert time.monotonic() < deadline, (script, self.evaluate("document.body.innerText"))
            time.sleep(0.2)
        return value

    def type_into(self, selector: str, text: str) -> None:
        """Type as a person does: what listens to the field is told."""
        self.wait_for(f"document.querySelector({selector!r}) !== null")
        self.evaluate(f"document.querySelector({selector!r}).focus()")
        self.call("Input.insertText", text=text)

    def answers_of(self, path: str) -> list[Any]:
        """Return the JSON of the whole answers that the page has had from addresses with `path`."""
        at = {
            event["params"]["requestId"]
            for event in self.events
            if event.get("method") == "Network.responseReceived"
            and path in event["params"]["response"]["url"]
        }
        return [
            json.loads(
                self.call("Network.getResponseBody", requestId=event["params"]["requestId"])["body"]
            )
            for event in list(self.events)
            if event.get("method") == "Network.loadingFinished"
            and event["params"]["requestId"] in at
        ]

    def picture(self, file: Path) -> None:
        """Write what is seen as PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._answers], [], [], max(left, 0))
            assert ready, "Chromium does not answer"
            chunk = os.read(self._answers, 1 << 16)
            assert chunk, "Chromium is gone"
            self._unread += chunk
        text, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message


@contextmanager
def opened(browser: str, profile: Path, width: int = 1400, height: int = 1300) -> Iterator[Page]:
    """Start a browser with one page, and end it after the block."""
    its_commands, commands = os.pipe()
    answers, its_answers = os.pipe()
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},{height}",
        f"--user-data-dir={profile}", "--no-first-run", "--disable-background-networking",
        "--remote-debugging-pipe",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", NUMBERED, str(its_commands), str(its_answers), browser, *options],
        pass_fds=(its_commands, its_answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(its_commands)
    os.close(its_answers)
    try:
        yield Page(commands, answers)
    finally:
        os.close(commands)  # it ends when nobody can command it
        os.close(answers)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

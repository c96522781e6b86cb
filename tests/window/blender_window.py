"""A Blender with a window on an X display of its own, driven with the mouse, and pictures of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageGrab

ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).with_name("in_the_window.py")
MARK = (255, 0, 255)
"""The colour of buttons, see ``in_the_window.py``."""
TOLERANCE = 60
"""Of each channel: a button is drawn lighter under the mouse."""
PATIENCE = 300.0
"""Seconds that anything may take; only a hung Blender needs them."""
WIDTH, HEIGHT = 1000, 1000
SIDEBAR = 167
"""The width of a sidebar as Blender opens it."""
Box = tuple[int, int, int, int]
"""x, y, width, height in the screen's pixels."""


def missing_programs() -> list[str]:
    """What has to be installed for a window that nobody sees."""
    return [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]


@contextmanager
def display() -> Iterator[str]:
    """An X display, like ``:100``, that ends with the block."""
    reading, writing = os.pipe()
    screen = f"{WIDTH}x{HEIGHT}x24"
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", screen], pass_fds=[writing], stderr=subprocess.DEVNULL
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as said:
            yield f":{said.readline().strip()}"
    finally:
        server.terminate()
        server.wait(30)


def install(blender: list[str], work: Path) -> dict[str, str]:
    """The extension of this tree, built and enabled in user resources of its own. Returns the environment."""
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(work / "user"), "LIBGL_ALWAYS_SOFTWARE": "1"}
    (work / "user" / "config").mkdir(parents=True)

    def command(*words: str) -> None:
        arguments = [*blender, "--command", "extension", *words]
        subprocess.run(arguments, env=environment, check=True, capture_output=True, timeout=PATIENCE)

    command("build", "--source-dir", str(ROOT), "--output-dir", str(work))
    command("install-file", "--repo", "user_default", "--enable", *map(str, work.glob("warpnoise-*.zip")))
    return environment


class BlenderWindow:
    """Blender with ``in_the_window.py``, as large as the screen."""

    def __init__(self, blender: list[str], environment: dict[str, str], x: str, work: Path, *flags: str) -> None:
        self._x, self._work = x, work
        self._environment = {**environment, "DISPLAY": x}
        (work / "state.json").unlink(missing_ok=True)
        file = [str(work / "scene.blend")] if (work / "scene.blend").exists() else []
        opengl = ["--gpu-backend", "opengl"]
        geometry = ["--window-geometry", "0", "0", str(WIDTH), str(HEIGHT)]
        inside = ["--python-exit-code", "1", "--python", str(INSIDE), "--", str(work), *flags]
        with (work / "blender.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*blender, *file, *opengl, *geometry, *inside],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.wait(lambda state: state["ticks"] > 3)

    def close(self) -> None:
        """As a session manager does at the end of the day."""
        self._process.terminate()
        self._process.wait(60)

    @property
    def state(self) -> dict[str, Any]:
        """What Blender last reported of itself."""
        try:
            state: dict[str, Any] = json.loads((self._work / "state.json").read_bytes())
        except FileNotFoundError:
            state = {"ticks": 0}
        return state

    def wait(self, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first state for which ``until`` is true. Raises AssertionError if Blender ends, or none comes."""
        end = time.monotonic() + PATIENCE
        while not until(state := self.state):
            told = f"{state}\n{(self._work / 'blender.log').read_text(errors='replace')[-3000:]}"
            assert self._process.poll() is None, f"Blender has ended: {told}"
            assert time.monotonic() < end, f"it did not come about: {told}"
            time.sleep(0.1)
        return state

    def picture(self) -> Image.Image:
        """The screen."""
        return ImageGrab.grab(xdisplay=self._x)

    def buttons(self) -> list[Box]:
        """The buttons that can be pressed, largest first."""
        pixels = np.asarray(self.picture().convert("RGB"), np.int16)
        mask = (np.abs(pixels - MARK) <= TOLERANCE).all(-1).astype(np.uint8)
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        _, _, found, _ = cv2.connectedComponentsWithStats(mask)
        boxes: list[Box] = [(x, y, w, h) for x, y, w, h, _ in found[1:].tolist() if w >= 60 and h >= 12]
        return sorted(boxes, key=lambda box: -box[2] * box[3])

    def find_panel(self) -> None:
        """Has the editor's own search show the add-on's panel, opened."""
        self.key("ctrl+f")
        self._mouse("type", "--delay", 50, "Warpnoise")
        self._mouse("key", "Return")

    def large_button(self) -> Box:
        """The one that is higher than all others, once the buttons stand still."""
        end, before = time.monotonic() + PATIENCE, None
        while time.monotonic() < end:
            found = self.buttons()
            if len(found) > 1 and found == before and found[0][3] >= 1.3 * found[1][3]:
                return found[0]
            before = found
            time.sleep(0.5)
        raise AssertionError(f"no large button, only {before}")

    def click(self, box: Box) -> None:
        """The middle of a button, as a hand does it: there, down, up."""
        x, y, width, height = box
        self._mouse("mousemove", x + width // 2, y + height // 2)
        time.sleep(0.3)
        self._mouse("click", 1)

    def widen_sidebar(self, width: int, begin: int = SIDEBAR) -> None:
        """Drags the left edge of the sidebar, which is ``begin`` pixels wide."""
        edge, middle = WIDTH - begin, HEIGHT // 2
        self._mouse("mousemove", edge, middle)
        time.sleep(0.5)
        self._mouse("mousedown", 1)
        for x in range(edge, WIDTH - width, -40):
            self._mouse("mousemove", x, middle)
            time.sleep(0.1)
        self._mouse("mousemove", WIDTH - width, middle, "mouseup", 1)
        time.sleep(1.0)

    def key(self, name: str) -> None:
        """Over the middle of the window."""
        self._mouse("mousemove", WIDTH // 2, HEIGHT - 40, "key", name)

    def _mouse(self, *words: object) -> None:
        subprocess.run(["xdotool", *map(str, words)], env=self._environment, check=True, timeout=60)

"""The manual's screenshots: the panel in the image editor's sidebar, before, while and after a scene is stylized, and
with models, a LoRA and a ControlNet; the compositor then; the preferences.

    warpnoise demo --output demo-job --blender /path/to/blender --frames 6 --scene-only
    BLENDER=/path/to/blender WARPNOISE_PYTHON=.venv/bin/python python docs/make_screenshots.py demo-job/scene.blend

Needs Xvfb and xdotool. They are written to docs/images/panel/. Where the buttons are is found in a first window, in
which they have a colour of their own.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from warpnoise.media.atomic import replacing

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "window"))
from blender_window import HEIGHT, WIDTH, BlenderWindow, Box, display, install

FOLDER = Path(__file__).parent / "images" / "panel"
SIZE = (WIDTH, 700)
"""Pixels, from the screen's upper left corner."""
SIDEBAR_WIDTH = 300
"""Pixels: names of settings are not cut off."""
SETTLE = 3.0
"""Seconds until Blender has loaded the pictures that it shows."""


def places(window: BlenderWindow) -> tuple[Box, Box]:
    """Of the large button and of the one below it."""
    large = window.large_button()
    below = min((box for box in window.buttons() if box[1] > large[1]), key=lambda box: box[1])
    return large, below


def save(window: BlenderWindow, name: str, height: int = SIZE[1]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture: Image.Image = window.picture().convert("RGB").crop((0, 0, SIZE[0], height))
    with replacing(FOLDER / f"{name}.jpg") as file:
        picture.save(file, quality=88, format="JPEG")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path, help="a saved .blend file")
    given = parser.parse_args()
    blender = shlex.split(os.environ.get("BLENDER", "blender"))
    with tempfile.TemporaryDirectory(prefix="warpnoise-screenshots-") as folder, display() as x:
        work = Path(folder)
        shutil.copyfile(given.scene, work / "scene.blend")
        environment = install(blender, work / "extension")

        def with_sidebar(*flags: str) -> BlenderWindow:
            window = BlenderWindow(blender, environment, x, work, "--sidebar", *flags)
            window.wait(lambda state: state["ticks"] > 8)
            window.widen_sidebar(SIDEBAR_WIDTH)
            return window

        def found() -> tuple[Box, Box]:
            marked = with_sidebar("--mark")
            try:
                return places(marked)
            finally:
                marked.close()

        _, preview = found()
        window = with_sidebar()
        save(window, "before")
        window.click(preview)
        window.wait(lambda state: state["running"])
        window.wait(lambda state: state["ended"])
        time.sleep(SETTLE)
        save(window, "preview")
        window.close()

        stylize, _ = found()  # what a new user is offered first is gone once there is a result
        window = with_sidebar()
        window.click(stylize)
        window.wait(lambda state: state["stage"] == "stylizing" and state["frames_done"] >= 2)
        save(window, "running")
        window.wait(lambda state: state["ended"])
        time.sleep(SETTLE)
        save(window, "done")
        window.key("ctrl+s")
        time.sleep(SETTLE)
        window.close()

        window = BlenderWindow(
            [*blender, "--online-mode"], environment, x, work, "--sidebar", "--models"
        )  # offers Download
        window.wait(lambda state: state["ticks"] > 8 and state["ended"])
        window.widen_sidebar(440, begin=SIDEBAR_WIDTH)  # as it was saved
        save(window, "models", height=HEIGHT)
        window.close()

        for name in ("compositor", "preferences"):
            if name == "preferences":
                environment.pop("WARPNOISE_PYTHON", None)  # what they say of it is this machine's
            window = BlenderWindow(blender, environment, x, work, f"--{name}")
            window.wait(lambda state: state["ticks"] > 8)
            time.sleep(SETTLE)
            save(window, name)
            window.close()


if __name__ == "__main__":
    main()

"""The panel in a window, worked with the mouse as its user does: press, watch, cancel, go on, to the end.

BLENDER=/path/to/blender WARPNOISE_PYTHON=.venv/bin/python python -m pytest tests/window

Needs Xvfb and xdotool. Pictures of what was seen are left in build/window, or where WINDOW_PICTURES says.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from warpnoise.media.png import read_png

from .blender_window import ROOT, BlenderWindow, display, install, missing_programs

BLENDER = shlex.split(os.environ.get("BLENDER", "blender"))
PICTURES = Path(os.environ.get("WINDOW_PICTURES", ROOT / "build" / "window"))
FRAMES = 16


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    assert not missing_programs(), f"the window tests need {' and '.join(missing_programs())}: install them"
    assert "WARPNOISE_PYTHON" in os.environ, "WARPNOISE_PYTHON has to name a Python with the backend"
    PICTURES.mkdir(parents=True, exist_ok=True)
    return install(BLENDER, tmp_path_factory.mktemp("extension"))


@pytest.fixture
def open_window(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], BlenderWindow]]:
    """Opens a Blender with the scene in ``tmp_path`` and shows the panel; the next one after it was closed."""
    with display() as x:
        windows: list[BlenderWindow] = []

        def opened() -> BlenderWindow:
            windows.append(BlenderWindow(BLENDER, environment, x, tmp_path, "--mark"))
            windows[-1].find_panel()
            return windows[-1]

        try:
            yield opened
        finally:
            for window in windows:
                window.picture().save(PICTURES / "last.png")
                window.close()


def stylized(work: Path) -> list[Path]:
    return sorted((work / "job" / "results").glob("*/frames/*.png"))


def test_press_cancel_continue(open_window: Callable[[], BlenderWindow], tmp_path: Path) -> None:
    window = open_window()
    stylize = window.large_button()
    window.picture().save(PICTURES / "before.png")
    window.click(stylize)
    window.wait(lambda state: state["running"])

    frame, ticks = window.state["frame"], window.state["ticks"]
    window.key("Right")
    state = window.wait(lambda state: state["frame"] == frame + 1 and state["ticks"] > ticks + 2)
    assert state["running"], "the window answers while it runs"

    window.wait(lambda state: state["stage"] == "stylizing" and state["frames_done"] >= 1)
    window.picture().save(PICTURES / "running.png")
    cancel = window.large_button()
    window.click(cancel)
    state = window.wait(lambda state: state["ended"])
    assert state["stage"] == "cancelled" and not state["groups"]
    kept = {path: path.stat().st_mtime_ns for path in stylized(tmp_path)}
    assert 0 < len(kept) < FRAMES, "what was finished stays, and the rest was not made"
    stylize = window.large_button()
    window.picture().save(PICTURES / "cancelled.png")

    window.click(stylize)
    window.wait(lambda state: state["running"])
    state = window.wait(lambda state: state["ended"])
    assert (state["stage"], state["error"]) == ("done", "")
    assert state["groups"] == ["Stylized job"], "the compositor shows it"
    assert len(stylized(tmp_path)) == FRAMES and all(
        read_png(path).shape[:2] == (64, 64) for path in stylized(tmp_path)
    )
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "nothing is done twice"
    window.large_button()
    window.picture().save(PICTURES / "done.png")


def test_a_partial_download_is_resumed(open_window: Callable[[], BlenderWindow], tmp_path: Path) -> None:
    window = open_window()
    window.click(window.large_button())
    window.wait(lambda state: state["stage"] == "stylizing" and state["frames_done"] >= 1)
    window.close()
    assert 0 < len(stylized(tmp_path)) < FRAMES

    again = open_window()
    again.large_button()
    again.picture().save(PICTURES / "interrupted.png")
    lowest = max(again.buttons(), key=lambda box: box[1])
    again.click(lowest)  # Continue
    again.wait(lambda state: state["running"])
    state = again.wait(lambda state: state["ended"])
    assert (state["stage"], state["error"]) == ("done", "")
    assert state["frames_kept"] >= 1 and len(stylized(tmp_path)) == FRAMES

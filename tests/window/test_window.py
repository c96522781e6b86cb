"""The panel in a window, worked with the mouse as its user does: press, watch, cancel, go on, to the end.

BLENDER=/path/to/blender WARPNOISE_PYTHON=.venv/bin/python python -m pytest tests/window

Needs Xvfb and xdotool. Pictures of what was seen are left in build/window, or where WINDOW_PICTURES says.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from blender_window import ROOT, BlenderWindow, display, install, missing_programs
from warpnoise.media.png import read_png

BLENDER = shlex.split(os.environ.get("BLENDER", "blender"))
PICTURES = Path(os.environ.get("WINDOW_PICTURES", ROOT / "build" / "window"))
FRAMES = 4


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert not missing_programs(), f"the window tests need {' and '.join(missing_programs())}: install them"
    assert "WARPNOISE_PYTHON" in os.environ, "WARPNOISE_PYTHON has to name a Python with the backend"
    PICTURES.mkdir(parents=True, exist_ok=True)
    return tmp_path_factory.mktemp("window")


@pytest.fixture(scope="module")
def environment(work: Path) -> dict[str, str]:
    return install(BLENDER, work)


@pytest.fixture
def window(work: Path, environment: dict[str, str]) -> Iterator[BlenderWindow]:
    with display() as x:
        blender = BlenderWindow(BLENDER, environment, x, work, "--mark")
        try:
            yield blender
        finally:
            blender.picture().save(PICTURES / "last.png")
            blender.close()


def stylized(work: Path) -> list[Path]:
    return sorted((work / "job" / "stylized").glob("*.png"))


def test_press_cancel_go_on(window: BlenderWindow, work: Path) -> None:
    window.find_panel()
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
    kept = {path: path.stat().st_mtime_ns for path in stylized(work)}
    assert 0 < len(kept) < FRAMES, "what was finished stays, and the rest was not made"
    stylize = window.large_button()
    window.picture().save(PICTURES / "cancelled.png")

    window.click(stylize)
    window.wait(lambda state: state["running"])
    state = window.wait(lambda state: state["ended"])
    assert (state["stage"], state["error"]) == ("done", "")
    assert state["groups"] == ["Stylized job"], "the compositor shows it"
    assert len(stylized(work)) == FRAMES and all(read_png(path).shape[:2] == (64, 64) for path in stylized(work))
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "nothing is done twice"
    window.large_button()
    window.picture().save(PICTURES / "done.png")

"""What a person reads while it runs, on a terminal and in a log."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from warpnoise.cli.display import in_words, show_progress
from warpnoise.progress import Progress

NOW = Progress(
    stage="stylizing",
    frames_total=24,
    frames_done=3,
    step=2,
    steps_total=10,
    seconds_left=83.4,
    warnings=("It is late.",),
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (725, "12 min 5 s"), (3600, "1 h 0 min"), (7399, "2 h 3 min")],
)
def test_durations(seconds, words):
    assert in_words(seconds) == words


def test_lines_come_with_frames_and_stages_not_with_steps(capsys):
    with show_progress() as listener:
        for step in range(5):
            listener(NOW.model_copy(update={"step": step}))
        listener(Progress(stage="encoding", frames_total=24, frames_done=24))
    assert capsys.readouterr().err == (
        "warning: It is late.\nstylizing: 3 of 24 frames, 1 min 23 s left\nencoding: 24 of 24 frames\n"
    )


def test_a_bar_on_a_terminal_and_nothing_of_it_left(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with show_progress() as listener:
        assert capsys.readouterr().err == ""
        listener(NOW)
    shown = capsys.readouterr().err
    assert "warning: It is late.\n" in shown
    assert "stylizing" in shown and "3/24 frames, step 2 of 10, 1 min 23 s left" in shown
    assert shown.split("\r")[-2].strip() == "", "the bar stays"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pipes end otherwise on Windows")
def test_a_closed_pipe_causes_no_traceback():
    code = "from warpnoise.cli.main import main; main(['--help'])"
    command = f'{sys.executable} -c "import time; time.sleep(0.5); {code}" | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")


def test_percents_do_not_go_back_while_the_last_frame_is_written(capsys):
    with show_progress("openjd") as listener:
        for frames, step in ((0, 0), (0, 2), (0, 1), (1, 0), (1, 2)):  # 0, 0.25, 0.125, 0.25 and 0.5 of all
            listener(Progress(stage="stylizing", frames_total=4, frames_done=frames, step=step, steps_total=2))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "progress" in line] == [f"openjd_progress: {each}" for each in (0.0, 25.0, 50.0)]

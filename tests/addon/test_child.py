"""Supervised child processes: deadlines, cancelling, their end."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from polling import ends

from warpnoise_addon.child import Child, TimedOut, ask
from warpnoise_addon.errors import Cancelled

FOREVER = "import time; print('ready', flush=True); time.sleep(600)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_ask_returns_status_output_and_errors() -> None:
    status, said, errors = ask(python("import sys; print('a\\nb'); print('c', file=sys.stderr); sys.exit(3)"), 60)
    assert (status, said, errors) == (3, ["a", "b"], ["c"])


def test_ask_closes_standard_input() -> None:
    assert ask(python("import sys; print(repr(sys.stdin.read()))"), 60)[1] == ["''"]


def test_deadline_over_everything() -> None:
    child = Child(python("import time\nwhile True: print('still here', flush=True); time.sleep(0.01)"))
    with pytest.raises(TimedOut):
        list(child.lines(0.5))
    child.stop()
    assert not child.alive and child.ending == "killed by SIGKILL (out of memory?)"


@pytest.mark.slow
def test_deadline_over_each_line() -> None:
    code = "import time\nfor i in range(8): print(i, flush=True); time.sleep(0.2)"
    child = Child(python(code))
    assert len(list(child.lines(60, each=True))) == 8
    child.stop()
    child = Child(python(FOREVER))
    lines = child.lines(0.5, each=True)
    assert next(lines) == "ready"
    with pytest.raises(TimedOut):
        next(lines)
    child.stop()


def test_cancelled_child_ends_when_stopped() -> None:
    child = Child(python(FOREVER))
    lines = child.lines(60, lambda: True, cancel_text="cancelled while it slept")
    with pytest.raises(Cancelled, match="cancelled while it slept"):
        next(lines)
    assert child.alive
    child.stop()
    assert not child.alive


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_stop_ends_the_children_of_the_child() -> None:
    child = Child(python(f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {FOREVER!r}])\n{FOREVER}"))
    lines = child.lines(60)
    assert next(lines) == next(lines) == "ready"
    pid = int(Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()[0])
    child.stop()
    assert ends(pid)


def test_grace_lets_a_child_end_by_itself() -> None:
    child = Child(python("import sys; print('ready', flush=True); sys.stdin.read(); sys.exit(7)"))
    assert next(child.lines(60)) == "ready"
    child.stop(60)
    assert child.ending == "exit code 7"


def test_merged_output_keeps_its_order() -> None:
    code = "import sys\nprint(1, flush=True)\nprint(2, file=sys.stderr, flush=True)\nprint(3, flush=True)"
    child = Child(python(code), merge=True)
    assert list(child.lines(60)) == ["1", "2", "3"]
    child.stop()


def test_a_missing_program() -> None:
    with pytest.raises(OSError, match="nowhere"):
        Child(["/nowhere/python"])

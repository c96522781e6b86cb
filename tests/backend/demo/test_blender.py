"""Finding a Blender, and running it to its end, whatever that is. Small programs play Blender's part."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from warpnoise.demo import blender as module
from warpnoise.demo.blender import Blender, find_blender, run_blender
from warpnoise.errors import BlenderError, Cancelled

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the programs are shell scripts")


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def places(tmp_path) -> dict[str, Path]:
    return {name: program(tmp_path / name / "blender") for name in ("option", "python", "variable", "bpy", "path")}


def environment(places, *names: str) -> dict[str, str]:
    all_of_them = {
        "variable": ("WARPNOISE_BLENDER", str(places["variable"])),
        "bpy": ("WARPNOISE_BPY_PYTHON", str(places["bpy"])),
        "path": ("PATH", str(places["path"].parent)),
    }
    return {"PATH": "/nowhere"} | dict(all_of_them[name] for name in names)


def test_the_nearest_wins(places):
    everything = environment(places, "variable", "bpy", "path")
    option, python = str(places["option"]), str(places["python"])
    assert find_blender(option, python, everything).argv == (option,)
    found = find_blender(None, python, everything)
    assert (found.argv, found.module) == ((python,), True)
    assert find_blender(environment=everything).argv == (str(places["variable"]),)
    found = find_blender(environment=environment(places, "bpy", "path"))
    assert (found.argv, found.module) == ((str(places["bpy"]),), True)
    found = find_blender(environment=environment(places, "path"))
    assert (found.argv, found.module) == ((str(places["path"]),), False)


def test_a_command_with_arguments(places):
    assert find_blender(f"'{places['option']}' run it").argv == (str(places["option"]), "run", "it")


def test_a_python_stays_in_its_virtual_environment(tmp_path):
    (tmp_path / "python").symlink_to(sys.executable)
    assert find_blender(python=str(tmp_path / "python")).argv == (str(tmp_path / "python"),)


def test_none_anywhere(places):
    with pytest.raises(BlenderError, match=r"No Blender was found.*--blender.*WARPNOISE_BLENDER.*--python") as caught:
        find_blender(environment={"PATH": "/nowhere"})
    assert caught.value.exit_status == 6


@pytest.mark.parametrize("given", ["/no/such/blender", "'not closed", "/tmp"])
def test_what_cannot_be_run(given):
    with pytest.raises(BlenderError, match=r"--blender names .* not a program"):
        find_blender(given)


def test_a_python_needs_the_addon_s_source(places, monkeypatch):
    monkeypatch.setattr(module, "_checkout", lambda: None)
    with pytest.raises(BlenderError, match="needs the add-on's source"):
        find_blender(python=str(places["python"]))
    assert find_blender(str(places["option"])).addon is None


def test_command_lines(tmp_path):
    blend, script = tmp_path / "a.blend", tmp_path / "s.py"
    wheel = Blender(("python",), True, tmp_path)
    assert wheel.script(script, "x") == ["python", str(script), "x"]
    assert wheel.command(blend, "stylize") == ["python", "-m", "warpnoise_addon", str(blend), "stylize"]
    assert wheel.environment()["PYTHONPATH"].split(os.pathsep)[0] == str(tmp_path)
    assert wheel.environment()["WARPNOISE_PYTHON"] == sys.executable
    installed = Blender(("blender", "run"), False, None)
    assert installed.command(blend, "stylize") == ["blender", "run", str(blend), "--command", "warpnoise", "stylize"]
    assert installed.script(script, "x")[-4:] == ["--python", str(script), "--", "x"]
    source = Blender(("blender",), False, tmp_path).command(blend, "stylize", "--prompt", "it's")
    assert source[-2] == "--python-expr"
    compile(source[-1], "expression", "exec")


def test_no_token_goes_to_blender(monkeypatch, tmp_path):
    monkeypatch.setenv("WARPNOISE_TOKEN", "a-secret-0123456789")
    assert "WARPNOISE_TOKEN" not in Blender(("blender",), False, tmp_path).environment()


def run(code: str, log: Path, **options) -> list[str]:
    said: list[str] = []
    run_blender([sys.executable, "-uc", code], os.environ, log, say=said.append, what="The test", **options)
    return said


def test_its_output_is_read_and_logged(tmp_path):
    code = "import sys; print('one'); print('zwei ä', file=sys.stderr); sys.stdout.buffer.write(b'\\xff\\n')"
    assert run(code, tmp_path / "log") == ["one", "zwei ä", "\N{REPLACEMENT CHARACTER}"]
    assert (tmp_path / "log").read_bytes() == "one\nzwei ä\n".encode() + b"\xff\n"


@pytest.mark.parametrize(("status", "expected"), [(1, 6), (3, 3), (5, 5), (77, 6)])
def test_a_failure_quotes_the_last_lines_and_keeps_the_commands_exit_status(tmp_path, status, expected):
    code = f"import sys\nfor i in range(100): print('line', i)\nsys.exit({status})"
    with pytest.raises(BlenderError) as caught:
        run(code, tmp_path / "log")
    assert caught.value.exit_status == expected
    message = str(caught.value)
    assert f"The test failed: Blender ended with status {status}" in message and str(tmp_path / "log") in message
    assert message.endswith("line 99") and "line 50" not in message


def test_a_crash_is_a_failure(tmp_path):
    with pytest.raises(BlenderError, match="status -9"):
        run("import os; os.kill(os.getpid(), 9)", tmp_path / "log")


def test_what_cannot_be_started(tmp_path):
    with pytest.raises(BlenderError, match=r"could not be started: .*/nothing: No such file"):
        run_blender([str(tmp_path / "nothing")], os.environ, tmp_path / "log", what="The test")


@pytest.mark.slow
def test_silence_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.5)
    with pytest.raises(BlenderError, match="The test hangs"):
        run("import time; time.sleep(60)", tmp_path / "log")


@pytest.mark.slow
def test_cancelling_asks_it_to_stop_and_then_makes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STOP_SECONDS", 0.5)
    woke = tmp_path / "woke"
    deaf = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60); "
        f"pathlib.Path({str(woke)!r}).touch()"
    )
    asked = threading.Event()
    with pytest.raises(Cancelled):
        run_blender(
            [sys.executable, "-uc", deaf],
            os.environ,
            tmp_path / "log",
            say=lambda line: asked.set(),
            cancelled=asked.is_set,
            what="The test",
        )
    assert not woke.exists()


def test_a_surviving_grandchild_does_not_block_the_end(tmp_path):
    sleeper = "[sys.executable, '-c', 'import time; time.sleep(600)']"
    code = f"import subprocess, sys; print(subprocess.Popen({sleeper}).pid)"
    [pid] = run(code, tmp_path / "log")
    os.kill(int(pid), signal.SIGTERM)  # raises ProcessLookupError if the run had waited for it

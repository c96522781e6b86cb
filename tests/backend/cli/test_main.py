"""The command's frame: help, version, and how errors are said."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import warpnoise as package
from warpnoise.cli.main import COMMANDS


def test_version(warpnoise):
    done = warpnoise("--version")
    assert (done.status, done.out, done.err) == (0, f"warpnoise {package.__version__}\n", "")


def test_help_names_every_command(warpnoise):
    done = warpnoise("--help")
    assert (done.status, done.err) == (0, "")
    for name in COMMANDS:
        assert re.search(rf"^  {name}  +\w", done.out, re.M), f"{name} without a help text in\n{done.out}"
    assert "Exit codes" in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_examples_and_explains_each_option(warpnoise, name):
    done = warpnoise(name, "--help")
    assert (done.status, done.err) == (0, "")
    assert f"\n    warpnoise {name}" in done.out
    options = re.split(r"\nOptions:\n", done.out)[1]
    for line in re.split(r"\n  (?=-)", options):
        assert re.search(r"\S\s{2,}\S", line), f"an option without a help text: {line}"


def test_nothing_asked_for_shows_the_help(warpnoise):
    done = warpnoise()
    assert done.status == 2 and "Commands:" in done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stylise"], "error: No such command 'stylise'."),
        (["stylize"], "error: Missing argument 'JOB'.\n       see `warpnoise stylize --help`\n"),
        (["stylize", "x", "--steps", "many"], "error: Invalid value for '--steps': 'many' is not a valid integer.\n"),
        (["stylize", "x", "--stepz", "3"], "error: No such option"),
        (["serve", "--port", "70000"], "error: port: expected less than or equal to 65535, got 70000."),
    ],
)
def test_bad_arguments(warpnoise, arguments, says):
    done = warpnoise(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(says)


def test_errors_have_a_traceback_only_with_debug(warpnoise, tmp_path):
    plain, debug = warpnoise("stylize", tmp_path / "no"), warpnoise("--debug", "stylize", tmp_path / "no")
    assert plain.status == debug.status == 3
    assert "Traceback" not in plain.err and "Traceback" in debug.err
    assert debug.err.endswith(plain.err)


def test_an_unexpected_error_is_one_block_too(warpnoise, monkeypatch, tmp_path):
    def fail(*arguments: object, **more: object) -> None:
        raise ZeroDivisionError("by zero\nand a second line")

    monkeypatch.setattr("warpnoise.job.Shot.open", fail)
    done = warpnoise("stylize", tmp_path)
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        "error: ZeroDivisionError: by zero\n       and a second line\n       `warpnoise --debug ...` shows where\n"
    )


@pytest.mark.slow
def test_help_and_version_load_nothing_slow():
    slow = "[name for name in ('torch', 'diffusers', 'numba', 'fastapi', 'cv2') if name in sys.modules]"
    code = f"import sys; from warpnoise.cli.main import run; run(['--help']); print({slow})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_python_m_is_the_command():
    done = subprocess.run([sys.executable, "-m", "warpnoise", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"warpnoise {package.__version__}\n")

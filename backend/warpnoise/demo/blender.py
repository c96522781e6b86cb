"""Finds a Blender, the program or the bpy wheel, and runs scripts and the add-on's command in it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from warpnoise.errors import BlenderError, stop_if

BLENDER_VARIABLE = "WARPNOISE_BLENDER"
PYTHON_VARIABLE = "WARPNOISE_BPY_PYTHON"

SILENCE_SECONDS = 600.0
"""A Blender that prints nothing for so long hangs: frames, steps and stages are all printed."""

POLL_SECONDS = 0.1
"""How often its output is looked at."""

STOP_SECONDS = 30.0
"""How long Blender may take to put a scene back and end after it was asked to."""


@dataclass(frozen=True)
class Blender:
    """How Blender is started: ``argv``, the program with perhaps some first arguments.

    ``module``: it is a Python with the bpy wheel. ``addon``: the folder that holds the add-on's package
    ``warpnoise_addon``; None: it is installed in Blender.
    """

    argv: tuple[str, ...]
    module: bool
    addon: Path | None

    def script(self, script: Path, *arguments: str) -> list[str]:
        """The command line that runs a Python script in an empty Blender with factory settings."""
        if self.module:
            return [*self.argv, str(script), *arguments]
        empty = ["--background", "--factory-startup", "--python-exit-code", "1", "--python", str(script)]
        return [*self.argv, *empty, "--", *arguments]

    def command(self, blend: Path, *arguments: str) -> list[str]:
        """The command line of the add-on's command on a .blend file."""
        if self.module:
            return [*self.argv, "-m", "warpnoise_addon", str(blend), *arguments]
        if self.addon is None:
            return [*self.argv, str(blend), "--command", "warpnoise", *arguments]
        start = f"import sys; sys.path.insert(0, {str(self.addon)!r}); from warpnoise_addon.__main__ import main; "
        start += f"sys.exit(main({[str(blend), *arguments]!r}))"
        return [*self.argv, "--background", "--factory-startup", "--python-exit-code", "1", "--python-expr", start]

    def environment(self) -> dict[str, str]:
        """That of the process: the backend is this Python, the add-on is importable."""
        environment = dict(os.environ, WARPNOISE_PYTHON=sys.executable, PYTHONUNBUFFERED="1")
        environment.pop("WARPNOISE_TOKEN", None)
        if self.addon is not None and self.module:
            others = environment.get("PYTHONPATH")
            environment["PYTHONPATH"] = os.pathsep.join([str(self.addon), *([others] if others else [])])
        return environment


def find_blender(
    program: str | None = None,
    python: str | None = None,
    environment: Mapping[str, str] = os.environ,
    addon: Path | None = None,
) -> Blender:
    """A Blender to run, in order: ``program``, ``python``, ``WARPNOISE_BLENDER``, ``WARPNOISE_BPY_PYTHON``, and the
    program ``blender`` on the path.

    A program may be a command with arguments, as it is for Blenders in containers (`flatpak run org.blender.Blender`).

    ``addon``: where the add-on's package lies; None: in the checkout that this package belongs to, if it does.

    Raises:
        BlenderError: there is none, or it is no program, or a Python without the add-on.
    """
    addon = addon or _checkout()
    candidates = [
        ("--blender", program, False),
        ("--python", python, True),
        (BLENDER_VARIABLE, environment.get(BLENDER_VARIABLE), False),
        (PYTHON_VARIABLE, environment.get(PYTHON_VARIABLE), True),
    ]
    for source, command, module in candidates:
        if command:
            argv = _runnable(command)
            if argv is None:
                raise BlenderError(f"{source} names {command}, which is not a program that can be run.")
            if module and addon is None:
                raise BlenderError(
                    f"{source} names a Python, which needs the add-on's source, and this Warpnoise is installed "
                    "without it. Run from a checkout of the repository, or give --blender with the extension installed."
                )
            return Blender(argv, module, addon)
    on_path = shutil.which("blender", path=environment.get("PATH"))
    if on_path is None:
        raise BlenderError(
            "No Blender was found: there is no `blender` on the PATH. Use --blender (or set "
            f"{BLENDER_VARIABLE}) to name Blender 4.2 or later, or --python (or set {PYTHON_VARIABLE}) to name a "
            "Python that has the bpy wheel. `pip install bpy` installs the wheel into a Python of the right version."
        )
    return Blender((on_path,), False, addon)


def _runnable(command: str) -> tuple[str, ...] | None:
    """A path, or a command with arguments; None: neither can be run."""
    try:
        words = shlex.split(command)
    except ValueError:  # a quote that is not closed
        words = []
    for first, *rest in filter(None, ([command], words)):
        found = shutil.which(str(Path(first).expanduser()))
        if found is not None:
            # Not resolved: a virtual environment's Python knows by its own name where it belongs.
            return (str(Path(found).absolute()), *rest)
    return None


def run_blender(
    command: list[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    say: Callable[[str], None] = lambda line: None,
    cancelled: Callable[[], bool] = lambda: False,
    what: str,
) -> None:
    """Run Blender to its end. All that it prints goes to ``log``, and line by line to ``say``.

    Raises:
        BlenderError: it failed (with its exit status), or printed nothing for SILENCE_SECONDS; quotes its last lines.
        Cancelled: ``cancelled()`` was true; the process was asked to stop, and made to if it did not.
    """
    last: deque[str] = deque(maxlen=20)
    heard, rest = time.monotonic(), b""
    with log.open("ab") as output, log.open("rb") as printed:
        printed.seek(0, os.SEEK_END)
        try:
            process = subprocess.Popen(
                command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise BlenderError(f"Blender could not be started: {command[0]}: {error.strerror}.") from None
        try:
            ended = False
            while not ended:
                ended = process.poll() is not None  # asked first: then all that it printed is read
                *lines, rest = (rest + printed.read()).split(b"\n")
                for line in [*lines, rest] if ended and rest else lines:
                    last.append(line.decode(errors="replace").rstrip())
                    say(last[-1])
                heard = time.monotonic() if lines else heard
                stop_if(cancelled, "cancelled: what was finished stays")
                if time.monotonic() - heard > SILENCE_SECONDS:
                    raise BlenderError(
                        f"{what} hangs: Blender printed nothing for {SILENCE_SECONDS:.0f} s. Its output is in {log}."
                    )
                if not ended:
                    time.sleep(POLL_SECONDS)
        finally:
            _stop(process)
    status = process.returncode
    if status != 0:
        ending = "\n".join(filter(None, last))
        raise BlenderError(
            f"{what} failed: Blender ended with status {status}. Its output is in {log}, its last lines:\n{ending}",
            status if status in range(2, 7) else 6,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _checkout() -> Path | None:
    """The repository that this package is in, where it is: there the add-on lies beside the backend."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "warpnoise_addon" / "__init__.py").is_file() else None

"""What a set-up will do, as command lines that people can read before they agree."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..errors import SettingsError
from ..version import VERSION
from .hardware import Build

DISTRIBUTION = "warpnoise"


@dataclass(frozen=True)
class Step:
    """``stage``: of `status.STAGES`."""

    stage: str
    argv: tuple[str, ...]

    def __str__(self) -> str:
        return subprocess.list2cmdline(self.argv) if os.name == "nt" else shlex.join(self.argv)


@dataclass(frozen=True)
class Plan:
    """``python`` makes the environment ``folder``; PyTorch's ``build`` and then ``source`` are installed into it."""

    python: str
    folder: Path
    build: Build
    source: str

    @property
    def environment_python(self) -> Path:
        inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
        return self.folder.joinpath(*inside)

    @property
    def steps(self) -> tuple[Step, ...]:
        pip = (str(self.environment_python), "-m", "pip", "install", "--prefer-binary")
        steps = [Step("venv", (self.python, "-m", "venv", str(self.folder)))]
        if self.build.index:
            steps.append(Step("pytorch", (*pip, "--index-url", self.build.index, "torch")))
        steps.append(Step("package", (*pip, self.source)))
        return tuple(steps)


def default_source(root: Path) -> str:
    """Where the package comes from: the checkout that the add-on runs in, or the package index.

    ``root``: the folder that holds ``warpnoise_addon``. A built extension has no backend in it.
    """
    if (root / "pyproject.toml").is_file() and (root / "backend" / DISTRIBUTION).is_dir():
        return str(root)
    return f"{DISTRIBUTION}=={VERSION}"


def check_source(text: str) -> str:
    """A wheel, a source folder, or a requirement like ``warpnoise==0.1.0``, as pip takes it.

    Raises:
        SettingsError: something else, or a file that is not there.
    """
    text = text.strip()
    if re.fullmatch(rf"{DISTRIBUTION}(\[[\w,-]+\])?(\s*[=<>!~]=?[\w.*,<>=!~ ]*)?", text):
        return text
    path = Path(text).expanduser()
    if path.is_file() and path.suffix == ".whl" and path.name.startswith(f"{DISTRIBUTION}-"):
        return str(path.absolute())
    if text and (path / "pyproject.toml").is_file():
        return str(path.absolute())
    raise SettingsError(
        f"the package's source is {text!r}: expected `{DISTRIBUTION}=={VERSION}`, a file "
        f"{DISTRIBUTION}-{VERSION}-py3-none-any.whl, or the folder of its source with a pyproject.toml"
    )

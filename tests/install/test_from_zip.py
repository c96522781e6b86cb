"""A fresh machine goes from the zip to a stylized frame: in BLENDER, if set, and in a bpy wheel.

BLENDER           commands that start a Blender, separated by semicolons
WARPNOISE_BPY_PYTHON  the Python of a bpy wheel
INSTALL_PYTHON    the Python that makes the backend's environment; the one that runs the tests
INSTALL_BUILD     the build of PyTorch that is installed from the network (`setup/hardware.py`)
INSTALL_WHEELS    a folder that keeps the downloaded wheels from one run to the next

Each case takes about 100 s of CPU time: half for pip, half to compile the noise. A Blender in a root of its own needs
PIP_CERT and PIP_FIND_LINKS where pip's configuration names files outside of it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import build_extension

ROOT = build_extension.ROOT
INSIDE = Path(__file__).with_name("in_blender.py")
BLENDERS = [command for command in os.environ.get("BLENDER", "").split(";") if command.strip()]
WHEEL_PYTHON = os.environ.get("WARPNOISE_BPY_PYTHON", "")
PYTHON = os.environ.get("INSTALL_PYTHON") or os.path.realpath(sys.executable)
BUILD = os.environ.get("INSTALL_BUILD", "cpu")
NOWHERE = "http://127.0.0.1:9"
"""No network: nothing listens on the discard port."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build_extension.build_wheel()
    return build_extension.build_zip(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheels(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the manual says how to fill; INSTALL_WHEELS keeps it from one run to the next."""
    kept = os.environ.get("INSTALL_WHEELS")
    if kept and any(Path(kept).glob("torch-*.whl")):
        return Path(kept)
    folder = Path(kept) if kept else tmp_path_factory.mktemp("wheels")
    name = next(name for name in zipfile.ZipFile(archive).namelist() if name.endswith(".whl"))
    wheel = zipfile.ZipFile(archive).extract(name, folder / "zip")
    command = [PYTHON, "-m", "pip", "download", "--quiet", "--dest", str(folder), "-c", str(ROOT / "constraints.txt")]
    command += [] if BUILD == "index" else ["--extra-index-url", f"https://download.pytorch.org/whl/{BUILD}"]
    subprocess.run([*command, f"{wheel}[serve]"], check=True)
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A user who has nothing yet."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("WARPNOISE_")}
    (tmp_path / "user" / "config").mkdir(parents=True)
    yield ours | {
        "BLENDER_USER_RESOURCES": str(tmp_path / "user"),
        "WARPNOISE_CACHE": str(tmp_path / "cache"),
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
        "OMP_NUM_THREADS": "2",
    }


def without_network(environment: dict[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in environment.items() if not name.startswith("PIP_")}
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE)
    return ours | proxies | {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": NOWHERE}


def in_blender(command: str, archive: Path, environment: dict[str, str], job: Path, **set_up: str) -> str:
    """Install the zip in a Blender program, set up, stylize. Returns what it printed."""
    blender = shlex.split(command)
    install = [*blender, "--command", "extension", "install-file", "--repo", "user_default", "--enable", str(archive)]
    run(install, environment)
    return run([*blender, "--background", "--python-exit-code", "1", "--python", *inside(job, set_up)], environment)


def in_wheel(python: str, archive: Path, environment: dict[str, str], job: Path, **set_up: str) -> str:
    """The same in a bpy wheel, whose extensions have no command line."""
    folder = Path(environment["BLENDER_USER_RESOURCES"]) / "extensions" / "user_default" / "warpnoise"
    zipfile.ZipFile(archive).extractall(folder)
    return run([python, *inside(job, set_up)], environment)


def inside(job: Path, set_up: dict[str, str]) -> list[str]:
    return [str(INSIDE), "--", json.dumps({"python": PYTHON, **set_up}), str(job)]


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stdout, f"{shlex.join(command)}\n{done.stdout[-6000:]}"
    return done.stdout


@pytest.mark.parametrize("blender", BLENDERS)
def test_blender_without_a_network(blender, archive, wheels, environment, tmp_path):
    offline = without_network(environment)
    said = in_blender(blender, archive, offline, tmp_path / "job", wheels=str(wheels), build="cpu")
    assert "from the zip to a stylized frame" in said


@pytest.mark.skipif(not WHEEL_PYTHON, reason="WARPNOISE_BPY_PYTHON names no Python")
def test_a_bpy_wheel_without_a_network(archive, wheels, environment, tmp_path):
    offline = without_network(environment)
    said = in_wheel(WHEEL_PYTHON, archive, offline, tmp_path / "job", wheels=str(wheels), build="cpu")
    assert "from the zip to a stylized frame" in said


@pytest.mark.parametrize("blender", BLENDERS[:1])
def test_blender_with_a_network(blender, archive, environment, tmp_path):
    said = in_blender(blender, archive, environment, tmp_path / "job", build=BUILD)
    assert "from the zip to a stylized frame" in said


@pytest.mark.skipif(not WHEEL_PYTHON, reason="WARPNOISE_BPY_PYTHON names no Python")
def test_a_bpy_wheel_with_a_network(archive, environment, tmp_path):
    said = in_wheel(WHEEL_PYTHON, archive, environment, tmp_path / "job", build=BUILD)
    assert "from the zip to a stylized frame" in said

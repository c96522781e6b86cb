"""Setting up an environment: what is planned, a real one with a tiny package, failures, cancelling, and old ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.errors import BackendMissingError, Cancelled, SettingsError
from warpnoise_addon.setup import hardware, pythons
from warpnoise_addon.setup.environments import ABANDONED_SECONDS, Environments
from warpnoise_addon.setup.hardware import BUILDS, Build, Hardware, detect
from warpnoise_addon.setup.install import SUPERVISE, install
from warpnoise_addon.setup.plan import Plan, Step, check_source, default_source
from warpnoise_addon.setup.pythons import find_python
from warpnoise_addon.stylize.backends import BackendPool
from warpnoise_addon.stylize.setup_session import SetupSession
from warpnoise_addon.version import VERSION

from ..fake_python import FAKE, PYTHON

posix = pytest.mark.skipif(os.name != "posix", reason="shell scripts stand for programs")
INDEX = BUILDS["index"]


def never() -> bool:
    return False


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
    return path


@pytest.fixture
def wheel(tmp_path) -> Path:
    """A package of the backend's name that is the fake backend, and needs nothing."""
    name = f"warpnoise-{VERSION}"
    main = f"import runpy, sys\nsys.argv[:1] = [{str(FAKE)!r}, 'good']\n"
    main += f"runpy.run_path({str(FAKE)!r}, run_name='__main__')\n"
    files = {
        "warpnoise/__init__.py": f"__version__ = {VERSION!r}\n",
        "warpnoise/__main__.py": main,
        f"{name}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: warpnoise\nVersion: {VERSION}\n",
        f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{name}.dist-info/RECORD"])
    path = tmp_path / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in {**files, f"{name}.dist-info/RECORD": record}.items():
            archive.writestr(file, content)
    return path


@posix
@pytest.mark.skipif(bool(bpy.app.binary_path), reason="Blender's Python may lack ensurepip")
@pytest.mark.slow
def test_a_real_environment(tmp_path, wheel, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("WARPNOISE_PYTHON", "/nowhere/python")  # it does not matter for what is set up
    environments = Environments(tmp_path / "environments")
    plan = Plan(find_python(sys.executable).path, environments.new(), INDEX, check_source(str(wheel)))
    pool = BackendPool()
    session = SetupSession(pool, environments, plan, hardware=lambda: Hardware("cpu"))
    session.start()
    session.wait()
    try:
        assert session.status.stage == "done", session.status.error
        assert "a fake device" in session.status.device
        assert any("Successfully installed warpnoise" in line for line in session.lines)
        levels = {finding.text.split(":")[0]: finding.level for finding in session.findings}
        assert levels[f"The package warpnoise {VERSION}"] == "OK"
        assert any("PyTorch cannot be imported" in text and level == "ERROR" for text, level in levels.items())
        made = environments.current
        assert made is not None and (made.build, made.source) == ("index", str(wheel))
        assert environments.path(made) == plan.folder
    finally:
        pool.discard()
    # Another one that fails costs nothing that worked.
    failing = SetupSession(pool, environments, Plan(plan.python, environments.new(), INDEX, "warpnoise==99.0"))
    failing.start()
    failing.wait()
    assert failing.status.stage == "failed" and "not in pip's index" in failing.status.error
    assert environments.current == made and not failing.plan.folder.exists()


@posix
@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("ERROR: No matching distribution found for torch", "no build for this Python"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("NewConnectionError: Failed to establish", "network"),
        ("Retrying after NewConnectionError\nERROR: No matching distribution found for torch", "network"),
        ("something else", "Its last words"),
    ],
)
def test_commands_that_fail_say_what_to_do(tmp_path, said, words):
    pip = f'case "$*" in *--version*) echo "pip 24.0";; *) echo "{said}"; exit 1;; esac'
    python = fake_venv(tmp_path, pip)
    plan = Plan(str(python), tmp_path / "new", Build("cpu", "", "https://nowhere.invalid", 1.0), "warpnoise")
    with pytest.raises(BackendMissingError, match=words) as caught:
        install(plan, lambda *told: None, never)
    assert said in str(caught.value) and not plan.folder.exists()


def fake_venv(folder: Path, pip: str) -> Path:
    """A program that runs scripts as Python does, but whose environments have ``pip`` for their Python."""
    (folder / "pip").write_text(f"#!/bin/sh\n{pip}\n")
    (folder / "pip").chmod(0o755)
    make = 'mkdir -p "$3/bin" && cp "$(dirname "$0")/pip" "$3/bin/python"'
    return script(folder / "python", f'if [ "$1" = -m ]; then {make}; else exec "{PYTHON}" "$@"; fi\n')


@posix
def test_progress_in_numbers_and_lines(tmp_path):
    pip = 'case "$*" in *--version*) echo "pip 25.1";; *) echo Collecting; echo "Progress 50 of 200"; echo "$@";; esac'
    told = []
    plan = Plan(str(fake_venv(tmp_path, pip)), tmp_path / "new", BUILDS["cpu"], "warpnoise")
    install(plan, lambda *told_now: told.append(told_now), never)
    assert ("pytorch", "Collecting", None) in told and ("pytorch", "", 0.25) in told
    assert any("--progress-bar raw" in line and "--index-url" in line for stage, line, _ in told if stage == "pytorch")
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == ["venv", "pytorch", "package"]


@posix
def test_cancelling_ends_what_was_started(tmp_path):
    sleep = f"sleep 60 & echo $! >{tmp_path}/pid; echo started; wait; touch {tmp_path}/slept"
    pip = f'case "$*" in *--version*) ;; *) {sleep};; esac'
    plan = Plan(str(fake_venv(tmp_path, pip)), tmp_path / "new", INDEX, "warpnoise")
    cancel = threading.Event()

    def tell(stage: str, line: str, fraction: float | None) -> None:
        if line == "started":
            cancel.set()

    with pytest.raises(Cancelled):
        install(plan, tell, cancel.is_set)
    assert not (tmp_path / "slept").exists()
    assert ended(int((tmp_path / "pid").read_text()))
    assert not plan.folder.exists()


@posix
def test_it_ends_with_blender(tmp_path):
    """What closes when Blender dies is the pipe."""
    command = [PYTHON, str(SUPERVISE), "sh", "-c", f"sleep 60 & echo $! >{tmp_path}/pid; echo started; wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout.readline() == b"started\n"
        process.stdin.close()
        process.wait(10)
    assert ended(int((tmp_path / "pid").read_text()))


def ended(pid: int) -> bool:
    """Whether a process is gone, after five seconds at the latest."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


@posix
class TestHardware:
    @pytest.fixture(autouse=True)
    def path(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(hardware.sys, "platform", "linux")
        monkeypatch.setattr(hardware, "Path", lambda name: tmp_path / "kfd")
        return tmp_path

    def test_nvidia(self, path):
        script(path / "nvidia-smi", 'echo "NVIDIA Something 1000"')
        assert detect() == Hardware("cuda", "NVIDIA Something 1000")

    def test_a_driver_that_does_not_work_is_no_card(self, path):
        script(path / "nvidia-smi", "echo 'Failed to initialize NVML'; exit 9")
        assert detect() == Hardware("cpu")

    def test_amd(self, path):
        (path / "kfd").touch()
        assert detect() == Hardware("rocm", "AMD")

    @pytest.mark.parametrize(("machine", "build"), [("arm64", "metal"), ("x86_64", "index")])
    def test_apple(self, monkeypatch, machine, build):
        monkeypatch.setattr(hardware.sys, "platform", "darwin")
        monkeypatch.setattr(hardware.platform, "machine", lambda: machine)
        assert detect().build == build


@posix
class TestPythons:
    def test_the_first_that_can(self, tmp_path, monkeypatch):
        old = script(tmp_path / "old", "echo '[[3, 9, 1], true]'")
        bare = script(tmp_path / "bare", "echo '[[3, 12, 1], false]'")
        good = script(tmp_path / "good", "echo '[[3, 12, 1], true]'")
        other = script(tmp_path / "other", "echo hello")
        monkeypatch.setattr(pythons, "_candidates", lambda: map(str, (old, bare, other, "/nowhere", good)))
        assert find_python().path == str(good)
        monkeypatch.setattr(pythons, "_candidates", lambda: map(str, (old, bare, other)))
        with pytest.raises(BackendMissingError, match=r"3\.9\.1[\s\S]*python3-venv[\s\S]*no Python that can be run"):
            find_python()
        with pytest.raises(BackendMissingError, match=r"is Python 3\.9\.1"):
            find_python(str(old))


class TestSource:
    @pytest.mark.parametrize("text", ["warpnoise", "warpnoise==0.1.0", "warpnoise >= 0.1, < 1", "warpnoise[dev]"])
    def test_requirements(self, text):
        assert check_source(f" {text} ") == text

    @pytest.mark.parametrize("text", ["", "other", "warpnoise --index-url x", "-e .", "/nowhere", "warpnoise.whl"])
    def test_what_is_none(self, text):
        with pytest.raises(SettingsError, match="expected `warpnoise=="):
            check_source(text)

    def test_a_checkout_is_its_own_source(self, tmp_path):
        root = Path(warpnoise_addon.__file__).parents[1]
        assert default_source(root) == str(root) == check_source(str(root))
        assert default_source(tmp_path) == f"warpnoise=={VERSION}"

    def test_the_commands_are_what_people_read(self, tmp_path):
        plan = Plan("/usr/bin/python3", tmp_path / "my env", BUILDS["cuda"], "warpnoise==1")
        venv, torch, package = plan.steps
        assert venv.argv == ("/usr/bin/python3", "-m", "venv", str(tmp_path / "my env"))
        assert "--index-url https://download.pytorch.org/whl/cu" in str(torch) and str(torch).endswith(" torch")
        assert package.argv[-1] == "warpnoise==1"
        assert str(Step("venv", ("a b", "c"))) in ("'a b' c", '"a b" c')


class TestEnvironments:
    def made(self, environments: Environments) -> Path:
        path = environments.new()
        path.mkdir()
        environments.finish(path, "cpu", "warpnoise")
        return path

    def test_the_newest_counts_and_the_others_go(self, tmp_path):
        environments = Environments(tmp_path / "environments")
        assert environments.current is None
        first = self.made(environments)
        being_made = environments.new()
        being_made.mkdir()
        abandoned = environments.new()
        abandoned.mkdir()
        os.utime(abandoned, (0, time.time() - ABANDONED_SECONDS - 60))
        (tmp_path / "environments" / "a user's own").mkdir()
        second = self.made(environments)
        assert environments.path(environments.current) == second
        assert not first.exists() and not abandoned.exists()
        assert being_made.is_dir() and (tmp_path / "environments" / "a user's own").is_dir()

    @pytest.mark.parametrize("content", ["{", "[]", '{"id": "../../home", "build": "", "source": "", "made": 0}'])
    def test_a_file_that_says_nothing(self, tmp_path, content):
        (tmp_path / "current.json").write_text(content)
        assert Environments(tmp_path).current is None

    def test_one_that_was_deleted_by_hand(self, tmp_path):
        environments = Environments(tmp_path)
        shutil.rmtree(self.made(environments))
        assert environments.current is None
        assert json.loads((tmp_path / "current.json").read_text())["build"] == "cpu"


class TestOperator:
    @pytest.fixture(autouse=True)
    def registered(self):
        warpnoise_addon.register()
        yield
        warpnoise_addon.unregister()

    @pytest.mark.skipif(bpy.app.online_access, reason="online access is on here")
    def test_nothing_is_downloaded_without_leave(self):
        with pytest.raises(RuntimeError, match=r"(?i)online access"):
            bpy.ops.warpnoise.set_up()

    def test_what_still_runs_ends_with_the_add_on(self, tmp_path):
        from warpnoise_addon.stylize import state

        pip = f"sleep 60 & echo $! >{tmp_path}/pid; echo started; wait"
        plan = Plan(str(fake_venv(tmp_path, pip)), tmp_path / "new", INDEX, "warpnoise")
        session = SetupSession(state.pool, Environments(tmp_path), plan)
        state.begin(session)
        until = time.monotonic() + 30
        while not (tmp_path / "pid").exists() and time.monotonic() < until:
            time.sleep(0.02)
        state.stop_all()  # what unregistering, another file and the end of Blender call
        assert session.over and session.status.stage == "cancelled"
        assert ended(int((tmp_path / "pid").read_text())) and not plan.folder.exists()

    def test_what_was_set_up_is_used(self, tmp_path, monkeypatch):
        from warpnoise_addon.ui import managed
        from warpnoise_addon.ui.preferences import backend_choice

        environments = Environments(tmp_path)
        monkeypatch.setattr(managed, "environments", lambda: environments)
        assert backend_choice(bpy.context).python == ""
        path = environments.new()
        path.mkdir()
        environments.finish(path, "cpu", "warpnoise")
        assert backend_choice(bpy.context).python == str(path)

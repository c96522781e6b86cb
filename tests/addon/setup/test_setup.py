"""Setting up an environment: what is planned, a real one with a tiny package, failures, cancelling, and old ones."""

from __future__ import annotations

import hashlib
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
from polling import ends, poll

import warpnoise_addon
from warpnoise_addon.errors import BackendMissingError, Cancelled, SettingsError
from warpnoise_addon.setup import environments as environments_module
from warpnoise_addon.setup import hardware
from warpnoise_addon.setup.environments import ABANDONED_SECONDS, Environments, find_python
from warpnoise_addon.setup.hardware import BUILDS, Build, Hardware, detect
from warpnoise_addon.setup.install import SUPERVISE, install, update_plan
from warpnoise_addon.setup.plan import WHEEL, Package, Plan, Step, brought_package, check_wheels
from warpnoise_addon.stylize.backends import BackendPool
from warpnoise_addon.stylize.check import SetupSession
from warpnoise_addon.stylize.request import BackendChoice
from warpnoise_addon.version import VERSION

from ..fake_python import FAKE, PYTHON

posix = pytest.mark.skipif(os.name != "posix", reason="shell scripts stand for programs")
INDEX = BUILDS["index"]
PACKAGE = Package(Path("/nowhere/warpnoise.whl"), "digest")


def never() -> bool:
    return False


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
    return path


def make_wheel(folder: Path, version: str = VERSION) -> Path:
    """A package of the backend's name that is the fake backend, and needs nothing."""
    name = f"warpnoise-{version}"
    main = f"import runpy, sys\nif sys.argv[1] == 'warmup':\n    sys.exit()\nsys.argv[:1] = [{str(FAKE)!r}, 'good']\n"
    main += f"runpy.run_path({str(FAKE)!r}, run_name='__main__')\n"
    files = {
        "warpnoise/__init__.py": f"__version__ = {version!r}\n",
        "warpnoise/__main__.py": main,
        f"{name}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: warpnoise\nVersion: {version}\n"
        "Provides-Extra: serve\n",
        f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{name}.dist-info/RECORD"])
    path = folder / WHEEL / f"{name}-py3-none-any.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in {**files, f"{name}.dist-info/RECORD": record}.items():
            archive.writestr(file, content)
    return path


@posix
@pytest.mark.skipif(bool(bpy.app.binary_path), reason="Blender's Python may lack ensurepip")
@pytest.mark.slow
def test_set_up_and_update_a_real_environment(tmp_path, monkeypatch):
    make_wheel(tmp_path)
    package = brought_package(tmp_path)
    monkeypatch.setenv("WARPNOISE_PYTHON", "/nowhere/python")  # it does not matter for what is set up
    environments = Environments(tmp_path / "environments")
    # "/nowhere" is a folder of wheels that holds none: nothing is downloaded.
    plan = Plan(find_python(sys.executable).path, environments.new(), INDEX, package, wheels=Path("/nowhere"))
    pool = BackendPool()
    session = SetupSession(pool, environments, plan, hardware=lambda: Hardware("cpu"))
    lines = set()
    session._reporter._tell = lambda status: lines.add(status.line)
    session.start()
    session.wait()
    try:
        assert session.status.stage == "done", session.status.error
        assert "a fake device" in session.status.device
        assert any("Successfully installed warpnoise" in line for line in lines)
        levels = {finding.text.split(":")[0]: finding.level for finding in session.findings}
        assert (levels["Python"], levels["Device"], levels["The scene's model"]) == ("OK", "OK", "OK")
        made = environments.current
        assert made is not None and (made.build, made.package) == ("index", package.digest)
        assert environments.path(made) == plan.folder
        assert update_plan(environments, package, online=False) is None
    finally:
        pool.discard()
    # Another one that fails costs nothing that worked.
    failing = SetupSession(pool, environments, Plan(plan.python, environments.new(), INDEX, PACKAGE, Path("/nowhere")))
    failing.start()
    failing.wait()
    assert failing.status.stage == "failed", failing.status
    assert environments.current == made and not failing.plan.folder.exists()
    # A newer zip brings another wheel: the environment stays, its package is replaced.
    with zipfile.ZipFile(package.path, "a") as archive:
        archive.writestr("warpnoise/new.py", "")
    newer = brought_package(tmp_path)
    assert newer.digest != package.digest
    choice = BackendChoice(str(plan.folder), exclusive=True, update=update_plan(environments, newer, online=False))
    told: list[str] = []
    try:
        pool.acquire(choice, tell=lambda stage, line, fraction: told.append(stage))
    finally:
        pool.discard()
    assert list(dict.fromkeys(told)) == ["package", "warmup", "backend"]
    updated = environments.current
    assert updated is not None and (updated.id, updated.package) == (made.id, newer.digest)
    assert list(plan.folder.glob("**/warpnoise/new.py"))


@posix
@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("ERROR: No matching distribution found for torch", "no build for this Python"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("NewConnectionError: Failed to establish", "network"),
        ("Retrying after NewConnectionError\nERROR: No matching distribution found for torch", "network"),
        ("something else", "Read its output"),
    ],
)
def test_commands_that_fail_say_what_to_do(tmp_path, said, words):
    pip = f'case "$*" in *--version*) echo "pip 24.0";; *) echo "{said}"; exit 1;; esac'
    python = fake_venv(tmp_path, pip)
    plan = Plan(str(python), tmp_path / "new", Build("cpu", "", "https://nowhere.invalid", 1.0), PACKAGE)
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
    plan = Plan(str(fake_venv(tmp_path, pip)), tmp_path / "new", BUILDS["cpu"], PACKAGE)
    install(plan, lambda *told_now: told.append(told_now), never)
    assert ("pytorch", "Collecting", None) in told and ("pytorch", "", 0.25) in told
    assert any("--progress-bar raw" in line and "--index-url" in line for stage, line, _ in told if stage == "pytorch")
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == ["venv", "pytorch", "package", "warmup"]


@posix
def test_cancelling_ends_what_was_started(tmp_path):
    sleep = f"sleep 60 & echo $! >{tmp_path}/pid; echo started; wait; touch {tmp_path}/slept"
    pip = f'case "$*" in *--version*) ;; *) {sleep};; esac'
    plan = Plan(str(fake_venv(tmp_path, pip)), tmp_path / "new", INDEX, PACKAGE)
    cancel = threading.Event()

    def tell(stage: str, line: str, fraction: float | None) -> None:
        if line == "started":
            cancel.set()

    with pytest.raises(Cancelled):
        install(plan, tell, cancel.is_set)
    assert not (tmp_path / "slept").exists()
    assert ends(int((tmp_path / "pid").read_text()))
    assert not plan.folder.exists()


@posix
def test_it_ends_with_blender(tmp_path):
    """What closes when Blender dies is the pipe."""
    command = [PYTHON, str(SUPERVISE), "sh", "-c", f"sleep 60 & echo $! >{tmp_path}/pid; echo started; wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout.readline() == b"started\n"
        process.stdin.close()
        process.wait(10)
    assert ends(int((tmp_path / "pid").read_text()))


@posix
class TestHardware:
    @pytest.fixture(autouse=True)
    def path(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(hardware.sys, "platform", "linux")
        monkeypatch.setattr(hardware, "KFD", tmp_path / "kfd")
        monkeypatch.setattr(hardware, "ROCM_VERSION", tmp_path / "version")
        return tmp_path

    @pytest.mark.parametrize(
        ("driver", "capability", "build"),
        [
            ("580.65.06", "8.9", "cu130"),
            ("610.10", "12.0", "cu130"),
            ("580.65.06", "6.1", "cu126"),  # CUDA 13 dropped Pascal
            ("572.16", "12.0", "cu128"),  # Blackwell
            ("572.16", "8.6", "cu126"),
            ("525.60.13", "7.0", "cu126"),
            ("560.35", "12.0", "cpu"),
            ("470.82", "8.6", "cpu"),
        ],
    )
    def test_the_driver_decides_the_build_of_cuda(self, path, driver, capability, build):
        script(path / "nvidia-smi", f'echo "NVIDIA Something 1000, {driver}, {capability}"')
        found = detect()
        assert found.build == build and bool(found.gpu) == (build != "cpu")
        assert ("Update it to" in found.advice) == (build == "cpu")

    @pytest.mark.parametrize("said", ["'Failed to initialize NVML'; exit 9", "something else"])
    def test_a_driver_that_does_not_work_is_no_card(self, path, said):
        script(path / "nvidia-smi", f"echo {said}")
        assert detect() == Hardware("cpu")

    @pytest.mark.parametrize(("version", "build"), [("6.4.1-83", "rocm6.4"), ("7.2.0", "rocm7.2"), ("?", "rocm7.2")])
    def test_amd(self, path, version, build):
        (path / "kfd").touch()
        (path / "version").write_text(version)
        assert detect() == Hardware(build, "AMD")

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
        monkeypatch.setattr(environments_module, "_candidates", lambda: map(str, (old, bare, other, "/nowhere", good)))
        assert find_python().path == str(good)
        monkeypatch.setattr(environments_module, "_candidates", lambda: map(str, (old, bare, other)))
        with pytest.raises(BackendMissingError, match=r"3\.9\.1[\s\S]*python3-venv[\s\S]*no Python that can be run"):
            find_python()
        with pytest.raises(BackendMissingError, match=r"is Python 3\.9\.1"):
            find_python(str(old))


class TestPackage:
    def test_a_checkout_is_its_own_source(self):
        root = Path(warpnoise_addon.__file__).parents[1]
        assert brought_package(root) == Package(root)

    def test_a_zip_brings_its_wheel(self, tmp_path):
        wheel = make_wheel(tmp_path)
        package = brought_package(tmp_path)
        assert package.path == wheel and package.digest == hashlib.sha256(wheel.read_bytes()).hexdigest()
        assert package.requirement("serve,cuda") == f"{wheel}[serve,cuda]"

    def test_a_zip_without_its_wheel_is_reported(self, tmp_path):
        make_wheel(tmp_path, "0.0.1")  # of another version: a build that went wrong
        with pytest.raises(BackendMissingError, match="make build"):
            brought_package(tmp_path)


class TestPlan:
    def test_the_commands_are_what_people_read(self, tmp_path):
        plan = Plan("/usr/bin/python3", tmp_path / "my env", BUILDS["cu130"], PACKAGE)
        venv, torch, package, warmup = plan.steps
        assert venv.argv == ("/usr/bin/python3", "-m", "venv", str(tmp_path / "my env"))
        assert "--index-url https://download.pytorch.org/whl/cu130 torch" in str(torch)
        assert package.argv[-1] == "/nowhere/warpnoise.whl[serve,cuda]"
        assert warmup.argv == (str(plan.environment_python), "-m", "warpnoise", "warmup") and not warmup.is_pip
        assert str(Step("venv", ("a b", "c"))) in ("'a b' c", '"a b" c')

    def test_a_folder_of_wheels_needs_no_network(self, tmp_path):
        plan = Plan("python", tmp_path, BUILDS["cpu"], PACKAGE, wheels=tmp_path / "wheels")
        pip = [step for step in plan.steps if step.is_pip]
        assert len(pip) == 1
        assert all(option in pip[0].argv for option in ("--no-index", "--find-links", str(tmp_path / "wheels")))

    def test_an_update_without_leave_to_use_the_network(self, tmp_path):
        offline = Plan("python", tmp_path, INDEX, PACKAGE, online=False)
        replaced, completed, _ = offline.update_steps
        assert "--no-deps" in replaced.argv and "--no-deps" not in completed.argv
        assert all("--no-index" in step.argv for step in (replaced, completed))

    def test_folders_of_wheels_are_looked_at_first(self, tmp_path):
        with pytest.raises(SettingsError, match="does not exist"):
            check_wheels(tmp_path / "wheels")
        with pytest.raises(SettingsError, match=r"no torch-\*\.whl"):
            check_wheels(tmp_path)
        (tmp_path / "torch-2.9.0-cp311-none-any.whl").touch()
        assert check_wheels(tmp_path) == tmp_path


class TestEnvironments:
    def made(self, environments: Environments) -> Path:
        path = environments.new()
        path.mkdir()
        environments.make_current(path, "cpu", "digest")
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

    @pytest.mark.parametrize("content", ["{", "[]", '{"id": "../../home", "build": "", "package": "", "made": 0}'])
    def test_a_file_that_says_nothing(self, tmp_path, content):
        (tmp_path / "current.json").write_text(content)
        assert Environments(tmp_path).current is None

    def test_what_an_older_extension_noted(self, tmp_path):
        """It noted no digest: the environment stays, and is updated."""
        environments = Environments(tmp_path)
        path = self.made(environments)
        noted = {"id": path.name, "build": "cuda", "source": "warpnoise==0.1.0", "made": 0}
        (tmp_path / "current.json").write_text(json.dumps(noted))
        plan = update_plan(environments, PACKAGE, online=True)
        assert plan is not None and plan.folder == path and plan.build == INDEX

    def test_a_result_that_was_deleted_by_hand(self, tmp_path):
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

    def test_running_processes_end_with_the_add_on(self, tmp_path):
        from warpnoise_addon.stylize import state

        pip = f"sleep 60 & echo $! >{tmp_path}/pid; echo started; wait"
        plan = Plan(str(fake_venv(tmp_path, pip)), tmp_path / "new", INDEX, PACKAGE)
        session = SetupSession(state.pool, Environments(tmp_path), plan)
        state.begin(session)
        poll((tmp_path / "pid").exists)
        state.stop_all()  # what unregistering, another file and the end of Blender call
        assert session.over and session.status.stage == "cancelled"
        assert ends(int((tmp_path / "pid").read_text())) and not plan.folder.exists()

    def test_the_environment_of_set_up_is_used(self, tmp_path, monkeypatch):
        from warpnoise_addon.ui import preferences

        environments = Environments(tmp_path)
        monkeypatch.setattr(preferences, "environments", lambda: environments)
        assert preferences.backend_choice(bpy.context).python == ""
        path = environments.new()
        path.mkdir()
        environments.make_current(path, "cpu", "digest")
        assert preferences.backend_choice(bpy.context).python == str(path)

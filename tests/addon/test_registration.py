"""Registering and unregistering leaves nothing behind; the manifest and the package say the same."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import bpy
import pytest

import warpnoise_addon
from warpnoise_addon.version import VERSION

ROOT = Path(warpnoise_addon.__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "blender"))
from traces import traces  # noqa: E402


def test_nothing_is_left_after_twenty_times():
    before = traces()
    for _ in range(20):
        warpnoise_addon.register()
        there = traces()
        assert there["types"] and there["operators"] and there["properties"] and there["handlers"]
        warpnoise_addon.unregister()
        assert traces() == before == {kind: [] for kind in before}


@pytest.mark.skipif(bool(bpy.app.binary_path), reason="the process that it starts needs the bpy wheel")
def test_a_process_that_registered_ends_cleanly():
    """Blender 4.2 crashes at its end over some kinds of properties."""
    script = "import bpy, warpnoise_addon; warpnoise_addon.register(); warpnoise_addon.unregister()"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_manifest_has_the_packages_version():
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION) and manifest["version"] == VERSION
    assert (manifest["id"], manifest["blender_version_min"]) == ("warpnoise", "4.2.0")
    for reason in manifest["permissions"].values():  # the platform's rules
        assert len(reason) <= 64 and not reason.endswith(".")


def test_the_backend_side_of_the_add_on_imports_no_bpy():
    """`backend`, `arguments` and `errors` work, and are tested, without Blender."""
    script = (
        "import sys; sys.modules['bpy'] = None\n"
        "import warpnoise_addon.backend, warpnoise_addon.arguments, warpnoise_addon.settings, warpnoise_addon.__main__"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)


def test_only_the_standard_library_numpy_and_bpy_are_imported():
    allowed = set(sys.stdlib_module_names) | {"bpy", "bpy_extras", "bl_operators", "bl_ui", "numpy", "mathutils"}
    for path in (ROOT / "warpnoise_addon").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for name in names:
                assert name.partition(".")[0] in allowed, f"{path.name} imports {name}"


def test_only_compat_asks_for_the_version():
    for path in (ROOT / "warpnoise_addon").rglob("*.py"):
        if path.name != "compat.py":
            assert "app.version" not in path.read_text(encoding="utf-8").replace("app.version_string", ""), path

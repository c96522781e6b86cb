"""The zip that users install: what is in it, its size and its version."""

from __future__ import annotations

import email
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from tools import build_extension

pytestmark = pytest.mark.slow
LARGEST = 40e6
"""Bytes."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> zipfile.ZipFile:
    build_extension.build_wheel()
    return zipfile.ZipFile(build_extension.build_zip(tmp_path_factory.mktemp("dist")))


@pytest.fixture(scope="module")
def manifest() -> dict:
    return tomllib.loads((build_extension.ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))


def test_the_zip_contains_the_add_on_and_one_wheel(archive, manifest):
    names = archive.namelist()
    roots = {"__init__.py", "blender_manifest.toml", "CHANGELOG.md", "LICENSE", "README.md", "warpnoise_addon"}
    assert {name.partition("/")[0] for name in names} == roots
    listed = subprocess.run(["git", "ls-files", "warpnoise_addon"], cwd=build_extension.ROOT, capture_output=True)
    wheel = f"warpnoise_addon/wheel/warpnoise-{manifest['version']}-py3-none-any.whl"
    assert {*listed.stdout.decode().split(), wheel} == {name for name in names if "/" in name}
    assert Path(archive.filename).name == f"warpnoise-{manifest['version']}.zip"
    assert Path(archive.filename).stat().st_size < LARGEST


def test_the_wheel_has_the_manifests_version_and_the_model(archive, manifest, tmp_path):
    name = next(name for name in archive.namelist() if name.endswith(".whl"))
    with zipfile.ZipFile(archive.extract(name, tmp_path)) as wheel:
        metadata = email.message_from_bytes(wheel.read(f"warpnoise-{manifest['version']}.dist-info/METADATA"))
        assert metadata["Version"] == manifest["version"]
        assert "warpnoise/models/default/unet/diffusion_pytorch_model.safetensors" in wheel.namelist()
        assert (
            "warpnoise/demo/scene.py" in wheel.namelist() and "warpnoise/compare/page/page.html.j2" in wheel.namelist()
        )
    needed = [text for text in metadata.get_all("Requires-Dist") if "extra ==" not in text]
    assert not [text for text in needed if text.startswith(("fastapi", "uvicorn", "jinja2", "numba-cuda"))]


def test_the_same_files_give_the_same_bytes(archive, tmp_path):
    build_extension.build_wheel()
    assert build_extension.build_zip(tmp_path).read_bytes() == Path(archive.filename).read_bytes()

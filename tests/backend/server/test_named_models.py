"""One odd folder among the models leaves the others usable."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from warpnoise.sdedit.folder import DEFAULT_MODEL
from warpnoise.server.named_models import named_models


def model(folder: Path, **unet: object) -> Path:
    """A copy of the default model, whose network's configuration has other values."""
    shutil.copytree(DEFAULT_MODEL, folder)
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps(config | unet))
    return folder


@pytest.fixture(autouse=True)
def models_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARPNOISE_MODELS", str(tmp_path))


def test_odd_folders_are_passed_over(tmp_path: Path) -> None:
    model(tmp_path / "good")
    model(tmp_path / "text", num_class_embeds="many")
    model(tmp_path / "list", num_class_embeds=[1])
    model(tmp_path / "nothing", block_out_channels=None, in_channels={})
    for name, content in {
        "empty": "",
        "list of nothing": "[]",
        "deep": "[" * 100_000,
        "odd": '{"unet": [[], {}]}',
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "model_index.json").write_text(content)
    (tmp_path / "folder" / "model_index.json").mkdir(parents=True)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    names = [view.name for view in named_models()]
    assert {"default", "good"} <= set(names)
    assert not {"text", "list", "empty", "list of nothing", "deep", "odd", "folder", "loop", "file"} & set(names)


@pytest.mark.skipif(os.name != "posix", reason="needs names that are not text")
def test_a_name_that_is_not_text(tmp_path: Path) -> None:
    model(tmp_path / os.fsdecode(b"\xff\xfe"))
    (view,) = named_models()
    assert view.name == "default"


def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARPNOISE_MODELS", str(tmp_path / "missing"))
    (view,) = named_models()
    assert view.name == "default"

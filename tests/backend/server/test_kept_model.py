"""The server loads a model once for several jobs, and lets go of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from polling import poll
from warpnoise.errors import ModelError
from warpnoise.sdedit import load_model
from warpnoise.sdedit.editor import Editor
from warpnoise.sdedit.memory_plan import MemoryOptions
from warpnoise.server.stylize_work import KeptModel

from ..tiny_models import write_styled_model

CHOSEN = MemoryOptions()


class Loader:
    """Counts what is loaded, and what rests."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.calls: list[str] = []
        self.memories: list[MemoryOptions] = []

    def __call__(
        self,
        name_or_path: str,
        device: str | None = None,
        dtype: str | None = None,
        memory: MemoryOptions = CHOSEN,
    ) -> Editor:
        self.loaded.append(name_or_path)
        self.memories.append(memory)
        editor: Any = load_model(name_or_path, "cpu")
        for name in ("rest", "wake"):
            plain = getattr(editor, name)
            setattr(editor, name, partial(self._note, name, plain))
        return cast(Editor, editor)

    def _note(self, name: str, plain: Callable[[], None]) -> None:
        self.calls.append(name)
        plain()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_styled_model(tmp_path / "model")


def run(kept: KeptModel, path: Path, device: str | None = None, memory: MemoryOptions = CHOSEN) -> Editor:
    with kept.for_a_job() as load:
        return load(str(path), device, memory=memory)


def test_the_next_job_finds_the_model_loaded(model: Path) -> None:
    loader = Loader()
    kept = KeptModel(loader)
    first = run(kept, model)
    assert loader.calls == ["rest"]
    assert run(kept, model) is first
    assert (len(loader.loaded), loader.calls) == (1, ["rest", "wake", "rest"])


def test_another_model_another_device_and_changed_files_are_loaded(model: Path, tmp_path: Path) -> None:
    loader = Loader()
    kept = KeptModel(loader)
    first = run(kept, model)
    assert run(kept, model, "cpu") is not first
    other = shutil.copytree(model, tmp_path / "other")
    run(kept, other)
    os.utime(other / "unet" / "diffusion_pytorch_model.safetensors", ns=(1, 1))
    run(kept, other)
    assert loader.loaded == [str(model), str(model), str(other), str(other)]


def test_a_model_that_shall_take_less_memory_is_loaded_again(model: Path) -> None:
    loader, less = Loader(), MemoryOptions(quantize="8bit")
    kept = KeptModel(loader)
    first = run(kept, model)
    second = run(kept, model, memory=less)
    assert second is not first and run(kept, model, memory=less) is second
    assert loader.memories == [CHOSEN, less]


def test_a_lora_that_is_replaced_is_not_painted_from_memory(model: Path, tmp_path: Path) -> None:
    loader = Loader()
    kept = KeptModel(loader)
    lora, other = tmp_path / "lora.safetensors", tmp_path / "other.safetensors"
    lora.write_bytes(b"1")
    for named in ([lora], [other], [lora]):
        with kept.for_a_job(named) as load:
            load(str(model))
    assert len(loader.loaded) == 1
    lora.write_bytes(b"another")
    with kept.for_a_job([lora]) as load:
        load(str(model))
    assert len(loader.loaded) == 2


def test_it_is_freed_on_request_but_not_under_a_job(model: Path) -> None:
    loader = Loader()
    kept = KeptModel(loader)
    with kept.for_a_job() as load:
        load(str(model))
        assert not kept.free()
    assert kept.free()
    run(kept, model)
    assert len(loader.loaded) == 2


@pytest.mark.slow
def test_it_is_freed_when_it_is_idle(model: Path) -> None:
    loader = Loader()
    kept = KeptModel(loader, idle_seconds=0.05)
    run(kept, model)
    poll(lambda: kept._editor is None)


def test_a_model_that_cannot_be_loaded_leaves_none_behind(model: Path) -> None:
    loader = Loader()
    kept = KeptModel(loader)
    run(kept, model)
    (model / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError):
        run(kept, model)
    assert kept._editor is None and kept.free()

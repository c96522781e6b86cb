"""Memory: what is chosen from the sizes, that offloading changes no bit, and what happens when memory is used up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from warpnoise.errors import ModelError, SettingsError
from warpnoise.job import Settings
from warpnoise.sdedit import ModelFolder, load_model, pipeline_editor
from warpnoise.sdedit import memory as memory_module
from warpnoise.sdedit import parts as parts_module
from warpnoise.sdedit.device import is_out_of_memory
from warpnoise.sdedit.memory import TILED, place, quantization
from warpnoise.sdedit.memory_plan import (
    WORKING_MEMORY,
    MemoryPlan,
    Offload,
    capacity,
    part_sizes,
    plan_memory,
    what_would_fit,
)
from warpnoise.sdedit.pipeline_editor import PipelineEditor

Tiny = Callable[[str], Path]
pytestmark = pytest.mark.usefixtures("pooled_noise")
SETTINGS = Settings(strength=0.5, steps=2, prompt="a house", guidance=3.0)
GB = 10**9
PARTS = {"transformer": 12 * GB, "text_encoder": 9 * GB, "vae": GB // 2}


@pytest.mark.parametrize(
    ("free", "quantize", "offload"),
    [
        (None, "none", "none"),
        (24 * GB, "none", "none"),
        (16 * GB, "none", "model"),
        (8 * GB, "none", "group"),
        (24 * GB, "4bit", "none"),
        (12 * GB, "8bit", "model"),
        (10 * GB, "8bit", "group"),
    ],
)
def test_the_quickest_plan_that_fits_is_chosen(free: int | None, quantize: Any, offload: str) -> None:
    assert plan_memory(PARTS, "transformer", free, quantize=quantize) == MemoryPlan(offload, quantize)  # type: ignore[arg-type]
    assert plan_memory(PARTS, "transformer", 99 * GB, offload="group").offload == "group"


def test_plans_need_less_and_less() -> None:
    plans = [MemoryPlan()]
    while (less := plans[-1].less) is not None:
        plans.append(less)
    assert [plan.offload for plan in plans] == ["none", "model", "group"]
    assert plans[0].sentence == "" and "one at a time" in plans[1].sentence and "layers" in plans[2].sentence
    assert "8 bit" in MemoryPlan(quantize="8bit").sentence


def test_sizes_are_those_of_the_weights(tiny: Tiny) -> None:
    folder = ModelFolder.open(tiny("sdxl"))
    editor = load_model(tiny("sdxl"), "cpu", "float32")
    assert isinstance(editor, PipelineEditor)
    numbers = {name: sum(w.numel() for w in getattr(editor.pipeline, name).parameters()) for name in folder.weighted}
    sizes = part_sizes(folder)
    assert sizes.keys() == numbers.keys()
    for name, count in numbers.items():
        assert sizes[name] == pytest.approx(count * (4 if name == "vae" else 2), rel=0.01), name


def test_an_error_says_what_would_fit() -> None:
    assert "--quantize 4bit" in what_would_fit(PARTS, "transformer", 4 * GB + WORKING_MEMORY)
    assert what_would_fit(PARTS, "transformer", GB).startswith("Render smaller frames")
    assert capacity(10 * GB, {"bitsandbytes": False, "torchao": False}) == (
        "Models of up to 7.9 GB run wholly on the device; of larger ones one part or layer at a time is there, which "
        "is slower. 8 and 4 bit need the package bitsandbytes or torchao."
    )


def edit(editor: Any, settings: Settings = SETTINGS) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    images = torch.rand((1, 3, 64, 64), generator=random)
    noise = torch.randn((1, *editor.noise_shape(64, 64, settings)), generator=random)
    return editor.edit(images, lambda index: noise, settings)


@pytest.mark.parametrize("offload", ["model", "group"])
@pytest.mark.parametrize("name", ["sdxl", "flux"])
def test_offloading_changes_no_bit(tiny: Tiny, name: str, offload: Offload) -> None:
    plain = edit(load_model(tiny(name), "cpu", "float32"))
    editor = load_model(tiny(name), "cpu", "float32", offload=offload)
    assert "one at a time is on the device" in " ".join(editor.check(SETTINGS))
    assert torch.equal(edit(editor), plain)
    editor.rest()
    editor.wake()
    assert torch.equal(edit(editor), plain)


def test_quantizing_needs_a_package(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "quantizers", lambda: {"bitsandbytes": False, "torchao": False})
    with pytest.raises(ModelError, match="needs the package bitsandbytes or torchao in the backend's Python"):
        load_model(tiny("sdxl"), "cpu", "float32", quantize="8bit")
    assert quantization(PipelineEditor, "none", torch.device("cpu"), torch.float32) is None


@pytest.mark.parametrize("offload", ["none", "model"])
@pytest.mark.parametrize("name", ["sdxl", "flux"])
def test_8_bit_paints_nearly_the_same(tiny: Tiny, name: str, offload: Offload) -> None:
    pytest.importorskip("torchao")
    plain = edit(load_model(tiny(name), "cpu", "float32"))
    editor = load_model(tiny(name), "cpu", "float32", quantize="8bit", offload=offload)
    assert isinstance(editor, PipelineEditor)
    layers = [layer for layer in editor.network.modules() if isinstance(layer, torch.nn.Linear)]
    assert layers and all(type(layer.weight.data) is not torch.Tensor for layer in layers)
    painted = edit(editor)
    assert not torch.equal(painted, plain)
    torch.testing.assert_close(painted, plain, atol=0.02, rtol=0)


def test_a_package_that_quantizing_needs_as_well_is_named(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise ImportError("Requires mslk >= 1.0.0")

    monkeypatch.setattr(parts_module, "quantization", lambda kind, how, *_: None if how == "none" else how)
    monkeypatch.setattr("diffusers.UNet2DConditionModel.from_pretrained", load)
    with pytest.raises(ModelError, match=r"Requires mslk >= 1.0.0\. Install it, or leave --quantize out"):
        load_model(tiny("sdxl"), "cpu", "float32", quantize="4bit")


def test_pixel_models_are_not_quantized(styled_model: Path) -> None:
    with pytest.raises(SettingsError, match="is a pixel model, which is small"):
        load_model(styled_model, "cpu", quantize="4bit")


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB, other allocations: 1.00 GB)"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "mps"])
class TestOutOfMemory:
    def test_it_is_known(self, error: RuntimeError) -> None:
        assert is_out_of_memory(error)
        assert not is_out_of_memory(RuntimeError("shapes differ")) and not is_out_of_memory(ValueError("out of memory"))

    def test_while_loading(self, tiny: Tiny, error: RuntimeError, monkeypatch: pytest.MonkeyPatch) -> None:
        """Once more with the next plan, then it is said what would fit."""
        plain, plans = pipeline_editor.load_pipeline, []

        def load(folder: Any, device: Any, dtype: Any, plan: MemoryPlan) -> Any:
            plans.append(plan.offload)
            if len(plans) <= fails:
                raise error
            return plain(folder, device, dtype, MemoryPlan())

        monkeypatch.setattr(pipeline_editor, "load_pipeline", load)
        fails = 1
        editor = load_model(tiny("sdxl"), "cpu", "float32", offload="model")
        assert plans == ["model", "group"]
        (warning,) = editor.take_warnings()
        assert warning.startswith("The device's memory was too small. The model's layers wait in main memory")
        plans.clear()
        fails = 2
        with pytest.raises(ModelError, match=r"cpu has too little memory for the parts of .*\. "):
            load_model(tiny("sdxl"), "cpu", "float32", offload="model")

    @pytest.mark.parametrize("step", ["encode", "decode"])
    def test_in_the_autoencoder(
        self, tiny: Tiny, error: RuntimeError, step: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once more in tiles, which stay."""
        editor = load_model(tiny("sdxl"), "cpu", "float32")
        plain = getattr(pipeline_editor, step)

        def code(pipeline: Any, x: torch.Tensor) -> torch.Tensor:
            if not pipeline.vae.use_tiling:
                raise error
            return plain(pipeline, x)

        monkeypatch.setattr(pipeline_editor, step, code)
        assert torch.isfinite(edit(editor)).all()
        assert editor.take_warnings() == (TILED,) and editor.take_warnings() == ()
        monkeypatch.setattr(pipeline_editor, step, lambda *_: (_ for _ in ()).throw(error))
        with pytest.raises(type(error), match="out of memory"):
            edit(editor)

    def test_while_denoising(self, tiny: Tiny, error: RuntimeError, monkeypatch: pytest.MonkeyPatch) -> None:
        """Parts wait in main memory, then layers; then it is said what would fit."""
        editor = load_model(tiny("sdxl"), "cpu", "float32")
        placed: list[str] = []
        monkeypatch.setattr(memory_module, "place", lambda pipeline, plan, device: placed.append(plan.offload))
        editor._memory._device = torch.device("meta")  # type: ignore[attr-defined]  # one with a memory of its own
        monkeypatch.setattr(memory_module, "memory", lambda device: (8 * GB, 4 * GB))
        assert "parts wait in main memory" in editor.save_memory(64, 32)
        assert "layers wait in main memory" in editor.save_memory(64, 32)
        with pytest.raises(ModelError, match=r"too little memory for one frame of 32 x 64 pixels. .* --quantize 8bit"):
            editor.save_memory(64, 32)
        assert placed == ["model", "group"]


def test_layers_are_offloaded_where_diffusers_does_it(tiny: Tiny) -> None:
    editor = load_model(tiny("sdxl"), "cpu", "float32")
    assert isinstance(editor, PipelineEditor)
    calls: list[dict[str, Any]] = []
    editor.pipeline.enable_group_offload = lambda **options: calls.append(options)
    place(editor.pipeline, MemoryPlan("group"), torch.device("cuda"))
    assert calls == [{"onload_device": torch.device("cuda"), "offload_type": "leaf_level", "use_stream": True}]

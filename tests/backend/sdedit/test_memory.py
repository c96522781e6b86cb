"""Memory: what is chosen from the sizes, that offloading changes no bit, and what happens when memory is used up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from warpnoise.errors import ModelError
from warpnoise.job import Settings
from warpnoise.sdedit import ModelFolder, load_model, pipeline_editor
from warpnoise.sdedit import memory as memory_module
from warpnoise.sdedit.device import is_out_of_memory
from warpnoise.sdedit.memory import SLICED, TILED, place
from warpnoise.sdedit.memory_plan import (
    WORKING_MEMORY,
    MemoryOptions,
    MemoryPlan,
    Offload,
    Room,
    Sizes,
    capacity,
    model_sizes,
    plan_memory,
    what_would_fit,
)
from warpnoise.sdedit.pipeline_editor import PipelineEditor

Tiny = Callable[[str], Path]
pytestmark = pytest.mark.usefixtures("pooled_noise")
SETTINGS = Settings(strength=0.5, steps=2, prompt="a house", guidance=3.0)
GB = 10**9
PARTS = {"transformer": 12 * GB, "text_encoder": 9 * GB, "vae": GB // 2}
SIZES = Sizes(PARTS, {"transformer": 12 * GB, "text_encoder": 8 * GB})
"""21.5 GB; 12.1 GB in 8 bits, 7.1 GB in 4 bits."""
CHOSEN = MemoryOptions()
EIGHT, FOUR = MemoryOptions(quantize="8bit"), MemoryOptions(quantize="4bit")


@pytest.mark.parametrize(
    ("device", "main", "options", "plan"),
    [
        (24, 64, CHOSEN, ("none", "none")),
        (16, 64, CHOSEN, ("model", "none")),
        (8, 64, CHOSEN, ("group", "none")),
        (24, 64, FOUR, ("none", "4bit")),
        (12, 64, EIGHT, ("model", "8bit")),
        (8, 64, EIGHT, ("group", "8bit")),
        (99, 64, MemoryOptions("group"), ("group", "none")),
        # In a small main memory nothing can wait unless it is quantized.
        (24, 16, CHOSEN, ("none", "none")),
        (18.2, 16, CHOSEN, ("none", "8bit")),
        (12, 18.2, CHOSEN, ("model", "8bit")),
        (8, 18.2, CHOSEN, ("group", "8bit")),
        (8, 12, CHOSEN, ("model", "4bit")),
        (5, 12, CHOSEN, ("group", "4bit")),
        (8, 16, MemoryOptions(quantize="none"), ("group", "none")),
        (8, 8, CHOSEN, ("group", "none")),
        # CPUs and Apple's GPUs compute in main memory: nothing waits elsewhere.
        (24, None, CHOSEN, ("none", "none")),
        (20, None, CHOSEN, ("none", "8bit")),
        (12, None, CHOSEN, ("none", "4bit")),
        (8, None, CHOSEN, ("none", "none")),
        (16, None, MemoryOptions("model"), ("model", "none")),
    ],
)
def test_the_plan_that_loses_least_is_chosen(
    device: float, main: float | None, options: MemoryOptions, plan: tuple[str, str]
) -> None:
    room = Room(int(device * GB), None if main is None else int(main * GB))
    chosen = plan_memory(SIZES, room, options)
    assert (chosen.offload, chosen.quantize) == plan
    too_large = "The model is too large for this machine's memory otherwise."
    assert (chosen.advice == too_large) == (chosen.quantize != "none" and options.quantize is None)


def test_a_slow_plan_says_what_would_be_quicker() -> None:
    chosen = plan_memory(SIZES, Room(12 * GB, 64 * GB), CHOSEN)
    assert chosen.sentence == (
        "The model's layers are kept in main memory, and one at a time is on the device. This is slow. --quantize 8bit "
        "is quicker, and changes the picture a little."
    )
    assert plan_memory(SIZES, Room(5 * GB, 64 * GB), CHOSEN).advice == ""


def test_plans_need_less_and_less() -> None:
    plans = [MemoryPlan()]
    while (less := plans[-1].less) is not None:
        plans.append(less)
    assert [plan.offload for plan in plans] == ["none", "model", "group"]
    assert plans[0].sentence == "" and "one at a time" in plans[1].sentence and "layers" in plans[2].sentence


def test_sizes_are_those_of_the_weights(tiny: Tiny) -> None:
    folder = ModelFolder.open(tiny("sdxl"))
    editor = load_model(tiny("sdxl"), "cpu", "float32")
    assert isinstance(editor, PipelineEditor)
    numbers = {name: sum(w.numel() for w in getattr(editor.pipeline, name).parameters()) for name in folder.weighted}
    sizes = model_sizes(folder).parts
    assert sizes.keys() == numbers.keys()
    for name, count in numbers.items():
        assert sizes[name] == pytest.approx(count * (4 if name == "vae" else 2), rel=0.01), name


def test_an_error_says_what_would_fit() -> None:
    room = Room(8 * GB + WORKING_MEMORY, 64 * GB)
    assert "take 6.4 GB with --quantize 8bit" in what_would_fit(SIZES, room, MemoryPlan())
    assert "--quantize 4bit" in what_would_fit(SIZES, Room(10 * GB, None), MemoryPlan())
    for advice in (
        what_would_fit(SIZES, Room(GB, 64 * GB), MemoryPlan()),
        what_would_fit(SIZES, room, MemoryPlan(quantize="8bit")),
    ):
        assert advice.startswith("Render smaller frames")
    assert capacity(Room(10 * GB, 32 * GB)) == (
        "Models of up to 7.9 GB run wholly on the device. Of larger ones, up to 29.9 GB, one part or one layer at a "
        "time is there, which is slower. Of still larger ones, the weights are stored in 8 or 4 bit."
    )
    assert capacity(Room(10 * GB, None)) == (
        "Models of up to 7.9 GB fit; of larger ones, the weights are stored in 8 or 4 bit."
    )


def edit(editor: Any, settings: Settings = SETTINGS, frames: int = 1) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    images = torch.rand((frames, 3, 64, 64), generator=random)
    noise = torch.randn((frames, *editor.noise_shape(64, 64, settings)), generator=random)
    return editor.edit(images, lambda index: noise, settings)


@pytest.mark.slow
@pytest.mark.parametrize("offload", ["model", "group"])
@pytest.mark.parametrize("name", ["sdxl", "flux"])
def test_offloading_changes_no_bit(tiny: Tiny, name: str, offload: Offload) -> None:
    plain = edit(load_model(tiny(name), "cpu", "float32"))
    editor = load_model(tiny(name), "cpu", "float32", MemoryOptions(offload))
    assert "one at a time is on the device" in " ".join(editor.check(SETTINGS))
    assert torch.equal(edit(editor), plain)
    editor.rest()
    editor.wake()
    assert torch.equal(edit(editor), plain)


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
        editor = load_model(tiny("sdxl"), "cpu", "float32", MemoryOptions("model"))
        assert plans == ["model", "group"]
        (warning,) = editor.take_warnings()
        assert warning.startswith("The device's memory was too small. The model's layers are kept in main memory")
        plans.clear()
        fails = 2
        with pytest.raises(ModelError, match=r"cpu has too little memory for the parts of .*\. "):
            load_model(tiny("sdxl"), "cpu", "float32", MemoryOptions("model"))

    def test_of_a_batch_in_the_autoencoder(
        self, tiny: Tiny, error: RuntimeError, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once more frame by frame, which changes nothing else."""
        editor = load_model(tiny("sdxl"), "cpu", "float32")
        plain, expected = pipeline_editor.decode, edit(editor, frames=2)

        def decode(pipeline: Any, x: torch.Tensor) -> torch.Tensor:
            if not pipeline.vae.use_slicing:
                raise error
            return plain(pipeline, x)

        monkeypatch.setattr(pipeline_editor, "decode", decode)
        torch.testing.assert_close(edit(editor, frames=2), expected, atol=1e-5, rtol=0)
        assert editor.take_warnings() == (SLICED,)

    @pytest.mark.parametrize("step", ["encode", "decode"])
    def test_in_the_autoencoder(
        self, tiny: Tiny, error: RuntimeError, step: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once more in tiles, which stay; not if the user wants none."""
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
        editor = load_model(tiny("sdxl"), "cpu", "float32", MemoryOptions(tiling="off"))
        with pytest.raises(type(error), match="out of memory"):
            edit(editor)
        assert editor.take_warnings() == ()

    def test_while_denoising(self, tiny: Tiny, error: RuntimeError, monkeypatch: pytest.MonkeyPatch) -> None:
        """Parts wait in main memory, then layers; then it is said what would fit."""
        editor = load_model(tiny("sdxl"), "cpu", "float32")
        placed: list[str] = []
        monkeypatch.setattr(memory_module, "place", lambda pipeline, plan, device: placed.append(plan.offload))
        editor._memory._device = torch.device("meta")  # one with a memory of its own
        monkeypatch.setattr(memory_module, "memory", lambda device: (8 * GB, 4 * GB))
        assert "parts are kept in main memory" in editor.save_memory(64, 32)
        assert "layers are kept in main memory" in editor.save_memory(64, 32)
        with pytest.raises(ModelError, match=r"too little memory for one frame of 32 x 64 pixels. .* --quantize 8bit"):
            editor.save_memory(64, 32)
        assert placed == ["model", "group"]


def test_tiles_that_are_asked_for(tiny: Tiny) -> None:
    editor: Any = load_model(tiny("sdxl"), "cpu", "float32", MemoryOptions(tiling="on"))
    assert editor.pipeline.vae.use_tiling and torch.isfinite(edit(editor)).all()
    with pytest.raises(ModelError, match=r"tiling on: .* has no autoencoder that works in tiles: leave it out"):
        load_model(tiny("prx"), "cpu", "float32", MemoryOptions(tiling="on"))


def test_layers_are_offloaded_where_diffusers_does_it(tiny: Tiny) -> None:
    editor = load_model(tiny("sdxl"), "cpu", "float32")
    assert isinstance(editor, PipelineEditor)
    calls: list[dict[str, Any]] = []
    editor.pipeline.enable_group_offload = lambda **options: calls.append(options)
    place(editor.pipeline, MemoryPlan("group"), torch.device("cuda"))
    assert calls == [{"onload_device": torch.device("cuda"), "offload_type": "leaf_level", "use_stream": True}]

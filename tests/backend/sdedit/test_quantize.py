"""Weights in 8 and 4 bit: what is stored so, that it paints nearly the same, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from diffusers.quantizers.gguf.utils import GGUFLinear, dequantize_gguf_tensor
from warpnoise.errors import ModelError
from warpnoise.sdedit import ModelFolder, load_model
from warpnoise.sdedit import memory as memory_module
from warpnoise.sdedit.memory import check_memory
from warpnoise.sdedit.memory_plan import WORKING_MEMORY, MemoryOptions, Offload, Quantize, Sizes, model_sizes
from warpnoise.sdedit.pipeline_editor import PipelineEditor

from .test_memory import SETTINGS, edit

Tiny = Callable[[str], Path]
pytestmark = pytest.mark.usefixtures("pooled_noise")


def load(folder: Path, quantize: Quantize | None = None, offload: Offload | None = None) -> PipelineEditor:
    editor = load_model(folder, "cpu", "float32", MemoryOptions(offload, quantize))
    assert isinstance(editor, PipelineEditor)
    return editor


def quantized_layers(editor: PipelineEditor) -> dict[str, Any]:
    """Of the network and the text encoders, by part and name."""
    return {
        f"{part}.{name}": layer
        for part in editor.folder.weighted
        for name, layer in getattr(editor.pipeline, part).named_modules()
        if isinstance(layer, GGUFLinear)
    }


@pytest.mark.slow
@pytest.mark.parametrize(("quantize", "share", "error"), [("8bit", 8.5, 0.006), ("4bit", 4.5, 0.1)])
@pytest.mark.parametrize("name", ["sdxl", "flux", "qwen"])
def test_blocks_are_stored_in_fewer_bits(tiny: Tiny, name: str, quantize: Quantize, share: float, error: float) -> None:
    """Each within the error of its format; the picture is nearly the same; what was done is said."""
    plain, editor = load(tiny(name)), load(tiny(name), quantize)
    layers = quantized_layers(editor)
    sizes = model_sizes(ModelFolder.open(tiny(name)), 4)
    said = " ".join(editor.check(SETTINGS))
    for part in plain.folder.weighted:
        own = dict(getattr(plain.pipeline, part).named_modules())
        saved = count = 0
        for path, layer in layers.items():
            if path.startswith(f"{part}."):
                weight, stored = own[path.removeprefix(f"{part}.")].weight, dequantize_gguf_tensor(layer.weight)
                assert any(word.isdecimal() for word in path.split("."))
                assert layer.weight.nbytes == weight.numel() * share / 8
                assert 0 < (stored - weight).norm() / weight.norm() < error
                saved, count = saved + weight.nbytes - layer.weight.nbytes, count + 1
        assert sizes.parts[part] - sizes.stored(quantize)[part] == pytest.approx(saved, rel=0.01)
        assert (f"{part.replace('_', ' ')}: {count} layers" in said) == (count > 0)
    assert f"Weights are stored in {quantize[0]} bits, which changes the picture a little" in said
    painted, expected = edit(editor), edit(plain)
    assert not torch.equal(painted, expected)
    torch.testing.assert_close(painted, expected, atol=2 * error, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize(("quantize", "error"), [("8bit", 0.02), ("4bit", 0.25)])
@pytest.mark.parametrize(
    ("name", "part"), [("flux", "text_encoder_2"), ("z_image", "text_encoder"), ("qwen", "text_encoder")]
)
def test_text_encoders_read_nearly_the_same(tiny: Tiny, name: str, part: str, quantize: Quantize, error: float) -> None:
    """T5, Qwen 3 and Qwen 2.5 VL: every matrix of their blocks is quantized, whole sentences differ by its error."""
    plain, encoder = (getattr(load(tiny(name), each).pipeline, part) for each in (None, quantize))
    tokens = torch.arange(2, 22)[None]
    expected, read = (model(tokens, output_hidden_states=True).hidden_states[-1] for model in (plain, encoder))
    assert 0 < (read - expected).norm() / expected.norm() < error
    wide = [
        layer
        for name, layer in encoder.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer.in_features % 32 == 0 and name != "lm_head"
    ]
    assert wide and all(isinstance(layer, GGUFLinear) for layer in wide)


@pytest.mark.slow
@pytest.mark.parametrize("offload", ["model", "group"])
def test_offloading_a_quantized_network_changes_no_bit(tiny: Tiny, offload: Offload) -> None:
    assert torch.equal(edit(load(tiny("flux"), "4bit", offload)), edit(load(tiny("flux"), "4bit")))


@pytest.mark.slow
def test_a_model_too_large_for_the_memory_is_quantized(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else would fit: the CPU computes in main memory."""
    sizes = model_sizes(ModelFolder.open(tiny("flux")), 4)
    for quantize, bits in (("8bit", "8"), ("4bit", "4")):
        room = sum(sizes.stored(quantize).values()) + WORKING_MEMORY
        monkeypatch.setattr(memory_module, "memory", lambda device, room=room: (room, room))
        editor = load(tiny("flux"))
        said = " ".join(editor.check(SETTINGS))
        assert f"are stored in {bits} bits" in said and "too large for this machine's memory otherwise" in said
        assert quantized_layers(editor)
        assert not quantized_layers(load(tiny("flux"), "none"))


def test_what_cannot_be_quantized_is_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "model_sizes", lambda *_: Sizes({"unet": 10}, {"unet": 0}))
    with pytest.raises(ModelError, match=r"quantize 4bit: no weights of .* can be quantized: leave it out"):
        check_memory(ModelFolder.open(tiny("sd15")), "cpu", MemoryOptions(quantize="4bit"))


def test_pixel_models_are_not_quantized(styled_model: Path) -> None:
    editor = load_model(styled_model, "cpu", memory=MemoryOptions("model", "4bit"))
    (warning,) = editor.check(SETTINGS.updated({"prompt": "", "guidance": None}))
    assert warning.endswith("is a pixel model, which is small: offload model, quantize 4bit have no effect.")


def test_blocks_are_those_of_the_format(tiny: Tiny) -> None:
    """As another program reads them."""
    layer = next(iter(quantized_layers(load(tiny("flux"), "4bit")).values()))
    numbers = gguf.quants.dequantize(layer.weight.as_tensor().numpy(), gguf.GGMLQuantizationType.Q4_0)
    stored = dequantize_gguf_tensor(layer.weight).float()
    torch.testing.assert_close(torch.from_numpy(numbers), stored, atol=0, rtol=1e-3)  # of float16

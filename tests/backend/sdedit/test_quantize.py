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
from warpnoise.sdedit.memory_plan import WORKING_MEMORY, MemoryOptions, Offload, Quantize, model_sizes
from warpnoise.sdedit.pipeline_editor import PipelineEditor
from warpnoise.sdedit.quantize import quantize_network

from .test_memory import SETTINGS, edit

Tiny = Callable[[str], Path]
pytestmark = pytest.mark.usefixtures("pooled_noise")


def load(folder: Path, quantize: Quantize | None = None, offload: Offload | None = None) -> PipelineEditor:
    editor = load_model(folder, "cpu", "float32", MemoryOptions(offload, quantize))
    assert isinstance(editor, PipelineEditor)
    return editor


def quantized_layers(editor: PipelineEditor) -> dict[str, Any]:
    return {name: layer for name, layer in editor.network.named_modules() if isinstance(layer, GGUFLinear)}


@pytest.mark.parametrize(("quantize", "share", "error"), [("8bit", 8.5, 0.006), ("4bit", 4.5, 0.1)])
@pytest.mark.parametrize("name", ["sdxl", "flux"])
def test_blocks_are_stored_in_fewer_bits(tiny: Tiny, name: str, quantize: Quantize, share: float, error: float) -> None:
    """Each within the error of its format; the picture is nearly the same; what was done is said."""
    plain, editor = load(tiny(name)), load(tiny(name), quantize)
    layers, own = quantized_layers(editor), dict(plain.network.named_modules())
    assert layers and all(".0." in layer or ".1." in layer for layer in layers)
    for path, layer in layers.items():
        weight, stored = own[path].weight, dequantize_gguf_tensor(layer.weight)
        assert layer.weight.nbytes == weight.numel() * share / 8
        assert 0 < (stored - weight).norm() / weight.norm() < error
    saved = sum(own[path].weight.nbytes - layer.weight.nbytes for path, layer in layers.items())
    sizes = model_sizes(ModelFolder.open(tiny(name)), 4)
    assert sizes.parts[sizes.network] - sizes.stored(quantize)[sizes.network] == pytest.approx(saved, rel=0.01)
    said = " ".join(editor.check(SETTINGS))
    assert f"{len(layers)} layers of the network are stored in {quantize[0]} bit, which changes the picture" in said
    painted, expected = edit(editor), edit(plain)
    assert not torch.equal(painted, expected)
    torch.testing.assert_close(painted, expected, atol=2 * error, rtol=0)


@pytest.mark.parametrize("offload", ["model", "group"])
def test_offloading_a_quantized_network_changes_no_bit(tiny: Tiny, offload: Offload) -> None:
    assert torch.equal(edit(load(tiny("flux"), "4bit", offload)), edit(load(tiny("flux"), "4bit")))


def test_a_model_too_large_for_the_memory_is_quantized(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else would fit: the CPU computes in main memory."""
    sizes = model_sizes(ModelFolder.open(tiny("flux")), 4)
    for quantize, bits in (("8bit", "8"), ("4bit", "4")):
        room = sum(sizes.stored(quantize).values()) + WORKING_MEMORY
        monkeypatch.setattr(memory_module, "memory", lambda device, room=room: (room, room))
        editor = load(tiny("flux"))
        said = " ".join(editor.check(SETTINGS))
        assert f"are stored in {bits} bit" in said and "too large for this machine's memory otherwise" in said
        assert quantized_layers(editor)
        assert not quantized_layers(load(tiny("flux"), "none"))


def test_what_cannot_be_quantized_is_refused(tiny: Tiny) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(24, 32), torch.nn.Conv2d(32, 32, 1))
    with pytest.raises(ModelError, match=r"quantize 4bit: the network of odd cannot be stored so: none of its layers"):
        quantize_network(network, "4bit", torch.float32, "odd")
    with pytest.raises(ModelError, match=r"its weights are in fewer bits already\. Leave it out"):
        quantize_network(load(tiny("flux"), "8bit").network, "4bit", torch.float32, "flux")


def test_pixel_models_are_not_quantized(styled_model: Path) -> None:
    editor = load_model(styled_model, "cpu", memory=MemoryOptions("model", "4bit"))
    (warning,) = editor.check(SETTINGS.updated({"prompt": "", "guidance": None}))
    assert warning.endswith("is a pixel model, which is small: offload model, quantize 4bit has no effect.")


def test_blocks_are_those_of_the_format(tiny: Tiny) -> None:
    """As another program reads them."""
    layer = next(iter(quantized_layers(load(tiny("flux"), "4bit")).values()))
    numbers = gguf.quants.dequantize(layer.weight.as_tensor().numpy(), gguf.GGMLQuantizationType.Q4_0)
    stored = dequantize_gguf_tensor(layer.weight).float()
    torch.testing.assert_close(torch.from_numpy(numbers), stored, atol=0, rtol=1e-3)  # of float16

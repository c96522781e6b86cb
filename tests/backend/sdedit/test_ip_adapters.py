"""IP-Adapters: a picture's look comes in as diffusers has it come in, and adapters of another base are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection
from warpnoise.errors import ModelError, SettingsError
from warpnoise.job import Settings
from warpnoise.sdedit import ModelFolder, load_model, reference_pictures
from warpnoise.sdedit.check import check_settings
from warpnoise.sdedit.pipeline_editor import PipelineEditor

from .test_controls import unet_control

Tiny = Callable[[str], Path]
pytestmark = pytest.mark.usefixtures("pooled_noise")
SETTINGS = Settings(strength=0.5, steps=2, prompt="a house", guidance=3.0)
WIDTH = 16
"""Of the image encoder's answer."""


def encoder(folder: Path, width: int = WIDTH) -> Path:
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
        projection_dim=width,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        CLIPVisionModelWithProjection(config).save_pretrained(folder)
    return folder


def resampler(cross: int, random: torch.Generator) -> dict[str, torch.Tensor]:
    """A projection of the Plus kind, of 3 tokens: a perceiver of 4 layers with heads of 64 numbers."""
    width, hidden = 64, 16  # of the perceiver; of the image encoder's layers
    sizes = {"latents": (1, 3, width), "proj_in.weight": (width, hidden), "proj_out.weight": (cross, width)}
    sizes |= {
        "proj_in.bias": (width,),
        "proj_out.bias": (cross,),
        "norm_out.weight": (cross,),
        "norm_out.bias": (cross,),
    }
    for layer in range(4):
        attention, forward = f"layers.{layer}.0", f"layers.{layer}.1"
        for norm in (f"{attention}.norm1", f"{attention}.norm2", f"{forward}.0"):
            sizes |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
        sizes |= {f"{attention}.to_q.weight": (64, width), f"{attention}.to_kv.weight": (128, width)}
        sizes |= {f"{attention}.to_out.weight": (width, 64)}
        sizes |= {f"{forward}.1.weight": (4 * width, width), f"{forward}.3.weight": (width, 4 * width)}
    return {name: torch.randn(size, generator=random) * (0.2 if len(size) == 2 else 1) for name, size in sizes.items()}


def adapter(editor: PipelineEditor, folder: Path, seed: int = 0, plus: bool = False) -> Path:
    """A file for a model, whose every layer acts, with its image encoder beside it. ``plus``: of the Plus kind."""
    random = torch.Generator().manual_seed(seed)
    network = editor.network
    if "unet" in editor.folder.parts:
        cross = network.config.cross_attention_dim
        names = [name.removesuffix(".processor") for name in network.attn_processors if ".attn2." in name]
        sizes = [network.get_submodule(name).to_k.weight.shape for name in names]
        tensors = {
            f"ip_adapter.{2 * index + 1}.to_{kind}_ip.weight": torch.randn(tuple(size), generator=random)
            for index, size in enumerate(sizes)
            for kind in "kv"
        }
        prefix = "image_proj"
    else:
        cross = network.config.joint_attention_dim
        width = network.config.num_attention_heads * network.config.attention_head_dim
        layer = "double_blocks.{}.processor.ip_adapter_double_stream_{}_proj.{}"
        tensors = {}
        for index in range(network.config.num_layers):
            for kind in "kv":
                tensors[layer.format(index, kind, "weight")] = torch.randn((width, cross), generator=random)
                tensors[layer.format(index, kind, "bias")] = torch.zeros(width)
        prefix = "ip_adapter_proj_model"
    projection = {
        "proj.weight": torch.randn((4 * cross, WIDTH), generator=random),
        "proj.bias": torch.zeros(4 * cross),
        "norm.weight": torch.ones(cross),
        "norm.bias": torch.zeros(cross),
    }
    if plus:
        projection = resampler(cross, random)
    tensors |= {f"{prefix}.{name}": tensor for name, tensor in projection.items()}
    path = folder / f"adapter_{seed}.safetensors"
    save_file(tensors, path)
    if not (folder / "image_encoder").is_dir():
        encoder(folder / "image_encoder")
    return path


def picture(folder: Path, seed: int = 0) -> Path:
    path = folder / f"picture_{seed}.png"
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 60, 3), np.uint8)).save(path)
    return path


def open_editor(folder: Path) -> PipelineEditor:
    editor = load_model(folder, "cpu", "float32")
    assert isinstance(editor, PipelineEditor)
    return editor


def edit(editor: Any, settings: Settings, **more: Any) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    images = torch.rand((2, 3, 64, 64), generator=random)
    noise = torch.randn((2, *editor.noise_shape(64, 64, settings)), generator=random)
    return editor.edit(images, lambda index: noise, settings, **more)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "plus"), [("sd15", False), ("sd15", True), ("sdxl", False), ("sdxl", True), ("flux", False)]
)
def test_a_picture_acts_by_its_weight_and_goes_without_a_trace(
    tiny: Tiny, tmp_path: Path, name: str, plus: bool
) -> None:
    editor = open_editor(tiny(name))
    item = {"path": str(adapter(editor, tmp_path, plus=plus)), "image": str(picture(tmp_path))}
    plain = edit(editor, SETTINGS)
    full, half, none = (
        edit(editor, SETTINGS.updated({"ip_adapters": [{**item, "weight": weight}]})) for weight in (1.0, 0.5, 0.0)
    )
    assert not torch.allclose(full, plain, atol=1e-4) and not torch.allclose(full, half, atol=1e-5)
    torch.testing.assert_close(none, plain, atol=1e-5, rtol=0)
    other = edit(editor, SETTINGS.updated({"ip_adapters": [{**item, "image": str(picture(tmp_path, 1))}]}))
    assert not torch.allclose(full, other, atol=1e-5)
    torch.testing.assert_close(edit(editor, SETTINGS), plain, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_two_adapters_are_those_of_diffusers(tiny: Tiny, tmp_path: Path) -> None:
    """One plain, the other of the Plus kind."""
    editor, own = open_editor(tiny("sd15")), open_editor(tiny("sd15"))
    paths = [adapter(editor, tmp_path, seed, plus=seed == 1) for seed in (0, 1)]
    pictures = [picture(tmp_path, seed) for seed in (0, 1)]
    items = [
        {"path": str(path), "image": str(image), "weight": weight}
        for path, image, weight in zip(paths, pictures, (0.7, 0.3), strict=True)
    ]
    result = edit(editor, SETTINGS.updated({"ip_adapters": items}))
    own.pipeline.register_modules(
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(tmp_path / "image_encoder"),
        feature_extractor=CLIPImageProcessor(size=32, crop_size=32),
    )
    names = [path.name for path in paths]
    own.pipeline.load_ip_adapter(str(tmp_path), subfolder="", weight_name=names, image_encoder_folder=None)
    own.pipeline.set_ip_adapter_scale([0.7, 0.3])
    call = own._call
    own._call = lambda *a: {**call(*a), "ip_adapter_image": [Image.open(path) for path in pictures]}  # type: ignore[method-assign]
    torch.testing.assert_close(edit(own, SETTINGS), result, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_a_picture_is_read_and_encoded_once_and_beside_a_control(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = open_editor(tiny("sd15"))
    unet_control(tiny("sd15")).save_pretrained(tmp_path / "control")
    item = {"path": str(adapter(editor, tmp_path)), "image": str(picture(tmp_path))}
    settings = SETTINGS.updated({"controls": [{"path": str(tmp_path / "control"), "input": "color"}]})
    without = edit(editor, settings)
    both = settings.updated({"ip_adapters": [item]})
    result = edit(editor, both)
    assert not torch.allclose(result, without, atol=1e-4)
    calls: list[int] = []
    editor.pipeline.image_encoder.register_forward_hook(lambda *_: calls.append(1))
    monkeypatch.setattr(reference_pictures.Image, "open", lambda *_, **__: pytest.fail("a picture was read again"))
    assert torch.equal(edit(editor, both), result) and torch.equal(edit(editor, both), result)
    assert calls == []
    monkeypatch.undo()
    Image.new("RGB", (60, 40), "red").save(item["image"])
    assert not torch.equal(edit(editor, both), result)
    assert len(calls) > 0


@pytest.mark.slow
def test_misfitting_settings_are_refused_by_name(tiny: Tiny, tmp_path: Path) -> None:
    image = str(picture(tmp_path))
    for_sd, for_xl = (tmp_path / name for name in ("sd", "xl"))
    for_sd.mkdir()
    for_xl.mkdir()
    sd = adapter(open_editor(tiny("sd15")), for_sd)
    xl = adapter(open_editor(tiny("sdxl")), for_xl)
    bare = tmp_path / "bare.safetensors"
    bare.write_bytes(sd.read_bytes())
    save_file({"weight": torch.zeros(2)}, tmp_path / "none.safetensors")
    (tmp_path / "text.png").write_text("no picture")

    def check(name: str, path: Path, **more: str) -> None:
        items = [{"path": str(path), "image": image, **more}]
        check_settings(ModelFolder.open(tiny(name)), SETTINGS.updated({"ip_adapters": items}))

    check("sd15", sd)
    with pytest.raises(
        ModelError,
        match=r"another base than .* vectors of 32 numbers, .* of 16 numbers.* \(--ip-adapter none\)",
    ):
        check("sd15", xl)
    with pytest.raises(ModelError, match="its image encoder is not in"):
        check("sd15", bare)
    with pytest.raises(ModelError, match=r"another image encoder than .*reads 16 numbers, and the encoder gives 8"):
        check("sd15", sd, encoder=str(encoder(tmp_path / "narrow", 8)))
    with pytest.raises(ModelError, match="is not an IP-Adapter"):
        check("sd15", tmp_path / "none.safetensors")
    flux = open_editor(tiny("flux"))
    with pytest.raises(ModelError, match=r"is not a plain one, and FLUX\.1 takes only these"):
        check("flux", adapter(flux, tmp_path, 9, plus=True))
    with pytest.raises(SettingsError, match="Z-Image, which takes no IP-Adapter"):
        check("z_image", sd)
    with pytest.raises(SettingsError, match="there is no such picture"):
        check("sd15", sd, image=str(tmp_path / "gone.png"))
    with pytest.raises(SettingsError, match="cannot be read as a picture"):
        check("sd15", sd, image=str(tmp_path / "text.png"))


def test_an_adapter_of_a_deeper_network_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    """The libraries pair layers in order, without a word."""
    from safetensors.torch import load_file

    editor = open_editor(tiny("sd15"))
    path = adapter(editor, tmp_path)
    weights = load_file(path)
    save_file({**weights, "ip_adapter.99.to_k_ip.weight": torch.zeros(16, 16)}, path)
    settings = SETTINGS.updated({"ip_adapters": [{"path": str(path), "image": str(picture(tmp_path))}]})
    plain = edit(editor, SETTINGS)
    with pytest.raises(ModelError, match=r"another base than .*it has 5 layers .* the model has 4 layers"):
        edit(editor, settings)
    assert torch.equal(edit(editor, SETTINGS), plain)

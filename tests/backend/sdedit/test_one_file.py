"""A network in a file of its own, for a base folder with the rest."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import gguf
import pytest
import torch
from safetensors.torch import save_file
from warpnoise.errors import MissingBaseError, ModelError
from warpnoise.job import Settings
from warpnoise.sdedit import ModelFolder, file_parts, load_model
from warpnoise.sdedit.libraries import part_class
from warpnoise.sdedit.one_file import PREFIX, set_base

from ..one_file_layouts import ldm_vae, network_alone, weights

Tiny = Callable[[str], Path]
pytestmark = pytest.mark.usefixtures("pooled_noise")
SETTINGS = Settings(strength=0.5, steps=4, prompt="a house")


def tuned(folder: Path) -> dict[str, torch.Tensor]:
    """The base's network with other weights."""
    network = diffusers.FluxTransformer2DModel.from_pretrained(folder / "transformer")
    return {name: weight * 1.1 for name, weight in network.state_dict().items()}


def write_gguf(file: Path, tensors: dict[str, torch.Tensor]) -> None:
    kind = gguf.GGMLQuantizationType.Q8_0
    writer = gguf.GGUFWriter(str(file), "network")
    for name, weight in tensors.items():
        values = weight.float().contiguous().numpy()
        if values.ndim == 2 and values.shape[1] % 32 == 0:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def edit(editor: Any) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    images = torch.rand((1, 3, 64, 64), generator=random)
    noise = torch.randn((1, *editor.noise_shape(64, 64, SETTINGS)), generator=random)
    return editor.edit(images, lambda index: noise, SETTINGS)


@pytest.mark.slow
def test_a_safetensors_file_replaces_the_base_s_network(tiny: Tiny, tmp_path: Path) -> None:
    base = tiny("flux")
    file = tmp_path / "tuned.safetensors"
    save_file(tuned(base), file)
    with pytest.raises(
        ModelError, match=r"with a network of FLUX\.1\. .* such as black-forest-labs/FLUX.* --base FOLDER"
    ):
        ModelFolder.open(file)
    set_base(file, base)
    whole = shutil.copytree(base, tmp_path / "whole")
    network = diffusers.FluxTransformer2DModel.from_pretrained(base / "transformer")
    network.load_state_dict(tuned(base))
    network.save_pretrained(whole / "transformer")
    assert torch.equal(edit(load_model(file, "cpu", "float32")), edit(load_model(whole, "cpu", "float32")))
    digest = ModelFolder.open(file).digest
    assert digest != ModelFolder.open(base).digest
    save_file({name: weight * 2 for name, weight in tuned(base).items()}, file)
    assert ModelFolder.open(file).digest != digest


def test_the_base_need_not_have_the_network(tiny: Tiny, tmp_path: Path) -> None:
    base = shutil.copytree(tiny("flux"), tmp_path / "base")
    file = tmp_path / "tuned.safetensors"
    save_file(tuned(base), file)
    (base / "transformer" / "diffusion_pytorch_model.safetensors").unlink()
    set_base(file, base)
    assert torch.isfinite(edit(load_model(file, "cpu", "float32"))).all()


@pytest.mark.slow
def test_a_gguf_file_stays_quantized(tiny: Tiny, tmp_path: Path) -> None:
    base, file = tiny("flux"), tmp_path / "tuned.gguf"
    write_gguf(file, tuned(base))
    set_base(file, base)
    editor: Any = load_model(file, "cpu", "float32")
    assert {weight.dtype for weight in editor.network.parameters()} == {torch.uint8, torch.float32}
    result = edit(editor)
    plain = tmp_path / "plain.safetensors"
    save_file(tuned(base), plain)
    set_base(plain, base)
    full = edit(load_model(plain, "cpu", "float32"))
    torch.testing.assert_close(result, full, atol=0.02, rtol=0)  # of 8 bits
    assert not torch.equal(result, full)


@pytest.mark.parametrize(
    ("name", "encoder", "parts", "lacks"),
    [
        ("z_image", "qwen3_4b", {"transformer", "text_encoder", "vae"}, "its tokenizer and its configuration"),
        ("chroma", "t5xxl", {"transformer", "text_encoder", "vae"}, "its tokenizer and its configuration"),
        ("qwen", "qwen25_7b", {"transformer", "text_encoder"}, "its autoencoder, its tokenizer and its configuration"),
        ("flux2_klein", "qwen3_4b", {"transformer", "text_encoder"}, "its autoencoder, its tokenizer and its conf"),
        ("sd3", "", {"transformer"}, "its text encoder, its autoencoder, its tokenizer and its configuration"),
    ],
)
def test_a_file_takes_what_it_lacks_from_its_base(
    tiny: Tiny, name: str, encoder: str, parts: set[str], lacks: str, tmp_path: Path
) -> None:
    """Whole files in the layouts in which people share them; a base needs no weights of parts that the file has."""
    base, file = shutil.copytree(tiny(name), tmp_path / "base"), tmp_path / "model.safetensors"
    tensors = network_alone(name, base)
    if encoder:
        begin = f"text_encoders.{encoder}.transformer."
        tensors |= {begin + key: weight for key, weight in weights(base, "text_encoder").items()}
        tensors |= ldm_vae(base, "vae.") if "vae" in parts else {"vae.decoder.x": torch.zeros(1)}
    save_file({key: weight.contiguous() for key, weight in tensors.items()}, file)
    title = ModelFolder.open(base).family.title  # type: ignore[union-attr]
    with pytest.raises(
        MissingBaseError, match=f"with a network of {title.split()[0][:6]}.* It takes {lacks}.* --base"
    ) as caught:
        ModelFolder.open(file)
    assert "/" in caught.value.base
    for part in parts:
        for weight in (base / part).glob("*.safetensors"):
            weight.unlink()
    set_base(file, base)
    folder = ModelFolder.open(file)
    assert folder.file_parts.keys() == parts and not set(folder.weighted_in_folder) & parts
    loaded = file_parts.load_file_parts(folder, file, dict.fromkeys(parts, torch.device("cpu")), torch.float32)
    for part, network in loaded.items():
        own = part_class(folder, part).from_pretrained(tiny(name) / part).state_dict()
        assert network.state_dict().keys() == own.keys()
        assert all(torch.equal(weight, own[key]) for key, weight in network.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qwen", "z_image", "chroma", "sd3"])
def test_a_gguf_file_in_the_layout_of_its_makers(tiny: Tiny, name: str, tmp_path: Path) -> None:
    """Matrices in blocks of 8 bits that diffusers splits and renames; the picture is nearly that of the base."""
    base, file = tiny(name), tmp_path / "network.gguf"
    write_gguf(file, {key.removeprefix(PREFIX): weight for key, weight in network_alone(name, base).items()})
    set_base(file, base)
    editor: Any = load_model(file, "cpu", "float32")
    assert {weight.dtype for weight in editor.network.parameters()} == {torch.uint8, torch.float32}
    result, full = edit(editor), edit(load_model(base, "cpu", "float32"))
    torch.testing.assert_close(result, full, atol=0.02, rtol=0)
    assert not torch.equal(result, full)


def test_weights_that_another_program_has_quantized_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    file = tmp_path / "fp8.safetensors"
    for mark in ("scaled_fp8", "double_blocks.0.img_attn.qkv.scale_weight", "x.weight.absmax"):
        save_file({mark: torch.zeros(1)}, file)
        with pytest.raises(ModelError, match=r"another program has quantized .* as a \.gguf file"):
            set_base(file, tiny("flux"))


def test_a_base_that_is_none_is_not_noted(tiny: Tiny, tmp_path: Path) -> None:
    file = tmp_path / "tuned.safetensors"
    save_file(tuned(tiny("flux")), file)
    for base, message in ((tmp_path / "missing", "not a diffusers folder"), (tmp_path, "not a diffusers folder")):
        with pytest.raises(ModelError, match=message):
            set_base(file, base)
    assert not (tmp_path / "tuned.safetensors.json").exists()


def test_files_that_are_not_a_network(tiny: Tiny, tmp_path: Path) -> None:
    def refused(name: str, tensors: dict[str, torch.Tensor], match: str) -> None:
        save_file(tensors, tmp_path / name)
        with pytest.raises(ModelError, match=match):
            set_base(tmp_path / name, tiny("flux"))

    one = torch.zeros(1)
    refused("lora.safetensors", {"unet.x.lora_A.weight": one}, "is a LoRA: choose the model that it was made for")
    refused("loha.safetensors", {"lycoris_blocks_0.hada_w1_a": one}, "is a LoRA: choose the model that it was made for")
    refused("word.safetensors", {"emb_params": torch.zeros(2, 16)}, "is a textual inversion: choose the model that")
    refused("adapter.safetensors", {"ip_adapter.1.to_k_ip.weight": one}, "is an IP-Adapter: choose the model that")
    refused("control.safetensors", {"control_model.x": one}, "is a ControlNet: choose the model that it controls")
    (tmp_path / "broken.gguf").write_bytes(b"GGML")
    with pytest.raises(ModelError, match="is not a GGUF file"):
        set_base(tmp_path / "broken.gguf", tiny("flux"))
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(8))
    with pytest.raises(ModelError, match=r"is damaged or incomplete .*: download it again"):
        set_base(tmp_path / "broken.gguf", tiny("flux"))
    (tmp_path / "text.txt").touch()
    with pytest.raises(ModelError, match=r"expected a folder, a \.safetensors or a \.gguf file"):
        set_base(tmp_path / "text.txt", tiny("flux"))


def test_a_file_for_another_base_is_refused(tiny: Tiny, styled_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "tuned.safetensors"
    save_file(tuned(tiny("flux")), file)
    set_base(file, tiny("sd3"))
    with pytest.raises(MissingBaseError, match=r"is a network of FLUX\.1, but its base .* of Stable Diffusion 3"):
        ModelFolder.open(file)
    gone = shutil.copytree(tiny("flux"), tmp_path / "gone")
    set_base(file, gone)
    shutil.rmtree(gone)
    with pytest.raises(MissingBaseError, match=r"its base .* is not a diffusers folder, or no longer there"):
        ModelFolder.open(file)
    save_file({name: weight[:1] for name, weight in tuned(tiny("flux")).items()}, file)
    set_base(file, tiny("flux"))
    with pytest.raises(ModelError, match="it is for another base, or damaged"):
        load_model(file, "cpu", "float32")
    set_base(file, styled_model)
    with pytest.raises(ModelError, match="is a pixel model, which comes as a folder only"):
        ModelFolder.open(file)
    (tmp_path / "tuned.safetensors.json").write_text("{}")
    with pytest.raises(ModelError, match=r'expected {"base": "FOLDER"}'):
        ModelFolder.open(file)


def test_a_folder_needs_no_base(tiny: Tiny) -> None:
    with pytest.raises(ModelError, match="is a folder, which needs no base"):
        set_base(tiny("sd15"), tiny("sd15"))

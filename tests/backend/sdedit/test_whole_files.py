"""Whole checkpoints in one file run without anything else, offline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import transformers
from safetensors.torch import save_file
from warpnoise.errors import ModelError
from warpnoise.sdedit import ModelFolder, file_parts, load_model, one_file, parts
from warpnoise.sdedit.memory_plan import model_sizes

from ..one_file_layouts import whole
from .test_one_file import edit

Tiny = Callable[[str], Path]
KINDS = {"sd15": "sd15", "sdxl": "sdxl", "refiner": "sdxl-refiner", "flux": "flux-dev"}


@pytest.fixture
def toy(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[Path, Path]]:
    """A toy as a folder and as one file, for which the package has the toy's configuration and tokenizers."""
    monkeypatch.setattr(one_file, "CONFIGS", tmp_path / "configs")
    monkeypatch.setattr(parts, "TOKENIZERS", tmp_path / "tokenizers")

    def write(name: str) -> tuple[Path, Path]:
        folder, config = tiny(name), tmp_path / "configs" / KINDS[name]
        shutil.copytree(folder, config, ignore=shutil.ignore_patterns("*.safetensors", "tokenizer*"))
        for part in sorted(folder.glob("tokenizer*")):
            kind = "t5" if (name, part.name) == ("flux", "tokenizer_2") else "clip"
            shutil.copytree(part, tmp_path / "tokenizers" / kind, dirs_exist_ok=True)
        file = tmp_path / f"{name}.safetensors"
        save_file({key: value.contiguous() for key, value in whole(name, folder).items()}, file)
        return folder, file

    return write


@pytest.mark.slow
@pytest.mark.usefixtures("pooled_noise")
@pytest.mark.parametrize("name", ["sd15", "sdxl", "refiner"])
def test_a_whole_file_is_its_folder(toy: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_CLIP_PADDING", "<|endoftext|>")  # the toy's vocabulary has no more
    folder, file = toy(name)
    model = ModelFolder.open(file)
    assert model.family == ModelFolder.open(folder).family
    assert torch.equal(edit(load_model(file, "cpu", "float32")), edit(load_model(folder, "cpu", "float32")))


@pytest.mark.parametrize("name", ["sd15", "sdxl", "refiner"])
def test_the_memory_of_a_whole_file_is_counted_by_part(toy: Any, name: str) -> None:
    folder, file = toy(name)
    sizes = [model_sizes(ModelFolder.open(path)).parts for path in (file, folder)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


def test_the_text_encoders_and_the_autoencoder_of_a_flux_file(toy: Any) -> None:
    folder, file = toy("flux")
    model = ModelFolder.open(file)
    assert model.file_parts.keys() == {"transformer", "vae", "text_encoder", "text_encoder_2"}
    beside = {part: begin for part, begin in model.file_parts.items() if part != "transformer"}
    classes = {"vae": diffusers.AutoencoderKL, "text_encoder": transformers.CLIPTextModel}
    classes["text_encoder_2"] = transformers.T5EncoderModel
    loaded = file_parts.load_file_parts(
        replace(model, file_parts=beside),
        file,
        dict.fromkeys(beside, torch.device("cpu")),
        torch.float32,
    )
    for part, network in loaded.items():
        given = classes[part].from_pretrained(folder / part).state_dict()
        assert all(torch.equal(weight, given[name]) for name, weight in network.state_dict().items())


def test_a_file_lists_its_missing_parts(toy: Any) -> None:
    folder, file = toy("flux")
    there = {key: value.contiguous() for key, value in whole("flux", folder).items()}
    save_file({key: value for key, value in there.items() if not key.startswith("text_encoders.t5xxl.")}, file)
    with pytest.raises(ModelError, match=r"lacks its text encoder 2\. Name a diffusers folder that has these"):
        ModelFolder.open(file)
    one_file.set_base(file, folder)
    assert ModelFolder.open(file).weighted_in_folder == ("text_encoder_2",)


def test_a_whole_file_with_a_base_takes_its_configuration_from_there(toy: Any) -> None:
    folder, file = toy("sd15")
    one_file.set_base(file, folder)
    model = ModelFolder.open(file)
    assert model.path == folder and model.file_parts.keys() == {"unet", "vae", "text_encoder"}
    assert not model.own_tokenizers


def test_a_damaged_file_is_refused(toy: Any) -> None:
    folder, file = toy("sd15")
    there = {key: value.contiguous() for key, value in whole("sd15", folder).items()}
    del there["cond_stage_model.transformer.text_model.final_layer_norm.weight"]
    save_file(there, file)
    with pytest.raises(ModelError, match="for another base, or damaged"):
        load_model(file, "cpu", "float32")
    there["model.diffusion_model.input_blocks.0.0.weight"] = torch.zeros(8, 9, 3, 3)
    save_file(there, file)
    with pytest.raises(ModelError, match="is an inpainting, depth or InstructPix2Pix model"):
        ModelFolder.open(file)


@pytest.mark.parametrize(
    ("name", "sampler", "steps", "guidance"),
    [
        ("sd_xl_turbo_1.0_fp16", "euler_ancestral", 4, 1.0),
        ("sdxl_lightning_4step", "euler", 4, 1.0),
        ("dreamshaperXL_lcm", "lcm", 4, 1.0),
        ("juggernautXL_v9", "euler", 20, 5.0),
        ("vacuumlcmodel", "euler", 20, 5.0),
    ],
)
def test_a_distilled_file_is_known_by_its_name(toy: Any, name: str, sampler: str, steps: int, guidance: float) -> None:
    _, file = toy("sdxl")
    model = ModelFolder.open(file.rename(file.with_stem(name)))
    assert (model.sampler, model.steps, model.guidance) == (sampler, steps, guidance)


# ---- the package's own configurations and tokenizers -----------------------------------------------------------------

MILLIONS = {
    "sd15": {"unet": 859.52, "text_encoder": 123.06, "vae": 83.65},
    "sd21": {"unet": 865.91, "text_encoder": 340.39, "vae": 83.65},
    "sdxl": {"unet": 2567.46, "text_encoder": 123.06, "text_encoder_2": 694.66, "vae": 83.65},
    "sdxl-refiner": {"unet": 2259.53, "text_encoder_2": 694.66, "vae": 83.65},
    "sd3": {"transformer": 2028.33, "text_encoder": 123.65, "text_encoder_2": 694.66, "vae": 83.82},
    "sd35-medium": {"transformer": 2243.17, "text_encoder": 123.65, "text_encoder_2": 694.66, "vae": 83.82},
    "sd35-large": {"transformer": 8056.63, "text_encoder": 123.65, "text_encoder_2": 694.66, "vae": 83.82},
    "flux-dev": {"transformer": 11901.41, "text_encoder": 123.06, "vae": 83.82},
    "flux-schnell": {"transformer": 11891.18, "text_encoder": 123.06, "vae": 83.82},
}
"""Published sizes, in millions of parameters."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", MILLIONS)
def test_the_configurations_are_those_of_the_published_models(kind: str) -> None:
    folder = one_file.CONFIGS / kind
    index = json.loads((folder / "model_index.json").read_text())
    for part, millions in MILLIONS[kind].items():
        library, name = index[part]
        network = getattr(diffusers if library == "diffusers" else transformers, name)
        with torch.device("meta"):
            if library == "diffusers":
                made = network.from_config(network.load_config(str(folder / part)))
            else:
                made = network(network.config_class.from_pretrained(str(folder / part)))
        assert round(sum(weight.numel() for weight in made.parameters()) / 1e6, 2) == millions


NAMES = {
    "sd15": ["input_blocks.0.0.weight", "!cond_stage_model.transformer.x"],
    "sd21": ["input_blocks.0.0.weight", "!cond_stage_model.model.x"],
    "sdxl": ["input_blocks.0.0.weight", "!conditioner.embedders.0.transformer.x", "!conditioner.embedders.1.model.x"],
    "sdxl-refiner": ["input_blocks.0.0.weight", "!conditioner.embedders.0.model.x"],
    "sd3": ["joint_blocks.0.x", "!text_encoders.clip_l.transformer.x", "!text_encoders.clip_g.transformer.x"],
    "sd35-medium": [
        "joint_blocks.0.x_block.attn2.x",
        "!text_encoders.clip_l.transformer.x",
        "!text_encoders.clip_g.transformer.x",
    ],
    "sd35-large": [
        "joint_blocks.0.x",
        "joint_blocks.37.x",
        "!text_encoders.clip_l.transformer.x",
        "!text_encoders.clip_g.transformer.x",
    ],
    "flux-dev": [
        "double_blocks.0.img_attn.x",
        "guidance_in.x",
        "!text_encoders.clip_l.transformer.x",
        "!text_encoders.t5xxl.transformer.x",
    ],
    "flux-schnell": [
        "double_blocks.0.img_attn.x",
        "!text_encoders.clip_l.transformer.x",
        "!text_encoders.t5xxl.transformer.x",
    ],
}


@pytest.mark.parametrize("kind", NAMES)
def test_each_kind_opens_offline_with_the_package_s_configuration(kind: str, tmp_path: Path) -> None:
    names = [name[1:] if name[0] == "!" else f"model.diffusion_model.{name}" for name in NAMES[kind]]
    names.append("first_stage_model.x")
    save_file({name: torch.zeros(1, 4) for name in names}, tmp_path / "model.safetensors")
    model = ModelFolder.open(tmp_path / "model.safetensors")
    assert model.path == one_file.CONFIGS / kind and model.weighted_in_folder == ()
    assert model.own_tokenizers and len(model.digest) == 32
    assert ("text_encoder_3" in model.parts) is False
    loaded = parts.load_tokenizers(model)
    assert set(loaded) == {part for part in model.parts if part.startswith("tokenizer")}
    clip = next(part for name, part in loaded.items() if type(part).__name__.startswith("CLIP"))
    assert clip("a photo of a fox")["input_ids"] == [49406, 320, 1125, 539, 320, 3240, 49407]
    for part in loaded.values():
        if type(part).__name__.startswith("T5"):
            assert part("a photo")["input_ids"] == [3, 9, 1202, 1]

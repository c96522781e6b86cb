"""What is a model and what is not, told before any weights are loaded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from diffusers import EDMEulerScheduler
from safetensors.torch import load_file, save_file
from warpnoise.errors import ModelError, SettingsError
from warpnoise.job import Settings
from warpnoise.sdedit import ModelFolder, load_model
from warpnoise.sdedit.check import check_settings

from ..tiny_models import write_pixel_model


@pytest.fixture
def model(tmp_path: Path, styled_model: Path) -> Path:
    """A copy that a test may break."""
    return shutil.copytree(styled_model, tmp_path / "model")


@pytest.fixture
def diffusion(tmp_path: Path, stable_diffusion: Path) -> Path:
    return shutil.copytree(stable_diffusion, tmp_path / "model")


def edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_styled_model(styled_model: Path) -> None:
    model = ModelFolder.open(styled_model)
    assert (model.family, model.styles, model.takes_prompt, model.classes) == (None, ("ink", "clay"), False, 3)
    assert (model.guidance_for(Settings(style="clay")), model.size_multiple, model.noise_shape(5, 6)) == (
        1.5,
        4,
        (3, 5, 6),
    )


def test_a_latent_model(stable_diffusion: Path) -> None:
    model = ModelFolder.open(str(stable_diffusion))
    assert model.family is not None and model.family.title == "Stable Diffusion 1.x, 2.x"
    assert (model.styles, model.takes_prompt, model.guidance_for(Settings())) == ((), True, 7.5)
    assert (model.vae_factor, model.size_multiple, model.noise_shape(33, 16)) == (8, 16, (4, 5, 2))


def test_a_model_without_an_index(tmp_path: Path, plain_model: Path) -> None:
    """A UNet2DModel and its scheduler side by side, as some repositories have them."""
    shutil.copytree(plain_model / "unet", tmp_path, dirs_exist_ok=True)
    shutil.copytree(plain_model / "scheduler", tmp_path, dirs_exist_ok=True)
    assert load_model(tmp_path).noise_shape(4, 4, Settings()) == (3, 4, 4)


def test_styles_without_names_are_numbered(model: Path) -> None:
    (model / "styles.json").unlink()
    assert ModelFolder.open(model).styles == ("0", "1", "2")


def imported_by(modules: str) -> set[str]:
    code = f"import sys, {modules}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_nothing_heavy_is_imported() -> None:
    loaded = imported_by("warpnoise.sdedit, warpnoise.sdedit.folder, warpnoise.sdedit.check, warpnoise.sdedit.samplers")
    assert not loaded & {"torch", "diffusers", "transformers"}


@pytest.mark.parametrize("loader", [ModelFolder.open, load_model])
def test_no_such_folder(tmp_path: Path, loader: Any) -> None:
    with pytest.raises(ModelError, match="there is no such folder"):
        loader(tmp_path / "missing")


def test_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no model_index\.json"):
        ModelFolder.open(tmp_path)
    checkpoint = tmp_path / "model.ckpt"
    checkpoint.touch()
    with pytest.raises(ModelError, match="is a pickle, which can run any program"):
        ModelFolder.open(checkpoint)


@pytest.mark.parametrize(
    "named",
    ["UnCLIPPipeline", "StableUnCLIPPipeline", "StableDiffusionLDM3DPipeline", "StableDiffusionInpaintPipeline"],
)
def test_another_family(diffusion: Path, named: str) -> None:
    edit_json(diffusion / "model_index.json", _class_name=named)
    with pytest.raises(ModelError, match=f"is a {named}, which is not supported. Choose one of pixel models"):
        ModelFolder.open(diffusion)


def test_a_controlnet_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "ControlNetModel"}))
    with pytest.raises(ModelError, match=r"is a ControlNet: choose the model that it controls, .* as a control"):
        ModelFolder.open(tmp_path)


def test_a_latent_model_of_no_family(tmp_path: Path) -> None:
    index = {"_class_name": "LDMPipeline", "unet": ["diffusers", "UNet2DModel"], "vqvae": ["diffusers", "VQModel"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="is a LDMPipeline, which is not supported"):
        ModelFolder.open(tmp_path)


def test_a_controlnet_is_not_ignored(diffusion: Path) -> None:
    edit_json(
        diffusion / "model_index.json",
        _class_name="StableDiffusionControlNetPipeline",
        controlnet=["diffusers", "ControlNetModel"],
    )
    with pytest.raises(ModelError, match=r"holds a ControlNet\. Give the model that it controls as the model"):
        ModelFolder.open(diffusion)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_damaged_json(model: Path, text: str) -> None:
    (model / "unet" / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config\.json.*Download the model again"):
        ModelFolder.open(model)


def test_missing_parts(model: Path) -> None:
    (model / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(ModelError, match=r"scheduler_config\.json is missing"):
        ModelFolder.open(model)


def test_missing_weights(model: Path) -> None:
    (model / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ModelError, match="no weights"):
        ModelFolder.open(model)


def test_pickles_are_refused(model: Path) -> None:
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match=r"only as a pickle \(diffusion_pytorch_model\.bin\)"):
        ModelFolder.open(model)


def test_damaged_weights(model: Path) -> None:
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="is not a complete safetensors file"):
        load_model(model, "cpu")


def test_weights_that_do_not_fit(model: Path) -> None:
    edit_json(model / "unet" / "config.json", block_out_channels=[8, 24])
    with pytest.raises(
        ModelError, match="asks for 86835 numbers, and its weights hold 45355: they are of another model"
    ):
        load_model(model, "cpu")
    edit_json(model / "unet" / "config.json", block_out_channels=[4, 16])
    with pytest.raises(ModelError, match="cannot be loaded as a UNet2DModel"):
        load_model(model, "cpu")


def test_weights_that_lack_a_tensor(model: Path) -> None:
    """Libraries would make it of random numbers."""
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    del tensors["conv_in.bias"]
    save_file(tensors, weights)
    with pytest.raises(ModelError, match=r"have no tensor conv_in\.bias, which its config\.json asks for"):
        load_model(model, "cpu")


@pytest.mark.parametrize(
    ("file", "values", "said"),
    [
        ("unet/config.json", {"layers_per_block": 10**9}, "layers_per_block is 1000000000; expected at most 512"),
        ("unet/config.json", {"block_out_channels": [10**9, 16]}, "block_out_channels is 1000000000"),
        ("unet/config.json", {"block_out_channels": [8] * 5000}, "block_out_channels has 5000 values"),
        ("unet/config.json", {"block_out_channels": None}, "holds a value that no such model has"),
        ("unet/config.json", {"block_out_channels": 5}, "holds a value that no such model has"),
        ("unet/config.json", {"block_out_channels": [8] * 60}, "holds a value that no such model has"),
        ("unet/config.json", {"num_class_embeds": 10**9}, "num_class_embeds is 1000000000"),
        ("unet/config.json", {"num_class_embeds": "3"}, "num_class_embeds is '3'"),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 10**12}, "num_train_timesteps is 1000000000000"),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": "many"}, "holds a value that no such model has"),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 0}, "holds a value that no such model has"),
    ],
)
def test_values_that_no_model_has(model: Path, file: str, values: dict[str, Any], said: str) -> None:
    edit_json(model / file, **values)
    with pytest.raises(ModelError, match=said):
        ModelFolder.open(model)


def test_the_half_precision_variant_is_found(diffusion: Path) -> None:
    for part, name in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        weights = diffusion / part / f"{name}.safetensors"
        weights.rename(weights.with_name(f"{name}.fp16.safetensors"))
    assert load_model(diffusion, "cpu").folder.takes_prompt


@pytest.mark.parametrize(
    ("channels", "named"), [((1, 1), "got 1 and 1"), ((4, 3), "got 4 and 3"), ((6, 6), "3 out, got 6 and 6")]
)
def test_wrong_channels(tmp_path: Path, channels: tuple[int, int], named: str) -> None:
    write_pixel_model(tmp_path, in_channels=channels[0], out_channels=channels[1])
    with pytest.raises(ModelError, match=named):
        ModelFolder.open(tmp_path)


def test_an_inpainting_model(diffusion: Path) -> None:
    edit_json(diffusion / "unet" / "config.json", in_channels=9)
    with pytest.raises(ModelError, match="got 9: inpainting"):
        ModelFolder.open(diffusion)


def test_a_pipeline_whose_name_is_no_text(diffusion: Path) -> None:
    edit_json(diffusion / "model_index.json", _class_name={"": None})
    with pytest.raises(ModelError, match=r"its _class_name is .*; expected a name"):
        ModelFolder.open(diffusion)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [{"scaling_factor": "1"}, {"latents_mean": [0.0] * 3, "latents_std": [1.0] * 3}, {"shift_factor": {}}]
)
def test_an_autoencoder_whose_statistics_are_no_numbers(diffusion: Path, change: dict[str, Any]) -> None:
    edit_json(diffusion / "vae" / "config.json", **change)
    with pytest.raises(ModelError, match=f"config.json: {next(iter(change))} is .*; expected a number, or 4 in a list"):
        load_model(diffusion, "cpu", "float32")


def test_a_schedule_of_another_kind(tmp_path: Path) -> None:
    write_pixel_model(tmp_path, scheduler=EDMEulerScheduler())
    with pytest.raises(ModelError, match="its scheduler is EDMEulerScheduler"):
        ModelFolder.open(tmp_path)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "expected a JSON object"),
        ('{"style": []}', "style: no such field; perhaps 'styles' is meant"),
        (json.dumps({"a" * 5000: 1}), r"a{57}\.\.\.: no such field\.$"),
        (
            json.dumps({"styles": ["a" * 5000], "steps": {"b" * 5000: 1}}),
            r"steps names b{100}; expected each .*\(a{100}\)",
        ),
        ('{"styles": "ink"}', "styles: expected a valid tuple, got 'ink'"),
        ('{"styles": ["ink", "ink"]}', "one style is named twice"),
        ('{"styles": []}', "'styles' is missing or empty, the model has 3 classes"),
        ('{"styles": ["a", "b", "c", "d"]}', "4 styles, but the model has 3 classes"),
        ('{"styles": ["a", "b"], "null_class": 1}', "expected a label after the 2 styles and below the model's 3"),
        ('{"styles": ["a", "b"], "null_class": 3}', "'null_class' is 3"),
        ('{"styles": ["a"], "guidance": -1}', "guidance: expected greater than or equal to 0, got -1"),
        ('{"styles": ["a"], "guidance": NaN}', "is not JSON"),
        ('{"styles": ["a"], "guidance": {"a": -1}}', r"guidance\.a: expected greater than or equal to 0, got -1"),
        ('{"styles": ["a", "b"], "guidance": {"a": 1}}', r"guidance names a; expected each .*\(a, b\)"),
        ('{"styles": ["a"], "guidance": {"c": 1}}', "guidance names c"),
        ('{"styles": ["a"], "steps": 0}', "steps: expected greater than or equal to 1, got 0"),
        ('{"styles": ["a"], "steps": {"a": 2.5}}', r"steps\.a: expected a valid integer, got 2\.5"),
        ('{"styles": ["a"], "size_multiple": 1.5}', r"size_multiple: expected a valid integer, got 1\.5"),
        ('{"styles": ["a"], "null_class": true}', "null_class: expected a valid integer, got True"),
    ],
)
def test_bad_styles(model: Path, entries: str, message: str) -> None:
    (model / "styles.json").write_text(entries)
    with pytest.raises(ModelError, match=message):
        ModelFolder.open(model)


def test_guidance_by_style(model: Path) -> None:
    edit_json(model / "styles.json", guidance={"clay": 3, "ink": 2})
    folder = ModelFolder.open(model)
    assert [folder.guidance_for(Settings(style=style)) for style in ("ink", "clay", None)] == [2.0, 3.0, 2.0]


def test_steps_by_style(model: Path) -> None:
    assert ModelFolder.open(model).steps_for(Settings()) == 20
    edit_json(model / "styles.json", steps={"clay": 12, "ink": 5})
    folder = ModelFolder.open(model)
    assert [folder.steps_for(Settings(style=style)) for style in ("ink", "clay", None)] == [5, 12, 5]
    assert folder.steps_for(Settings(style="ink", steps=30)) == 30
    edit_json(model / "styles.json", steps=2000)
    with pytest.raises(SettingsError, match="steps: expected 1 to 1000, as the model was trained, got 2000"):
        check_settings(ModelFolder.open(model), Settings())


def test_styles_of_a_model_without_classes(tmp_path: Path) -> None:
    write_pixel_model(tmp_path, styles={"styles": ["ink"]})
    with pytest.raises(ModelError, match="the model has no class embedding"):
        ModelFolder.open(tmp_path)


def test_the_digest_follows_what_the_model_computes(model: Path, styled_model: Path) -> None:
    first = ModelFolder.open(styled_model).digest
    assert ModelFolder.open(model).digest == first, "it does not depend on the place"
    (model / "README.md").write_text("about")
    assert ModelFolder.open(model).digest == first
    edit_json(model / "scheduler" / "scheduler_config.json", beta_end=0.03)
    changed = ModelFolder.open(model).digest
    assert changed != first
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert ModelFolder.open(model).digest not in (first, changed)

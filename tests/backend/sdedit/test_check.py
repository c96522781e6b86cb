"""What is said of settings before anything is rendered: a model's weights are not read for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from warpnoise.errors import ModelError, SettingsError
from warpnoise.job import Settings
from warpnoise.sdedit import ModelFolder
from warpnoise.sdedit.check import check_settings
from warpnoise.sdedit.memory import check_memory
from warpnoise.sdedit.memory_plan import MemoryOptions

from .test_controls import unet_control
from .test_ip_adapters import adapter, open_editor, picture
from .test_ip_adapters import encoder as image_encoder

Tiny = Callable[[str], Path]
SETTINGS = Settings(prompt="a house")


@pytest.mark.parametrize(
    ("name", "fits", "cut", "message"),
    [
        ("sdxl", 75, 80, "prompt: it has 82 tokens, and the model reads 77: shorten it by about 5 words or syllables"),
        ("sd3", 75, 80, "prompt: it has 82 tokens, and the model reads 77: shorten it by about 5"),
        ("z_image", 200, 600, "prompt: it has 1200 tokens, and the model reads 512: shorten it by about 688"),
        ("flux2", 200, 600, "prompt: it has 1200 tokens, and the model reads 512"),
    ],
)
def test_a_prompt_that_would_be_cut_is_refused(tiny: Tiny, name: str, fits: int, cut: int, message: str) -> None:
    model = ModelFolder.open(tiny(name))
    assert check_settings(model, SETTINGS.updated({"prompt": "a " * fits})) == ()
    with pytest.raises(SettingsError, match=message):
        check_settings(model, SETTINGS.updated({"prompt": "a " * cut}))


def test_every_prompt_of_the_shot_is_counted(tiny: Tiny) -> None:
    model = ModelFolder.open(tiny("sdxl"))
    with pytest.raises(SettingsError, match=r"negative prompt: it has 82 tokens"):
        check_settings(model, SETTINGS.updated({"negative_prompt": "a " * 80}))
    keys = [{"data_path": "prompt", "frame": 1, "value": "a"}, {"data_path": "prompt", "frame": 9, "value": "b " * 80}]
    with pytest.raises(SettingsError, match=r'prompt: it has 82 tokens.*\("b b b'):
        check_settings(model, SETTINGS.updated({"animation": keys}))


def test_prompts_without_effect_are_named(plain_model: Path) -> None:
    keys = [{"data_path": "prompt", "frame": 1, "value": "a"}]
    (warning,) = check_settings(ModelFolder.open(plain_model), Settings().updated({"animation": keys}))
    assert "takes no text: the prompt has no effect" in warning


def test_a_text_encoder_that_cuts_the_prompt_is_named(tiny: Tiny, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny("flux"), tmp_path / "flux")
    config = folder / "tokenizer" / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "model_max_length": 20}))
    (warning,) = check_settings(ModelFolder.open(folder), SETTINGS.updated({"prompt": "a " * 30}))
    assert warning == "The prompt has 32 tokens; the text encoder text_encoder reads the first 20 of them."


def test_a_damaged_tokenizer_is_an_error(tiny: Tiny, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny("sd15"), tmp_path / "sd15")
    for file in (folder / "tokenizer").iterdir():
        file.write_text("{")
    with pytest.raises(ModelError, match=r"tokenizer cannot be loaded .*: download the model again"):
        check_settings(ModelFolder.open(folder), SETTINGS)
    for file in (folder / "tokenizer").iterdir():
        file.unlink()
    with pytest.raises(ModelError, match=r"tokenizer lacks the tokenizer's words: .* Download the model again"):
        check_settings(ModelFolder.open(folder), SETTINGS)


def test_frames_that_the_model_does_not_take_are_refused(tiny: Tiny) -> None:
    model = ModelFolder.open(tiny("flux2_klein"))
    assert check_settings(model, SETTINGS, (64, 512)) == ()
    for size in ((1920, 63), (64, 513)):
        with pytest.raises(SettingsError, match=rf"the frames have {size[0]} x {size[1]} pixels, .* a shorter side of"):
            check_settings(model, SETTINGS, size)


def test_memory_options_are_checked_by_the_files_headers(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ModelFolder.open(tiny("prx"))
    assert check_memory(model, "cpu", MemoryOptions()) == ()
    with pytest.raises(ModelError, match=r"tiling on: .* has no autoencoder that works in tiles: leave it out"):
        check_memory(model, "cpu", MemoryOptions(tiling="on"))
    with pytest.raises(SettingsError, match="device: expected cuda"):
        check_memory(model, "abacus", MemoryOptions())
    monkeypatch.setattr("warpnoise.sdedit.memory.memory", lambda device: (1000, 1000))
    (warning,) = check_memory(model, "cpu", MemoryOptions())
    assert warning.startswith("cpu may have too little memory for ") and "Render smaller frames" in warning


@pytest.mark.parametrize("kind", ["model", "control", "encoder"])
def test_weights_that_are_broken_off_are_refused_before_anything_is_loaded(
    tiny: Tiny, plain_model: Path, tmp_path: Path, kind: str
) -> None:
    model, settings = ModelFolder.open(tiny("sd15")), SETTINGS
    if kind == "model":
        model = ModelFolder.open(shutil.copytree(plain_model, tmp_path / "part"))
        settings = Settings()
    elif kind == "control":
        unet_control(tiny("sd15")).save_pretrained(tmp_path / "part")
        settings = SETTINGS.updated({"controls": [{"path": str(tmp_path / "part"), "input": "depth"}]})
    else:
        image_encoder(tmp_path / "part")
        path = adapter(open_editor(tiny("sd15")), tmp_path)
        item = {"path": str(path), "image": str(picture(tmp_path)), "encoder": str(tmp_path / "part")}
        settings = SETTINGS.updated({"ip_adapters": [item]})
    assert check_settings(model, settings)[1:] == ()
    (weights,) = (tmp_path / "part").rglob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(ModelError, match=r"part.* is not a complete safetensors file .* Download the model again"):
        check_settings(model, settings)

"""Textual inversions: the word acts as diffusers has it act, goes without a trace, and other bases are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from warpnoise.errors import ModelError, SettingsError
from warpnoise.job import Settings
from warpnoise.sdedit import ModelFolder, load_model
from warpnoise.sdedit.check import check_settings
from warpnoise.sdedit.pipeline_editor import PipelineEditor

Tiny = Callable[[str], Path]
pytestmark = pytest.mark.usefixtures("pooled_noise")
SETTINGS = Settings(strength=0.5, steps=2, prompt="a house <ink>", guidance=3.0)


def write(path: Path, **tensors: torch.Tensor) -> str:
    save_file(tensors, path)
    return str(path)


def vectors(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(4))


def edit(editor: Any, settings: Settings) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    images = torch.rand((1, 3, 64, 64), generator=random)
    noise = torch.randn((1, *editor.noise_shape(64, 64, settings)), generator=random)
    return editor.edit(images, lambda index: noise, settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "tensors"),
    [
        ("sd21", {"<ink>": vectors(16)}),
        ("sd21", {"<ink>": vectors(3, 16)}),
        ("sdxl", {"clip_l": vectors(2, 16), "clip_g": vectors(2, 16)}),
        ("flux", {"clip_l": vectors(1, 16)}),
    ],
)
def test_a_word_acts_and_goes_without_a_trace(
    tiny: Tiny, tmp_path: Path, name: str, tensors: dict[str, torch.Tensor]
) -> None:
    editor, own = load_model(tiny(name), "cpu", "float32"), load_model(tiny(name), "cpu", "float32")
    assert isinstance(own, PipelineEditor)
    plain = edit(editor, SETTINGS)
    path = write(tmp_path / "<ink>.safetensors", **tensors)
    with_word = SETTINGS.updated({"embeddings": [{"path": path}]})
    assert editor.check(with_word) == ()
    result = edit(editor, with_word)
    assert not torch.allclose(result, plain, atol=1e-7, rtol=0)
    encoders = {"<ink>": "text_encoder", "clip_l": "text_encoder", "clip_g": "text_encoder_2"}
    for key, tensor in tensors.items():
        part = encoders[key]
        tokenizer = getattr(own.pipeline, part.replace("text_encoder", "tokenizer"))
        encoder = getattr(own.pipeline, part)
        own.pipeline.load_textual_inversion(tensor, token="<ink>", tokenizer=tokenizer, text_encoder=encoder)
    assert torch.equal(edit(own, SETTINGS), result)
    assert torch.equal(edit(editor, SETTINGS), plain)


def test_a_file_without_a_token_has_its_name_or_the_given_one(tiny: Tiny, tmp_path: Path) -> None:
    editor = load_model(tiny("sd21"), "cpu", "float32")
    path = write(tmp_path / "wash9.safetensors", emb_params=vectors(2, 16))
    by_name = edit(editor, SETTINGS.updated({"prompt": "wash9", "embeddings": [{"path": path}]}))
    given = SETTINGS.updated({"prompt": "<w>", "embeddings": [{"path": path, "token": "<w>"}]})
    assert torch.equal(edit(editor, given), by_name)
    (warning,) = editor.check(given.updated({"prompt": "a house"}))
    assert warning == "The embedding wash9.safetensors has no effect: its token <w> is not in the prompt."


def test_misfitting_files_are_refused_before_anything_is_loaded(tiny: Tiny, tmp_path: Path) -> None:
    narrow = write(tmp_path / "narrow.safetensors", style=vectors(8))
    fits = write(tmp_path / "fits.safetensors", style=vectors(16))
    many = write(tmp_path / "many.safetensors", a=vectors(16), b=vectors(16))
    (tmp_path / "pickle.pt").write_bytes(b"")
    cases: list[tuple[str, list[dict[str, str]], type[Exception], str]] = [
        ("sd21", [{"path": narrow}], ModelError, "made for another base than .*: its text_encoder reads vectors of 16"),
        ("sdxl", [{"path": fits}], ModelError, "another base than .*: its text_encoder_2 .* it has nothing for it"),
        ("sd21", [{"path": many}], ModelError, "is not a textual inversion: expected one tensor, or clip_l and clip_g"),
        ("sd21", [{"path": str(tmp_path / "pickle.pt")}], ModelError, "is a pickle"),
        ("sd21", [{"path": str(tmp_path / "gone.safetensors")}], ModelError, "there is no such file"),
        ("sd21", [{"path": fits}] * 2, SettingsError, "two of them have the token 'style'"),
        ("z_image", [{"path": fits}], SettingsError, "Z-Image, which takes no textual inversions"),
    ]
    for name, embeddings, error, message in cases:
        with pytest.raises(error, match=message):
            check_settings(ModelFolder.open(tiny(name)), SETTINGS.updated({"embeddings": embeddings}))
    word = SETTINGS.updated({"embeddings": [{"path": fits, "token": "a</w>"}]})
    with pytest.raises(ModelError, match=r"its token 'a</w>' is a word of the model's already: give another"):
        check_settings(ModelFolder.open(tiny("sd21")), word)


def test_a_prompt_is_counted_with_all_vectors_of_its_words(tiny: Tiny, tmp_path: Path) -> None:
    path = write(tmp_path / "wash.safetensors", emb_params=vectors(70, 16))
    settings = SETTINGS.updated({"prompt": "a wash", "embeddings": [{"path": path}]})
    assert check_settings(ModelFolder.open(tiny("sd21")), settings) == ()
    with pytest.raises(SettingsError, match=r"prompt: it has 142 tokens, and the model reads 77"):
        check_settings(ModelFolder.open(tiny("sd21")), settings.updated({"prompt": "wash wash"}))

"""Reference pictures of models that edit: the render is the first, the user's follow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from warpnoise.errors import SettingsError
from warpnoise.job import Settings
from warpnoise.sdedit import ModelFolder, load_model
from warpnoise.sdedit.check import check_settings, unused_settings
from warpnoise.sdedit.model_files import named_files

Tiny = Callable[[str], Path]
pytestmark = pytest.mark.usefixtures("pooled_noise")
SETTINGS = Settings(strength=0.5, steps=2, prompt="a house")


def picture(folder: Path, seed: int) -> str:
    path = folder / f"{seed}.png"
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (64, 80, 3), np.uint8)).save(path)
    return str(path)


def edit(editor: Any, settings: Settings) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    images = torch.rand((1, 3, 64, 64), generator=random)
    noise = torch.randn((1, *editor.noise_shape(64, 64, settings)), generator=random)
    return editor.edit(images, lambda index: noise, settings)


@pytest.mark.slow
def test_they_follow_the_render_in_order(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = load_model(tiny("flux2_klein"), "cpu", "float32")
    paths = [picture(tmp_path, seed) for seed in (0, 1)]
    plain = edit(editor, SETTINGS)
    settings = SETTINGS.updated({"references": [{"path": path} for path in paths]})
    seen: list[list[Image.Image]] = []
    call = editor._call  # type: ignore[attr-defined]

    def watched(*arguments: Any) -> dict[str, Any]:
        seen.append(call(*arguments)["image"])
        return call(*arguments)

    monkeypatch.setattr(editor, "_call", watched)
    both = edit(editor, settings)
    assert [image.size for image in seen[0]] == [(64, 64), (80, 64), (80, 64)]
    assert [np.array_equal(image, Image.open(path)) for image, path in zip(seen[0][1:], paths, strict=True)] == [
        True
    ] * 2
    one = edit(editor, settings.updated({"references": [{"path": paths[0]}]}))
    assert not torch.equal(both, plain) and not torch.equal(both, one) and not torch.equal(one, plain)
    assert torch.equal(edit(editor, SETTINGS), plain)
    assert set(map(str, named_files(settings))) == set(paths), "they decide what is painted"


def test_more_than_a_model_takes_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    path = picture(tmp_path, 0)
    for name, count, takes in (
        ("flux2_klein", 4, "at most 3"),
        ("kontext", 1, "takes none"),
        ("sd21", 1, "takes none"),
    ):
        settings = SETTINGS.updated({"references": [{"path": path}] * count})
        with pytest.raises(SettingsError, match=takes):
            check_settings(ModelFolder.open(tiny(name)), settings)
    with pytest.raises(SettingsError, match="there is no such picture"):
        gone = SETTINGS.updated({"references": [{"path": str(tmp_path / "gone.png")}]})
        check_settings(ModelFolder.open(tiny("flux2_klein")), gone)


def test_frames_that_the_pipeline_refuses_as_references_are_refused_before(tiny: Tiny) -> None:
    model = ModelFolder.open(tiny("flux2_klein"))
    check_settings(model, SETTINGS, (512, 64))
    for size in ((63, 80), (520, 64)):
        with pytest.raises(SettingsError, match=rf"{size[0]} x {size[1]} pixels.*at least 64.*Render at another size"):
            check_settings(model, SETTINGS, size)
    check_settings(ModelFolder.open(tiny("kontext")), SETTINGS, (48, 48))


@pytest.mark.parametrize("size", [(8, 8), (63, 80), (64, 520)])
def test_too_small_and_too_long_references_are_refused(tiny: Tiny, tmp_path: Path, size: tuple[int, int]) -> None:
    """Before the pipeline refuses them, in the middle of a run."""
    Image.new("RGB", size).save(tmp_path / "odd.png")
    settings = SETTINGS.updated({"references": [{"path": str(tmp_path / "odd.png")}]})
    with pytest.raises(SettingsError, match=r"expected a shorter side of at least 64, and a longer one of at most 8"):
        check_settings(ModelFolder.open(tiny("flux2_klein")), settings)


def test_lists_that_a_model_takes_nothing_of_are_unused(tiny: Tiny) -> None:
    lists = {"embeddings", "ip_adapters", "references"}
    expected = {"sd21": {"references"}, "flux2_klein": {"embeddings", "ip_adapters"}, "z_image": lists}
    assert {name: unused_settings(ModelFolder.open(tiny(name))) & lists for name in expected} == expected

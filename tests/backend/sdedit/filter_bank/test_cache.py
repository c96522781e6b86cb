"""Banks in the user's cache: measured once, and believed only if they are what they should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from warpnoise.sdedit.filter_bank import FilterBank, MeasurementError

from .decoders import random_decoder

DECODE = random_decoder(4, 4)


def forbidden(latents: Tensor) -> Tensor:
    raise AssertionError("measured again")


def load(folder: Path, decode: Callable[[Tensor], Tensor] = DECODE, digest: str = "0f", scale: int = 1) -> FilterBank:
    return FilterBank.measure(decode, channels=4, cell=4, scale=scale, digest=digest, folder=folder)


def stored(folder: Path) -> Path:
    (file,) = folder.glob("*.safetensors")
    return file


def test_a_stored_bank_is_loaded_without_a_measurement(tmp_path: Path) -> None:
    measured = load(tmp_path / "new")
    again = load(tmp_path / "new", forbidden)
    assert torch.equal(again.patterns, measured.patterns)
    assert (again.cell, again.scale, again.energy) == (measured.cell, measured.scale, measured.energy)


def test_the_environment_chooses_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARPNOISE_CACHE", str(tmp_path))
    FilterBank.measure(DECODE, channels=4, cell=4, digest="0f")
    assert stored(tmp_path / "filter_banks").is_file()


def test_other_weights_and_scales_are_measured_again(tmp_path: Path) -> None:
    load(tmp_path)
    load(tmp_path, digest="1f")
    assert load(tmp_path, scale=2).size == 2
    assert len(list(tmp_path.glob("*.safetensors"))) == 3


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def other_bytes(file: Path) -> None:
    file.write_bytes(b"\xff" * 100)


def rewrite(change: Callable[[Tensor], Tensor], metadata: dict[str, str]) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        save_file({"patterns": change(load_file(file)["patterns"]).contiguous()}, file, metadata | {"key": file.stem})

    return damage


GOOD = {"energy": "0.5"}
DAMAGE = {
    "cut off": cut_off,
    "other bytes": other_bytes,
    "another shape": rewrite(lambda patterns: patterns[:, :, :8], GOOD),
    "another type": rewrite(Tensor.half, GOOD),
    "far too large": rewrite(lambda patterns: patterns.repeat(100, 1, 1, 1), GOOD),
    "NaN": rewrite(lambda patterns: patterns * torch.nan, GOOD),
    "far from orthonormal": rewrite(lambda patterns: patterns * 3, GOOD),
    "no energy": rewrite(Tensor.clone, {}),
    "a share above 1": rewrite(Tensor.clone, {"energy": "1.5"}),
    "that of another decoder": lambda file: save_file(load_file(file), file, {**GOOD, "key": "0" * 32}),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_measured_again_and_replaced(tmp_path: Path, kind: str) -> None:
    measured = load(tmp_path)
    DAMAGE[kind](stored(tmp_path))
    assert torch.equal(load(tmp_path).patterns, measured.patterns)
    assert torch.equal(load(tmp_path, forbidden).patterns, measured.patterns)


def test_a_loaded_bank_does_not_change_with_its_file(tmp_path: Path) -> None:
    measured = load(tmp_path)
    loaded = load(tmp_path, forbidden)
    with stored(tmp_path).open("r+b") as file:
        file.write(bytes(stored(tmp_path).stat().st_size))
    assert torch.equal(loaded.patterns, measured.patterns)


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert load(tmp_path / "file" / "banks").channels == 4


def test_nothing_is_stored_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="measured again"):
        load(tmp_path, forbidden)
    assert not list(tmp_path.glob("*.safetensors"))

from __future__ import annotations

import pytest
import torch
from warpnoise.errors import SettingsError
from warpnoise.sdedit.device import computes_bfloat16, pick_batch, pick_device, pick_dtype


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_best_device_is_picked(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device() == torch.device(expected)


def test_a_missing_device_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(SettingsError, match=r"device cuda:1 is not available: 1 CUDA device\(s\) found"):
        pick_device("cuda:1")
    with pytest.raises(SettingsError, match="device mps is not available"):
        pick_device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="no CUDA device was found by this PyTorch"):
        pick_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "meta", ""])
def test_an_unknown_device_is_an_error(name: str) -> None:
    with pytest.raises(SettingsError, match="expected cuda, cuda:N, mps or cpu, got"):
        pick_device(name)


def test_precision() -> None:
    on_cpu = torch.bfloat16 if computes_bfloat16() else torch.float32
    assert pick_dtype(None, torch.device("cpu")) == on_cpu
    assert pick_dtype(None, torch.device("cuda")) == torch.float16
    assert pick_dtype("bfloat16", torch.device("cuda")) == torch.bfloat16
    with pytest.raises(SettingsError, match="expected one of float32, float16, bfloat16, got 'int8'"):
        pick_dtype("int8", torch.device("cpu"))


def test_batches() -> None:
    assert pick_batch(torch.device("cpu"), 64, 64) == 1
    assert [pick_batch(torch.device("cuda"), size, size) for size in (64, 256, 512, 1024, 4096)] == [16, 16, 4, 1, 1]

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from warpnoise.sdedit import folder

from ..tiny_hub import Repository, TinyHub


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """No models but the test's own. The models folder."""
    monkeypatch.setenv("WARPNOISE_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(folder, "DEFAULT_MODEL", tmp_path / "nothing")
    monkeypatch.setattr("warpnoise.hub.listing.DEFAULT_MODEL", tmp_path / "nothing")
    return tmp_path / "models"


@pytest.fixture
def hub(model, monkeypatch):
    hub = TinyHub()
    hub.repositories["studio/ink"] = Repository(Path(model))
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    yield hub
    hub.close()


def test_a_folder(warpnoise, model):
    done = warpnoise("models", model)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"{model}\n  folder            {model}\n  file              none\n")
    for line in (
        "family            Pixel model",
        "sampler           ddim",
        "styles            ink, clay",
        "guidance          1.5",
        "strength          0.5",
        "size multiple     4",
    ):
        assert f"  {line}\n" in done.out
    takes = next(line for line in done.out.splitlines() if "takes" in line)
    assert "style" in takes and "prompt" not in takes
    assert warpnoise("models", "show", model).out == done.out


def test_json(warpnoise, model):
    (shown,) = json.loads(warpnoise("models", model, "--json").out)
    assert shown["styles"] == ["ink", "clay"] and "prompt" not in shown["takes"] and shown["size"] > 0


def test_guidance_by_style(warpnoise, model, tmp_path):
    model = shutil.copytree(model, tmp_path / "model")
    sheet = json.loads((model / "styles.json").read_text())
    (model / "styles.json").write_text(json.dumps({**sheet, "guidance": {"ink": 3, "clay": 1.5}}))
    assert "  guidance          3 (ink), 1.5 (clay)\n" in warpnoise("models", model).out
    (shown,) = json.loads(warpnoise("models", model, "--json").out)
    assert shown["guidance"] == {"ink": 3, "clay": 1.5}


def test_the_list(warpnoise, model, places, monkeypatch):
    monkeypatch.setattr(folder, "DEFAULT_MODEL", model)
    monkeypatch.setattr("warpnoise.hub.listing.DEFAULT_MODEL", model)
    shutil.copytree(model, places / "toy")
    (places / "broken").mkdir()
    (places / "broken" / "model_index.json").write_text("{")
    (places / "loras").mkdir()
    (places / "loras" / "wash.safetensors").write_bytes(b"12")
    done = warpnoise("models")
    assert done.status == 0 and done.out.startswith(f"installed (models folder: {places})\n  default ")
    assert "\n  toy " in done.out and "wash.safetensors" in done.out
    assert "broken" in done.out and "is not JSON" in done.out
    assert "stabilityai/stable-diffusion-xl-base-1.0" in done.out
    listed = json.loads(warpnoise("models", "--json").out)
    assert [model["name"] for model in listed["installed"]] == ["default", "broken", "toy"]
    assert [model["source"] for model in listed["installed"]] == ["default", "folder", "folder"]
    assert listed["loras"] == [{"name": "wash.safetensors", "size": 2, "family": None}]
    for model in listed["suggested"]:
        assert model["license"] and model["size"] > 0 and model["memory"] > 0 and not model["installed"]


def test_a_model_of_the_models_folder_has_a_name(warpnoise, model, places):
    shutil.copytree(model, places / "toy")
    assert f"  folder            {places / 'toy'}\n" in warpnoise("models", "toy").out


def test_the_hugging_face_cache_is_used(warpnoise, model, tmp_path):
    repository = tmp_path / "cache" / "models--studio--ink"
    shutil.copytree(model, repository / "snapshots" / "abcd")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abcd")
    (listed,) = json.loads(warpnoise("models", "--json").out)["installed"]
    assert (listed["name"], listed["source"]) == ("studio/ink", "cache")
    assert warpnoise("models", "studio/ink").out.startswith("studio/ink\n")
    done = warpnoise("models", "remove", "studio/ink")
    assert done.status == 5 and "Warpnoise has not downloaded a model studio/ink" in done.err


def test_a_folder_that_is_not_a_model(warpnoise, tmp_path):
    done = warpnoise("models", tmp_path)
    assert (done.status, done.out) == (5, "")
    assert "is not a diffusers model" in done.err


def test_a_file_s_base_is_noted(warpnoise, model, tmp_path):
    file = tmp_path / "model.safetensors"
    save_file({"layers.0.adaLN_modulation.0.weight": torch.zeros(1)}, file)
    done = warpnoise("models", file, "--base", tmp_path / "base")
    assert done.status == 5 and "is not a diffusers folder" in done.err
    shutil.copytree(model, tmp_path / "models" / "hub" / "studio" / "ink")
    done = warpnoise("models", file, "--base", "studio/ink")
    assert done.status == 5 and "is a pixel model" in done.err
    noted = json.loads((tmp_path / "model.safetensors.json").read_text())
    assert noted == {"base": str(tmp_path / "models" / "hub" / "studio" / "ink")}


def test_download(warpnoise, hub, places):
    done = warpnoise("models", "download", "studio/ink", "--yes")
    assert done.status == 0 and "HTTP Request" not in done.err
    assert "studio/ink: Pixel model, needs about" in done.out and "license   apache-2.0" in done.out
    assert f"downloaded  {places / 'hub' / 'studio' / 'ink'}" in done.out
    (listed,) = json.loads(warpnoise("models", "--json").out)["installed"]
    assert (listed["name"], listed["source"], listed["license"]) == ("studio/ink", "hub", "apache-2.0")
    assert warpnoise("models", "remove", "studio/ink").out.startswith("removed studio/ink: ")


def test_download_as_json(warpnoise, hub):
    done = warpnoise("models", "download", "studio/ink", "--yes", "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [lines[0]["event"], lines[-1]["event"]] == ["offer", "summary"]
    assert lines[-2]["event"] == "progress" and lines[-2]["bytes_done"] == lines[0]["size"]


def test_nothing_is_downloaded_without_a_yes(warpnoise, hub, places):
    done = warpnoise("models", "download", "studio/ink")
    assert done.status == 5 and "use --yes to agree" in done.err and not places.exists()
    done = warpnoise("models", "download", "studio/pencil", "--yes", "--json")
    assert done.status == 5 and json.loads(done.out)["code"] == "hub"

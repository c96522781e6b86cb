from __future__ import annotations

import json
import shutil

from warpnoise.sdedit import folder


def test_a_folder(warpnoise, model):
    done = warpnoise("models", model)
    assert (done.status, done.err) == (0, "")
    assert done.out == (
        f"{model}\n"
        f"  folder            {model}\n"
        "  family            pixel\n"
        "  sampler           ddim\n"
        "  styles            ink, clay\n"
        "  takes prompt      False\n"
        "  guidance          1.5\n"
        "  steps             20\n"
        "  texture           0.0\n"
        "  strength          0.5\n"
        "  size multiple     4\n"
    )


def test_json(warpnoise, model):
    (shown,) = json.loads(warpnoise("models", model, "--json").out)
    assert shown["styles"] == ["ink", "clay"] and shown["takes_prompt"] is False


def test_guidance_by_style(warpnoise, model, tmp_path):
    model = shutil.copytree(model, tmp_path / "model")
    sheet = json.loads((model / "styles.json").read_text())
    (model / "styles.json").write_text(json.dumps({**sheet, "guidance": {"ink": 3, "clay": 1.5}}))
    assert "  guidance          3 (ink), 1.5 (clay)\n" in warpnoise("models", model).out
    (shown,) = json.loads(warpnoise("models", model, "--json").out)
    assert shown["guidance"] == {"ink": 3, "clay": 1.5}


def test_the_default(warpnoise, model, monkeypatch):
    monkeypatch.setattr(folder, "DEFAULT_MODEL", model)
    monkeypatch.setattr("warpnoise.cli.models.DEFAULT_MODEL", model)
    assert warpnoise("models").out.startswith("default\n")
    monkeypatch.setattr("warpnoise.cli.models.DEFAULT_MODEL", model / "nothing")
    done = warpnoise("models")
    assert done.status == 5 and "There is no default model" in done.err


def test_what_is_no_model(warpnoise, tmp_path):
    done = warpnoise("models", tmp_path)
    assert (done.status, done.out) == (5, "")
    assert "is not a diffusers model" in done.err


def test_a_file_s_base_is_noted(warpnoise, tmp_path):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    done = warpnoise("models", file, "--base", tmp_path / "base")
    assert done.status == 5 and "there is no such folder" in done.err
    assert json.loads((tmp_path / "model.gguf.json").read_text()) == {"base": str(tmp_path / "base")}

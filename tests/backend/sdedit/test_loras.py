"""LoRAs: they change the picture as diffusers has them do, and those of another base are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from warpnoise.errors import ModelError, SettingsError
from warpnoise.job import Settings
from warpnoise.sdedit import ModelFolder, load_model
from warpnoise.sdedit.check import check_settings
from warpnoise.sdedit.memory_plan import MemoryOptions, Quantize
from warpnoise.sdedit.pipeline_editor import PipelineEditor

Tiny = Callable[[str], Path]
pytestmark = pytest.mark.usefixtures("pooled_noise")
SETTINGS = Settings(strength=0.5, steps=4, prompt="a house", guidance=3.0)


@pytest.fixture(scope="module")
def lora(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A LoRA file of rank 2 for a tiny model."""
    root = tmp_path_factory.mktemp("loras")

    def write(name: str, seed: int = 0) -> Path:
        path = root / f"{name}_{seed}.safetensors"
        if not path.exists():
            pipeline = diffusers.DiffusionPipeline.from_pretrained(tiny(name), local_files_only=True)
            part = "unet" if "unet" in pipeline.components else "transformer"
            network = getattr(pipeline, part)
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                config = LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v"], init_lora_weights=False)
                network.add_adapter(config)
            layers = {f"{part}_lora_layers": get_peft_model_state_dict(network)}
            type(pipeline).save_lora_weights(root, weight_name=path.name, **layers)
        return path

    return write


def edit(editor: Any, settings: Settings = SETTINGS, **changes: Any) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    images = torch.rand((1, 3, 64, 64), generator=random)
    noise = torch.randn((1, *editor.noise_shape(64, 64, SETTINGS)), generator=random)
    return editor.edit(images, lambda index: noise, settings.updated(changes))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "quantize"),
    [
        *((name, "none") for name in ("sd15", "sdxl", "sd3", "flux", "z_image", "qwen")),
        ("sdxl", "8bit"),
        ("flux", "4bit"),
    ],
)
def test_a_lora_acts_by_its_weight_and_goes_without_a_trace(
    tiny: Tiny, lora: Callable[..., Path], name: str, quantize: Quantize
) -> None:
    """On quantized weights too."""
    editor = load_model(tiny(name), "cpu", "float32", MemoryOptions(quantize=quantize))
    file = {"path": str(lora(name))}
    plain = edit(editor)
    full = edit(editor, loras=[file])
    half = edit(editor, loras=[{**file, "weight": 0.5}])
    assert not torch.allclose(plain, full, atol=1e-4) and not torch.allclose(half, full, atol=1e-5)
    torch.testing.assert_close(edit(editor, loras=[{**file, "weight": 0.0}]), plain, atol=1e-6, rtol=0)
    torch.testing.assert_close(edit(editor), plain, atol=1e-6, rtol=0)


def test_a_lora_of_the_models_folder_is_found_by_its_name(
    tiny: Tiny, lora: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loras").mkdir()
    shutil.copy(lora("sd15"), tmp_path / "loras" / "wash.safetensors")
    monkeypatch.setenv("WARPNOISE_MODELS", str(tmp_path))
    editor = load_model(tiny("sd15"), "cpu", "float32")
    named = edit(editor, loras=[{"path": "wash"}])
    torch.testing.assert_close(named, edit(editor, loras=[{"path": str(lora("sd15"))}]), atol=0, rtol=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")
def test_two_loras_are_those_of_diffusers(tiny: Tiny, lora: Callable[..., Path]) -> None:
    editor, own = load_model(tiny("sd15"), "cpu", "float32"), load_model(tiny("sd15"), "cpu", "float32")
    assert isinstance(own, PipelineEditor)
    first, second = lora("sd15", 0), lora("sd15", 1)
    result = edit(editor, loras=[{"path": str(first), "weight": 0.7}, {"path": str(second), "weight": -0.4}])
    own.pipeline.load_lora_weights(first.parent, weight_name=first.name, adapter_name="first")
    own.pipeline.load_lora_weights(second.parent, weight_name=second.name, adapter_name="second")
    own.pipeline.set_adapters(["first", "second"], [0.7, -0.4])
    torch.testing.assert_close(result, edit(own), atol=1e-6, rtol=0)


def test_the_format_of_other_programs(tiny: Tiny, lora: Callable[..., Path], tmp_path: Path) -> None:
    """As kohya's scripts write it: underscores, down and up, alpha."""
    content = {}
    for key, value in load_file(lora("sd15")).items():
        layer, kind = key.removeprefix("unet.").rsplit(".lora", 1)
        name = "lora_unet_" + layer.replace(".", "_")
        content[f"{name}.lora_{'down' if kind == '_A.weight' else 'up'}.weight"] = value
        content[f"{name}.alpha"] = torch.tensor(2.0)
    file = tmp_path / "kohya.safetensors"
    save_file(content, file)
    editor = load_model(tiny("sd15"), "cpu", "float32")
    torch.testing.assert_close(
        edit(editor, loras=[{"path": str(file)}]), edit(editor, loras=[{"path": str(lora("sd15"))}]), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(("model", "other"), [("sdxl", "sd15"), ("sd15", "sdxl"), ("flux", "sd3"), ("sd3", "sdxl")])
def test_a_lora_of_another_base_is_refused_and_nothing_is_loaded(
    tiny: Tiny, lora: Callable[..., Path], model: str, other: str
) -> None:
    editor = load_model(tiny(model), "cpu", "float32")
    plain = edit(editor)
    with pytest.raises(ModelError, match=rf"{other}_0.* (made for|no format)"):
        editor.check(SETTINGS.updated({"loras": [{"path": str(lora(other))}]}))
    assert torch.equal(edit(editor), plain)


def test_files_that_are_not_a_lora(tiny: Tiny, styled_model: Path, lora: Callable[..., Path], tmp_path: Path) -> None:
    model = ModelFolder.open(tiny("sd15"))

    def check(path: Path) -> None:
        check_settings(model, SETTINGS.updated({"loras": [{"path": str(path)}]}))

    check(lora("sd15"))
    with pytest.raises(ModelError, match=r"lora .*missing.*: there is no such file"):
        check(tmp_path / "missing.safetensors")
    pickled = tmp_path / "style.pt"
    pickled.touch()
    with pytest.raises(ModelError, match="is a pickle"):
        check(pickled)
    broken = tmp_path / "broken.safetensors"
    whole = lora("sd15").read_bytes()
    for content in (b"", whole[:4], whole[:100], whole[:-10], b"\xff" * 100):
        broken.write_bytes(content)
        with pytest.raises(ModelError, match="is not a complete safetensors file"):
            check(broken)
    save_file({"emb_params": torch.zeros(2, 16)}, broken)
    with pytest.raises(ModelError, match=r"is not a LoRA: .* Choose one made for this model, or leave it out"):
        check(broken)
    with pytest.raises(SettingsError, match="is a pixel model, which takes no LoRA"):
        check_settings(ModelFolder.open(styled_model), Settings().updated({"loras": [{"path": str(lora("sd15"))}]}))

"""ControlNets: they act as diffusers has them act, and those of another base are refused."""

from __future__ import annotations

import importlib
import inspect
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from warpnoise.errors import ModelError, SettingsError
from warpnoise.job import Settings
from warpnoise.sdedit import ModelFolder, load_model
from warpnoise.sdedit.check import check_settings
from warpnoise.sdedit.families import FAMILIES

Tiny = Callable[[str], Path]
pytestmark = pytest.mark.usefixtures("pooled_noise")
SETTINGS = Settings(strength=0.5, steps=4, prompt="a house", guidance=3.0)
EMBEDDING = {"conditioning_embedding_out_channels": (8, 16, 16, 16)}


def unet_control(folder: Path, kind: Any = diffusers.ControlNetModel, **more: Any) -> Any:
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet")
    return kind.from_unet(unet, **EMBEDDING, **more)


def flux_control(folder: Path) -> Any:
    return diffusers.FluxControlNetModel(
        patch_size=1,
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    )


def sd3_control(folder: Path) -> Any:
    transformer = diffusers.SD3Transformer2DModel.from_pretrained(folder / "transformer")
    return diffusers.SD3ControlNetModel.from_transformer(transformer, num_layers=1, num_extra_conditioning_channels=0)


def qwen_control(folder: Path) -> Any:
    return diffusers.QwenImageControlNetModel(
        patch_size=2,
        in_channels=64,
        out_channels=16,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(4, 4, 8),
    )


def z_image_control(folder: Path) -> Any:
    return diffusers.ZImageControlNetModel(
        control_layers_places=[0],
        control_refiner_layers_places=[0],
        control_in_dim=16,
        add_control_noise_refiner="control_noise_refiner",
        dim=32,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
    )


BUILDERS: dict[str, Callable[[Path], Any]] = {
    "sd15": unet_control,
    "sdxl": unet_control,
    "sd3": sd3_control,
    "flux": flux_control,
    "qwen": qwen_control,
    "z_image": z_image_control,
}
UNION = "sdxl union"
"""As ``BUILDERS``, for the base sdxl."""


@pytest.fixture(scope="module")
def control(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The folder of a ControlNet for a tiny model, whose every layer acts."""
    root = tmp_path_factory.mktemp("controls")

    def write(name: str) -> Path:
        if not (root / name).is_dir():
            with torch.random.fork_rng():
                torch.manual_seed(0)
                if name == UNION:
                    small = {**EMBEDDING, "num_trans_channel": 8, "num_trans_head": 2, "num_proj_channel": 8}
                    unet = diffusers.UNet2DConditionModel.from_pretrained(tiny("sdxl") / "unet")
                    known = inspect.signature(diffusers.ControlNetUnionModel.__init__).parameters
                    config = {key: value for key, value in unet.config.items() if key in known}
                    network = diffusers.ControlNetUnionModel(**{**config, **small})
                else:
                    network = BUILDERS[name](tiny(name))
                for weight in network.parameters():
                    if not weight.any():
                        torch.nn.init.normal_(weight, std=0.3)
            network.save_pretrained(root / name)
        return root / name

    return write


RAMP = torch.linspace(0, 1, 64).expand(1, 3, 64, 64).contiguous()


def edit(editor: Any, guides: dict[str, torch.Tensor] | None = None, **changes: Any) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    images = torch.rand((1, 3, 64, 64), generator=random)
    noise = torch.randn((1, *editor.noise_shape(64, 64, SETTINGS)), generator=random)
    return editor.edit(images, lambda index: noise, SETTINGS.updated(changes), guides=guides)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*BUILDERS, UNION])
def test_a_control_acts_and_goes_without_a_trace(
    tiny: Tiny, control: Callable[[str], Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is drawn for it: where the pipeline would sample latents of the picture, it gets the most likely."""
    editor = load_model(tiny(name.partition(" ")[0]), "cpu", "float32")
    one = {"path": str(control(name))}
    plain = edit(editor)
    editor.check(SETTINGS.updated({"controls": [one]}))

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a random number was drawn")

    random = torch.Generator().manual_seed(1)
    images = torch.rand((1, 3, 64, 64), generator=random)
    noise = torch.randn((1, *editor.noise_shape(64, 64, SETTINGS)), generator=random)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "randn", refuse)
        settings = SETTINGS.updated({"controls": [one]})
        held = editor.edit(images, lambda index: noise, settings, guides={"depth": RAMP})
    assert not torch.allclose(held, plain, atol=1e-3)
    other = edit(editor, {"depth": 1 - RAMP}, controls=[one])
    assert not torch.allclose(other, held, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        edit(editor, {"depth": RAMP}, controls=[{**one, "weight": 0.0}]), plain, atol=1e-5, rtol=0
    )
    torch.testing.assert_close(edit(editor), plain, atol=0, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"),
    [("sd15", "StableDiffusionControlNetImg2ImgPipeline"), ("sdxl", "StableDiffusionXLControlNetImg2ImgPipeline")],
)
def test_it_is_that_of_diffusers_own_pipeline(
    tiny: Tiny, control: Callable[[str], Path], name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = torch.Generator().manual_seed(1)
    images, editor = torch.rand((1, 3, 64, 64), generator=random), load_model(tiny(name), "cpu", "float32")
    noise = torch.randn((1, *editor.noise_shape(64, 64, SETTINGS)), generator=random)
    one = {"path": str(control(name)), "weight": 0.8, "end": 0.5}
    settings = SETTINGS.updated({"controls": [one], "sampler": "ddim"})
    result = editor.edit(images, lambda index: noise, settings, guides={"depth": RAMP})

    plain = diffusers.DiffusionPipeline.from_pretrained(tiny(name), local_files_only=True)
    own = getattr(diffusers, kind).from_pipe(plain, controlnet=diffusers.ControlNetModel.from_pretrained(control(name)))
    own.scheduler = diffusers.DDIMScheduler.from_config(own.scheduler.config, clip_sample=False)
    own.set_progress_bar_config(disable=True)
    monkeypatch.setattr(importlib.import_module(type(own).__module__), "randn_tensor", lambda *_, **__: noise)
    with torch.no_grad():
        latents = own.vae.encode(2 * images - 1).latent_dist.mode() * own.vae.config.scaling_factor
    expected = own(
        prompt=["a house"],
        negative_prompt=[""],
        image=latents,
        control_image=RAMP,
        strength=0.5,
        num_inference_steps=4,
        guidance_scale=3.0,
        controlnet_conditioning_scale=0.8,
        control_guidance_end=0.5,
        height=64,
        width=64,
        output_type="pt",
    ).images
    torch.testing.assert_close(result, expected, atol=5e-5, rtol=0)


@pytest.mark.slow
def test_several_controls_at_once(tiny: Tiny, control: Callable[[str], Path]) -> None:
    editor = load_model(tiny("sd15"), "cpu", "float32")
    path = str(control("sd15"))
    guides = {"depth": RAMP, "lines": (RAMP > 0.5).float()}
    depth = {"path": path, "input": "depth"}
    lines = {"path": path, "input": "lines", "weight": 0.5}
    both = edit(editor, guides, controls=[depth, lines])
    assert not torch.allclose(both, edit(editor, guides, controls=[depth]), atol=1e-4)
    assert not torch.allclose(both, edit(editor, guides, controls=[depth, {**lines, "weight": 0.9}]), atol=1e-4)
    assert not torch.allclose(edit(editor, controls=[{"path": path, "input": "color"}]), edit(editor), atol=1e-4)


@pytest.mark.slow
def test_a_union_takes_several_inputs_at_once(tiny: Tiny, control: Callable[[str], Path]) -> None:
    editor = load_model(tiny("sdxl"), "cpu", "float32")
    guides = {"depth": RAMP, "lines": (RAMP > 0.5).float(), "normals": 1 - RAMP}
    items = [{"path": str(control(UNION)), "input": name} for name in guides]
    one, two, three = (edit(editor, guides, controls=items[:count]) for count in (1, 2, 3))
    assert not torch.allclose(one, two, atol=1e-6, rtol=0) and not torch.allclose(two, three, atol=1e-6, rtol=0)
    with pytest.raises(ModelError, match="knows 6 kinds of pictures, and color is not among them"):
        edit(editor, guides, controls=[{**items[0], "input": "color"}])
    weaker = edit(editor, guides, controls=[items[0], {**items[1], "weight": 0.5}])
    assert not torch.allclose(weaker, two, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("num_trans_channel", "contradicts itself: num_trans_channel is 16, .* block_out_channels is 8"),
        ("num_proj_channel", "contradicts itself: num_proj_channel is 16, .* block_out_channels is 8"),
        ("conditioning_channels", "takes pictures of 16 channels, .*--control none"),
        ("projection_class_embeddings_input_dim", "another base .*: projection_class_embeddings_input_dim is 16"),
    ],
)
def test_a_union_that_would_fail_at_the_first_frame_is_refused(
    tiny: Tiny, control: Callable[[str], Path], name: str, message: str, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(control(UNION), tmp_path / "union"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, name: 16}))
    settings = SETTINGS.updated({"controls": [{"path": str(folder)}]})
    with pytest.raises(ModelError, match=message):
        check_settings(ModelFolder.open(tiny("sdxl")), settings)


def test_a_shot_without_the_guide_is_refused(tiny: Tiny, control: Callable[[str], Path]) -> None:
    editor = load_model(tiny("sd15"), "cpu", "float32")
    with pytest.raises(SettingsError, match="the shot has no data for normals"):
        edit(editor, {"depth": RAMP}, controls=[{"path": str(control("sd15")), "input": "normals"}])


def test_controls_of_another_base_are_refused(
    tiny: Tiny, styled_model: Path, control: Callable[[str], Path], tmp_path: Path
) -> None:
    def check(model: str | Path, path: Path, **more: Any) -> None:
        folder = ModelFolder.open(model if isinstance(model, Path) else tiny(model))
        check_settings(folder, SETTINGS.updated({"guidance": None, "controls": [{"path": str(path), **more}]}))

    with pytest.raises(
        ModelError,
        match=r"made for another base .*: cross_attention_dim is 16, .* 32\. .*--control none",
    ):
        check("sdxl", control("sd15"))
    with pytest.raises(ModelError, match="is a FluxControlNetModel; Stable Diffusion XL takes a ControlNetModel or"):
        check("sdxl", control("flux"))
    with pytest.raises(SettingsError, match=r"is AuraFlow, which takes no ControlNet: leave it out .--control none"):
        check("auraflow", control("flux"))
    with pytest.raises(SettingsError, match="is a pixel model, which takes no ControlNet"):
        check(styled_model, control("sd15"))
    with pytest.raises(ModelError, match=r"there is no ControlNet's config\.json"):
        check("sd15", tmp_path)
    pickled = shutil.copytree(control("sd15"), tmp_path / "pickled")
    (pickled / "diffusion_pytorch_model.safetensors").rename(pickled / "diffusion_pytorch_model.bin")
    with pytest.raises(ModelError, match="only as a pickle"):
        check("sd15", pickled)
    with pytest.raises(SettingsError, match=r"it ends at 0\.5, and starts at 0\.5"):
        check("sd15", control("sd15"), start=0.5, end=0.5)


def test_the_rows_name_pipelines_that_there_are() -> None:
    for family in FAMILIES.values():
        for network, pipeline in family.controls.items():
            assert getattr(diffusers, network, None) is not None and getattr(diffusers, pipeline, None) is not None

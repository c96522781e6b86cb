"""Every family, on tiny models of the real classes: the noise is ours to the bit, the picture is diffusers' own."""

from __future__ import annotations

import importlib
import inspect
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from warpnoise.errors import Cancelled, ModelError
from warpnoise.job import Settings
from warpnoise.sdedit import load_model
from warpnoise.sdedit.autoencoder import encode, make_certain
from warpnoise.sdedit.families import FAMILIES, Family
from warpnoise.sdedit.injection import InjectedScheduler, Stepped
from warpnoise.sdedit.pipeline_editor import PipelineEditor
from warpnoise.sdedit.prompts import interpolated
from warpnoise.sdedit.samplers import SAMPLERS, is_stochastic

from .. import tiny_pipelines

Tiny = Callable[[str], Path]
pytestmark = pytest.mark.usefixtures("pooled_noise")
FAST = ("sdxl", "flux")
"""One model of each kind of network: the same tests of the others are slow, together."""
SETTINGS = Settings(strength=0.75, steps=4, prompt="a still life", negative_prompt="fog")
SIZE = (64, 96)


@pytest.fixture(autouse=True)
def small_references(monkeypatch: pytest.MonkeyPatch) -> None:
    """Qwen-Image-Edit scales references to a megapixel, which takes half a minute at any size of the network."""
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus

    for module in (pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus):
        plain: Any = module.calculate_dimensions
        monkeypatch.setattr(module, "calculate_dimensions", lambda area, ratio, plain=plain: plain(area / 64, ratio))


def open_editor(folder: Path, dtype: str = "float32") -> PipelineEditor:
    editor = load_model(folder, "cpu", dtype)
    assert isinstance(editor, PipelineEditor)
    return editor


def images(count: int, size: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.rand((count, 3, *size), generator=torch.Generator().manual_seed(1))


def noise_maps(editor: PipelineEditor, count: int, maps: int = 8, size: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.randn((maps, count, *editor.noise_shape(*size, SETTINGS)), generator=torch.Generator().manual_seed(7))


class Witness:
    """Sees what enters the network first, and what every step is given."""

    def __init__(self, editor: PipelineEditor, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered: list[torch.Tensor] = []
        self.outputs: list[torch.Tensor] = []
        self.scheduler: Any = None
        witness, step = self, InjectedScheduler.step

        def watch(module: Any, args: Any, keywords: dict[str, Any]) -> None:
            x = keywords.get("hidden_states", keywords.get("sample", args[0] if args else None))
            witness.entered.append(torch.stack([one.squeeze(1) for one in x]) if isinstance(x, list) else x)

        def stepped(self: Any, model_output: torch.Tensor, *args: Any, **keywords: Any) -> Stepped:
            witness.scheduler = self
            witness.outputs.append(model_output.float().clone())
            return step(self, model_output, *args, **keywords)

        editor.network.register_forward_pre_hook(watch, with_kwargs=True)
        monkeypatch.setattr(InjectedScheduler, "step", stepped)


def of_models(names: Iterable[str]) -> pytest.MarkDecorator:
    """Parametrizes a test by ``name``."""
    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in sorted(names)]
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@of_models(tiny_pipelines.MODELS)
def test_start_and_every_stochastic_step_are_ours_to_the_bit(
    tiny: Tiny, name: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = open_editor(tiny(name), dtype)
    pictures, maps = images(1), noise_maps(editor, 1)
    x_0 = encode(editor.pipeline, pictures * 2 - 1)
    settings = SETTINGS.updated({"eta": 1.0 if SAMPLERS[editor.folder.sampler].noise == "eta" else 0.0})
    witness = Witness(editor, monkeypatch)
    for forbidden in ("randn", "randn_like", "normal", "rand"):
        monkeypatch.setattr(torch, forbidden, _refuse)
    read: list[int] = []

    def noise(index: int) -> torch.Tensor:
        read.append(index)
        return maps[index]

    result = editor.edit(pictures, noise, settings)
    assert torch.isfinite(result).all() and result.shape == pictures.shape
    assert read == list(range(editor.noise_maps(settings)))
    assert (len(read) > 1) == is_stochastic(editor.folder.sampler, settings.eta)

    run = fresh_run(editor, witness.scheduler)
    x = editor._laid_out(run.start(x_0, maps[0]))
    # Under guidance the batch comes twice; models that edit have their reference's tokens behind.
    first = witness.entered[0][-len(x) :].float()[:, : x.shape[1]].reshape(-1)
    assert torch.equal(first, x.to(editor.dtype).float().reshape(-1))
    stochastic = 0
    for index, output in enumerate(witness.outputs):
        given = None
        if run.is_stochastic(index):
            stochastic += 1
            given = editor._laid_out(maps[stochastic])
        x = run.step(index, output, x, given)
    assert torch.equal(x, witness.scheduler.x)


def _refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("a random number was drawn elsewhere")


def fresh_run(editor: PipelineEditor, scheduler: InjectedScheduler) -> Any:
    """The run again, from its beginning."""
    run = scheduler._run
    if hasattr(run, "_scheduler"):
        inner = run._scheduler
        inner.model_outputs = [None] * inner.config.solver_order
        inner.lower_order_nums, inner._step_index = 0, None
    return run


@of_models(tiny_pipelines.MODELS)
def test_a_still_shot_gives_the_same_frame_twice(tiny: Tiny, name: str) -> None:
    editor = open_editor(tiny(name))
    pictures = images(1, (64, 64)).repeat(2, 1, 1, 1)
    maps = noise_maps(editor, 1, size=(64, 64)).repeat(1, 2, 1, 1, 1)
    one, two = editor.edit(pictures, lambda index: maps[index], SETTINGS)
    torch.testing.assert_close(one, two, atol=5e-6, rtol=0)  # a third of a step of 16 bits: the place in the batch
    first, again = (editor.edit(pictures[:1], lambda index: maps[index, :1], SETTINGS) for _ in range(2))
    assert torch.equal(first, again)


def own_pipeline(folder: Path, editor: PipelineEditor) -> Any:
    """diffusers' own, with the model's own scheduler or the one that stands in for it."""
    without = dict.fromkeys(tiny_pipelines.MODELS[folder.name].published)
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder, local_files_only=True, **without)
    pipeline.register_modules(**{part: getattr(editor.pipeline, part) for part in without})
    if type(pipeline.scheduler).__name__ == "PNDMScheduler":
        pipeline.scheduler = diffusers.DDIMScheduler.from_config(pipeline.scheduler.config, clip_sample=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@of_models(tiny_pipelines.MODELS)
def test_the_whole_schedule_is_that_of_diffusers_own_pipeline(tiny: Tiny, name: str) -> None:
    """From the same start, with the same noise in every step, with the model's own scheduler."""
    editor = open_editor(tiny(name))
    settings = SETTINGS.updated({"strength": 1.0})
    pictures, maps = images(1, (64, 64)), noise_maps(editor, 1, size=(64, 64))
    result = editor.edit(pictures, lambda index: maps[index], settings)

    own = own_pipeline(tiny(name), editor)
    x_0 = encode(editor.pipeline, pictures * 2 - 1)
    call = editor._call(pictures, x_0, settings)
    entries = editor._schedule.entries(None)
    timing = editor._ask_for_timing(entries, call, x_0)
    start = editor._schedule.run(4, 1.0, 0.0, None, timing).start(x_0, maps[0])
    if "Euler" in type(own.scheduler).__name__ and hasattr(own.scheduler, "alphas_cumprod"):
        own.scheduler.set_timesteps(4)
        start = start * (own.scheduler.sigmas[0] ** 2 + 1).sqrt()
        if name != "refiner":  # image-to-image takes its start as it is
            start = start / own.scheduler.init_noise_sigma
    shape = editor._laid_out(maps[1]).shape
    draws = [editor._laid_out(maps[index]) for index in range(1, 8)]
    del call["output_type"]
    with drawn(own.scheduler, draws, shape):
        expected = own(**call, **editor._start(start), output_type="pt")[0]
    if editor.folder.vae_factor == 1:
        expected = expected / 2 + 0.5  # it gives pixels as they are
    torch.testing.assert_close(result, expected.float().reshape(result.shape).clamp(0, 1), atol=2e-5, rtol=0)


class drawn:
    """The noise that a scheduler of diffusers draws in its steps is taken from a list."""

    def __init__(self, scheduler: Any, draws: list[torch.Tensor], shape: Any) -> None:
        self._module = importlib.import_module(type(scheduler).__module__)
        self._draws: Iterator[torch.Tensor] = iter(draws)
        self._shape = shape

    def __enter__(self) -> None:
        self._plain = getattr(self._module, "randn_tensor", None)

        def take(shape: Any, **_: Any) -> torch.Tensor:
            assert tuple(shape) == tuple(self._shape)
            return next(self._draws)

        if self._plain is not None:
            self._module.randn_tensor = take  # type: ignore[attr-defined]

    def __exit__(self, *_: Any) -> None:
        if self._plain is not None:
            self._module.randn_tensor = self._plain  # type: ignore[attr-defined]


IMAGE_TO_IMAGE = {
    "sd15": "StableDiffusionImg2ImgPipeline",
    "sd21": "StableDiffusionImg2ImgPipeline",
    "sdxl": "StableDiffusionXLImg2ImgPipeline",
    "sdxl_lightning": "StableDiffusionXLImg2ImgPipeline",
    "refiner": "StableDiffusionXLImg2ImgPipeline",
    "sd3": "StableDiffusion3Img2ImgPipeline",
    "flux": "FluxImg2ImgPipeline",
    "flux_schnell": "FluxImg2ImgPipeline",
    "chroma": "ChromaImg2ImgPipeline",
    "qwen": "QwenImageImg2ImgPipeline",
    "z_image": "ZImageImg2ImgPipeline",
}


@of_models(IMAGE_TO_IMAGE)
def test_a_late_start_is_that_of_diffusers_image_to_image_pipeline(
    tiny: Tiny, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which mixes picture and noise itself; its autoencoder is made to give the most likely latents."""
    editor = open_editor(tiny(name))
    settings = SETTINGS.updated({"strength": 0.5})
    pictures, maps = images(1, (64, 64)), noise_maps(editor, 1, size=(64, 64))
    result = editor.edit(pictures, lambda index: maps[index], settings)

    kind = getattr(diffusers, IMAGE_TO_IMAGE[name])
    own = own_pipeline(tiny(name), editor)
    own = own if isinstance(own, kind) else kind(**own.components, **_more(own))
    own.set_progress_bar_config(disable=True)
    make_certain(own.vae)
    monkeypatch.setattr(
        importlib.import_module(kind.__module__), "randn_tensor", lambda shape, **_: maps[0].view(shape)
    )
    call = editor._call(pictures, encode(editor.pipeline, pictures * 2 - 1), settings)
    parameters = inspect.signature(kind.__call__).parameters
    call = {key: value for key, value in call.items() if key in parameters and key not in ("output_type", "strength")}
    expected = own(**call, image=pictures, strength=0.5, output_type="pt")[0]
    torch.testing.assert_close(result, expected.float().clamp(0, 1), atol=2e-5, rtol=0)


def _more(own: Any) -> dict[str, Any]:
    return {"requires_safety_checker": False} if "requires_safety_checker" in own.config else {}


EDITING = ("kontext", "flux2", "qwen_edit", "qwen_edit_plus")


@of_models(EDITING)
def test_the_reference_is_the_frame(tiny: Tiny, name: str) -> None:
    """Frame by frame: a batch of different frames gives what each alone gives."""
    editor = open_editor(tiny(name))
    pictures, maps = images(2, (64, 64)), noise_maps(editor, 2, size=(64, 64))
    steps: list[tuple[int, int]] = []
    both = editor.edit(pictures, lambda k: maps[k], SETTINGS, on_step=lambda *step: steps.append(step))
    assert steps == [(step, 6) for step in range(1, 7)]
    for index in range(2):
        alone = editor.edit(pictures[index : index + 1], lambda k, i=index: maps[k, i : i + 1], SETTINGS)
        assert torch.equal(both[index], alone[0])


def test_a_made_up_family_takes_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class MadeUpPipeline(diffusers.StableDiffusionPipeline):
        pass

    MadeUpPipeline.__module__ = "diffusers"
    monkeypatch.setattr(diffusers, "MadeUpPipeline", MadeUpPipeline, raising=False)
    monkeypatch.setitem(FAMILIES, "MadeUpPipeline", Family("Made Up", "MadeUpPipeline", guidance=6.0))
    parts = tiny_pipelines.MODELS["sd21"].make().components
    MadeUpPipeline(**parts, requires_safety_checker=False).save_pretrained(tmp_path)
    editor = open_editor(tmp_path)
    maps = noise_maps(editor, 1, size=(64, 64))
    assert editor.edit(images(1, (64, 64)), lambda index: maps[index], SETTINGS).shape == (1, 3, 64, 64)
    assert editor.folder.guidance_for(Settings()) == 6.0


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.pipeline)
def test_the_rows_match_the_pipelines(family: Family) -> None:
    parameters = inspect.signature(getattr(diffusers, family.pipeline).__call__).parameters
    assert parameters[family.guidance_keyword].default == family.guidance
    assert ("negative_prompt" in parameters and not family.title.startswith("FLUX.1")) == family.negative_prompt
    assert set(family.options) <= set(parameters)
    assert "latents" in parameters
    assert "image" in parameters or not family.reference_limit


def test_a_model_that_rested_gives_the_same_picture(tiny: Tiny) -> None:
    editor = open_editor(tiny("sdxl"))
    maps = noise_maps(editor, 1, size=(64, 64))
    before = editor.edit(images(1, (64, 64)), lambda index: maps[index], SETTINGS)
    editor.rest()
    editor.wake()
    assert torch.equal(editor.edit(images(1, (64, 64)), lambda index: maps[index], SETTINGS), before)


def test_a_prompt_is_encoded_once(tiny: Tiny) -> None:
    editor = open_editor(tiny("sdxl"))
    maps = noise_maps(editor, 1, size=(64, 64))
    calls: list[int] = []
    editor.pipeline.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    for prompt in ("a house", "a house", "a tree", "a house"):
        editor.edit(images(1, (64, 64)), lambda index: maps[index], SETTINGS.updated({"prompt": prompt}))
    assert len(calls) == 2 * 2  # each prompt, and the negative one with it


def test_cancelling_and_steps(tiny: Tiny) -> None:
    editor = open_editor(tiny("sdxl"))
    maps = noise_maps(editor, 1, size=(64, 64))
    steps: list[tuple[int, int]] = []

    def edit(cancelled: Callable[[], bool]) -> None:
        editor.edit(
            images(1, (64, 64)),
            lambda index: maps[index],
            SETTINGS,
            on_step=lambda *step: steps.append(step),
            cancelled=cancelled,
        )

    with pytest.raises(Cancelled):
        edit(lambda: True)
    assert steps == []
    with pytest.raises(Cancelled):
        edit(lambda: len(steps) == 2)
    assert steps == [(1, 3), (2, 3)]
    steps.clear()
    edit(lambda: False)
    assert steps == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("part", ["network", "decoder"])
def test_overflowing_weights_are_reported(tiny: Tiny, part: str) -> None:
    editor = open_editor(tiny("sdxl"))
    with torch.no_grad():
        network = editor.network if part == "network" else editor.pipeline.vae.decoder
        network.conv_out.weight.fill_(float("nan"))
    maps = noise_maps(editor, 1, size=(64, 64))
    with pytest.raises(ModelError, match="infinite or undefined numbers"):
        editor.edit(images(1, (64, 64)), lambda index: maps[index], SETTINGS)


def test_a_missing_part_is_named(tiny: Tiny, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny("sdxl"), tmp_path / "model")
    shutil.rmtree(folder / "tokenizer_2")
    with pytest.raises(ModelError, match="tokenizer_2 is missing"):
        load_model(folder, "cpu", "float32")


BLENDED = ["sd15", "sdxl", "sd3", "flux", "qwen", "z_image", "chroma", "sana_euler", "pixart", "lumina2", "flux2_klein"]


@of_models(BLENDED)
def test_a_prompt_turns_into_another(tiny: Tiny, name: str) -> None:
    """The ends are the prompts' own pictures, to the bit; between them the embeddings are interpolated."""
    editor = open_editor(tiny(name))
    pictures, maps = images(1, (64, 64)), noise_maps(editor, 1, size=(64, 64))

    def edit(settings: Settings) -> torch.Tensor:
        return editor.edit(pictures, lambda index: maps[index], settings)

    texts = {1: "a house in the sun", 3: "snow"}
    keys = [{"data_path": "prompt", "frame": frame, "value": text} for frame, text in texts.items()]
    over_time = SETTINGS.updated({"animation": keys, "steps": 2})
    first, middle, last = (edit(over_time.at(frame)) for frame in (1, 2, 3))
    assert torch.equal(first, edit(SETTINGS.updated({"prompt": texts[1], "steps": 2})))
    assert torch.equal(last, edit(SETTINGS.updated({"prompt": texts[3], "steps": 2})))
    assert not torch.equal(first, last)
    assert not torch.equal(middle, first) and not torch.equal(middle, last)


def test_encodings_are_interpolated_token_by_token() -> None:
    one, other = torch.ones(1, 2, 3), torch.full((1, 4, 3), 3.0)
    mixed = interpolated((one, None, torch.tensor([[1, 0]])), (other, None, torch.tensor([[1, 1, 1, 0]])), 0.25)
    assert mixed[0][:, :2].eq(1.5).all() and mixed[0][:, 2:].eq(0.75).all() and mixed[1] is None
    assert mixed[2].tolist() == [[1, 1, 1, 0]]

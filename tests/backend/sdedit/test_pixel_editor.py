from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from warpnoise.errors import Cancelled, ModelError, SettingsError
from warpnoise.job import Settings
from warpnoise.sdedit import load_model
from warpnoise.sdedit.pixel import PixelEditor

from ..tiny_models import write_pixel_model

SETTINGS = Settings(strength=0.6, steps=5)


def make_noise(maps: int, *shape: int, seed: int = 0) -> Callable[[int], torch.Tensor]:
    noise = torch.randn((maps, *shape), generator=torch.Generator().manual_seed(seed))
    return lambda index: noise[index]


def make_images(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def styled(styled_model: Path) -> PixelEditor:
    editor = load_model(styled_model, "cpu", "float32")
    assert isinstance(editor, PixelEditor)
    return editor


def test_an_edit_is_the_written_out_algorithm(plain_model: Path) -> None:
    """DDIM by hand (Song et al. 2021, equation 12), x_0 clipped to the images' range."""
    editor = load_model(plain_model, "cpu", "float32")
    images, noise = make_images(2, 3, 8, 8), make_noise(1, 2, 3, 8, 8)
    result = editor.edit(images, noise, SETTINGS)
    alphas = torch.cumprod(1 - torch.linspace(0.0001, 0.02, 1000), 0)
    times = [400, 200, 0]
    a = alphas[400]
    x = a.sqrt() * (2 * images - 1) + (1 - a).sqrt() * noise(0)
    for t, after in zip(times, [200, 0, -1], strict=True):
        a, b = alphas[t], alphas[after] if after >= 0 else torch.tensor(1.0)
        with torch.inference_mode():
            e = editor._unet(x, t).sample
        x_0 = ((x - (1 - a).sqrt() * e) / a.sqrt()).clamp(-1, 1)
        x = b.sqrt() * x_0 + (1 - b).sqrt() * e
    torch.testing.assert_close(result, (x / 2 + 0.5).clamp(0, 1), atol=1e-5, rtol=0)


def test_guidance_is_the_mix_of_style_and_none(styled: PixelEditor) -> None:
    """One step from the last timestep on: the results are linear in the predictions (x_0 is not clipped here)."""
    images, noise = make_images(1, 3, 8, 8) * 0.2 + 0.4, make_noise(1, 1, 3, 8, 8)
    settings = Settings(strength=0.01, steps=100)

    def edit(guidance: float | None, style: str | None = "clay") -> torch.Tensor:
        return styled.edit(images, noise, settings.updated({"guidance": guidance, "style": style}))

    none, full = edit(0.0), edit(1.0)
    assert not torch.equal(none, full)
    torch.testing.assert_close(edit(3.0), none + 3 * (full - none), atol=1e-6, rtol=0)
    torch.testing.assert_close(edit(None), edit(1.5), atol=0, rtol=0)
    torch.testing.assert_close(edit(1.0, None), edit(1.0, "ink"), atol=0, rtol=0)
    assert not torch.equal(edit(1.0, "ink"), full)


@pytest.mark.slow
def test_each_style_has_its_own_guidance(tmp_path: Path, styled_model: Path) -> None:
    shutil.copytree(styled_model, tmp_path, dirs_exist_ok=True)
    sheet = json.loads((tmp_path / "styles.json").read_text())
    (tmp_path / "styles.json").write_text(json.dumps({**sheet, "guidance": {"ink": 1.0, "clay": 3.0}}))
    editor = load_model(tmp_path)
    images, noise = make_images(1, 3, 8, 8), make_noise(1, 1, 3, 8, 8)
    for style, guidance in (("ink", 1.0), ("clay", 3.0), (None, 1.0)):
        own, given = (editor.edit(images, noise, Settings(style=style, guidance=g)) for g in (None, guidance))
        torch.testing.assert_close(own, given, atol=0, rtol=0)


def test_a_frame_conditional_model_gets_the_frame(tmp_path: Path) -> None:
    """In [-1, 1], in the last three of six channels, at every step."""
    editor = load_model(write_pixel_model(tmp_path, in_channels=6), "cpu", "float32")
    assert isinstance(editor, PixelEditor) and editor.folder.takes_frame
    images, noise = make_images(2, 3, 6, 8), make_noise(1, 2, 3, 6, 8)
    seen: list[torch.Tensor] = []
    editor._unet.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    editor.edit(images, noise, SETTINGS)
    assert len(seen) == 3
    for given in seen:
        assert given.shape == (2, 6, 6, 8)
        torch.testing.assert_close(given[:, 3:], images * 2 - 1, atol=1e-6, rtol=0)
        assert (given[:, :3] - given[:, 3:]).abs().max() > 0.1


def test_a_geometry_conditional_model_gets_the_geometry(tmp_path: Path) -> None:
    """Behind the frame, padded like it; zeros where it is not known."""
    editor = load_model(write_pixel_model(tmp_path, in_channels=10), "cpu", "float32")
    assert isinstance(editor, PixelEditor) and editor.folder.takes_frame and editor.takes_geometry
    images, noise, geometry = (
        make_images(2, 3, 6, 7),
        make_noise(1, 2, 3, 6, 7),
        make_images(2, 4, 6, 7, seed=2) * 2 - 1,
    )
    seen: list[torch.Tensor] = []
    editor._unet.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    known = editor.edit(images, noise, SETTINGS, geometry=geometry)
    assert len(seen) == 3
    for given in seen:
        assert given.shape == (2, 10, 6, 8)
        torch.testing.assert_close(given[:, 3:6, :, :7], images * 2 - 1, atol=1e-6, rtol=0)
        torch.testing.assert_close(given[:, 6:, :, :7], geometry, atol=0, rtol=0)
        torch.testing.assert_close(given[:, 6:, :, 7], geometry[..., 5], atol=0, rtol=0)
    seen.clear()
    unknown = editor.edit(images, noise, SETTINGS)
    assert len(seen) == 3 and all((given[:, 6:] == 0).all() for given in seen)
    assert not torch.equal(known, unknown)


def test_other_models_have_no_use_for_geometry(tmp_path: Path, styled: PixelEditor) -> None:
    images, noise, geometry = make_images(1, 3, 8, 8), make_noise(1, 1, 3, 8, 8), make_images(1, 4, 8, 8, seed=2)
    for editor in (styled, load_model(write_pixel_model(tmp_path, in_channels=6), "cpu", "float32")):
        assert not editor.takes_geometry
        torch.testing.assert_close(
            editor.edit(images, noise, SETTINGS, geometry=geometry),
            editor.edit(images, noise, SETTINGS),
            atol=0,
            rtol=0,
        )


@pytest.mark.parametrize("channels", [6, 10])
def test_two_predictions_at_once_are_given_the_same_frames(tmp_path: Path, channels: int) -> None:
    """As guidance asks for them on a GPU: the batch, and behind it the batch again."""
    editor = load_model(write_pixel_model(tmp_path, in_channels=channels, classes=3), "cpu", "float32")
    assert isinstance(editor, PixelEditor)
    frames, x, labels = make_images(2, channels - 3, 8, 8), make_images(2, 3, 8, 8, seed=2), torch.tensor([0, 1])
    with torch.no_grad():
        one = editor._predict(frames, x, torch.tensor(5), labels)
        both = editor._predict(frames, torch.cat([x, x]), torch.tensor(5), torch.cat([labels, labels]))
    torch.testing.assert_close(both, torch.cat([one, one]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(8, 8), (5, 9), (1, 3)])
def test_any_size(styled: PixelEditor, size: tuple[int, int]) -> None:
    images = make_images(2, 3, *size)
    result = styled.edit(images, make_noise(1, 2, *styled.noise_shape(*size, SETTINGS)), SETTINGS)
    assert result.shape == images.shape
    assert 0 <= result.min() <= result.max() <= 1


def test_padding_is_that_of_a_larger_image(styled: PixelEditor) -> None:
    images, noise = make_images(1, 3, 6, 8), make_noise(1, 1, 3, 6, 8)
    mirrored = [0, 1, 2, 3, 4, 5, 4, 3]
    larger = styled.edit(images[:, :, mirrored], lambda index: noise(index)[:, :, mirrored], SETTINGS)
    assert torch.equal(styled.edit(images, noise, SETTINGS), larger[:, :, :6])


def test_every_stochastic_step_takes_its_own_map(styled: PixelEditor) -> None:
    settings = SETTINGS.updated({"eta": 1.0})
    maps = styled.noise_maps(settings)
    noise = make_noise(maps, 1, 3, 8, 8)
    asked: list[int] = []

    def listen(index: int) -> torch.Tensor:
        asked.append(index)
        return noise(index)

    first = styled.edit(make_images(1, 3, 8, 8), listen, settings)
    assert asked == list(range(maps)) == [0, 1, 2]
    for changed in range(maps):
        other = styled.edit(make_images(1, 3, 8, 8), lambda k: noise(k) * (-1 if k == changed else 1), settings)  # noqa: B023
        assert not torch.equal(first, other)
    assert torch.equal(first, styled.edit(make_images(1, 3, 8, 8), noise, settings))


def test_a_frame_does_not_depend_on_its_neighbours_in_the_batch(styled: PixelEditor) -> None:
    images, noise = make_images(4, 3, 8, 8), make_noise(1, 4, 3, 8, 8)
    first = styled.edit(images, noise, SETTINGS)
    order = [2, 0, 3, 1]
    shuffled = styled.edit(images[order], lambda index: noise(index)[order], SETTINGS)
    assert torch.equal(shuffled, first[order])
    twice = styled.edit(images[[2] * 4], lambda index: noise(index)[[2] * 4], SETTINGS)
    assert torch.equal(twice[0], first[2])
    alone = styled.edit(images[2:3], lambda index: noise(index)[2:3], SETTINGS)
    torch.testing.assert_close(alone[0], first[2], atol=1e-5, rtol=0)


def test_steps_are_reported_and_cancelling_takes_effect_within_one(styled: PixelEditor) -> None:
    told: list[tuple[int, int]] = []
    images, noise = make_images(1, 3, 8, 8), make_noise(1, 1, 3, 8, 8)
    styled.edit(images, noise, SETTINGS, on_step=lambda step, steps: told.append((step, steps)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    told.clear()
    with pytest.raises(Cancelled):
        styled.edit(
            images,
            noise,
            SETTINGS,
            on_step=lambda step, steps: told.append((step, steps)),
            cancelled=lambda: len(told) == 2,
        )
    assert told == [(1, 3), (2, 3)]


def test_what_the_caller_makes_while_it_edits_stays_usable(styled: PixelEditor) -> None:
    made = []

    def noise(index: int) -> torch.Tensor:
        made.append(torch.zeros(1, 3, 8, 8))
        return made[-1]

    result = styled.edit(make_images(1, 3, 8, 8), noise, SETTINGS)
    before = result.clone()
    # An inference tensor would raise here.
    assert torch.equal(made[0].add_(1), torch.ones(1, 3, 8, 8))
    assert torch.equal(result.add_(1), before + 1)


def test_bad_settings_are_refused_before_the_first_step(styled: PixelEditor) -> None:
    with pytest.raises(SettingsError, match="style 'oil'"):
        styled.edit(make_images(1, 3, 8, 8), make_noise(1, 1, 3, 8, 8), Settings(style="oil"))


def test_non_finite_numbers_are_an_error(plain_model: Path) -> None:
    editor = load_model(plain_model, "cpu", "float32")
    assert isinstance(editor, PixelEditor)
    editor._unet.conv_out.bias.data[0] = torch.nan
    with pytest.raises(ModelError, match="infinite or undefined numbers"):
        editor.edit(make_images(1, 3, 8, 8), make_noise(1, 1, 3, 8, 8), SETTINGS)


def test_half_precision_computes_nearly_the_same(styled_model: Path, styled: PixelEditor) -> None:
    images, noise = make_images(1, 3, 8, 8), make_noise(1, 1, 3, 8, 8)
    half = load_model(styled_model, "cpu", "bfloat16").edit(images, noise, SETTINGS)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, styled.edit(images, noise, SETTINGS), atol=0.05, rtol=0)


def test_a_learned_variance_is_left_aside(tmp_path: Path) -> None:
    from diffusers import DDPMScheduler

    write_pixel_model(tmp_path, out_channels=6, scheduler=DDPMScheduler(variance_type="learned_range"))
    result = load_model(tmp_path, "cpu", "float32").edit(make_images(1, 3, 8, 8), make_noise(1, 1, 3, 8, 8), SETTINGS)
    assert result.shape == (1, 3, 8, 8)


def test_flow_matching(tmp_path: Path) -> None:
    write_pixel_model(tmp_path, scheduler=FlowMatchEulerDiscreteScheduler())
    editor = load_model(tmp_path, "cpu", "float32")
    images, noise = make_images(1, 3, 8, 8), make_noise(1, 1, 3, 8, 8)
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(5)
    sigmas, times = scheduler.sigmas[2:], scheduler.timesteps[2:]
    x = (1 - sigmas[0]) * (2 * images - 1) + sigmas[0] * noise(0)
    for t, s, after in zip(times, sigmas[:-1], sigmas[1:], strict=True):
        with torch.inference_mode():
            x = x + (after - s) * editor._unet(x, t).sample
    torch.testing.assert_close(editor.edit(images, noise, SETTINGS), (x / 2 + 0.5).clamp(0, 1), atol=1e-5, rtol=0)
    stochastic = SETTINGS.updated({"eta": 0.5})
    assert editor.noise_maps(stochastic) == 3
    assert not torch.equal(
        editor.edit(images, make_noise(3, 1, 3, 8, 8), stochastic), editor.edit(images, noise, SETTINGS)
    )

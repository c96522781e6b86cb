"""Self-attention that also sees a key frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from warpnoise.job import Settings
from warpnoise.sdedit import load_model
from warpnoise.sdedit.key_attention import KeyFrame, KeyTokens
from warpnoise.sdedit.pipeline_editor import PipelineEditor

SIZE = 16
SETTINGS = Settings(steps=4, strength=0.75, prompt="a house")


@pytest.fixture(scope="module")
def editor(tiny: Callable[[str], Path]) -> PipelineEditor:
    editor = load_model(tiny("sd21"), "cpu", "float32")
    assert isinstance(editor, PipelineEditor)
    return editor


def some(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn((1, *shape), generator=torch.Generator().manual_seed(seed))


def edit(editor: PipelineEditor, key: KeyFrame | None, settings: Settings = SETTINGS) -> torch.Tensor:
    noise = some(1, *editor.noise_shape(SIZE, SIZE, settings))
    image = some(2, 3, SIZE, SIZE).sigmoid()
    return editor.edit(image, lambda index: noise, settings, **({} if key is None else {"key": key}))


def key_frame(editor: PipelineEditor, strength: float, seed: int = 3) -> KeyFrame:
    noise = some(seed, *editor.noise_shape(SIZE, SIZE, SETTINGS))
    return KeyFrame(some(seed + 1, 3, SIZE, SIZE).sigmoid(), noise, strength)


@pytest.mark.slow
def test_it_acts_by_its_weight_and_leaves_the_network_unchanged(editor: PipelineEditor) -> None:
    plain, processors = edit(editor, None), dict(editor.network.attn_processors)
    torch.testing.assert_close(edit(editor, key_frame(editor, 0.0)), plain, atol=1e-6, rtol=0)
    drawn = [float((edit(editor, key_frame(editor, strength)) - plain).abs().mean()) for strength in (0.3, 1.0)]
    assert 0 < drawn[0] < drawn[1]
    assert dict(editor.network.attn_processors) == processors
    torch.testing.assert_close(edit(editor, None), plain, atol=0, rtol=0)


def test_each_key_frame_is_cached_once(editor: PipelineEditor, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    recorded = KeyTokens.recorded
    monkeypatch.setattr(KeyTokens, "recorded", lambda self, network: runs.append(1) or recorded(self, network))
    first, second = key_frame(editor, 1.0), key_frame(editor, 1.0, seed=8)
    one, again = edit(editor, first), edit(editor, first)
    torch.testing.assert_close(one, again, atol=0, rtol=0)
    assert len(runs) == 1
    assert not torch.equal(edit(editor, second), one)
    assert len(runs) == 2


@pytest.mark.slow
def test_a_key_frame_is_shown_again_where_settings_change_over_the_shot(editor: PipelineEditor) -> None:
    """More steps, and guidance, which doubles the batch."""
    key = key_frame(editor, 1.0)
    others = [SETTINGS.updated({"strength": 1.0}), SETTINGS.updated({"guidance": 1.0})]
    for other in others:
        edit(editor, key, SETTINGS)
        after = edit(editor, key, other)
        editor.rest()
        editor.wake()
        torch.testing.assert_close(edit(editor, key, other), after, atol=0, rtol=0)


def test_the_network_is_shown_the_finished_picture_noised_as_at_each_step(
    editor: PipelineEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes into its first convolution: the key frame's latents and its noise, mixed, at every step."""
    seen: list[torch.Tensor] = []
    key = key_frame(editor, 1.0, seed=20)
    hook = editor.network.conv_in.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    try:
        edit(editor, key)
    finally:
        hook.remove()
    shown = seen[: len(seen) // 2]
    assert len(shown) == 3  # three of four steps
    from warpnoise.sdedit.autoencoder import encode

    x_0 = encode(editor.pipeline, key.picture * 2 - 1)
    noise = editor._noise.latents(key.noise, 0, SETTINGS)
    for x in shown:
        a = torch.stack([x_0.flatten(), noise.flatten()], dim=1)
        mixed = torch.linalg.lstsq(a, x[:1].flatten()[:, None]).solution
        torch.testing.assert_close((a @ mixed).flatten(), x[:1].flatten(), atol=1e-3, rtol=0)
        assert mixed[0] > 0.1

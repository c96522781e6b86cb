"""A wider network that begins where a narrower one is."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DModel
from torch import Tensor

from training.network import make_unet
from training.widen import widened


def said(network: UNet2DModel, channels: int = 10) -> Tensor:
    x = torch.randn((2, 10, 32, 32), generator=torch.Generator().manual_seed(1))[:, :channels]
    with torch.no_grad():
        return network.eval()(x, 200, class_labels=torch.tensor([0, 1])).sample


def grown(narrow: UNet2DModel, channels: tuple[int, ...]) -> UNet2DModel:
    wide = make_unet(channels)
    wide.load_state_dict(widened(narrow, wide, seed=0))
    return wide


@pytest.fixture
def narrow() -> UNet2DModel:
    torch.manual_seed(0)
    return make_unet((8, 16, 24, 32))


def test_the_same_width_gives_the_same_weights(narrow: UNet2DModel) -> None:
    made = widened(narrow, make_unet((8, 16, 24, 32)), seed=0)
    assert all(torch.equal(made[name], weight) for name, weight in narrow.state_dict().items())


@pytest.mark.parametrize("channels", [(8, 16, 24, 64), (8, 16, 48, 64), (8, 32, 48, 64), (8, 24, 40, 56)])
def test_a_wider_network_predicts_nearly_the_same(narrow: UNet2DModel, channels: tuple[int, ...]) -> None:
    old, new = said(narrow), said(grown(narrow, channels))
    torch.manual_seed(5)
    other = said(make_unet(channels))
    assert (new - old).std() < 0.3 * old.std()
    assert (new - old).std() < 0.2 * (other - old).std()


def test_without_noise_and_mixing_groups_the_prediction_is_identical(
    narrow: UNet2DModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not preserved is the normalization, and nothing else."""
    monkeypatch.setattr("training.widen.NOISE", 0.0)
    wide = make_unet((8, 16, 48, 64))
    weights = widened(narrow, wide, seed=0)
    for network in (narrow, wide):
        for name, module in network.named_modules():
            if isinstance(module, torch.nn.GroupNorm) and name.startswith("up_blocks") and name.endswith("norm1"):
                module.register_forward_hook(lambda module, given, _: given[0] * module.weight.view(1, -1, 1, 1))
    wide.load_state_dict(weights)
    torch.testing.assert_close(said(wide), said(narrow), atol=1e-4, rtol=1e-3)


def test_new_channels_learn_to_differ(narrow: UNet2DModel) -> None:
    """Copies that stayed copies would be a waste: what each learns differs from the first step."""
    wide = grown(narrow, (8, 16, 24, 64))
    wide(torch.randn(2, 10, 32, 32), 200, class_labels=torch.tensor([0, 1])).sample.square().mean().backward()
    gradient = wide.mid_block.resnets[0].conv2.weight.grad
    assert not torch.allclose(gradient[:, 0], gradient[:, 1], rtol=0.1)


def test_inputs_that_are_new_have_no_effect(narrow: UNet2DModel) -> None:
    narrow.conv_in.weight = torch.nn.Parameter(narrow.conv_in.weight[:, :6].clone())
    wide = grown(narrow, (8, 16, 24, 32))
    torch.testing.assert_close(said(wide), said(narrow, 6), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("channels", "message"),
    [((16, 16, 24, 32), "the first the same"), ((8, 16, 16, 32), "none narrower"), ((8, 16, 24), "as many levels")],
)
def test_networks_that_it_cannot_become(narrow: UNet2DModel, channels: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        widened(narrow, make_unet(channels), seed=0)

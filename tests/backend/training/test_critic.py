"""The critic, and training with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from training import train
from training.critic import Adversary, Critic, balance
from training.network import NULL_CLASS, make_scheduler, make_unet
from training.train import Trainer, TrainSettings, diffusion_loss

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SETTINGS = TrainSettings(steps=8, batch=2, crop=16, warmup=2, bfloat16=False, adversarial=0.5)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same network with fewer channels."""
    monkeypatch.setattr(train, "make_unet", lambda: make_unet((8, 8, 8, 8)))


def striped(count: int, generator: torch.Generator) -> Tensor:
    """Pictures with texture, of mean 0."""
    stripes = torch.sign(torch.randn((count, 1, 1, 16), generator=generator))
    return stripes.expand(-1, 3, 16, -1) * 0.5


def taught(steps: int) -> Adversary:
    """Style 0: true pictures are striped, those made are grey. Style 1: the other way round."""
    torch.manual_seed(0)
    adversary = Adversary(3, 2, 3, CPU, bfloat16=False)
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0, 1] * 4)
    for _ in range(steps):
        stripes, grey = striped(8, generator), torch.zeros(8, 3, 16, 16)
        swap = labels[:, None, None, None] == 1
        true, made = torch.where(swap, grey, stripes), torch.where(swap, stripes, grey)
        adversary.learn(true, made, torch.zeros(8, 2, 16, 16), labels, generator)
    return adversary


def test_it_learns_to_tell_pictures_apart_by_style() -> None:
    critic = taught(120).critic.eval()
    stripes, conditioning = striped(4, torch.Generator().manual_seed(1)), torch.zeros(4, 2, 16, 16)
    grey = torch.zeros_like(stripes)
    for style, true, made in ((0, stripes, grey), (1, grey, stripes)):
        labels = torch.full((4,), style)
        of_true, of_made = critic(true, conditioning, labels), critic(made, conditioning, labels)
        assert [logits.shape for logits in of_true] == [(4, 1, 2, 2), (4, 1, 1, 1)]
        for high, low in zip(of_true, of_made, strict=True):
            assert high.mean() > low.mean() + 0.5


def test_its_verdict_depends_on_what_the_picture_is_made_from() -> None:
    torch.manual_seed(0)
    critic = Critic(3, 2, 3).eval()
    pictures, labels = torch.zeros(1, 3, 16, 16), torch.zeros(1, dtype=torch.int64)
    one, other = (critic(pictures, torch.full((1, 2, 16, 16), value), labels) for value in (-1.0, 1.0))
    assert not any(torch.allclose(a, b) for a, b in zip(one, other, strict=True))


def test_how_large_the_patches_are() -> None:
    """The verdict in the middle depends on 40 and on 80 px around it."""
    torch.manual_seed(0)
    critic = Critic(3, 2, 3).eval()
    pictures = torch.zeros(1, 3, 160, 160, requires_grad=True)
    conditioning, labels = torch.zeros(1, 2, 160, 160), torch.zeros(1, dtype=torch.int64)
    for logits, size in zip(critic(pictures, conditioning, labels), (40, 80), strict=True):
        middle = logits.shape[-1] // 2
        (gradient,) = torch.autograd.grad(logits[0, 0, middle, middle], pictures, retain_graph=True)
        rows = gradient[0].abs().sum(dim=(0, 2)).nonzero().flatten()
        assert int(rows[-1] - rows[0]) + 1 == size


def test_little_noise_on_true_pictures_hardly_changes_its_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a weight on it less than without."""
    changes = []
    for weight in (0.0, 50.0):
        monkeypatch.setattr("training.critic.SMOOTHNESS", weight)
        critic = taught(60).critic
        generator = torch.Generator().manual_seed(3)
        true, conditioning, labels = (
            striped(16, generator),
            torch.zeros(16, 2, 16, 16),
            torch.zeros(16, dtype=torch.int64),
        )
        noisy = true + 0.03 * torch.randn(true.shape, generator=generator)
        pairs = zip(critic(true, conditioning, labels), critic(noisy, conditioning, labels), strict=True)
        changes.append(sum(float((a - b).square().mean().detach()) for a, b in pairs))
    assert changes[1] < 0.5 * changes[0]


def test_what_both_pictures_show_teaches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It compares pairs."""
    torch.manual_seed(0)
    adversary, generator = Adversary(3, 2, 3, CPU, bfloat16=False), torch.Generator().manual_seed(0)
    stripes, conditioning, labels = striped(8, generator), torch.zeros(8, 2, 16, 16), torch.zeros(8, dtype=torch.int64)
    monkeypatch.setattr("training.critic.SMOOTHNESS", 0.0)
    adversary.learn(stripes, stripes, conditioning, labels, generator)
    assert all(p.grad is not None and float(p.grad.abs().max()) < 1e-6 for p in adversary.critic.parameters())


def test_the_adversarial_loss_trains_only_the_network() -> None:
    adversary = taught(120)
    made = (0.05 * striped(4, torch.Generator().manual_seed(1))).requires_grad_()
    conditioning, labels = torch.zeros(4, 2, 16, 16), torch.zeros(4, dtype=torch.int64)
    adversary.optimizer.zero_grad()
    true = striped(4, torch.Generator().manual_seed(2))
    before = adversary.adversarial_loss(true, made, conditioning, labels)
    before.backward()
    assert all(p.grad is None and p.requires_grad for p in adversary.critic.parameters())
    assert made.grad is not None
    after = adversary.adversarial_loss(true, made.detach() - 0.2 * made.grad.sign(), conditioning, labels)
    assert after < before, "a step against the gradient is a step towards what it holds for true"


def test_balance_makes_gradients_equally_large() -> None:
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    loss, adversarial_loss = (weight**2).sum(), (1e-2 * weight).sum()
    factor = balance(loss, adversarial_loss, weight)
    (gradient,) = torch.autograd.grad(factor * adversarial_loss, weight)
    assert float(gradient.norm()) == pytest.approx(20**0.5, rel=0.02)
    assert not factor.requires_grad


def test_the_pictures_behind_the_noise() -> None:
    """A network that predicts the velocity sees the images themselves, at any timestep."""
    scheduler, generator = make_scheduler(), torch.Generator().manual_seed(0)
    images, noise = torch.randn((2, 4, 3, 16, 16), generator=generator)
    timesteps = torch.tensor([0, 100, 400, 699])
    labels = torch.zeros(4, dtype=torch.int64)

    def network(x: Tensor, t: Tensor, class_labels: Tensor) -> SimpleNamespace:
        assert x.shape[1] == 10 and class_labels is labels
        return SimpleNamespace(sample=scheduler.get_velocity(images, noise, t))

    losses = diffusion_loss(network, scheduler, images, torch.zeros(4, 7, 16, 16), labels, timesteps, noise, SETTINGS)
    torch.testing.assert_close(losses.pictures, images, atol=1e-4, rtol=0)
    assert float(losses.plain) < 1e-10


def test_resumed_training_gives_the_same_weights(data: Path, tmp_path: Path) -> None:
    whole, first = (Trainer(data, tmp_path / name, SETTINGS, CPU, resume=False) for name in ("whole", "parts"))
    for _ in range(4):
        whole.train_step()
    for _ in range(2):
        first.train_step()
    first.save()
    second = Trainer(data, tmp_path / "parts", SETTINGS, CPU, resume=True)
    for _ in range(2):
        second.train_step()
    for one, other in ((whole.network, second.network), (whole.adversary.critic, second.adversary.critic)):
        found = other.state_dict()
        assert all(torch.equal(tensor, found[name]) for name, tensor in one.state_dict().items())


def test_a_run_may_take_on_a_critic(data: Path, tmp_path: Path) -> None:
    """Without one it learns nothing; going on with one, both learn, and the network other things than without."""
    alone = Trainer(data, tmp_path, replace(SETTINGS, adversarial=0.0), CPU, resume=False)
    untaught = [p.clone() for p in alone.adversary.critic.parameters()]
    alone.train_step()
    assert all(torch.equal(a, b) for a, b in zip(untaught, alone.adversary.critic.parameters(), strict=True))
    alone.save()
    judged = Trainer(data, tmp_path, SETTINGS, CPU, resume=True)
    for trainer in (alone, judged):
        trainer.train_step()
    assert not all(torch.equal(a, b) for a, b in zip(untaught, judged.adversary.critic.parameters(), strict=True))
    pairs = zip(alone.network.parameters(), judged.network.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)
    assert all(styles.num_embeddings == NULL_CLASS + 1 for styles in judged.adversary.critic.styles)

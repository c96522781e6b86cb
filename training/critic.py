"""A critic that learns to distinguish true pictures from the network's, and the adversarial loss for the network.

Squared error is least at the mean of all pictures that the noise allows. A small network that is sampled in few steps
shows this mean: correct light, but no bricks. A critic rewards a single picture, which the noise selects (denoising
diffusion GANs: Xiao et al. 2022; adversarial diffusion distillation: Sauer et al. 2023).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.optimizer import load_named_state, named_state

LEARNING_RATE = 4e-4
SLOPE = 0.2
"""Of its leaky rectifiers."""

JITTER = 0.03
"""Standard deviation of noise that must not change its verdict, of a range from -1 to 1."""

SMOOTHNESS = 2.0
"""Weight of the squared change that such noise makes."""

JUDGES = 2
"""The number of last resolutions at which the critic judges."""


class Critic(nn.Module):
    """Judges every patch of 40 px of a picture and every one of 80 (Isola et al., "Image-to-Image Translation", 2017;
    at two sizes: Wang et al., "pix2pixHD", 2018), with the conditioning, and with the style by projection
    (Miyato and Koyama 2018)."""

    def __init__(self, channels: int, conditioning_channels: int, classes: int, width: int = 32) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 4 * width, 4 * width]
        self.first = nn.Conv2d(channels + conditioning_channels, width, 3, padding=1)
        self.halving = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths))
        self.verdicts = nn.ModuleList(nn.Conv2d(w, 1, 3, padding=1) for w in widths[-JUDGES:])
        self.styles = nn.ModuleList(nn.Embedding(classes, w) for w in widths[-JUDGES:])
        for layer in (self.first, *self.halving):
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            nn.init.zeros_(layer.bias)
        for styles in self.styles:
            assert isinstance(styles, nn.Embedding)
            nn.init.normal_(styles.weight, std=styles.embedding_dim**-0.5)

    def forward(self, pictures: Tensor, conditioning: Tensor, labels: Tensor) -> list[Tensor]:
        """Logits, (b, 1, h / 8, w / 8) and (b, 1, h / 16, w / 16): higher means truer.

        pictures: (b, channels, h, w), in [-1, 1] unless latents. conditioning: (b, conditioning_channels, h, w).
        """
        x = functional.leaky_relu(self.first(torch.cat([pictures, conditioning], dim=1)), SLOPE)
        seen = []
        for layer in self.halving:
            x = functional.leaky_relu(layer(x), SLOPE)
            seen.append(x)
        return [
            verdict(x) + (x * styles(labels)[..., None, None]).sum(dim=1, keepdim=True)
            for x, verdict, styles in zip(seen[-JUDGES:], self.verdicts, self.styles, strict=True)
        ]


class Adversary:
    """The critic and its optimizer."""

    def __init__(
        self, channels: int, conditioning_channels: int, classes: int, device: torch.device, bfloat16: bool
    ) -> None:
        self.critic = Critic(channels, conditioning_channels, classes).to(device).train()
        self.optimizer = torch.optim.Adam(self.critic.parameters(), LEARNING_RATE, betas=(0.0, 0.99))
        self.device, self.bfloat16 = device, bfloat16

    def learn(
        self, true: Tensor, made: Tensor, conditioning: Tensor, labels: Tensor, generator: torch.Generator
    ) -> None:
        """Trains the critic for a step. ``made`` gets no gradient.

        Each patch of a true picture is to be held for truer than the same patch of the one made from the same frame
        (relativistic pairing: Jolicoeur-Martineau 2019; Huang et al., "The GAN is dead", 2024): what the patch shows,
        which differs far more than the two do, so drops out. And that the critic stays smooth around true pictures, a
        little noise on them must not change its verdict (R1 without second derivatives: Lin et al., "Diffusion
        Adversarial Post-Training", 2025).
        """
        jitter = JITTER * torch.randn(true.shape, generator=generator).to(true.device)
        pictures = torch.cat([true, made.detach(), true + jitter])
        judged = self._judge(pictures, conditioning.repeat(3, 1, 1, 1), labels.repeat(3))
        thirds = [logits.chunk(3) for logits in judged]
        loss = _mean([functional.softplus(of_made - of_true) for of_true, of_made, _ in thirds])
        loss = loss + SMOOTHNESS * _mean([(of_true - of_noisy).square() for of_true, _, of_noisy in thirds])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def adversarial_loss(self, true: Tensor, made: Tensor, conditioning: Tensor, labels: Tensor) -> Tensor:
        """The adversarial loss of the network, a scalar. The critic gets no gradient."""
        self.critic.requires_grad_(False)
        try:
            of_true, of_made = (self._judge(pictures, conditioning, labels) for pictures in (true, made))
            return _mean([functional.softplus(a - b) for a, b in zip(of_true, of_made, strict=True)])
        finally:
            self.critic.requires_grad_(True)

    def _judge(self, pictures: Tensor, conditioning: Tensor, labels: Tensor) -> list[Tensor]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            return [logits.float() for logits in self.critic(pictures, conditioning, labels)]

    def state(self) -> dict[str, Tensor]:
        """The complete state, by name."""
        critic = {f"critic.{name}": t for name, t in self.critic.state_dict().items()}
        return critic | named_state({"adam": self.optimizer})

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Restores a state that `state` returned."""
        critic = {key.removeprefix("critic."): t for key, t in state.items() if key.startswith("critic.")}
        self.critic.load_state_dict(critic)
        load_named_state({"adam": self.optimizer}, state)


def _mean(judged: list[Tensor]) -> Tensor:
    """Each size of patch counts as much as the other."""
    return torch.stack([logits.mean() for logits in judged]).mean()


def balance(loss: Tensor, adversarial_loss: Tensor, last_layer: Tensor) -> Tensor:
    """The factor that gives both losses the same gradient at the network's last layer, a scalar without gradient (Esser
    et al., "Taming Transformers", 2021, equation 7)."""
    sizes = [torch.autograd.grad(each, last_layer, retain_graph=True)[0].norm() for each in (loss, adversarial_loss)]
    return (sizes[0] / (sizes[1] + 1e-4)).clamp(max=1e3).detach()

"""A critic that learns to tell true pictures from the network's, and what the network can learn from it.

Squared error wants the mean of all pictures that the noise allows. A small network that is sampled in few steps shows
that mean: right light, and no bricks. What a critic wants is *a* picture, which the noise chooses (denoising diffusion
GANs: Xiao et al. 2022; adversarial diffusion distillation: Sauer et al. 2023).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from training.optimizer import load_named_state, named_state

LEARNING_RATE = 4e-4
JUDGES = 2
"""How many of the last halvings a verdict is given at."""


class Critic(nn.Module):
    """Judges every patch of 40 px of a picture and every one of 80 (Isola et al., "Image-to-Image Translation", 2017;
    at two sizes: Wang et al., "pix2pixHD", 2018), given what it is to be made from, and the style, by projection
    (Miyato and Koyama 2018); with spectral norms (Miyato et al. 2018)."""

    def __init__(self, given_channels: int, classes: int, width: int = 32) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 4 * width, 4 * width]
        self.first = spectral_norm(nn.Conv2d(3 + given_channels, width, 3, padding=1))
        self.halving = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)) for a, b in pairwise(widths)
        )
        self.verdicts = nn.ModuleList(spectral_norm(nn.Conv2d(w, 1, 3, padding=1)) for w in widths[-JUDGES:])
        self.styles = nn.ModuleList(spectral_norm(nn.Embedding(classes, w)) for w in widths[-JUDGES:])

    def forward(self, pictures: Tensor, given: Tensor, labels: Tensor) -> list[Tensor]:
        """Logits, (b, 1, h / 8, w / 8) and (b, 1, h / 16, w / 16): above 0 says true.

        pictures: (b, 3, h, w) in [-1, 1]; given: (b, c, h, w).
        """
        x = functional.leaky_relu(self.first(torch.cat([pictures, given], dim=1)), 0.2)
        seen = []
        for layer in self.halving:
            x = functional.leaky_relu(layer(x), 0.2)
            seen.append(x)
        return [
            verdict(x) + (x * styles(labels)[..., None, None]).sum(dim=1, keepdim=True)
            for x, verdict, styles in zip(seen[-JUDGES:], self.verdicts, self.styles, strict=True)
        ]


class Adversary:
    """The critic and its optimizer."""

    def __init__(self, given_channels: int, classes: int, device: torch.device, bfloat16: bool) -> None:
        self.critic = Critic(given_channels, classes).to(device).train()
        self.optimizer = torch.optim.Adam(self.critic.parameters(), LEARNING_RATE, betas=(0.0, 0.99))
        self.device, self.bfloat16 = device, bfloat16

    def learn(self, true: Tensor, made: Tensor, given: Tensor, labels: Tensor) -> None:
        """One step of the critic with the hinge loss (Lim and Ye 2017). ``made`` gets no gradient."""
        judged = self._judge(torch.cat([true, made.detach()]), given.repeat(2, 1, 1, 1), labels.repeat(2))
        halves = [logits.chunk(2) for logits in judged]
        loss = _mean([functional.relu(1 - of_true) for of_true, _ in halves])
        loss = loss + _mean([functional.relu(1 + of_made) for _, of_made in halves])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def objection(self, made: Tensor, given: Tensor, labels: Tensor) -> Tensor:
        """What the network is to make small, a scalar; the critic gets no gradient."""
        self.critic.requires_grad_(False)
        try:
            return -_mean(self._judge(made, given, labels))
        finally:
            self.critic.requires_grad_(True)

    def _judge(self, pictures: Tensor, given: Tensor, labels: Tensor) -> list[Tensor]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            return [logits.float() for logits in self.critic(pictures, given, labels)]

    def state(self) -> dict[str, Tensor]:
        """All that it remembers, by name."""
        critic = {f"critic.{name}": t for name, t in self.critic.state_dict().items()}
        return critic | named_state({"adam": self.optimizer})

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Takes what `state` gave."""
        critic = {key.removeprefix("critic."): t for key, t in state.items() if key.startswith("critic.")}
        self.critic.load_state_dict(critic)
        load_named_state({"adam": self.optimizer}, state)


def _mean(judged: list[Tensor]) -> Tensor:
    """Each size of patch counts as much as the other."""
    return torch.stack([logits.mean() for logits in judged]).mean()


def balance(wanted: Tensor, objection: Tensor, last_layer: Tensor) -> Tensor:
    """The factor that gives the objection the other loss's gradient at the network's last layer (Esser et al., "Taming
    Transformers", 2021, equation 7). A scalar without gradient."""
    sizes = [torch.autograd.grad(each, last_layer, retain_graph=True)[0].norm() for each in (wanted, objection)]
    return (sizes[0] / (sizes[1] + 1e-4)).clamp(max=1e3).detach()

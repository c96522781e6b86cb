"""The optimizer: Muon for matrices, AdamW for the rest.

Muon (Jordan et al. 2024; its step scaled to AdamW's as in Liu et al., "Muon is scalable for LLM training", 2025)
orthogonalizes the momentum of each weight matrix. A convolution's kernel is a matrix of its output channels. Biases,
norms, embeddings, and the first and last layer are AdamW's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

ENDS = ("conv_in", "conv_out", "class_embedding")


class MatrixOptimizer:
    """Both optimizers of one network, with one state and one learning rate. The network clears its own gradients."""

    def __init__(self, network: nn.Module, learning_rate: float) -> None:
        named = list(network.named_parameters())
        self._kernels = [p for name, p in named if p.ndim > 1 and not name.startswith(ENDS)]
        matrices = {id(p) for p in self._kernels}
        self._matrices = [nn.Parameter(p.data.view(len(p), -1)) for p in self._kernels]  # of the same memory
        self._rest = torch.optim.AdamW(
            [p for _, p in named if id(p) not in matrices], learning_rate, betas=(0.9, 0.99), weight_decay=0.01
        )
        self._muon = torch.optim.Muon(self._matrices, learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [*self._rest.param_groups, *self._muon.param_groups]

    def step(self) -> None:
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            matrix.grad = None if kernel.grad is None else kernel.grad.reshape(len(kernel), -1)
        self._rest.step()
        self._muon.step()

    def state(self) -> dict[str, torch.Tensor]:
        """The complete state, by name."""
        return named_state(self._kinds())

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """Restores a state that `state` returned."""
        load_named_state(self._kinds(), state)

    def _kinds(self) -> dict[str, torch.optim.Optimizer]:
        return {"adamw": self._rest, "muon": self._muon}


def named_state(optimizers: dict[str, torch.optim.Optimizer]) -> dict[str, torch.Tensor]:
    """The state of torch's optimizers, as {OPTIMIZER.PARAMETER.FIELD: value}."""
    return {
        f"{kind}.{index}.{name}": torch.as_tensor(value)
        for kind, optimizer in optimizers.items()
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }


def load_named_state(optimizers: dict[str, torch.optim.Optimizer], state: dict[str, torch.Tensor]) -> None:
    """Restores what `named_state` returned. Other names are ignored."""
    for kind, optimizer in optimizers.items():
        found: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in state.items():
            owner, index, name = key.split(".", 2)
            if owner == kind:
                found.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({"state": found, "param_groups": optimizer.state_dict()["param_groups"]})

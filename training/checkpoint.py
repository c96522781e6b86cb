"""Checkpoints without pickles: tensors in safetensors, everything else in JSON. They appear whole or not at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn

from training.critic import Adversary
from training.optimizer import MatrixOptimizer

FORMAT = 4


class WeightAverage:
    """An exponential moving average of a network's weights whose memory grows with the steps taken, up to `decay`."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: p.detach().clone() for name, p in network.state_dict().items()}

    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, p in network.state_dict().items():
            self.weights[name].lerp_(p.detach(), 1 - decay)


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint."""

    step: int
    settings: dict[str, Any]
    history: list[list[float]]


def save(
    folder: Path,
    step: int,
    settings: dict[str, Any],
    history: list[list[float]],
    network: nn.Module,
    average: WeightAverage,
    optimizer: MatrixOptimizer,
    adversary: Adversary,
) -> None:
    """Writes the complete state of a training run at `step`."""
    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    save_file(
        {name: p.detach().contiguous() for name, p in network.state_dict().items()}, beside / "network.safetensors"
    )
    save_file({name: p.contiguous() for name, p in average.weights.items()}, beside / "average.safetensors")
    for name, part in (("optimizer", optimizer), ("adversary", adversary)):
        save_file({key: t.contiguous() for key, t in part.state().items()}, beside / f"{name}.safetensors")
    (beside / "state.json").write_text(
        json.dumps({"format": FORMAT, "step": step, "settings": settings, "history": history})
    )
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    beside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load(
    folder: Path, network: nn.Module, average: WeightAverage, optimizer: MatrixOptimizer, adversary: Adversary
) -> Checkpoint:
    """Restores the complete state in place. Raises SystemExit if there is no checkpoint of this format."""
    if not (folder / "state.json").exists():
        raise SystemExit(f"{folder}: no checkpoint there (state.json is missing); train without --resume first")
    state = json.loads((folder / "state.json").read_text())
    if state["format"] != FORMAT:
        raise SystemExit(f"{folder}: checkpoint format {state['format']}, expected {FORMAT}; train anew")
    network.load_state_dict(load_file(folder / "network.safetensors"))
    average.weights.update(load_file(folder / "average.safetensors"))
    optimizer.load_state(load_file(folder / "optimizer.safetensors"))
    adversary.load_state(load_file(folder / "adversary.safetensors"))
    return Checkpoint(state["step"], state["settings"], state["history"])

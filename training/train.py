"""Trains the default model.

    python -m training.train training/data training/runs/default --steps 6000
    python -m training.train training/data training/runs/default --steps 20000 --resume
    python -m training.train training/data training/runs/finer --start-from backend/warpnoise/models/default

The second command resumes from the last checkpoint. The third starts a new run with the weights of an exported model.
With ``--autoencoder``, the model works in latents. A GPU is used if there is one.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DModel
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from warpnoise.sdedit.device import computes_bfloat16
from warpnoise.sdedit.folder_checks import GEOMETRY_CHANNELS

from training import checkpoint
from training.critic import Adversary, balance
from training.dataset import Crops
from training.latents import LATENT_CHANNELS, Latents, make_latent_unet
from training.network import NULL_CLASS, make_scheduler, make_unet
from training.optimizer import MatrixOptimizer
from training.widen import widened


@dataclass(frozen=True)
class TrainSettings:
    """The settings that, with the data, determine the weights. A resumed run may change only those in CHANGEABLE."""

    steps: int = 6000
    batch: int = 8
    crop: int = 96
    learning_rate: float = 4e-4
    warmup: int = 200
    drop_label: float = 0.12
    average_decay: float = 0.998
    seed: int = 0
    strongest: float = 1.0
    """The strength up to which SDEdit will mostly be used: ``strongest_share`` of the timesteps lie below it."""
    strongest_share: float = 1.0
    weakest: float = 0.3
    """The strength from which on it will be used."""
    coarse_weight: float = 1.0
    """Weight of the multi-scale part of the loss."""
    adversarial: float = 0.0
    """Weight of the adversarial loss (`training.critic`), whose gradient is scaled to the other loss's; 0: none."""
    bfloat16: bool = False
    """Whether activations are in half precision: it saves time where the device has it, see `has_bfloat16`."""


CHANGEABLE = frozenset({
    "steps", "learning_rate", "strongest", "strongest_share", "weakest", "coarse_weight", "adversarial", "bfloat16"
})  # fmt: skip
COARSE_PX = (4, 8, 16)


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is fast on a device."""
    return torch.cuda.is_bf16_supported() if device.type == "cuda" else computes_bfloat16()


def draw_timesteps(count: int, timesteps: int, settings: TrainSettings, generator: torch.Generator) -> Tensor:
    """(count,) int64 below ``timesteps``: uniform below the strength that matters most, and uniform above it."""
    border = settings.strongest * timesteps
    below = torch.rand(count, generator=generator) < settings.strongest_share
    even = torch.rand(count, generator=generator)
    drawn = torch.where(below, even * border, border + even * (timesteps - border))
    return drawn.to(torch.int64).clamp(max=timesteps - 1)


def draw_starts(drawn: Tensor, timesteps: int, settings: TrainSettings, generator: torch.Generator) -> Tensor:
    """(count,) int64: for each timestep, one at which SDEdit may have started: uniform from the timestep, or from the
    least strength, to the strength that matters most, or to the last timestep."""
    last = torch.where(drawn < settings.strongest * timesteps, settings.strongest * timesteps, float(timesteps))
    first = drawn.clamp(min=int(settings.weakest * timesteps))
    even = torch.rand(len(drawn), generator=generator)
    return torch.maximum(first, (first + even * (last - first)).to(torch.int64)).clamp(max=timesteps - 1)


def noise_towards(scheduler: DDIMScheduler, images: Tensor, sources: Tensor, noise: Tensor, starts: Tensor) -> Tensor:
    """The noise that leads from ``sources``, noisy at the timesteps ``starts``, to ``images``.

    In units of the image, x / alpha, DDIM follows a straight line (Song et al. 2021, equation 14), and SDEdit starts at
    source + r noise, where r is sigma / alpha at the start. The straight line from there to the image is

        image + sigma / alpha (noise + (source - image) / r),

    which is a diffusion of the image with the noise in the brackets. A network that is trained with it learns the flow
    from the noisy source to the image (flow matching: Lipman et al. 2023; between two pictures: Liu et al., "I2SB",
    2023), and does not need noise that conceals the source's bare surfaces. The sampler remains DDIM.
    """
    alphas = scheduler.alphas_cumprod.to(images.device)[starts].view(-1, 1, 1, 1)
    return noise + (sources - images) * (alphas / (1 - alphas)).sqrt()


def learning_rate(step: int, settings: TrainSettings) -> float:
    """Linear warm-up, then a cosine down to a twentieth at the last step."""
    warm = min(1.0, (step + 1) / settings.warmup)
    down = 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / settings.steps))
    return settings.learning_rate * warm * (0.05 + 0.95 * down)


@dataclass(frozen=True)
class Losses:
    """Scalars: the loss that is minimized, and the mean squared error of the velocity, for the loss curve. And the
    pictures that the network predicts, (b, 3, h, w)."""

    objective: Tensor
    plain: Tensor
    pictures: Tensor


def diffusion_loss(
    network: UNet2DModel,
    scheduler: DDIMScheduler,
    images: Tensor,
    conditioning: Tensor,
    labels: Tensor,
    timesteps: Tensor,
    noise: Tensor,
    settings: TrainSettings,
) -> Losses:
    """Squared error of the predicted velocity v = alpha * noise - sigma * image (Salimans and Ho 2022), at many scales.

    Coarse scales have more weight than their number of pixels (multi-scale loss: Hoogeboom et al., "simple diffusion",
    2023). Otherwise, blotches of a wrong colour disappear last in a small network. Every positive weighting of the
    error's frequencies has the same minimum, so the network learns the same diffusion.

    ``conditioning``: source and geometry, which the network gets beside the noisy picture.
    """
    untyped: Any = scheduler  # diffusers declares timesteps as IntTensor, and takes any integers
    noisy: Tensor = untyped.add_noise(images, noise, timesteps)
    target: Tensor = untyped.get_velocity(images, noise, timesteps)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=settings.bfloat16):
        predicted = network(torch.cat([noisy, conditioning], 1), timesteps, class_labels=labels).sample
    predicted = predicted.float()
    error = predicted - target
    plain = error.square().mean()
    coarse = sum((k * functional.avg_pool2d(error, k).square().mean() for k in COARSE_PX), torch.zeros_like(plain))
    alphas = scheduler.alphas_cumprod.to(images.device)[timesteps].view(-1, 1, 1, 1)
    pictures = alphas.sqrt() * noisy - (1 - alphas).sqrt() * predicted
    return Losses(plain + settings.coarse_weight * coarse, plain.detach(), pictures)


class Trainer:
    """Network, optimizer, weight average and data, and the loop over them."""

    def __init__(
        self,
        data: Path,
        run: Path,
        settings: TrainSettings,
        device: torch.device,
        resume: bool,
        start_from: Path | None = None,
        autoencoder: Path | None = None,
    ) -> None:
        self.run, self.settings, self.device = run, settings, device
        torch.manual_seed(settings.seed)
        self.latents = None if autoencoder is None else Latents(autoencoder, device)
        network: Any = make_unet() if self.latents is None else make_latent_unet()  # diffusers' `to` has a wrong type
        self.network: UNet2DModel = network.to(device).train()
        if start_from is not None:
            self.network.load_state_dict(_read_weights(start_from, self.network, settings.seed))
        self.scheduler = make_scheduler()
        self.optimizer = MatrixOptimizer(self.network, settings.learning_rate)
        self.average = checkpoint.WeightAverage(self.network, settings.average_decay)
        channels = 3 if self.latents is None else LATENT_CHANNELS
        self.adversary = Adversary(channels, channels + GEOMETRY_CHANNELS, NULL_CLASS + 1, device, settings.bfloat16)
        self.crops = Crops(data, settings.crop, settings.batch, settings.drop_label, settings.seed)
        self.step, self.history = 0, list[list[float]]()
        if resume:
            found = checkpoint.load(run / "checkpoint", self.network, self.average, self.optimizer, self.adversary)
            self.step, self.history = found.step, found.history
            _check_same(found.settings, asdict(settings))
            self.average.weights = {name: w.to(device) for name, w in self.average.weights.items()}
        elif (run / "checkpoint").exists():
            raise SystemExit(f"{run / 'checkpoint'} exists: give --resume to go on from it, or another folder")

    def train_step(self) -> float:
        """Trains for a step. The seed and the step's number determine all of its random values."""
        settings = self.settings
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + self.step)
        batch = self.crops.sample(self.step)
        count = self.scheduler.config["num_train_timesteps"]
        timesteps = draw_timesteps(settings.batch, count, settings, generator)
        starts = draw_starts(timesteps, count, settings, generator)
        images, sources, geometry = batch.images, batch.sources, batch.geometry
        if self.latents is not None:
            encoded = self.latents.encode(torch.cat([images, sources]).to(self.device)).cpu()
            (images, sources), geometry = encoded.chunk(2), self.latents.pool(geometry)
        noise = torch.randn(images.shape, generator=generator)
        noise = noise_towards(self.scheduler, images, sources, noise, starts)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, settings)
        conditioning = torch.cat([sources, geometry], dim=1)
        tensors = (images, conditioning, batch.labels, timesteps, noise)
        images, conditioning, labels, timesteps, noise = (tensor.to(self.device) for tensor in tensors)
        losses = diffusion_loss(self.network, self.scheduler, images, conditioning, labels, timesteps, noise, settings)
        objective = losses.objective
        if settings.adversarial > 0:
            self.adversary.learn(images, losses.pictures, conditioning, labels, generator)
            adversarial_loss = self.adversary.adversarial_loss(images, losses.pictures, conditioning, labels)
            factor = balance(objective, adversarial_loss, self.network.conv_out.weight)
            objective = objective + settings.adversarial * factor * adversarial_loss
        self.network.zero_grad()
        objective.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.average.update(self.network, self.step)
        self.step += 1
        return float(losses.plain)

    def save(self) -> None:
        checkpoint.save(self.run / "checkpoint", self.step, asdict(self.settings), self.history,
                        self.network, self.average, self.optimizer, self.adversary)  # fmt: skip
        with (self.run / "loss.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["step", "loss", "seconds", "photographs"], *self.history])


def _read_weights(model: Path, like: UNet2DModel, seed: int) -> dict[str, Tensor]:
    """The weights of an exported model, in single precision. New inputs have no effect at first.

    Raises SystemExit if they cannot become those of `like`.
    """
    narrow = UNet2DModel.from_pretrained(model, subfolder="unet", use_safetensors=True).float()
    try:
        return widened(narrow, like, seed)
    except ValueError as error:
        raise SystemExit(f"{model}: not a beginning for training/network.py ({error}); start without it") from None


def _check_same(old: dict[str, Any], new: dict[str, Any]) -> None:
    changed = [f"{k}: {old.get(k)} then, {new[k]} now" for k in new.keys() - CHANGEABLE if old.get(k) != new[k]]
    if changed:
        raise SystemExit(
            f"the checkpoint was made with other settings ({'; '.join(changed)}): give the same, or another folder"
        )


def _record_stage(path: Path, step: int, settings: TrainSettings, start_from: Path | None) -> None:
    """Adds to the run's history: the settings with which it resumed at a step, or the weights with which it started."""
    stages = json.loads(path.read_text()) if path.exists() else []
    stage = {"from_step": step, "torch": torch.__version__, **asdict(settings)}
    stages.append(stage if start_from is None else stage | {"start_from": str(start_from)})
    path.write_text(json.dumps(stages, indent=1) + "\n")


def main() -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    defaults = TrainSettings(bfloat16=has_bfloat16(device))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path, help="folder for checkpoints and the loss curve")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start-from", type=Path, metavar="MODEL", help="begin with the weights of an exported model")
    parser.add_argument("--autoencoder", type=Path, metavar="FOLDER", help="train in the latents of this autoencoder")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default %(default)s)")
    parser.add_argument("--save-every", type=int, default=200, help="steps between checkpoints (default %(default)s)")
    for name, value in asdict(defaults).items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            parser.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=value, help="default: whether the device has it"
            )
        else:
            parser.add_argument(flag, type=type(value), default=value, help="default %(default)s")
    options = parser.parse_args()
    if options.resume and options.start_from is not None:
        parser.error("--start-from begins a new run; --resume has weights of its own")
    settings = TrainSettings(**{name: getattr(options, name) for name in asdict(defaults)})
    torch.set_num_threads(options.threads)
    options.run.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(options.data, options.run, settings, device, options.resume, options.start_from,
                      options.autoencoder)  # fmt: skip
    _record_stage(options.run / "stages.json", trainer.step, settings, options.start_from)

    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: stopping.append(n))
    losses: list[float] = []
    start = time.monotonic() - (trainer.history[-1][2] if trainer.history else 0.0)
    bar = tqdm(total=settings.steps, initial=trainer.step, unit="step", mininterval=10)
    while trainer.step < settings.steps and not stopping:
        losses.append(trainer.train_step())
        bar.update()
        if trainer.step % 50 == 0:
            mean = sum(losses) / len(losses)
            losses.clear()
            count = len(trainer.crops.pictures["photo"])
            trainer.history.append([trainer.step, round(mean, 6), round(time.monotonic() - start, 1), count])
            bar.set_postfix(loss=f"{mean:.4f}", photographs=count)
        if trainer.step % options.save_every == 0:
            trainer.save()
            trainer.crops.refresh()
    trainer.save()


if __name__ == "__main__":
    main()

"""Exports a training run's checkpoint as the model folder that the package ships.

python -m training.export training/runs/default backend/warpnoise/models/default
python -m training.export training/runs/latent MODEL --autoencoder training/runs/autoencoder
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, DDIMPipeline
from safetensors.torch import load_file

from training.latents import Latents, make_latent_unet
from training.network import NULL_CLASS, SIZE_MULTIPLE, make_scheduler, make_unet
from training.styles import STYLES

GUIDANCE = 1.0
"""That is none: the frame says what is there, and more makes no style stronger, only colours, at twice the time."""

STRENGTH = 0.5
STEPS = 8
"""Half of them run at that strength. More bring no result nearer to the true pictures (docs/model.md)."""


def export(checkpoint: Path, target: Path, autoencoder: Path | None = None) -> None:
    """Writes the averaged weights as a diffusers folder in half precision, with `styles.json`; whole or not at all.

    ``autoencoder``: the autoencoder in whose latents the model was trained.

    Raises SystemExit if there is no checkpoint, or no autoencoder.
    """
    if not (checkpoint / "state.json").exists():
        raise SystemExit(f"{checkpoint}: no checkpoint there (state.json is missing); train first")
    step = json.loads((checkpoint / "state.json").read_text())["step"]
    network = make_unet() if autoencoder is None else make_latent_unet()
    network.load_state_dict(load_file(checkpoint / "average.safetensors"))
    beside = target.with_name(f".{target.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    pipeline = DDIMPipeline(network.half(), make_scheduler())
    pipeline.save_pretrained(beside, safe_serialization=True)
    styles = {
        "styles": list(STYLES),
        "null_class": NULL_CLASS,
        "guidance": GUIDANCE,
        "steps": STEPS,
        "strength": STRENGTH,
    }
    if autoencoder is None:
        styles["size_multiple"] = SIZE_MULTIPLE
    else:
        add_autoencoder(beside, Latents(autoencoder, torch.device("cpu")).network)
    for weights in beside.rglob("*.safetensors"):
        weights.chmod(0o644)  # they are written readable by their owner alone, which a package must not be
    (beside / "styles.json").write_text(json.dumps(styles, indent=2) + "\n")
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rename(old)
    beside.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    print(f"{target}: the weights of step {step}")


def add_autoencoder(folder: Path, autoencoder: AutoencoderTiny) -> None:
    """Makes a model of pixels, a diffusers folder, one of the autoencoder's latents, in half precision."""
    autoencoder.register_to_config(_name_or_path="")  # else the exporter's own path
    autoencoder.half().save_pretrained(folder / "vae", safe_serialization=True)
    index = json.loads((folder / "model_index.json").read_text())
    index |= {"_class_name": "DiffusionPipeline", "vae": ["diffusers", "AutoencoderTiny"]}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the training run's folder")
    parser.add_argument("target", type=Path, help="the model folder, replaced")
    parser.add_argument("--autoencoder", type=Path, help="of a model of latents: what it was trained with")
    options = parser.parse_args()
    export(options.run / "checkpoint", options.target, options.autoencoder)


if __name__ == "__main__":
    main()

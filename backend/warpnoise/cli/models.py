"""``warpnoise models``: what can be used, and how."""

from __future__ import annotations

import json
from pathlib import Path

import click

from warpnoise.errors import ModelError
from warpnoise.sdedit.folder import DEFAULT_MODEL, ModelFolder


@click.command("models")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(folders: tuple[Path, ...], as_json: bool) -> None:
    """Show the default model, or the diffusers models in FOLDERS: what they take and how large they are.

    Any diffusers folder of a supported family can be used by its path: pixel-space models (a UNet2DModel with a
    scheduler, class-conditional or not) and Stable Diffusion 1.x and 2.x, with weights in safetensors files.

    \b
    Examples:
      warpnoise models
      warpnoise models ~/models/stable-diffusion-v1-5
    """
    names: list[str | Path] = list(folders) or (["default"] if DEFAULT_MODEL.is_dir() else [])
    if not names:
        raise ModelError(f"There is no default model in {DEFAULT_MODEL}. Install Warpnoise again, or give a folder.")
    models = [_describe(ModelFolder.open(name)) for name in names]
    if as_json:
        print(json.dumps(models, indent=1))
        return
    for model in models:
        print(model["name"])
        for key, value in model.items():
            if key != "name":
                shown = ", ".join(value) if isinstance(value, list) else value
                if isinstance(value, dict):
                    shown = ", ".join(f"{each:g} ({style})" for style, each in value.items())
                print(f"  {key.replace('_', ' '):<18}{'none' if shown in ('', None) else shown}")


def _describe(folder: ModelFolder) -> dict[str, object]:
    return {
        "name": folder.name,
        "folder": str(folder.path),
        "family": folder.family.title if folder.family else "pixel",
        "sampler": folder.sampler,
        "styles": list(folder.styles),
        "takes_prompt": folder.takes_prompt,
        "guidance": folder.guidance,
        "steps": folder.steps,
        "texture": folder.sheet.texture,
        "strength": folder.sheet.strength,
        "size_multiple": folder.size_multiple,
    }

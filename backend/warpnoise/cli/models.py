"""``warpnoise models``: lists, shows, downloads and removes models."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from warpnoise.cli.display import display, write_json
from warpnoise.cli.interrupt import interruptible
from warpnoise.errors import HubError, WarpnoiseError
from warpnoise.hub.download import download
from warpnoise.hub.fetch import DownloadProgress
from warpnoise.hub.listing import describe, describe_offer, list_models
from warpnoise.hub.remote import look_up
from warpnoise.hub.store import remove
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.memory_plan import gigabytes
from warpnoise.sdedit.one_file import set_base

_SHOWN = (
    *("name", "folder", "file", "family", "size", "memory", "license", "sampler", "styles", "guidance", "steps"),
    *("texture", "strength", "size_multiple", "takes", "references"),
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class _Models(click.Group):
    """``models FOLDER`` is ``models show FOLDER``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@click.group(
    "models",
    short_help="List, show, download and remove models.",
    cls=_Models,
    invoke_without_command=True,
    no_args_is_help=False,
)
@_json_option
@click.pass_context
def models_command(context: click.Context, as_json: bool) -> None:
    """List the models on this machine, and suggest models of the Hugging Face hub.

    With the name, the path or the id of a model, show its family and inputs, as `warpnoise models show` does.

    The list has the default model, the models in the models folder, downloaded models, and those in the Hugging Face
    cache. The models folder is named by WARPNOISE_MODELS; by default, it is warpnoise/models in the user's data folder.

    \b
    Examples:
      warpnoise models
      warpnoise models ~/models/stable-diffusion-v1-5
      warpnoise models show ~/models/flux1-dev-Q4_K_S.gguf --base ~/models/flux1-dev
      warpnoise models download black-forest-labs/FLUX.2-klein-4B
      warpnoise models remove black-forest-labs/FLUX.2-klein-4B
    """
    if context.invoked_subcommand is not None:
        return
    models = list_models()
    if as_json:
        print(models.model_dump_json(indent=1))
        return
    print(f"installed (models folder: {models.folder})")
    for model in models.installed:
        print(f"  {model.name:<44} {model.error or _facts(model.family, model.size, model.memory, model.license)}")
    for kind in ("loras", "controls", "embeddings", "ip_adapters"):
        for file in getattr(models, kind):
            what = kind.removesuffix("s").replace("_", " ")
            print(f"  {file.name:<44} {what}, {_facts(file.family, file.size)}")
    print("suggested (warpnoise models download NAME)")
    for each in models.suggested:
        facts = "installed" if each.installed else _facts(None, each.size, each.memory, each.license)
        print(f"  {each.name:<44} {facts}\n{'':<47}{each.description}")


@models_command.command("show")
@click.argument("models", nargs=-1, required=True, metavar="[FOLDER|FILE|ID]...")
@click.option(
    "--base",
    metavar="FOLDER|ID",
    help="The folder or downloaded model that supplies the parts that FILE lacks. Warpnoise remembers it.",
)
@_json_option
def show(models: tuple[str, ...], base: str | None, as_json: bool) -> None:
    """Show the family, the inputs and the memory of models."""
    if base is not None:
        for file in models:
            set_base(Path(file).expanduser(), base)
    described = [_describe(ModelFolder.open(name)) for name in models]
    if as_json:
        print(json.dumps(described, indent=1))
        return
    for model in described:
        print(model["name"])
        for key, value in model.items():
            if key != "name":
                print(f"  {key.replace('_', ' '):<18}{_in_words(key, value)}")


@models_command.command("download", short_help="Download a model from the Hugging Face hub.")
@click.argument("model", metavar="OWNER/NAME")
@click.option("--yes", is_flag=True, help="Agree to the license without being asked.")
@click.option("--json", "as_json", is_flag=True, help="Print progress, summary and errors as lines of JSON.")
def download_command(model: str, yes: bool, as_json: bool) -> None:
    """Download a model from the Hugging Face hub into the models folder.

    The command first shows the license, the size and the memory that the model needs, and asks you to agree. If a
    download is interrupted, the next one continues where it stopped. Only configurations and safetensors files are
    downloaded. For gated models, accept the terms on the model's page, then sign in with `hf auth login` or set
    HF_TOKEN.
    """
    with interruptible() as interrupt:
        try:
            offer = look_up(model)
            facts = describe_offer(offer).model_dump()
            if as_json:
                write_json("offer", facts)
            else:
                _show_offer(facts)
            if not yes and not facts["installed"]:
                _ask(offer.id)
            if as_json:
                place = download(offer, offer.license, lambda now: write_json("progress", vars(now)), interrupt)
            else:
                with display("MB") as shown:

                    def listen(now: DownloadProgress) -> None:
                        done, total = round(now.bytes_done / 1e6), round(now.bytes_total / 1e6)
                        share = 10 * (10 * done // total) if total else 100
                        line = f"downloading: {share} % of {gigabytes(now.bytes_total)}"
                        shown("downloading", done, total, now.seconds_left, (), now.file or "", line)

                    place = download(offer, offer.license, listen, interrupt)
        except WarpnoiseError as error:
            if as_json:
                write_json("error", {"code": error.code, "message": str(error)})
            raise
    if as_json:
        write_json("summary", {"name": model, "folder": str(place)})
    else:
        use = f"--control {model},input=depth" if offer.is_control else f"--model {model}"
        print(f"downloaded  {place}\nuse it with  {use}")


@models_command.command("remove")
@click.argument("model", metavar="OWNER/NAME")
def remove_command(model: str) -> None:
    """Remove a model that Warpnoise downloaded."""
    print(f"removed {model}: {gigabytes(remove(model))} are free again")


def _show_offer(facts: dict[str, Any]) -> None:
    print(f"{facts['name']}: {facts['family']}, needs about {gigabytes(facts['memory'])} of memory")
    print(f"  license   {facts['license'] or 'unknown'}  {facts['license_url']}")
    print(
        f"  download  {gigabytes(facts['to_download'])} of {gigabytes(facts['size'])}; {gigabytes(facts['free'])} free"
    )


def _ask(model: str) -> None:
    """Raises HubError: no."""
    if not sys.stdin.isatty():
        raise HubError(
            f"There is no terminal to ask you. Read the license of {model}, then use --yes to agree.", "license"
        )
    if not click.confirm("Agree to the license and download?"):
        raise HubError(f"{model} was not downloaded.", "license")


def _facts(family: str | None, size: int, memory: int | None = None, license_: str | None = None) -> str:
    needs = "" if memory is None else f"about {gigabytes(memory)} of memory"
    return ", ".join(filter(None, (family, gigabytes(size), needs, license_)))


def _describe(folder: ModelFolder) -> dict[str, Any]:
    own: dict[str, Any] = {
        "folder": str(folder.path),
        "file": None if folder.file is None else str(folder.file),
        "sampler": folder.sampler,
        "texture": folder.sheet.texture,
        "size_multiple": folder.size_multiple,
    }
    facts = describe(folder.name).model_dump(mode="json") | own
    return {key: facts[key] for key in _SHOWN}


def _in_words(key: str, value: Any) -> str:
    if key in ("size", "memory") and value is not None:
        return gigabytes(value)
    if isinstance(value, list):
        value = ", ".join(value)
    if isinstance(value, dict):
        value = ", ".join(f"{each:g} ({style})" for style, each in value.items())
    return "none" if value in ("", None) else str(value)

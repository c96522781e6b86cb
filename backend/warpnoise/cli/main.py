"""The command itself: finds subcommands, and reports errors to the user."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import textwrap
import traceback
from collections.abc import Sequence

import click

import warpnoise
from warpnoise.errors import Cancelled, WarpnoiseError

_MODULES = {"keyframes": "stylize", "accumulate": "finish", "movie": "finish"}
"""The modules of commands whose module has another name."""
COMMANDS = ("stylize", "keyframes", "accumulate", "movie", "warp", "compare", "serve", "models", "demo", "warmup")
"""In the order of the help."""


class _Lazy(click.Group):
    """Subcommands are imported when they are called: torch alone takes seconds, and --help needs none of it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.commands or cmd_name not in COMMANDS:
            return self.commands.get(cmd_name)
        module = importlib.import_module(f"warpnoise.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Exit codes:
  0    success
  1    any other error
  2    wrong arguments or settings
  3    a problem with the job folder
  4    a problem with a media file
  5    a problem with the model
  6    a problem with the server or Blender
  130  cancelled""",
)
@click.version_option(warpnoise.__version__, prog_name="warpnoise", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show more log messages, and tracebacks.")
def cli(debug: bool) -> None:
    """Stylizes rendered animations with image diffusion models, without flicker.

    Warpnoise moves noise exactly with the surfaces of a scene, so the detail that the model paints moves with them
    too. The Blender extension exports scenes to job folders, and these commands work on job folders.

    \b
    Examples:
      warpnoise demo --output demo-job             render and stylize a bundled scene
      warpnoise stylize JOB --strength 0.6         stylize a job folder
      warpnoise warp JOB --output noise            write only the noise, for other tools
      warpnoise serve                              serve jobs, for Blender
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it warns of image processors that nobody here uses
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    for chatty in ("numba", "asyncio", "httpx", "httpx2", "httpcore", "httpcore2", "urllib3", "PIL", "matplotlib"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


@cli.command(short_help="Compile the noise kernels in advance.")
def warmup() -> None:
    """Compile the noise kernels now, so that the first run does not wait for them.

    The compiled code stays on disk until Warpnoise or Numba is updated.

    \b
    Examples:
      warpnoise warmup
    """
    from warpnoise.noise.warmup import compile_kernels

    if not compile_kernels(click.echo):
        click.echo("The noise kernels have been compiled already.")


@cli.command(hidden=True)
def ingest() -> None:
    """Read, check and convert existing frames for the Blender extension, which starts this command.

    Requests on standard input and answers on standard output are lines of JSON (docs/architecture.md). The command
    ends when standard input closes.
    """
    from warpnoise.ingest import serve

    serve(sys.stdin, sys.stdout)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave the process with its exit status."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: list[str]) -> int:
    """Runs the command and returns its exit status. Errors appear on standard error, without a traceback."""
    debug = "--debug" in arguments[: _subcommand_at(arguments)]
    try:
        status = cli.main(args=arguments, prog_name="warpnoise", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        hint = f"see `{error.ctx.command_path} --help`" if error.ctx else "see `warpnoise --help`"
        return _say(f"{error.format_message()}\n{hint}", error.exit_code)
    except click.ClickException as error:
        return _say(error.format_message(), error.exit_code)
    except BrokenPipeError:  # the reader went away (`| head`); nothing more can be said, not at the exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, click.Abort):
        return _say("cancelled", Cancelled.exit_status)
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, WarpnoiseError):
            return _say(str(error) or "cancelled", error.exit_status)
        text = f"{type(error).__name__}: {error}"
        return _say(text if debug else f"{text}\n`warpnoise --debug ...` shows where", 1)
    return status if isinstance(status, int) else 0


def _subcommand_at(arguments: list[str]) -> int:
    return next((i for i, text in enumerate(arguments) if not text.startswith("-")), len(arguments))


def _say(message: str, status: int) -> int:
    first, *rest = message.strip().splitlines() or [""]
    block = "\n".join([f"error: {first}", *textwrap.indent("\n".join(rest), "       ").splitlines()])
    print(block, file=sys.stderr, flush=True)
    return status

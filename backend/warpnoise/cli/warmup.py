"""``warpnoise warmup``: compiles the noise kernels in advance."""

from __future__ import annotations

import click


@click.command("warmup", short_help="Compile the noise kernels in advance.")
def command() -> None:
    """Compile the noise kernels now, so that the first run does not wait for them.

    The compiled code stays on disk until Warpnoise or Numba is updated.

    \b
    Examples:
      warpnoise warmup
    """
    from warpnoise.noise.warmup import compile_kernels

    if not compile_kernels(click.echo):
        click.echo("The noise kernels have been compiled already.")

"""What the noise and the command need without the optional dependencies."""

from __future__ import annotations

import subprocess
import sys

import pytest

OPTIONAL = ("fastapi", "jinja2", "numba_cuda", "starlette", "uvicorn")


def run_without(packages: tuple[str, ...], code: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a Python in which these cannot be imported."""
    block = f"import sys; sys.modules.update(dict.fromkeys({packages!r}))\n"  # None: ModuleNotFoundError
    return subprocess.run([sys.executable, "-c", block + code], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_noise_needs_no_web_server():
    done = run_without(
        tuple(name for name in OPTIONAL if name != "jinja2"),  # PyTorch depends on that
        "from warpnoise.noise import WarpedNoise; WarpedNoise((1, 8, 8)).frame(); "
        "import warpnoise.pipeline.stylize, warpnoise.cli.stylize",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "package", "arguments"),
    [("serve", "uvicorn", ["serve"]), ("serve", "fastapi", ["serve"]), ("compare", "jinja2", ["compare", "."])],
)
def test_a_command_names_the_extra_that_it_lacks(extra, package, arguments):
    done = run_without((package,), f"from warpnoise.cli.main import main; main({arguments!r})")
    assert done.returncode == 2
    assert f"needs the package {package}" in done.stderr and f"pip install 'warpnoise[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr

"""A small job, a toy model, and the command in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from warpnoise.cli.main import run
from warpnoise.job import Settings, Shot

from .. import synthetic
from ..tiny_models import write_styled_model


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A toy network's threads wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


@pytest.fixture
def warpnoise(capsys) -> Callable[..., Outcome]:
    """Runs the command in this process."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Outcome(status, out, err)

    return call


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    return write_styled_model(tmp_path_factory.mktemp("models") / "toy")


@pytest.fixture
def job(tmp_path, model) -> Shot:
    """Four frames of 32 x 32; two of four steps run."""
    return synthetic.make_job(
        tmp_path / "job", settings=Settings(model=str(model), steps=4, strength=0.5, coherence="off")
    )


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command in a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def call(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "warpnoise", *map(str, arguments)],
            env=dict(os.environ, CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.communicate()

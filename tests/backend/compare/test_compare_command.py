"""``warpnoise compare`` as users call it: what it prints, and its exit codes."""

from __future__ import annotations

import json

import pytest
from warpnoise.cli.main import run


@pytest.mark.slow
def test_it_prints_a_table_and_where_the_page_is(job, capsys):
    status = run(["compare", str(job.path), "--methods", "random,warped", "--tasks", "appearance", "--seeds", "1"])
    out, err = capsys.readouterr()
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "appearance, 1 seed"
    assert lines[1].split() == ["texture", "incoherence", "lag", "1", "sharpness"]
    assert [line.split()[0] for line in lines[2:5]] == ["random", "warped", "input"]
    assert lines[2].split()[2] == "1.00"
    assert lines[-2].split() == ["page", str(job.path / "compare" / "compare.html")]
    assert "stylizing: appearance, warped, seed 0" in err


def test_json_is_the_file(job, capsys):
    assert run(["compare", str(job.path), "--methods", "fixed", "--tasks", "appearance", "--seeds", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((job.path / "compare" / "compare.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--methods", "perlin"], 2, "there is no 'perlin'; there are"),
        (["--tasks", ""], 2, "expected at least one item"),
        (["--strength", "2"], 2, "strength"),
        (["--noise", "fixed"], 2, "No such option"),
        (["--reference", "nowhere"], 3, "There is no folder 'nowhere'"),
        (["--model", "nowhere"], 5, "there is no such folder"),
    ],
)
def test_bad_arguments(job, capsys, arguments, status, message):
    assert run(["compare", str(job.path), *arguments]) == status
    assert message in capsys.readouterr().err


def test_help_names_what_matters(capsys):
    assert run(["compare", "--help"]) == 0
    out = capsys.readouterr().out
    for word in ("--methods", "--seeds", "--reference", "--output", "--strength", "compare.html"):
        assert word in out
    assert "--noise " not in out

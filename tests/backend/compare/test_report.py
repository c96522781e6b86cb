"""Means, spreads and their texts."""

import itertools
import json
import math

import pytest
from warpnoise.compare.experiment.measure import SequenceFigures, remembered
from warpnoise.compare.experiment.report import Figure, Report, report_method
from warpnoise.compare.page.charts import Line, line_chart
from warpnoise.compare.page.figures import best_of, figure_text, find_bests


def sequence(incoherence, energy=1.0, ssim=None):
    return SequenceFigures({1: 0.01}, incoherence, energy, ssim=ssim)


def test_a_figure_is_the_mean_with_the_sample_deviation():
    figure = Figure.of([1, 2, 3])
    assert (figure.mean, figure.spread, figure.values) == (2, 1, (1, 2, 3))
    assert Figure.of([5]).spread is None
    with pytest.raises(ValueError, match="at least one"):
        Figure.of([])


def test_sharpness_is_relative_to_random_noise_of_the_same_seed():
    random = [sequence({1: 1}, 2.0), sequence({1: 1}, 4.0)]
    report = report_method([sequence({1: 0.5}, 1.0), sequence({1: 0.3}, 4.0)], random)
    assert report.sharpness is not None and report.sharpness.values == (0.5, 1.0)
    assert report.incoherence[1].mean == pytest.approx(0.4)
    floor = report_method([sequence({1: 0.1}, 1.5)], random)
    assert floor.sharpness is not None and floor.sharpness.mean == pytest.approx(0.5)
    assert report_method(random, None).sharpness is None


def test_figures_survive_their_file(tmp_path):
    figures = SequenceFigures({1: 0.1, 4: 0.2}, {1: 0.3}, 0.4, psnr=30.0, ssim=0.9)
    made = iter([figures])
    for _ in range(2):  # the second time from the file
        assert remembered(tmp_path / "figures.json", "digest", SequenceFigures, made.__next__) == figures


def test_the_best_is_the_best_of_white_noise():
    methods = {
        "random": report_method([sequence({1: 0.6}, ssim=0.5)], None),
        "bilinear": report_method([sequence({1: 0.1}, ssim=0.9)], None),
        "warped": report_method([sequence({1: 0.2}, ssim=0.6)], None),
    }
    bests = find_bests(methods, ["random", "warped"])
    assert ("warped", "incoherence", 1) in bests and ("warped", "ssim", 0) in bests
    assert not any(name == "bilinear" for name, *_ in bests)


def test_as_good_within_the_spread_is_as_good_and_all_as_good_is_none_the_best():
    figures = {"a": Figure(0.20, 0.01, ()), "b": Figure(0.21, 0.02, ()), "c": Figure(0.30, 0.01, ()), "d": None}
    assert best_of(figures, key=lambda mean: mean) == ["a", "b"]
    assert best_of(figures, key=lambda mean: -mean) == ["c"]
    assert best_of({"a": figures["a"], "b": figures["b"]}, key=lambda mean: mean) == []
    assert best_of({"d": None}, key=lambda mean: mean) == []


def test_texts_of_figures():
    assert figure_text(Figure(0.2431, 0.004, ()), 3) == '0.243<span class="spread">±0.004</span>'
    assert figure_text(Figure(0.0021, None, ()), 2, 1000) == "2.10"
    assert "&ndash;" in figure_text(None)


def test_json_has_no_infinity():
    report = Report("Shot", 2, 8, 8, 24.0, 1.0, 1, (1,), (0,), "", {}, {}, warnings=())
    assert report.to_json()["schema"] == 1
    spoiled = Report("Shot", 2, 8, 8, math.inf, math.nan, 1, (1,), (0,), "", {}, {})
    assert json.loads(json.dumps(spoiled.to_json(), allow_nan=False))["speed_px"] is None


def test_labels_of_lines_that_end_together_do_not_overlap():
    lines = [
        Line(f"method {i}", "white", {1: Figure(0.5, 0.01, ()), 4: Figure(0.5 + 0.001 * i, None, ())}) for i in range(8)
    ]
    svg = str(line_chart("title", lines, (1, 4)))
    heights = sorted(float(part.split('y="')[1].split('"')[0]) for part in svg.split('<text class="label')[1:])
    assert len(heights) == 8
    assert all(b - a > 16 for a, b in itertools.pairwise(heights))
    assert line_chart("nothing", [], (1,)) == ""

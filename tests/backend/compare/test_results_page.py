"""docs/results.md comes out of compare.json, goals that are missed included."""

from training.results import shot_part


def figure(mean, spread=0.01):
    return {"mean": mean, "spread": spread, "values": [mean]}


def method(error, sharpness):
    by_lag = {"1": figure(error)}
    empty = dict.fromkeys(("psnr", "ssim", "wasserstein", "seconds_per_frame"))
    return {"warp_error": by_lag, "incoherence": by_lag, "sharpness": figure(sharpness), **empty}


def test_tables_and_goals():
    noise = {
        "variance": figure(1),
        "correlation": figure(0),
        "fidelity": {"1": figure(1)},
        "seconds_per_frame": figure(1),
    }
    report = {
        "frames": 24, "width": 256, "height": 128, "speed_px": 3.5, "lags": [1], "seeds": [0, 1], "model_digest": "abc",
        "noise": {
            "random": {**noise, "is_white": True},
            "bilinear": {**noise, "is_white": False},
            "warped": {**noise, "is_white": True},
        },
        "tasks": {
            "appearance": {
                "settings": {"strength": 0.5, "steps": 20},
                "methods": {"random": method(0.01, 1), "bilinear": method(0.001, 0.5), "warped": method(0.006, 0.98)},
                "floor": {"input": {**method(0.0005, 0.2), "sharpness": figure(0.2, None)}},
            }
        },
    }  # fmt: skip
    text = "\n".join(shot_part("orbit", report))
    assert "| random | 10.000 ± 10.000 |" in text
    assert "| *bilinear* | 1.000" in text and "| **warped (ours)** | 6.000" in text
    assert "| input | 0.500 ± 10.000 | 0.001 ± 0.010 | 0.20 |" in text
    assert "warp error at lag 1 over random's: 0.60 (goal: at most 0.50, missed)" in text
    assert "sharpness: 0.98 (goal: at least 0.97, met)" in text
    assert "chained" not in text

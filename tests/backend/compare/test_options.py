"""What the comparison refuses to start with."""

import pytest
from warpnoise.compare import METHODS, CompareOptions
from warpnoise.errors import SettingsError
from warpnoise.noise import NOISE_METHODS


def test_every_method_there_is_is_compared():
    assert set(METHODS) == set(NOISE_METHODS)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"methods": ("warped", "perlin")}, "no 'perlin'; there are"),
        ({"methods": ()}, "at least one of"),
        ({"methods": ("warped", "warped")}, "each name once"),
        ({"tasks": ("inpainting",)}, "no 'inpainting'"),
        ({"seeds": 0}, "seeds: expected greater than or equal to 1"),
        ({"restoration_strength": 0.0}, "restoration_strength: expected greater than 0"),
        ({"lags": (0,)}, "lags.0.: expected greater than or equal to 1"),
    ],
)
def test_options_out_of_range(option, message):
    with pytest.raises(SettingsError, match=message):
        CompareOptions(**option)

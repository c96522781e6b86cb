"""What is fuzzed."""

KINDS = {"exr": 500, "png": 200, "json": 500, "model": 300}
"""How many cases of each kind a whole run has."""

"""Means over seeds, with their spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """``spread``: sample standard deviation of ``values``; None where there is only one."""

    mean: float
    spread: float | None
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Figure:
        """Raises ValueError for no values at all."""
        numbers = tuple(values)
        if not numbers:
            raise ValueError("expected at least one value, got none")
        if any(math.isinf(number) for number in numbers):
            return cls(statistics.fmean(numbers), None, numbers)
        return cls(statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else None, numbers)

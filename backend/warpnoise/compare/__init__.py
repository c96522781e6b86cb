"""``warpnoise compare``: every noise method on one job, in figures, pictures and one HTML page.

``compare`` does all of it. What it measures stands in modules of its own, without jobs and models: ``correspondence``
(the true motion over many frames), ``coherence``, ``covariance`` and ``whiteness`` (of the noise itself), ``quality``
and ``wasserstein`` (distance to a reference).
"""

from warpnoise.compare.options import METHODS, TASKS, CompareOptions

__all__ = ["METHODS", "TASKS", "CompareOptions"]

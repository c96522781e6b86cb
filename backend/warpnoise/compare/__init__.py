"""``warpnoise compare``: every noise method on one shot, in figures, pictures and one HTML page.

Three layers, each importing only from those before it:

- ``metrics``: what is measured, on arrays and motions: the true motion over many frames (``correspondence``),
  ``coherence``; ``covariance`` and whiteness of the noise itself; ``quality``, the distance to a reference.
- ``experiment``: what is stylized and measured, kept in the comparison's folder and resumed there.
- ``page``: the HTML page.

``compare`` runs them in this order.
"""

from warpnoise.compare.experiment.options import METHODS, NOISE_TASKS, CompareOptions

__all__ = ["METHODS", "NOISE_TASKS", "CompareOptions"]

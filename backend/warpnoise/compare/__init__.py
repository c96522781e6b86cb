"""``warpnoise compare``: compares every noise method on one shot, with figures, pictures and an HTML page.

The package has three layers. Each imports only from those before it:

- ``metrics`` measures arrays and motions. ``correspondence`` gives the true motion over many frames; ``coherence`` and
  ``quality`` measure pictures, ``covariance`` the noise itself.
- ``experiment`` makes the pictures and measures them. It keeps the results in the comparison's folder, and resumes
  there.
- ``page`` writes the HTML page.

``compare`` runs them in this order.
"""

from warpnoise.compare.experiment.compare_options import METHODS, NOISE_TASKS, CompareOptions

__all__ = ["METHODS", "NOISE_TASKS", "CompareOptions"]

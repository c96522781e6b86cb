"""SDEdit: images and noise in, stylized images out, through diffusers' models and schedulers (Meng et al. 2021).

``ModelFolder`` knows a model without loading its weights: what it is, which settings it takes, its digest.
``load_model`` loads it: an ``Editor``. No module here knows of motions, jobs or Blender.
"""

from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.load import load_model

__all__ = ["ModelFolder", "load_model"]

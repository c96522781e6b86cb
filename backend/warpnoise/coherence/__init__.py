"""Coherence beyond noise: carries stylized pictures from frame to frame, along the exact motion.

`keys` chooses key frames from the motion alone. `anchor` locates the current frame's pixels in an earlier or later
frame. `carry` blends the anchors' stylized pictures into the target of the pull. `accumulate` averages stylized frames.
The package knows arrays and motions: no files, no models.
"""

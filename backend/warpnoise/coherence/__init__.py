"""Coherence beyond noise: what was painted once is carried along the exact motion.

`keys` chooses key frames from the motion alone, `anchor` knows where a surface point was in an earlier or later frame,
`carry` makes of anchors' finished pictures what a frame is drawn toward, and `accumulate` averages finished frames.
The package knows arrays and motions: no files, no models.
"""

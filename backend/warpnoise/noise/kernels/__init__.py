"""Scalar functions of a particle, a pixel or a node, which are compiled for CPU threads and for CUDA."""

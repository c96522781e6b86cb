"""Scalar functions of one particle, pixel or node, compiled for CPU threads and for CUDA."""

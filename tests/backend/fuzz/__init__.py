"""Damaged and hostile files, made of whole ones by a seed: see ``run.py``."""

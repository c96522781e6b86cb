"""Metrics of arrays and motions. They know no jobs and no models."""

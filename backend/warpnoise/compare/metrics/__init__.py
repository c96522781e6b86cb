"""What is measured, on arrays and motions: no jobs, no models."""

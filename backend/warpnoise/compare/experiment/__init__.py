"""Makes and measures the pictures of a comparison, keeps them in a folder, and resumes there."""

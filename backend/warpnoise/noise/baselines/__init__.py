"""Published noise methods with the interface of :class:`warpnoise.noise.NoiseMethod`, for comparison."""

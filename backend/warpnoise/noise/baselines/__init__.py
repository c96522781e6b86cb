"""Published noise methods behind the interface of :class:`warpnoise.noise.NoiseMethod`, for comparison."""

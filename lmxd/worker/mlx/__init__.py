"""The MLX engine: mlx-lm's batch generator behind the worker's engine protocol."""

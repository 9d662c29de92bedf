"""What the engine of a processor was to reach, on two threads of two cores, before it was built."""

from __future__ import annotations

TIMES_THE_STUDENTS = {
    "mnist_8k/sub_8k": 12.0,
    "mnist_8k/sub_8k_readme": 12.0,
    "mnist_8k/c1_foundation": 12.0,
    "mnist_8k/c3_final": 12.0,
    "mnist_8k/c2_enhanced": 6.0,
    "mnist_20k/model_a": 6.0,
    "mnist_20k/model_b": 6.0,
    "mnist_20k/dsconv_se": 6.0,
    "mnist_20k/dual_block": 4.5,
}
TWO_SEEDS_OVER_ONE = 1.8
BUSY_OVER_IDLE = 0.6
SECONDS_OF_15_EPOCHS = 30.0
"""Of sub_8k, on a quiet AVX-512 server."""
EPOCHS, IMAGES = 15, 60_000

"""Grade small PyTorch networks: read as data, proven, trained, judged.

Importing this loads nothing.
"""

__version__ = "0.1.0"

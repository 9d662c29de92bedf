"""Training on a processor by machine code of the network's own: see `lanes.py`."""

"""Training by trusted code: data, augmentation, the loop, and what its scores prove.

Never sees test labels.
"""

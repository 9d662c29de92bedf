"""Judging: how well a network learns, and how sure that is."""

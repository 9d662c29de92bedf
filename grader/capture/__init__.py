"""The child: the only package that runs student code.

Nothing outside it imports it; it answers in bytes.
"""

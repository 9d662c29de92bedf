"""The engines of a processor beside the student's loop: `python -m bench.engines`.

In turn in one process, under the environment of a training process. Nothing is written but Markdown
on standard output; progress goes to standard error.
"""

"""Run a student's whole training against stand-ins that cost nothing, and say what it did.

In: a RehearsalRequest. Out: a Rehearsal. Runs in a locked child of its own: nobody in the grader's
own process imports it.
"""

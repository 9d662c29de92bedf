"""Submissions that forge what the rehearsal of their training saw: the trace of it, or the answer."""

from __future__ import annotations

from tests.hostile.case import EVERYWHERE, Case, error
from tests.hostile.rehearsing import CLAIMED, answers, forged, own, refused, trains

FORGES = "a forged trace: claims beyond every bound"
TEXTS = "a forged trace: texts that terminals, browsers and CI runners obey"
ENTRIES = (FORGES, TEXTS)

CASES = (
    Case(
        "a rate that is not a number, in the trace",
        FORGES,
        forged("record.curve = [[((float('nan'),), (0.9,), (0,)), record.steps]]"),
        refused("number|rate|finite|inf"),
        levels=EVERYWHERE,
    ),
    Case(
        "an infinite rate, in the trace",
        FORGES,
        forged("record.curve = [[((float('inf'),), (0.9,), (0,)), record.steps]]"),
        refused("number|rate|finite|inf"),
    ),
    Case(
        "a rate below zero, in the trace",
        FORGES,
        forged("record.curve = [[((-1e300,), (0.9,), (0,)), record.steps]]"),
        refused("The learning rate is -1e\\+300 in a step of training; it must be"),
    ),
    Case(
        "a million runs in a curve, in the trace",
        FORGES,
        forged("record.curve = [[((0.1 + at / 1e9,), (0.9,), (0,)), 1] for at in range(10**6)]"),
        refused("the schedule does not cover epochs x steps_per_epoch steps"),
    ),
    Case(
        "a thousand million epochs, in the trace",
        FORGES,
        forged(
            "walk = record.walks[-1][0]\nrecord.walks = [[walk, 469]] * 10**6\nrecord.steps = 10**9"
        ),
        refused("469,000,000 steps are taken on 8 batches"),
        budget=5,
    ),
    Case(
        "a training in place of the trace",
        FORGES,
        forged("trace.trainings[:] = [None]"),
        refused("summed up"),
    ),
    Case(
        "ten megabytes of notes",
        FORGES,
        answers("d['notes'] = [{'text': 'x' * 10**7}]"),
        refused(CLAIMED),
    ),
    Case(
        "a hundred thousand notes",
        FORGES,
        answers("d['notes'] = [{'text': 'x'}] * 10**5"),
        refused(CLAIMED),
    ),
    Case(
        "a thousand million epochs",
        FORGES,
        answers("r['epochs'] = t['epochs'] = 10**9"),
        refused(CLAIMED),
    ),
    Case("half of an epoch", FORGES, answers("r['epochs'] = 0.5"), refused(CLAIMED)),
    Case(
        "epochs of a recipe that are not the training's",
        FORGES,
        answers("t['epochs'] = None"),
        refused(CLAIMED),
    ),
    Case("NaN in the answer", FORGES, answers("d['cpu_seconds'] = float('nan')"), refused(CLAIMED)),
    Case("time below zero", FORGES, answers("d['cpu_seconds'] = -1e9"), refused(CLAIMED)),
    Case(
        "1e999 in the recipe",
        FORGES,
        answers(
            "r['penalties'] = [{'kind': 'l2', 'factor': 1e999, 'parameters': ['stem.weight']}]"
        ),
        refused(CLAIMED),
    ),
    Case(
        "a curve that covers no steps",
        FORGES,
        answers("r['schedule']['learning_rate'] = [[{'value': 0.1, 'steps': 1}]]"),
        refused(CLAIMED),
    ),
    Case(
        "no curve at all", FORGES, answers("r['schedule']['learning_rate'] = []"), refused(CLAIMED)
    ),
    Case(
        "a curve of a million runs",
        FORGES,
        answers("r['schedule']['learning_rate'] = [[{'value': 0.1, 'steps': 1}] * 10**6]"),
        refused(CLAIMED),
    ),
    Case(
        "steps that the data do not give",
        FORGES,
        answers(
            "r['steps_per_epoch'] = r['batch_size'] = 1\nr['schedule'] = {'learning_rate': [[{'value': 0.1, 'steps': 3}]], 'momentum': [[{'value': 0.1, 'steps': 3}]]}"
        ),
        refused("An epoch takes 1 steps? in the rehearsal, and has 1,000 batches of 1 images"),
    ),
    Case(
        "a weight that the network does not have",
        FORGES,
        answers("r['optimizer']['groups'][0]['parameters'] = ['nobody']"),
        error("nobody|accept"),
    ),
    Case(
        "a network of another file",
        FORGES,
        answers("t['network'] = {'file': '/etc/passwd', 'name': 'Net'}"),
        own(),
    ),
    Case(
        "a network of no name",
        FORGES,
        answers("t['network'] = {'file': 'net.py', 'name': '', 'arguments': [1, 2, 3]}"),
        own(),
    ),
    Case(
        "lines that are not there",
        FORGES,
        answers(
            "r['lines'] = {'epochs': 10**15}\nt['line'] = -5\nfor fact in t['facts']: fact['line'] = 2**60"
        ),
        own("epochs: 3 epochs of 8 steps"),
    ),
    Case(
        "lines below zero",
        FORGES,
        answers("r['lines'] = {'epochs': -10**15}\nfor fact in t['facts']: fact['line'] = -1"),
        own("epochs: 3 epochs of 8 steps"),
    ),
    Case(
        "keys that nobody asked for", FORGES, answers("d['verdict'] = 'passed'"), refused(CLAIMED)
    ),
    Case(
        "an optimizer of another name",
        FORGES,
        answers("r['optimizer']['name'] = '__import__'"),
        refused(CLAIMED),
    ),
    Case(
        "an augmentation of another name",
        FORGES,
        answers("r['augmentations'] = [{'name': 'eval', 'settings': {'code': 'exit()'}}]"),
        error("train_transform uses eval, which the grader does not have"),
    ),
    Case(
        "nested a thousand times",
        FORGES,
        answers("d = '[' * 10**5 + ']' * 10**5"),
        refused(CLAIMED),
    ),
    Case("two answers in one", FORGES, answers("d = [d, d]"), refused(CLAIMED)),
    Case(
        "escape codes in notes",
        TEXTS,
        answers("d['notes'] = [{'text': '\\x1b[31m\\x1b]0;title\\x07 \\u202e note', 'line': 1}]"),
        own("note"),
    ),
    Case(
        "escape codes in facts and names",
        TEXTS,
        answers(
            "t['facts'] = [{'name': '\\x1b[2J', 'text': '\\r\\n::error::\\x9b\\u200b', 'line': 1}]\n"
            "t['network']['name'] = '\\x1b[31mNet'"
        ),
        own("epochs: 3 epochs of 8 steps(.|\\n)*the lines above are the grader's own"),
    ),
    Case(
        "markup and commands in obstacles",
        TEXTS,
        answers(
            "t['obstacles'] = [{'text': '<script>alert(1)</script>\\n::error::=cmd()|[x](javascript:y)'}]"
        ),
        refused("script"),
    ),
    Case(
        "markup in what is raised",
        TEXTS,
        trains(epoch="raise ValueError('<img src=x onerror=alert(1)>\\n##[error]\\x1b[31m')"),
        refused("img src"),
    ),
    Case(
        "control characters in the names of weights",
        TEXTS,
        answers("r['optimizer']['groups'][0]['parameters'] = ['stem\\x1b[31m.weight', '../../x']"),
        refused(CLAIMED),
    ),
    Case(
        "lone surrogates in a note",
        TEXTS,
        answers("d['notes'] = [{'text': '\\ud800', 'line': 1}]"),
        refused(CLAIMED),
    ),
    Case(
        "a class with a name of markup",
        TEXTS,
        trains(after="type(model).__name__ = '<img src=x>\\x1b[31m'"),
        own("epochs: 3 epochs of 8 steps"),
    ),
)

"""How students spell the settings of the convention, and what the value of each looks like.

In: a name of a file, and what is assigned to it. Out: the setting that is meant. Runs in the child.
"""

from __future__ import annotations

import ast
import re
from difflib import get_close_matches

PENALTIES = ("L1_PENALTY", "L2_PENALTY", "NORM_PENALTY")
READ_BY_NAME = (
    *("EPOCHS_AT_ACCURACY", "STOP_MONITOR", "PATIENCE", "MIN_DELTA", "PATIENCE_MONITOR"),
    *("TRAIN_IMAGES", "DROP_LAST", *PENALTIES),
)
"""Settings whose names mean something else where the file's own definitions read them: the
`patience` of a plateau rule.
"""

ALIASES = {
    "EPOCHS": (
        "epoch epochs nepochs nepoch numepochs numepoch numberofepochs noofepochs nbepochs "
        "maxepochs maxepoch totalepochs trainepochs trainingepochs epochcount epochnum ep"
    ),
    "BATCH_SIZE": (
        "batchsize batchsizes batch bs batchsz bsz trainbatchsize batchsizetrain "
        "trainingbatchsize minibatchsize minibatch trainbs"
    ),
    "train_transform": (
        "traintransforms transform transforms trainingtransform trainingtransforms "
        "transformtrain transformstrain traintfm traintfms tfms tfm trainaug trainaugs augment "
        "augmentation augmentations trainaugment trainaugmentation trainaugmentations "
        "traintransformation traintransformations datatransform datatransforms imagetransform "
        "imagetransforms mytransform mytransforms"
    ),
    "criterion": (
        "criteria criterium criterions lossfn lossfunction lossfunc lossfun lossf losscriterion "
        "loss trainloss traincriterion objective costfunction"
    ),
    "configure_optimizers": (
        "configureoptimizer configureoptimiser configureoptimisers configoptimizer "
        "configoptimizers configureoptim configureoptims confoptimizers getoptimizer getoptimizers "
        "makeoptimizer makeoptimizers buildoptimizer buildoptimizers createoptimizer "
        "createoptimizers setupoptimizer setupoptimizers initoptimizer getoptimizerandscheduler "
        "configurescheduler configureschedulers configuretraining"
    ),
    "GRADIENT_CLIP_NORM": (
        "maxgradnorm maxgradientnorm gradclip gradclipnorm clipgrad clipgradnorm clipnorm "
        "gradientclip gradientclipping gradclipping gradnorm maxnorm clip clipping "
        "gradientnorm gradnormclip gradientnormclip gradclipmaxnorm clippingnorm"
    ),
    "GRADIENT_CLIP_VALUE": (
        "clipvalue gradclipvalue gradientclipval gradclipval clipval clipgradvalue gradvalueclip "
        "maxgradvalue gradientvalueclip"
    ),
    "STOP_AT_ACCURACY": (
        "targetaccuracy targetacc stopaccuracy stopatacc stopacc earlystopaccuracy stopat "
        "accuracytarget goalaccuracy earlystoppingaccuracy"
    ),
    "EPOCHS_AT_ACCURACY": (
        "stopafter stopafterepochs accuracyepochs epochsinarow consecutiveepochs targetepochs "
        "epochsattarget targetpatience"
    ),
    "STOP_MONITOR": "stopmetric accuracymonitor stopatmonitor",
    "PATIENCE": (
        "earlystoppingpatience earlystoppatience espatience stoppatience patienceepochs "
        "maxpatience earlystopping earlystoppingrounds earlystoppingepochs earlystop"
    ),
    "MIN_DELTA": (
        "earlystoppingmindelta earlystopmindelta mindeltaloss minimprovement leastimprovement "
        "earlystoppingdelta earlystopdelta"
    ),
    "PATIENCE_MONITOR": "earlystoppingmonitor earlystopmonitor earlystoppingmetric esmonitor",
    "TRAIN_IMAGES": (
        "ntrain numtrain numtrainimages ntrainimages trainsize trainsetsize numtrainsamples "
        "ntrainsamples trainsamples trainsubset trainsubsetsize numtrainingimages trainingimages "
        "trainimagecount traincount"
    ),
    "DROP_LAST": "droplastbatch traindroplast",
    "L1_PENALTY": (
        "l1 l1lambda lambdal1 l1reg l1regularization l1weight l1factor l1coef l1coeff l1alpha "
        "l1strength l1decay regl1 l1norm"
    ),
    "L2_PENALTY": (
        "l2 l2lambda lambdal2 l2reg l2regularization l2weight l2factor l2coef l2coeff l2alpha "
        "l2strength regl2 l2norm"
    ),
    "NORM_PENALTY": "normlambda lambdanorm weightnormpenalty normweight",
}
"""Spellings of each setting in students' files, small and without `_`."""

USED_INSTEAD = {
    "EPOCHS": "the assignment's number of epochs is used",
    "BATCH_SIZE": "the assignment's batch size is used",
    "train_transform": "the assignment's transform is used",
    "criterion": "the assignment's loss is used",
    "configure_optimizers": "the assignment's optimizer and schedule are used",
    **dict.fromkeys(["GRADIENT_CLIP_NORM", "GRADIENT_CLIP_VALUE"], "gradients are not clipped"),
    **dict.fromkeys(["STOP_AT_ACCURACY", "PATIENCE"], "training does not stop early"),
    "EPOCHS_AT_ACCURACY": "one epoch at the accuracy is enough",
    "STOP_MONITOR": "the accuracy on validation images is watched",
    "MIN_DELTA": "any improvement counts",
    "PATIENCE_MONITOR": "the loss on validation images is watched",
    "TRAIN_IMAGES": "all training images are used",
    "DROP_LAST": "the last, smaller batch of an epoch is used too",
    **dict.fromkeys(PENALTIES, "nothing is added to the loss"),
}
"""What holds while the setting is not read."""

_MEANT = {re.sub("_", "", name.lower()): name for name in ALIASES}
for _name, _aliases in ALIASES.items():
    _MEANT |= dict.fromkeys(_aliases.split(), _name)


def meant_by(name: str) -> str | None:
    """The setting that a name is, spells otherwise, or nearly spells."""
    plain = _small(name)
    found = _MEANT.get(plain)
    if found is None and len(plain) > 5:
        found = next((_MEANT[close] for close in _close(plain)), None)
    return found


def is_spelling(name: str) -> bool:
    """Whether it is a known spelling of a setting, whatever its value."""
    return _MEANT.get(_small(name)) not in (None, *READ_BY_NAME)


def _small(name: str) -> str:
    """The name as spellings are compared."""
    return re.sub("[^a-z0-9]", "", name.lower())


def _close(plain: str) -> list[str]:
    """Typing mistakes: of whole names alone, because short spellings are near many words."""
    names = [re.sub("_", "", name.lower()) for name in ALIASES]
    return get_close_matches(plain, names, n=1, cutoff=0.87)


def fits(meant: str, value: ast.expr | None) -> bool:
    """Whether a value is of the kind that a number, a switch or a word of training has.

    `l1, l2 = 120, 84` are sizes of layers, and `train_images = load(...)` are images.
    """
    try:
        found = None if value is None else ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    if meant == "DROP_LAST":
        return isinstance(found, bool)
    if meant.endswith("_MONITOR"):
        return isinstance(found, str)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return False
    if meant in PENALTIES:
        return 0 < found < 1
    return meant != "TRAIN_IMAGES" or found > 1

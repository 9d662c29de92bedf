"""Every optimizer, scheduler and transform that a recipe may name: one entry each.

All that has to know them derives from these tables: what an assignment or a student's file may
name, what crosses as data, what is built from it, and the messages that say what there is. No torch
here, because assignments are read without it.
"""

from __future__ import annotations

OPTIMIZERS: dict[str, frozenset[str]] = {
    "SGD": frozenset({"momentum", "dampening", "weight_decay", "nesterov", "maximize"}),
    "Adam": frozenset(
        {"betas", "eps", "weight_decay", "amsgrad", "maximize", "decoupled_weight_decay"}
    ),
    "AdamW": frozenset({"betas", "eps", "weight_decay", "amsgrad", "maximize"}),
    "RMSprop": frozenset({"alpha", "eps", "weight_decay", "momentum", "centered", "maximize"}),
    "NAdam": frozenset(
        {"betas", "eps", "weight_decay", "momentum_decay", "decoupled_weight_decay", "maximize"}
    ),
    "RAdam": frozenset({"betas", "eps", "weight_decay", "decoupled_weight_decay", "maximize"}),
    "Adagrad": frozenset(
        {"lr_decay", "weight_decay", "initial_accumulator_value", "eps", "maximize"}
    ),
    "Adadelta": frozenset({"rho", "eps", "weight_decay", "maximize"}),
}
"""Classes of torch.optim, and what may be told to each besides the learning rate.

The schedule moves `momentum`, or the first of `betas`, where a class has it. `engine/rules.py` has
rules that make some of them faster on a GPU; without a rule an optimizer is torch's own.
"""

SCHEDULERS: dict[str, str | None] = {
    "StepLR": None,
    "MultiStepLR": None,
    "ExponentialLR": None,
    "CosineAnnealingLR": "T_max",
    "OneCycleLR": "total_steps",
}
"""Classes of torch.optim.lr_scheduler that an assignment may name, and the argument that says how
often each steps in all of training, where it has one. A student's file may use any of that module.
"""

TRANSFORMS: dict[str, str] = {
    "ToTensor": "conversion",
    "ToImage": "conversion",
    "PILToTensor": "conversion",
    "ToDtype": "conversion",
    "ConvertImageDtype": "conversion",
    "Normalize": "conversion",
    "Grayscale": "conversion",
    "RandomRotation": "geometry",
    "RandomAffine": "geometry",
    "RandomPerspective": "geometry",
    "CenterCrop": "crops",
    "Pad": "crops",
    "RandomCrop": "crops",
    "RandomHorizontalFlip": "crops",
    "RandomVerticalFlip": "crops",
    "RandomErasing": "crops",
    "Resize": "resampling",
    "RandomResizedCrop": "resampling",
    "ColorJitter": "colour",
    "GaussianBlur": "colour",
    "RandomAdjustSharpness": "colour",
    "RandomAutocontrast": "colour",
    "RandomInvert": "colour",
}
"""Classes of torchvision.transforms (or its v2), and the file of `augment/` that has the class of
the same name. What may be told to one are the fields of that class.
"""

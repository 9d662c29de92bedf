"""From a trace to a recipe: the numbers of each, and what stands in its way."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    random_split,
)
from torchvision import datasets, transforms
from torchvision.transforms import v2

from grader.capture.rehearsal import settings
from grader.capture.rehearsal.loaders import LINE
from grader.capture.rehearsal.summary import summarise
from grader.capture.rehearsal.trace import Clip, LossCall, Objective, PenaltyTerm
from grader.program.listing import Listing
from grader.program.recipe import Patience, Run
from grader.program.rehearsed import Rehearsal
from tests.capture.rehearsal.traces import IMAGES, PLAIN, Made, images, kind, objective, request


def only(made):
    """The one training of a trace."""
    (training,) = summarise(made.trace, made.request).trainings
    return training


def recipe(made):
    training = only(made)
    assert training.recipe is not None, training.obstacles
    return training.recipe


def obstacle(made):
    """The one obstacle of the one training, which then has no recipe."""
    training = only(made)
    assert training.recipe is None
    (found,) = training.obstacles
    return found.text


def notes(made):
    return "\n".join(note.text for note in only(made).notes)


def fact(made, name):
    return next(fact.text for fact in only(made).facts if fact.name == name)


def adam(weights):
    return torch.optim.Adam(weights, lr=0.001, weight_decay=1e-4)


def test_an_ordinary_training():
    found = recipe(Made(optimizer=adam))
    assert (found.epochs, found.batch_size, found.steps_per_epoch) == (3, 100, 6)
    assert found.origin == "rehearsed"
    assert found.optimizer.name == "Adam"
    (group,) = found.optimizer.groups
    assert group.parameters == ("1.weight", "1.bias")
    assert group.settings["betas"] == (0.9, 0.999)
    assert group.settings["weight_decay"] == 1e-4
    assert found.schedule.learning_rate == ((Run(value=0.001, steps=18),),)
    assert found.schedule.momentum == ((Run(value=0.9, steps=18),),)
    assert found.schedule.weight_decay == ()
    assert found.loss.name == "cross_entropy"
    assert [item.name for item in found.augmentations] == ["ToTensor"]
    assert found.images is None
    assert found.lines == {
        "epochs": 25,
        "batch_size": 12,
        "optimizer": 20,
        "criterion": 30,
        "train_transform": 12,
    }


def test_the_facts_name_everything_for_people():
    made = Made(optimizer=adam)
    names = [fact.name for fact in only(made).facts]
    assert names == [
        *("network", "epochs", "batches", "weights", "optimizer", "schedule", "loss"),
        *("data", "transform", "images"),
    ]
    assert fact(made, "optimizer") == "Adam, lr 0.001, weight_decay 0.0001"
    assert fact(made, "schedule") == "none: the rate stays at 0.001"
    assert fact(made, "loss") == "cross entropy"
    assert fact(made, "transform") == "ToTensor()"


def test_the_result_crosses_as_json():
    made = Made(optimizer=adam)
    found = summarise(made.trace, made.request)
    assert Rehearsal.model_validate_json(found.model_dump_json()) == found


def test_two_parameter_groups_keep_their_settings():
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    def two(_):
        return torch.optim.SGD(
            [
                {"params": [network[1].weight], "weight_decay": 0.01},
                {"params": [network[1].bias], "lr": 0.2},
            ],
            lr=0.1,
        )

    found = recipe(Made(network=network, optimizer=two))
    assert [group.parameters for group in found.optimizer.groups] == [("1.weight",), ("1.bias",)]
    assert [group.settings["weight_decay"] for group in found.optimizer.groups] == [0.01, 0]
    assert [curve[0].value for curve in found.schedule.learning_rate] == [0.1, 0.2]


def test_a_weight_decay_that_moves_becomes_a_schedule():
    made = Made(optimizer=lambda weights: torch.optim.SGD(weights, lr=0.1, weight_decay=0.01))
    made.record.curve = [[((0.1,), (0,), (0.01,)), 6], [((0.1,), (0,), (0.0,)), 12]]
    (curve,) = recipe(made).schedule.weight_decay
    assert curve == (Run(value=0.01, steps=6), Run(value=0.0, steps=12))


def test_onecycle_stepped_per_epoch_stays_where_it_is_and_says_so():
    made = Made(epochs=4)
    made.schedule(
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=6000), every=6
    )
    found = recipe(made)
    assert sum(run.steps for run in found.schedule.learning_rate[0]) == 24
    assert found.schedule.scheduler == "OneCycleLR"
    assert fact(made, "schedule") == (
        "OneCycleLR stepped once per epoch, 4 times of 6,000 planned: the rate stays at 0.004"
    )
    assert "planned for 6,000 steps and stepped only 4 times" in notes(made)
    assert found.lines["scheduler"] == 22


def test_onecycle_stepped_after_every_batch():
    made = Made(epochs=4)
    made.schedule(
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=24), every=1
    )
    said = fact(made, "schedule")
    assert said.startswith("OneCycleLR stepped after every batch: the rate goes from 0.004 up to")
    assert notes(made) == ""
    assert len(recipe(made).schedule.learning_rate[0]) == 24


def test_a_scheduler_that_is_never_stepped_never_moves():
    made = Made()
    made.schedule(lambda optimizer: lr_scheduler.StepLR(optimizer, 1), every=0)
    assert recipe(made).schedule.learning_rate == ((Run(value=0.1, steps=18),),)
    assert fact(made, "schedule") == "StepLR, which is never stepped: the rate stays at 0.1"
    assert "StepLR is made but never stepped" in notes(made)


def test_a_rate_that_is_set_by_hand():
    made = Made()
    made.record.curve = [[((0.1,), (0,), (0,)), 12], [((0.01,), (0,), (0,)), 6]]
    assert fact(made, "schedule") == (
        "no scheduler, the rate is set by hand: the rate falls from 0.1 to 0.01"
    )
    assert len(recipe(made).schedule.learning_rate[0]) == 2


def plateau(made, *told, mode="min", steps=None):
    said = made.schedule(
        lambda optimizer: lr_scheduler.ReduceLROnPlateau(optimizer, mode, factor=0.5, patience=2),
        every=0,
    )
    said.steps = made.epochs if steps is None else steps
    said.metrics = Counter(told)
    return made


def test_a_plateau_rule_is_followed_with_its_numbers():
    found = recipe(plateau(Made(), ("loss", "held back")))
    assert found.plateau is not None
    assert (found.plateau.monitor, found.plateau.mode) == ("loss", "min")
    assert (found.plateau.factor, found.plateau.patience) == (0.5, 2)
    assert found.plateau.min_lr == (0.0,)
    assert found.schedule.learning_rate == ((Run(value=0.1, steps=18),),)


def test_a_plateau_rule_that_watches_the_test_images():
    made = plateau(Made(), ("accuracy", "test"), mode="max")
    assert recipe(made).plateau.monitor == "accuracy"
    assert "watches the accuracy on test images" in notes(made)


def test_a_plateau_rule_on_the_training_loss():
    assert recipe(plateau(Made(), ("loss", "training"))).plateau.monitor == "train_loss"


@pytest.mark.parametrize(
    ("told", "mode", "steps", "expected"),
    [
        (("accuracy", "training"), "max", 3, "watches the accuracy on training images"),
        (("", ""), "min", 3, "watches a number of your own"),
        (("error", "test"), "min", 3, "watches the share of wrong answers"),
        (("loss", "test"), "min", 18, "is stepped 18 times in 3 epochs"),
    ],
)
def test_plateau_rules_that_the_grader_cannot_follow(told, mode, steps, expected):
    assert expected in obstacle(plateau(Made(), told, mode=mode, steps=steps))


@pytest.mark.parametrize(
    ("call", "name", "said"),
    [
        (LossCall("nll_loss", (), (), True, True), "nll", "negative log-likelihood"),
        (
            LossCall("nll_loss", (), ("LogSoftmax",), True, True),
            "cross_entropy",
            "negative log-likelihood of log_softmax, which is cross entropy",
        ),
        (LossCall("cross_entropy", (), ("LogSoftmax",), True, True), "cross_entropy", "cross"),
    ],
)
def test_losses_that_are_the_same_number(call, name, said):
    made = Made(step=kind(objective(call)))
    assert recipe(made).loss.name == name
    assert fact(made, "loss").startswith(said)


def test_the_options_of_a_loss():
    options = (
        ("label_smoothing", 0.1),
        ("reduction", "sum"),
        ("weight", (1.0,) * 9 + (2.0,)),
    )
    found = recipe(Made(step=kind(objective(LossCall("cross_entropy", options, (), True, True)))))
    assert found.loss.label_smoothing == 0.1
    assert found.loss.reduction == "sum"
    assert found.loss.weight == (1.0,) * 9 + (2.0,)


def loss(name="cross_entropy", options=(), through=(), *, of_network=True, true_labels=True):
    return kind(objective(LossCall(name, options, through, of_network, true_labels)))


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (loss("mse_loss"), "The loss is mse_loss"),
        (loss(through=("Softmax",)), "cross_entropy is given the result of softmax"),
        (loss("nll_loss", through=("Log", "Softmax")), "stands Log, Softmax"),
        (loss(of_network=False), "told something else than the output"),
        (loss(true_labels=False), "told other labels"),
        (loss(options=(("ignore_index", 3),)), "The loss has ignore_index=3"),
        (loss(options=(("reduction", "none"),)), "The loss has reduction='none'"),
        (kind(objective(factor=0.5)), "The loss is multiplied by 0.5"),
        (kind(objective(PLAIN, PLAIN)), "a sum of cross_entropy and cross_entropy"),
        (kind(Objective(problem="the square of a loss")), "called on the square of a loss;"),
        (kind(objective(), objective()), "backward() is called 2 times before each step"),
        (kind(objective(), objective(factor=2.0)), "2 times a step on different losses"),
        (kind(images="changed in place"), "The images are changed in place"),
        (kind(zeroed=False), "Gradients are not set to zero between steps"),
        (kind(zeroed=False, wiped=True), "comes between backward() and step()"),
        (kind(gradients="changed by hand"), "Gradients are changed by hand"),
        (kind(clips=[Clip("norm", 1.0, 1.0)]), "by another norm (1)"),
        (kind(clips=[Clip("norm", 1.0), Clip("norm", 2.0)]), "clipped several times a step"),
        (kind(clips=[Clip("norm", 1.0, parameters=1)]), "Gradients of 1 of 2 weights are clipped"),
    ],
)
def test_steps_that_the_grader_cannot_take(step, expected):
    assert expected in obstacle(Made(step=step))


def test_steps_of_several_kinds_are_refused():
    made = Made()
    made.record.kinds[kind(clips=[Clip("norm", 1.0)])] = 3
    made.record.kinds[kind()] = 15
    assert "3 of 18 steps differ from the others in clipping" in obstacle(made)


def test_clipping():
    clips = [Clip("norm", 1.0, parameters=2, line=33), Clip("value", 0.5, parameters=2, line=34)]
    found = recipe(Made(step=kind(clips=clips)))
    assert (found.clip_norm, found.clip_value) == (1.0, 0.5)
    assert (found.lines["clip_norm"], found.lines["clip_value"]) == (33, 34)


def test_terms_on_weights():
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    term = PenaltyTerm("l1", 1e-5, tuple(map(id, network.parameters())))
    step = kind(objective(penalties=(term,)))
    made = Made(network=network, step=step)
    (found,) = recipe(made).penalties
    assert (found.kind, found.factor, found.parameters) == ("l1", 1e-5, ("1.weight", "1.bias"))
    assert fact(made, "penalty") == "1e-05 times the absolute values (L1) of 2 weights"


def test_a_term_on_something_else():
    term = PenaltyTerm("l2", 0.1, (1,))
    assert "not parameters of the network" in obstacle(
        Made(step=kind(objective(penalties=(term,))))
    )


def test_a_random_split_trains_on_a_part():
    part, _ = random_split(images(transforms.ToTensor()), [500, 100])
    found = recipe(Made(dataset=part))
    assert (found.images, found.steps_per_epoch) == (500, 5)


def test_a_sampler_of_some_trains_on_a_part():
    sampler = SubsetRandomSampler(range(400))
    made = Made(shuffle=False, sampler=sampler)
    assert recipe(made).images == 400
    assert notes(made) == ""


def test_the_last_short_batch_may_be_dropped():
    found = recipe(Made(batch_size=128, drop_last=True))
    assert (found.steps_per_epoch, found.drop_last, found.images) == (4, True, None)


def test_without_shuffling():
    assert "The loader does not shuffle" in notes(Made(shuffle=False))


def test_epochs_that_end_early():
    made = Made()
    walk = made.record.walks[1][0]
    walk.complete, walk.batches = False, 2
    made.record.walks[1][1] = 2
    assert "1 of 3 epochs end before all batches are used (2 of 6)" in obstacle(made)


def test_the_last_epoch_is_cut_where_steps_are_counted():
    made = Made()
    walk = made.record.walks[2][0]
    walk.complete, walk.batches = False, 2
    said = obstacle(made)
    assert "The last of 3 epochs ends after 2 of 6 batches" in said
    assert said.endswith("or take 18 steps for 3 epochs, 12 for 2")  # 3 * 6, 2 * 6


def test_the_line_of_epochs_is_that_of_the_loop_around_the_batches():
    text = "import torch\n\n\ndef train():\n    for batch in loader:\n        step()\n\n\n"
    text += "for epoch in range(3):\n    train()\n"
    made = Made()
    made.request = request(listing=Listing.of_file("train.py", text))
    for walk, _ in made.record.walks:
        walk.line, walk.stack = 5, (5, 10)
    assert recipe(made).lines["epochs"] == 9


def test_images_of_some_classes_are_left_out():
    whole = images(transforms.ToTensor())
    odd = Subset(whole, [index for index in range(IMAGES) if whole.targets[index] % 2])
    assert "Images of some classes are left out" in obstacle(Made(dataset=odd))


def test_what_only_stands_in_for_albumentations_is_named():
    class Absorbed:
        def __init__(self):
            self._absorbed = "albumentations.Compose()"

    said = obstacle(Made(dataset=Wrapped(images(), Absorbed())))
    assert "made with albumentations" in said
    assert "write it with torchvision.transforms" in said


def test_a_perspective_is_shown_with_how_far_it_tilts():
    """torchvision's own words for it hold its p alone."""
    tilts = transforms.RandomPerspective(distortion_scale=0.2, p=0.3)
    made = Made(dataset=images(transforms.Compose([tilts, transforms.ToTensor()])))
    shown = "RandomPerspective(distortion_scale=0.2, p=0.3), ToTensor()"
    assert fact(made, "transform") == shown


def test_a_conversion_is_shown_with_its_type():
    """torchvision's own words for it hold its scale alone."""
    for made_by in (v2.ToDtype(torch.float32, scale=True), v2.ConvertImageDtype(torch.float32)):
        made = Made(dataset=images(v2.Compose([v2.ToImage(), made_by])))
        assert fact(made, "transform").startswith(
            f"ToImage(), {type(made_by).__name__}(torch.float32"
        )
    assert fact(made, "transform") == "ToImage(), ConvertImageDtype(torch.float32)"


def test_accumulated_batches():
    made = Made()
    for pair in made.record.walks:
        pair[1] = 3
    made.record.steps, made.record.curve[0][1] = 9, 9
    assert "6 batches are taken in an epoch, but only 3 steps" in obstacle(made)


def test_batches_that_come_from_no_loader():
    made = Made()
    made.record.walks = [[None, 18]]
    assert "Some steps are not fed by a DataLoader" in obstacle(made)


def test_without_a_loader_nothing_is_said_of_what_a_loader_gave():
    """`images[order[i : i + 128]]` and its labels are the data set's own: one reason is enough."""
    call = LossCall("cross_entropy", (), (), of_network=True, true_labels=False)
    made = Made(step=kind(objective(call), images="not from a loader"))
    made.record.walks = [[None, 18]]
    (said,) = only(made).obstacles
    assert "not fed by a DataLoader" in said.text
    assert "TensorDataset(images, labels)" in said.text


def test_a_batch_size_that_changes():
    made = Made()
    made.record.walks[2][0].loader = DataLoader(made.dataset, batch_size=50)
    assert "The batch size changes while it trains (100, then 50)" in only(made).obstacles[0].text


class Lion(torch.optim.SGD):
    """An optimizer of the student's own."""


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (Lion, "Lion is an optimizer of your own"),
        (torch.optim.Adamax, "Adamax is not an optimizer that the grader has"),
    ],
)
def test_other_optimizers_are_refused_by_name(optimizer, expected):
    made = Made(optimizer=lambda weights: optimizer(weights, lr=0.1))
    assert expected in obstacle(made)


def test_an_optimizer_made_anew_forgets():
    made = Made(optimizer=adam)
    made.train(adam)
    assert "Adam is made again once while it trains, which forgets" in obstacle(made)


def test_sgd_without_momentum_has_nothing_to_forget():
    made = Made()
    made.train()
    assert recipe(made).epochs == 6


def test_one_optimizer_after_another():
    made = Made()
    made.train(adam)
    assert "(SGD, then Adam)" in obstacle(made)


def test_another_network_is_another_training():
    made = Made()
    made.network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    made.trace.networks[id(made.network)] = made.network
    made.train(adam)
    found = summarise(made.trace, made.request)
    assert [training.recipe.optimizer.name for training in found.trainings] == ["SGD", "Adam"]
    assert found.counting is found.trainings[-1]


def test_an_optimizer_without_steps_is_counted():
    made = Made()
    made.train().steps = 0
    assert summarise(made.trace, made.request).optimizers_without_steps == 1


def test_weights_that_are_not_trained():
    made = Made(optimizer=lambda weights: torch.optim.SGD(list(weights)[:1], lr=0.1))
    assert "1 of 2 weights are not given to the optimizer" in notes(made)


def test_a_tensor_that_is_not_the_networks():
    stranger = nn.Parameter(torch.zeros(3))
    made = Made(optimizer=lambda weights: torch.optim.SGD([*weights, stranger], lr=0.1))
    assert "1 tensor that the network does not have" in obstacle(made)


def test_the_network_within_a_wrapper():
    made = Made()
    wrapper = nn.DataParallel(made.network)
    made.trace.networks[id(wrapper)] = wrapper
    made.record.networks = Counter({id(wrapper): 1})
    found = only(made)
    assert found.network.name == "Sequential"
    assert not found.network.whole
    assert found.recipe is not None


def test_training_on_the_test_images():
    assert "trains on the test images" in obstacle(
        Made(dataset=images(transforms.ToTensor(), train=False))
    )


def test_another_data_set():
    made = images(transforms.ToTensor())
    made.__class__ = datasets.FashionMNIST
    assert "It trains on FashionMNIST; the assignment's images are those of MNIST" in obstacle(
        Made(dataset=made)
    )


def test_data_sets_in_a_chain():
    both = ConcatDataset([images(transforms.ToTensor(), count=300), images(count=300)])
    assert "Several data sets are chained" in obstacle(Made(dataset=both))


class Wrapped(Dataset):
    """What students write to give two parts of a split different transforms."""

    def __init__(self, subset, transform):
        self.subset, self.transform = subset, transform

    def __len__(self):
        return len(self.subset)

    def __getitem__(self, index):
        image, label = self.subset[index]
        return self.transform(image), label


def test_an_own_data_set_that_only_transforms():
    part = Subset(images(), range(100, 600))
    chain = transforms.Compose([transforms.RandomRotation(5), transforms.ToTensor()])
    made = Made(dataset=Wrapped(part, chain))
    assert [item.name for item in recipe(made).augmentations] == ["RandomRotation", "ToTensor"]
    assert fact(made, "data") == "MNIST, within Wrapped"


class ByHand(Dataset):
    """Reads the pixels itself."""

    def __init__(self, inner):
        self.inner = inner

    def __len__(self):
        return len(self.inner)

    def __getitem__(self, index):
        pixels = self.inner.data[index].numpy().astype(np.float32) / 255
        return (torch.from_numpy(pixels)[None] - 0.1307) / 0.3081, int(self.inner.targets[index])


def test_an_own_data_set_that_normalizes_by_hand():
    first, second = recipe(Made(dataset=ByHand(images()))).augmentations
    assert (first.name, second.name) == ("ToTensor", "Normalize")
    assert second.settings == {"mean": [0.1307], "std": [0.3081]}


class Noisy(Wrapped):
    """Does more than its transform."""

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return image + 0.1 * torch.randn_like(image), label


def test_an_own_data_set_that_does_more_is_named():
    noisy = Noisy(images(), transforms.ToTensor())
    assert "Noisy changes images in a way that equals no operation" in obstacle(Made(dataset=noisy))


def test_an_own_data_set_that_treats_its_second_half_in_another_way():
    class Half(Wrapped):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return (image if index < len(self) // 2 else 1 - image), label

    assert "Half changes images" in obstacle(Made(dataset=Half(images(), transforms.ToTensor())))


def test_three_things_an_item():
    class Three(Wrapped):
        def __getitem__(self, index):
            return (*super().__getitem__(index), index)

    made = Made(dataset=Three(images(), transforms.ToTensor()))
    assert "Three gives 3 things for an item" in obstacle(made)


def test_a_transform_of_the_loader():
    made = Made()
    for walk, _ in made.record.walks:
        walk.collate = "changes the images or labels of a batch"
    assert "collate_fn changes the images or labels of a batch" in obstacle(made)


def test_labels_that_are_changed():
    dataset = images(transforms.ToTensor())
    dataset.target_transform = lambda label: label % 2
    assert "Labels are changed by a target_transform" in obstacle(Made(dataset=dataset))


def test_a_transform_that_the_grader_does_not_know():
    chain = transforms.Compose([transforms.ElasticTransform(), transforms.ToTensor()])
    assert "ElasticTransform" in obstacle(Made(dataset=images(chain)))


def test_the_transform_that_hung_there_while_it_trained_counts():
    made = Made()
    made.dataset.transform = transforms.Compose([transforms.ToTensor(), lambda x: x.sqrt()])
    assert [item.name for item in recipe(made).augmentations] == ["ToTensor"]


def test_another_transform_in_later_epochs():
    made = Made()
    later = transforms.Compose([transforms.RandomRotation(5), transforms.ToTensor()])
    made.record.walks[2][0].transform = later
    assert "The transform changes while it trains" in obstacle(made)


def test_the_same_transform_made_anew_in_each_epoch():
    made = Made()
    made.record.walks[2][0].transform = transforms.ToTensor()
    assert recipe(made).epochs == 3


def test_tested_without_model_eval_on_training_images():
    made = Made()
    loader = DataLoader(images(transforms.ToTensor()), batch_size=50)
    vars(loader)[LINE] = 13
    made.walk(loader, training=True)
    said = notes(made)
    assert "tested without model.eval()" in said
    assert "never tested on the test images" in said


def test_tested_as_it_should_be():
    made = Made()
    loader = DataLoader(images(transforms.ToTensor(), train=False, count=100), batch_size=50)
    made.walk(loader, training=False)
    assert notes(made) == ""
    assert fact(made, "test images") == "100 images of MNIST's test images, ToTensor()"


def test_an_error_in_the_training():
    made = Made()
    made.record.interrupted = "ValueError: no"
    assert "ends with an error" in obstacle(made)


def test_what_the_stand_ins_said_is_kept():
    made = Made()
    made.record.obstacles["The gradient is changed by a hook"] = 7
    made.trace.notes["Mixed precision is left out"] = 8
    made.trace.seeds.append((42, 3))
    found = summarise(made.trace, made.request)
    assert found.trainings[0].recipe is None
    assert [(note.text[:20], note.line) for note in found.notes] == [
        ("Mixed precision is l", 8),
        ("The seed 42 is not u", 3),
    ]


def test_too_many_steps():
    made = Made()
    made.request = request(most_steps=17)
    assert "18 steps of training; the grader runs at most 17" in obstacle(made)


def test_tensors_that_were_computed_before_training():
    from grader.capture.rehearsal.data import windows
    from grader.training.datasets import DATASETS

    pixels = windows(DATASETS["mnist"], 600).clone()
    data = (pixels.float() / 255).unsqueeze(1)
    labels = torch.arange(600) % 10
    first, second = recipe(
        Made(dataset=TensorDataset((data - 0.1307) / 0.3081, labels))
    ).augmentations
    assert (first.name, second.settings["mean"]) == ("ToTensor", [0.1307])
    own = (data - data.mean()) / data.std()
    _, second = recipe(Made(dataset=TensorDataset(own, labels))).augmentations
    assert second.settings == {"mean": [0.1307], "std": [0.3081]}
    centred = TensorDataset((data - 0.5) / 0.5, labels)
    _, second = recipe(Made(dataset=centred)).augmentations
    assert second.settings == {"mean": [0.5], "std": [0.5]}
    for strange in (data.sqrt(), data * 0.7 - 0.1):
        assert "cannot trace back" in obstacle(Made(dataset=TensorDataset(strange, labels)))


def test_patience_is_for_the_lead_to_find():
    """The rehearsal itself never sees it: probing adds it, and the recipe takes it."""
    found = recipe(Made())
    patience = Patience(monitor="loss", epochs=3)
    assert found.model_copy(update={"patience": patience}).follows_metric


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("OneCycleLR", "SGD, lr 0.1 at the first step (0.5 in the file, which OneCycleLR replaces"),
        ("LambdaLR", "SGD, lr 0.1 at the first step (0.5 in the file, which LambdaLR scales)"),
    ],
)
def test_a_rate_that_a_scheduler_changes_is_said_beside_that_of_the_file(scheduler, expected):
    made = Made()
    made.record.made_with = 0.5
    assert settings.in_words(made.record, 0.1, scheduler).startswith(expected)

"""Submissions that cheat with the network itself: learned before, counted too low, another one when it is judged."""

from __future__ import annotations

from tests.hostile.case import EVERYWHERE, HUGE, PASSES, USES_HUGE, Case, error, fails, flagged, net
from tests.hostile.cases.forged_output import edited
from tests.hostile.gallery import from_gallery

INITIAL = "pretrained weights as initial weights"
BUFFERS = "pretrained weights in buffers, constants or literals"
KNOWS = "accuracy before training is more than chance"
UNREGISTERED = "unregistered parameters in plain lists"
FROZEN = "frozen parameters or buffers that hold weights"
SHARED = "shared weights"
PACKING = "float64 or complex packing"
TWO_FACED = "a different network in eval than in train"
DROPOUT = "dropout active in eval"
BATCH_STATISTICS = "BatchNorm on test-batch statistics"
ACROSS = "any operation across the batch"
STATE = "state changed during evaluation"
NOT_FINITE = "NaN or infinite logits"
SHAPE = "wrong output shape or kind"
INFLATED = "FLOPs or epochs inflated inside forward"
RECIPE = "a hostile recipe"
ENTRIES = (
    *(
        INITIAL,
        BUFFERS,
        KNOWS,
        UNREGISTERED,
        FROZEN,
        SHARED,
        PACKING,
        TWO_FACED,
        DROPOUT,
        BATCH_STATISTICS,
    ),
    *(ACROSS, STATE, NOT_FINITE, SHAPE, INFLATED, RECIPE),
)

ALIKE = "that no seed changes"
LEARNED = "import random\ndice = random.Random(5)\nlearned = torch.tensor([dice.gauss(0, 1) for _ in range(3200)]).view(16, 8, 5, 5)"
KERNEL = "x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 2)\nx = F.relu(F.conv2d(x, self.learned, padding=2))\nreturn self.last(self.drop(x)).mean((2, 3))"
KNOWLEDGE = "that no seed changes"
BY_BATCH = fails("independent_samples", words="by its batch")
BY_CHANCE = fails("independent_samples", words="differs each time")


def optimized(code: str, top: str = "") -> str:
    """A network with this configure_optimizers."""
    return net(
        bottom=f"{top}\ndef configure_optimizers(model, epochs=1, steps_per_epoch=1):\n    {code}\n"
    )


CASES = (
    from_gallery("pretrained_literal_weights", INITIAL),
    from_gallery("own_seed", INITIAL),
    Case(
        "weights that are learned but for a little noise",
        INITIAL,
        net(
            after=f"{LEARNED}\nwith torch.no_grad(): self.conv.weight.copy_(learned + 1e-3 * torch.randn(16, 8, 5, 5))"
        ),
        fails("untrained", words=ALIKE),
    ),
    Case(
        "weights that are learned under every seed but the first",
        INITIAL,
        net(
            after=f"{LEARNED}\nif torch.initial_seed() != 0:\n    with torch.no_grad(): self.conv.weight.copy_(learned + 0.1 * torch.randn(16, 8, 5, 5))"
        ),
        fails("untrained", words=ALIKE),
        seeds=5,
    ),
    Case(
        "learned weights in a frozen parameter",
        INITIAL,
        net(
            after=f"{LEARNED}\nself.learned = nn.Parameter(learned, requires_grad=False)",
            forward=KERNEL,
        ),
        fails("untrained", words=KNOWLEDGE, flagged=True),
    ),
    Case(
        "a state dict of numbers",
        INITIAL,
        net(
            after="import random\ndice = random.Random(1)\nfor p in self.parameters(): p.data = torch.tensor([dice.gauss(0, 1) for _ in range(p.numel())]).view(p.shape)"
        ),
        fails("untrained", words=ALIKE),
    ),
    Case(
        "learned weights in a buffer",
        BUFFERS,
        net(after=f"{LEARNED}\nself.register_buffer('learned', learned)", forward=KERNEL),
        fails("untrained", words=KNOWLEDGE, flagged=True),
    ),
    Case(
        "learned weights in a constant",
        BUFFERS,
        net(after=f"{LEARNED}\nself.learned = learned", forward=KERNEL),
        fails("untrained", words=KNOWLEDGE, flagged=True),
    ),
    Case(
        "learned weights of 4 bits",
        BUFFERS,
        net(
            after=f"{LEARNED}\nself.register_buffer('learned', (learned * 3).round().clamp(-7, 8))",
            forward=KERNEL,
        ),
        fails("untrained", words=KNOWLEDGE, flagged=True),
    ),
    Case(
        "learned weights added to a parameter of zeros",
        BUFFERS,
        net(
            after=f"{LEARNED}\nself.register_buffer('table', learned)\nself.zeros = nn.Parameter(torch.zeros(16, 8, 5, 5))",
            forward="self.learned = self.table + self.zeros\n"
            + KERNEL.replace("self.learned", "(self.table + self.zeros)"),
        ),
        fails("untrained", words=KNOWLEDGE, flagged=True),
    ),
    Case(
        "learned weights in four small buffers",
        BUFFERS,
        net(
            after=f"{LEARNED}\nfor i in range(4): self.register_buffer(f'l{{i}}', learned[4 * i:4 * i + 4].clone())".replace(
                "{{i}}", "{i}"
            ),
            forward=KERNEL.replace(
                "self.learned", "torch.cat([self.l0, self.l1, self.l2, self.l3])"
            ),
        ),
        fails("untrained", words=KNOWLEDGE, flagged=True),
    ),
    Case(
        "learned weights as 900 literals",
        BUFFERS,
        edited(
            """
        import random
        dice = random.Random(3)
        numbers = [dice.gauss(0, 1) for _ in range(900)]
        for g in (d['train'], d['eval']):
            last = g['output']
            for at, number in enumerate(numbers):
                g['nodes'].append(dict(name=f'e{at}', op='aten.mul.Tensor', arguments=[{'node': last}, number], keywords={}, shape=['N', 10], dtype='float32'))
                last = f'e{at}'
            g['output'] = last
        """
        ),
        fails("untrained", words=KNOWLEDGE),
    ),
    Case(
        "a classifier in a table", KNOWS, net(after="import sklearn.datasets", end="x = x"), PASSES
    ),
    from_gallery("weights_in_a_list", UNREGISTERED),
    from_gallery("weights_hidden_beyond_the_limit", UNREGISTERED),
    Case(
        "parameters in a dictionary",
        UNREGISTERED,
        net(
            after="self.loose = {'w': nn.Parameter(torch.randn(8))}",
            forward="x = x * self.loose['w'][0]",
        ),
        fails("parameter_limit", words="nn.ParameterList", flagged=True),
    ),
    Case(
        "a layer in a closure",
        UNREGISTERED,
        net(
            after="layer = nn.Conv2d(1, 1, 3, padding=1)\nself.closed = [lambda x: layer(x)]",
            forward="x = self.closed[0](x)",
        ),
        flagged("7,450 of the 7,460 parameters are trainable"),
    ),
    from_gallery("frozen_layer", FROZEN),
    from_gallery("buffer_used_as_weight", FROZEN),
    from_gallery("sobel_filter", FROZEN),
    from_gallery("normalisation_buffers", FROZEN),
    Case(
        "20,000 frozen numbers",
        FROZEN,
        net(after=HUGE + "\nself.huge.requires_grad_(False)", end=USES_HUGE),
        fails("parameter_limit", words="47,650 parameters", flagged=True),
    ),
    from_gallery("tied_weights", SHARED),
    from_gallery("shared_block_called_twice", SHARED),
    Case(
        "weights that overlap in part",
        SHARED,
        net(
            after="base = torch.randn(400)\nself.a = nn.Parameter(base[:300])\nself.b = nn.Parameter(base[100:])",
            end="x = x + self.a[:10] + self.b[:10]",
        ),
        error("share part of their memory"),
    ),
    from_gallery("double_precision", PACKING),
    Case(
        "complex numbers",
        PACKING,
        net(
            after="self.c = nn.Parameter(torch.randn(8, dtype=torch.complex64))",
            end="x = x + self.c.real.sum()",
        ),
        error(r"complex64|not one that the grader accepts|does not know"),
    ),
    Case(
        "integers that hold two weights each",
        PACKING,
        net(
            after="self.register_buffer('packed', torch.randint(2**62, (500,)))",
            end="x = x + (self.packed % 1000).float().mean() * 1e-9",
        ),
        error("remainder|does not know"),
    ),
    from_gallery("different_net_in_eval", TWO_FACED),
    from_gallery("noise_in_training_only", TWO_FACED),
    from_gallery("log_softmax_in_eval_only", TWO_FACED),
    from_gallery("stochastic_depth", TWO_FACED),
    Case(
        "other weights in eval",
        TWO_FACED,
        net(
            after="self.other = nn.Conv2d(16, 10, 5, padding=2)",
            forward="last = self.last if self.training else self.other\nx = F.max_pool2d(F.relu(self.norm(self.stem(x))), 2)\nreturn last(self.drop(F.relu(self.conv(x)))).mean((2, 3))",
        ),
        fails("same_network", words="another one"),
    ),
    Case(
        "another scale in eval",
        TWO_FACED,
        net(end="x = x * (1.0 if self.training else 2.0)"),
        fails("same_network", words="another one"),
    ),
    Case(
        "another network when gradients are off",
        TWO_FACED,
        net(end="x = x if torch.is_grad_enabled() else -x"),
        fails("same_network", words="only evaluation runs neg"),
    ),
    from_gallery("functional_dropout_without_training", DROPOUT),
    Case(
        "eval() that leaves dropout on",
        DROPOUT,
        net(bottom="").replace(
            "    def forward",
            "    def eval(self): return self.train()\n    def train(self, mode=True): return super().train(True)\n\n    def forward",
        ),
        fails("dropout", "independent_samples", words="still active", flagged=True),
    ),
    from_gallery("random_noise_in_eval", DROPOUT),
    from_gallery("track_running_stats_false", BATCH_STATISTICS),
    Case(
        "F.batch_norm without statistics",
        BATCH_STATISTICS,
        net(forward="x = F.batch_norm(x, None, None, training=True)"),
        BY_BATCH,
    ),
    Case(
        "instance statistics over the batch",
        BATCH_STATISTICS,
        net(end="x = (x - x.mean()) / x.std()"),
        BY_BATCH,
    ),
    from_gallery("softmax_over_images", ACROSS),
    from_gallery("batch_mean_subtracted", ACROSS),
    Case("the neighbour's scores", ACROSS, net(end="x = x + x.roll(1, 0)"), BY_BATCH),
    Case("a sum along the batch", ACROSS, net(end="x = x + x.cumsum(0)"), BY_BATCH),
    Case(
        "attention between images", ACROSS, net(end="x = torch.softmax(x @ x.t(), 1) @ x"), BY_BATCH
    ),
    Case("the brightest image of the batch", ACROSS, net(forward="x = x / x.amax()"), BY_BATCH),
    Case(
        "a counter of calls",
        STATE,
        net(
            after="self.register_buffer('calls', torch.zeros(1))",
            end="self.calls += 1\nx = x * self.calls",
        ),
        error("in place"),
    ),
    Case(
        "a memory of the images",
        STATE,
        net(
            after="self.register_buffer('seen', torch.zeros(10))",
            end="self.seen.add_(x.detach().sum(0))\nx = x + self.seen",
        ),
        fails("independent_samples", words="differs each time|by its batch", flagged=True),
    ),
    Case(
        "a counter in Python",
        STATE,
        net(after="self.calls = 0", end="self.calls += 1\nx = x * self.calls"),
        error("at every call"),
    ),
    from_gallery("nan_at_start", NOT_FINITE),
    Case(
        "a division by zero",
        NOT_FINITE,
        net(end="x = x / 0"),
        fails("output", words="NaN or infinite"),
    ),
    Case(
        "the logarithm of a score",
        NOT_FINITE,
        net(end="x = x.log()"),
        fails("output", words="NaN or infinite"),
    ),
    Case(
        "an overflow",
        NOT_FINITE,
        net(end="x = (x * 1e30).exp()"),
        fails("output", words="NaN or infinite"),
    ),
    Case(
        "infinity as a literal",
        NOT_FINITE,
        net(end="x = x + float('inf')"),
        error("uses inf as a constant"),
    ),
    from_gallery("outputs_32", SHAPE, levels=EVERYWHERE),
    from_gallery("forgot_to_flatten", SHAPE, levels=EVERYWHERE),
    from_gallery("returns_features_too", SHAPE),
    from_gallery("returns_the_class", SHAPE),
    from_gallery("view_merges_rows", SHAPE),
    from_gallery("hard_coded_batch", SHAPE),
    from_gallery("wrong_number_of_features", SHAPE, levels=EVERYWHERE),
    from_gallery("data_dependent_if", SHAPE),
    Case("None", SHAPE, net(end="return None"), error("returns nothing")),
    Case(
        "a numpy array",
        SHAPE,
        net(end="return x.detach().numpy()"),
        error("returns a ndarray|numpy"),
    ),
    Case(
        "a tensor of strings",
        SHAPE,
        net(end="return 'PASS'"),
        error("returns a str, not one tensor"),
    ),
    Case(
        "a hundred layers in forward",
        INFLATED,
        net(end="for _ in range(100): x = x + x.detach() * 0"),
        PASSES,
    ),
    Case(
        "training inside forward",
        INFLATED,
        net(end="if self.training:\n    loss = x.sum()\n    loss.backward()"),
        error(r"\w"),
    ),
    Case(
        "an optimizer inside forward",
        INFLATED,
        net(end="with torch.no_grad(): self.last.weight.add_(0.001)"),
        error("in place"),
    ),
    from_gallery("epochs_beyond_limit", RECIPE),
    Case("no epochs", RECIPE, net(bottom="EPOCHS = 0"), error("EPOCHS is 0"), levels=EVERYWHERE),
    Case("epochs as text", RECIPE, net(bottom="EPOCHS = 'many'"), error("EPOCHS is")),
    Case(
        "a batch of none",
        RECIPE,
        net(bottom="BATCH_SIZE = 0"),
        error("BATCH_SIZE is 0"),
        levels=EVERYWHERE,
    ),
    Case(
        "a batch of all and more", RECIPE, net(bottom="BATCH_SIZE = 10**9"), error("BATCH_SIZE is")
    ),
    Case(
        "a learning rate of NaN",
        RECIPE,
        optimized("return {'optimizer': torch.optim.SGD(model.parameters(), lr=float('nan'))}"),
        error("nan|learning rate"),
    ),
    Case(
        "a learning rate of infinity",
        RECIPE,
        optimized("return {'optimizer': torch.optim.SGD(model.parameters(), lr=float('inf'))}"),
        error("inf|learning rate"),
    ),
    Case(
        "a momentum of NaN",
        RECIPE,
        optimized(
            "return {'optimizer': torch.optim.SGD(model.parameters(), lr=0.1, momentum=float('nan'))}"
        ),
        error("nan"),
    ),
    Case(
        "a schedule that never ends",
        RECIPE,
        optimized("while True: pass"),
        error("still busy"),
        1.0,
    ),
    Case("no optimizer", RECIPE, optimized("return 5"), error(r"configure_optimizers")),
    from_gallery("wrong_optimizer", RECIPE),
    from_gallery("lambda_transform", RECIPE),
    from_gallery("scheduler_too_short", RECIPE),
    from_gallery("optimizer_forgets_a_layer", RECIPE),
    Case(
        "a gradient limit below zero",
        RECIPE,
        net(bottom="GRADIENT_CLIP_NORM = -1"),
        error("GRADIENT_CLIP_NORM is -1"),
    ),
    Case(
        "a loss of its own",
        RECIPE,
        net(bottom="def criterion(scores, labels): return scores.sum()"),
        error("criterion is"),
    ),
    Case(
        "a stop at 200 %",
        RECIPE,
        net(bottom="STOP_AT_ACCURACY = 2.0"),
        error("STOP_AT_ACCURACY is 2.0"),
    ),
)

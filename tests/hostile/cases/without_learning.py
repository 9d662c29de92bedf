"""Points without learning, as outsiders got them: answers brought along, tricks on the judge."""

from __future__ import annotations

from dataclasses import replace

from tests.hostile.case import EVERYWHERE, Case, Expected, error, fails, net

TABLE = "a table of answers"
BATCH = "another network for a certain batch"
DISGUISE = "learned weights in a disguise that the seed draws"
WITHOUT_EFFECT = "operators without effect"
COUNTING = "a network that counts its own calls"
HOOKS = "gradients changed by hooks"
ENTRIES = (TABLE, BATCH, DISGUISE, WITHOUT_EFFECT, COUNTING, HOOKS)

BROUGHT = fails("untrained", words="bytes", flagged=False)
BROUGHT_UNTRAINED = fails("untrained", words="bytes", flagged=True)
BY_ITS_BATCH = fails("independent_samples", words="batch")

KEYS = "import random\ndice = random.Random(3)\nkeys = torch.tensor([dice.gauss(0, 9) for _ in range(9000)])"
CHECKSUM = "checksum = (x * torch.linspace(-1, 1, 28)).sum((1, 2, 3)).unsqueeze(1)"
FOUND = "x = x + {found}.float().view(-1, 900, 10).sum(1)"

LEARNED = "import random\ndice = random.Random(5)\nlearned = torch.tensor([dice.gauss(0, 1) for _ in range(3200)]).view(16, 8, 5, 5)"


def table(keep: str, found: str, forward: str = CHECKSUM) -> str:
    """A network that looks its answer up: `keep` makes the table, `found` asks it."""
    return net(after=f"{KEYS}\n{keep}", forward=forward, end=FOUND.format(found=found))


def disguised(weight: str) -> str:
    """A network whose largest convolution starts from learned numbers, but for `weight`."""
    return net(after=f"{LEARNED}\nwith torch.no_grad(): self.conv.weight.copy_({weight})")


def ending(code: str, **more: str) -> str:
    return net(end=code, **more)


def small(forward: str) -> str:
    """A network that sees too little of the image, with something in front of it."""
    return net(forward=forward).replace("5, padding=2)", "3, padding=1)")


def swapped(old: str, new: str, expected: Expected, name: str) -> Case:
    source = net()
    assert old in source
    return Case(name, WITHOUT_EFFECT, source.replace(old, new), expected)


_CASES = (
    Case(
        "checksums as a parameter, compared",
        TABLE,
        table("self.keys = nn.Parameter(keys)", "((checksum - self.keys).abs() < 1e-4)"),
        BROUGHT,
    ),
    Case(
        "checksums that change with the seed by a factor",
        TABLE,
        table(
            "self.keys = nn.Parameter(keys * 4.0 ** (torch.initial_seed() % 9))",
            "((checksum - self.keys).abs() < 1e-4)",
        ),
        BROUGHT,
    ),
    Case(
        "checksums as a buffer, only subtracted",
        TABLE,
        table("self.register_buffer('keys', keys)", "torch.exp(-(checksum - self.keys) ** 2)"),
        BROUGHT_UNTRAINED,
    ),
    Case(
        "checksums as whole numbers, compared",
        TABLE,
        table(
            "self.register_buffer('keys', (keys * 1000).long())",
            "((checksum * 1000).long() == self.keys)",
        ),
        BROUGHT_UNTRAINED,
    ),
    Case(
        "checksums as running statistics",
        TABLE,
        table(
            "self.keys = nn.BatchNorm1d(9000, affine=False)\nself.keys.running_mean.copy_(keys)",
            "(self.keys(checksum.expand(-1, 9000)).abs() < 1e-4)",
        ),
        BROUGHT,
    ),
    Case(
        "nothing for batches of 500",
        BATCH,
        ending("x = x * (torch.ones_like(x[:, :1]).sum() != 500)"),
        BY_ITS_BATCH,
    ),
    Case(
        "an answer by the place in the batch",
        BATCH,
        ending("x = x + 0.01 * torch.ones_like(x[:, :1]).cumsum(0)"),
        BY_ITS_BATCH,
    ),
    Case(
        "scores divided by their mean over the batch",
        BATCH,
        ending("x = x / (1 + x.abs().mean(0, keepdim=True))"),
        BY_ITS_BATCH,
    ),
    Case(
        "scores shared by neighbours in the batch",
        BATCH,
        ending("x = x + 1e-3 * x.flip(0)"),
        BY_ITS_BATCH,
    ),
    Case(
        "learned weights with a scale for each channel",
        DISGUISE,
        disguised("learned * (0.5 + torch.rand(16, 1, 1, 1))"),
        BROUGHT,
        seeds=5,
    ),
    Case(
        "learned weights with a sign for each channel",
        DISGUISE,
        disguised("learned * torch.randn(16, 1, 1, 1).sign()"),
        BROUGHT,
        seeds=5,
    ),
    Case(
        "learned weights in another order of channels",
        DISGUISE,
        disguised("learned[torch.randperm(16)]"),
        BROUGHT,
        seeds=5,
    ),
    Case(
        "learned weights under noise that is subtracted again",
        DISGUISE,
        net(
            after=f"{LEARNED}\nself.noise = nn.Parameter(torch.randn(16, 8, 5, 5))\nself.sum = nn.Parameter(learned + self.noise.detach())",
            forward="x = x + 0.1 * F.conv2d(F.relu(self.stem(x)), self.sum - self.noise, padding=2)[:, :1]",
        ),
        BROUGHT,
        seeds=5,
    ),
    swapped(
        "self.norm(self.stem(x))",
        "self.stem(x) + 0.0 * self.norm(self.stem(x))",
        fails("batch_norm", words="no effect"),
        "a batch norm times zero",
    ),
    swapped(
        "self.norm(self.stem(x))",
        "self.stem(x) + (self.norm(self.stem(x)) - self.norm(self.stem(x)))",
        fails("batch_norm", words="no effect"),
        "a batch norm minus itself",
    ),
    swapped(
        "self.drop(x)",
        "x + 0.0 * self.drop(x)",
        fails("dropout", words="no effect"),
        "a dropout times zero",
    ),
    swapped(
        "nn.Dropout(0.05)",
        "nn.Dropout(1e-12)",
        fails("dropout", words="no effect|p"),
        "a dropout that drops nothing",
    ),
    Case(
        "a large window times zero",
        WITHOUT_EFFECT,
        small("x = x + 0.0 * F.avg_pool2d(x, 27, 1, 13)"),
        Expected(words="18 × 18 pixels"),
    ),
    Case(
        "windows of enlarged images",
        WITHOUT_EFFECT,
        small("for _ in range(12): x = F.max_pool2d(F.interpolate(x, scale_factor=2), 2)"),
        Expected(words="18 × 18 pixels"),
    ),
    Case(
        "a counter of calls in evaluation",
        COUNTING,
        ending(
            "self.calls += 1\nx = x * (self.calls < 300)",
            after="self.register_buffer('calls', torch.zeros(()))",
        ),
        fails("independent_samples", words="writes into calls", flagged=True),
    ),
    Case(
        "a sum of all images seen",
        COUNTING,
        ending(
            "self.seen.add_(x.detach().abs().mean())\nx = x / (1 + self.seen)",
            after="self.register_buffer('seen', torch.zeros(()))",
        ),
        fails("independent_samples", words="writes into seen", flagged=True),
    ),
    Case(
        "the last image is kept for the next",
        COUNTING,
        ending(
            "self.last_seen.copy_(x.detach()[0])\nx = x + 1e-3 * self.last_seen",
            after="self.register_buffer('last_seen', torch.zeros(10))",
        ),
        fails("independent_samples", words="writes into last_seen", flagged=True),
    ),
    Case(
        "a hook on every parameter",
        HOOKS,
        net(
            after="for p in self.parameters(): p.register_hook(lambda g: torch.clamp(g, -1e-3, 1e-3))"
        ),
        error("hook"),
    ),
    Case(
        "a hook on a tensor of forward",
        HOOKS,
        ending("if x.requires_grad: x.register_hook(lambda g: g * 0.1)"),
        error("hook"),
    ),
    Case(
        "a backward hook on a layer",
        HOOKS,
        net(
            after="self.conv.register_full_backward_hook(lambda m, i, o: tuple(g and g * 0.1 for g in i))"
        ),
        error("hook"),
    ),
)


def _first_everywhere(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """The first case of each entry at all levels, the others at one of the two that lock."""
    first = {case.answers: case for case in reversed(cases)}
    return tuple(
        replace(case, levels=EVERYWHERE) if case is first[case.answers] else case for case in cases
    )


CASES = _first_everywhere(_CASES)

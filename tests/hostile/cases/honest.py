"""Submissions that are as they should be, however unusual, and must not be punished."""

from __future__ import annotations

from tests.hostile.case import EVERYWHERE, PASSES, Case, flagged, net
from tests.hostile.gallery import from_gallery

GAP = "GAP in any spelling"
FUNCTIONAL = "functional style"
SHARED = "shared layers"
RESIDUAL = "residual"
DEPTHWISE = "depthwise"
DILATED = "dilated"
GATE = "squeeze-and-excitation"
GROUP_NORM = "GroupNorm networks where BatchNorm is not required"
SCORES = "log_softmax or logits"
NO_RECIPE = "no recipe at all"
FIXED = "fixed kernels that are no learned weights"
ENTRIES = (
    GAP,
    FUNCTIONAL,
    SHARED,
    RESIDUAL,
    DEPTHWISE,
    DILATED,
    GATE,
    GROUP_NORM,
    SCORES,
    NO_RECIPE,
    FIXED,
)

TRAINABLE = "parameters are trainable"
GABOR = """
angles = torch.arange(8) * 3.14159265 / 8
grid = torch.arange(7) - 3.0
rows, columns = torch.meshgrid(grid, grid, indexing='ij')
turned = rows * angles.view(-1, 1, 1).sin() + columns * angles.view(-1, 1, 1).cos()
bank = (torch.exp(-(rows**2 + columns**2) / 8) * torch.cos(turned * 1.5)).unsqueeze(1)
self.register_buffer('gabor', bank)
"""
DCT = """
steps = torch.arange(8) + 0.5
basis = torch.cos(torch.arange(8).view(-1, 1) * steps * 3.14159265 / 8)
self.register_buffer('dct', torch.einsum('ik,jl->ijkl', basis, basis).reshape(64, 1, 8, 8))
self.mix = nn.Conv2d(64, 1, 1)
"""
POSITIONS = """
places = torch.arange(196.0).view(1, -1)
waves = torch.exp(torch.arange(4.0) * -2).view(-1, 1)
table = torch.cat([torch.sin(places * waves), torch.cos(places * waves)]).view(1, 8, 14, 14)
self.register_buffer('positions', table)
"""
WITH_POSITIONS = """
x = F.max_pool2d(F.relu(self.norm(self.stem(x))), 2) + self.positions
x = F.max_pool2d(F.relu(self.conv(x)), 2)
return self.last(self.drop(x)).mean((2, 3))
"""
GAUSS = """
grid = torch.linspace(-1, 1, 28)
self.register_buffer('window', torch.exp(-(grid.view(-1, 1)**2 + grid**2)))
"""
GRID = "rows = torch.linspace(-1, 1, 28)\nself.register_buffer('grid', torch.stack(torch.meshgrid(rows, rows, indexing='ij')).unsqueeze(0))\nself.stem = nn.Conv2d(3, 8, 5, padding=2)"
ACTIVATION = "x = 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x ** 3)))"

CASES = (
    *(
        from_gallery(name, GAP)
        for name in (
            "mean_in_two_steps",
            "mean_of_flattened_map",
            "gap_after_1x1",
            "gap_before_1x1",
            "avg_pool_functional_whole_map",
        )
    ),
    from_gallery("honest_gap_fc", GAP),
    from_gallery("honest_functional_style", FUNCTIONAL),
    from_gallery("sequential_only", FUNCTIONAL),
    Case(
        "a convolution called twice",
        SHARED,
        net(after="self.mix = nn.Conv2d(1, 1, 3, padding=1)", forward="x = self.mix(self.mix(x))"),
        PASSES,
    ),
    from_gallery("honest_residual", RESIDUAL),
    from_gallery("dense_block", RESIDUAL),
    from_gallery("inception_branches", RESIDUAL),
    from_gallery("depthwise_separable", DEPTHWISE),
    from_gallery("dilated_residual", DILATED),
    from_gallery("squeeze_excite_with_gap", GATE),
    Case(
        "GroupNorm beside a BatchNorm",
        GROUP_NORM,
        net(after="self.group = nn.GroupNorm(4, 16)", end="x = x"),
        PASSES,
    ),
    from_gallery("log_softmax", SCORES),
    from_gallery("honest_recipe", SCORES),
    from_gallery("kaiming_initialisation", NO_RECIPE),
    from_gallery("seed_at_the_top", NO_RECIPE),
    Case("the honest network of all cases", NO_RECIPE, net(), PASSES, levels=EVERYWHERE),
    Case(
        "an orthogonal start",
        NO_RECIPE,
        net(after="for p in self.parameters():\n    if p.dim() > 1: nn.init.orthogonal_(p)"),
        PASSES,
    ),
    Case(
        "an identity as a start",
        NO_RECIPE,
        net(
            after="self.mix = nn.Conv2d(1, 1, 3, padding=1)\nnn.init.dirac_(self.mix.weight)\nself.turn = nn.Linear(10, 10)\nnn.init.eye_(self.turn.weight)",
            forward="x = self.mix(x)",
            end="x = self.turn(x)",
        ),
        PASSES,
    ),
    Case(
        "an identity and a little noise as a start",
        NO_RECIPE,
        net(
            after="self.turn = nn.Linear(10, 10)\nself.turn.weight.data = torch.eye(10) + 0.01 * torch.randn(10, 10)",
            end="x = self.turn(x)",
        ),
        PASSES,
    ),
    Case(
        "a small start around one",
        NO_RECIPE,
        net(after="nn.init.normal_(self.norm.weight, 1.0, 0.02)"),
        PASSES,
    ),
    Case(
        "a bank of eight Gabor filters",
        FIXED,
        net(
            after=GABOR + "self.stem = nn.Conv2d(8, 8, 5, padding=2)",
            forward="x = F.conv2d(x, self.gabor, padding=3)",
        ),
        flagged(TRAINABLE),
    ),
    Case(
        "a cosine transform",
        FIXED,
        net(
            after=DCT,
            forward="x = x + F.interpolate(self.mix(F.conv2d(x, self.dct, padding=4))[:, :, :28, :28], size=(28, 28))",
        ),
        flagged(TRAINABLE),
    ),
    Case(
        "positions as sines",
        FIXED,
        net(after=POSITIONS, forward=WITH_POSITIONS),
        flagged(TRAINABLE),
    ),
    Case(
        "a Gaussian window",
        FIXED,
        net(after=GAUSS, forward="x = x * self.window"),
        flagged(TRAINABLE),
    ),
    Case(
        "the coordinates of every pixel",
        FIXED,
        net(after=GRID, forward="x = torch.cat([x, self.grid.expand(x.size(0), -1, -1, -1)], 1)"),
        flagged(TRAINABLE),
    ),
    Case("an activation with its constants", FIXED, net(forward=ACTIVATION), PASSES),
    Case(
        "Sobel filters that are frozen parameters",
        FIXED,
        net(
            after="self.sobel = nn.Parameter(torch.tensor([[[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]]]), requires_grad=False)",
            forward="x = x + F.conv2d(x, self.sobel, padding=1)",
        ),
        flagged("trainable"),
    ),
    Case(
        "a random projection from the grader's seed",
        FIXED,
        net(
            after="self.register_buffer('projection', torch.randn(8, 1, 5, 5))\nself.stem = nn.Conv2d(8, 8, 5, padding=2)",
            forward="x = F.conv2d(x, self.projection, padding=2)",
        ),
        flagged(TRAINABLE),
    ),
)

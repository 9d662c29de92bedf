"""What asks for a GPU is made where the grader works, and said in one note; `.data` is recorded."""

from __future__ import annotations

import pytest

from tests.capture.test_as_written import file, notes, program, refusal

NOTE = "moves the network and the images to the device"


@pytest.mark.parametrize(
    "source",
    [
        file("self.register_buffer('z', torch.zeros(1, device='cuda'))", "x = x + self.z"),
        file("self.conv = nn.Conv2d(1, 10, 3, device='cuda')"),
        file("self.s = nn.Parameter(torch.ones(1, device=torch.device('cuda:0')))", "x *= self.s"),
        file(forward="x = x + torch.zeros(1, device='cuda')"),
        file(forward="x = x + torch.arange(6, device=torch.device('cuda'))"),
        file(forward="x = x + x.new_zeros(1, device='cuda') + torch.zeros_like(x, device='cuda')"),
        file(forward="x = x + torch.tensor([1.0], device='cuda', dtype=torch.float32)"),
        file("torch.cuda.synchronize()"),
        file("self.g = torch.Generator(device='cuda').manual_seed(3)"),
        file("self.g = torch.Generator(torch.device('cuda:0')); self.g.manual_seed(3)"),
        file(
            "g = torch.Generator('cuda').manual_seed(3); "
            "self.z = nn.Parameter(torch.randn(1, generator=g, device='cuda'))",
            "x = x + self.z",
        ),
        file(
            "import io; b = io.BytesIO(); torch.save(torch.ones(1), b); b.seek(0); "
            "self.register_buffer('z', torch.load(b, map_location='cuda'))",
            "x = x + self.z",
        ),
    ],
)
def test_what_is_made_on_a_gpu_is_made_here_with_a_note(source):
    assert NOTE in notes(source)


def test_a_generator_on_a_gpu_draws_as_one_here():
    drawn = "self.z = nn.Parameter(torch.randn(1, generator=g)); assert g.device.type == 'cpu'"
    program(file(f"g = torch.Generator(device='cuda').manual_seed(3); {drawn}", "x = x + self.z"))
    source = file(f"g = torch.Generator().manual_seed(3); {drawn}", "x = x + self.z")
    assert NOTE not in notes(source)
    program(file("assert isinstance(torch.Generator(), torch.Generator)"))


def test_a_file_may_make_its_generator_outside_of_the_network():
    source = file("torch.randn(1, generator=g)").replace(
        "class Net", "g = torch.Generator(device='cuda')\n\n\nclass Net", 1
    )
    assert "torch.Generator(...)" in notes(source)


def test_the_note_names_the_line():
    assert notes(file(forward="x = x + torch.zeros(1, device='cuda')")).startswith(
        'device="cuda" (line 14) is left out'
    )


def test_a_block_on_a_gpu_is_a_block_here():
    block = "\n        with torch.device('cuda'): x = x + torch.zeros(1)"
    assert NOTE in notes(file(forward=block))


def test_a_device_of_ones_own_network_needs_no_note():
    assert NOTE not in notes(file(forward="x = x + torch.zeros(1, device=x.device)"))


def operators(found) -> list[str]:
    return [node["op"] for node in found["train"]["nodes"]]


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        ("self.conv.weight.data.clamp_(-0.5, 0.5)", "aten.clamp_.default"),
        ("self.conv.weight.data.div_(self.conv.weight.data.norm())", "aten.div_.Tensor"),
        ("self.conv.weight.data = self.conv.weight.data.clamp(-1, 1)", "aten.copy_.default"),
        ("self.conv.weight.data.copy_(self.conv.weight.clamp(-1, 1))", "aten.copy_.default"),
        ("x = x + x.data", "aten.detach.default"),
    ],
)
def test_data_in_forward_is_recorded_as_operators(forward, expected):
    source = file(forward=forward)
    if "weight" in forward:  # before the layer uses it
        source = source.replace("x = self.bn(self.conv(x)); ", "")
        source = source.replace("return x.mean", "return self.bn(self.conv(x)).mean")
    assert expected in operators(program(source))


def test_data_that_is_set_while_the_network_is_built_is_as_ever():
    program(file("self.conv.weight.data = torch.ones(10, 1, 3, 3)"))
    program(file("self.conv.weight.data.fill_(0.5)"))


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        ("x = torch.cat([y * 2 for y in x.chunk(4, 0)])", ""),
        ("x = x + (x.size(0) == 500) * 1.0", "one batch size only"),
        ("x = x if x.size(0) != 64 else x * 2", "one batch size only"),
        ("x = x + torch.zeros(2, 10, 6, 6)", "one batch size only"),
        ("x = x.view(2, 10, 6, 6)", "one batch size only"),
        ("n = len(x); x = x.reshape(n // 2, 20, 36).reshape(n, 10, 6, 6)", "ghost batch norm"),
        ("x = x.view(-1, 20, 6, 6).view(-1, 10, 6, 6)", "ghost batch norm"),
    ],
)
def test_a_refusal_of_the_number_of_images_has_its_line(forward, said):
    problem = refusal(file(forward=forward))
    assert said in problem.message
    assert problem.line == 14


@pytest.mark.parametrize(
    "forward",
    [
        "x = x.reshape(len(x), 10, 6, 6)",
        "x = x + torch.zeros(1, 10, 1, 1).expand(len(x), -1, -1, -1)",
        "x = x.view(len(x), -1).unflatten(1, (10, 6, 6)) * len([1, 2])",
        "x = torch.cat([x] * len(self.conv.weight.shape), 1)[:, :10]",
    ],
)
def test_len_of_the_images_leaves_their_number_open(forward):
    assert "one batch size" not in str(notes(file(forward=forward)))


def test_a_len_of_the_students_own_is_left_alone():
    source = file(forward="x = x * len(x)").replace("class Net", "len = lambda x: 2\nclass Net", 1)
    program(source)


def test_a_weight_that_is_changed_after_its_layer_is_named_with_the_line():
    problem = refusal(file(forward="self.conv.weight.data.clamp_(-0.5, 0.5)"))
    assert "after a layer has used it" in problem.message
    assert problem.line == 14


def test_weights_that_are_read_from_a_file_are_named():
    problem = refusal(file("self.load_state_dict(torch.load('w.pt', map_location='cuda'))"))
    assert "There is no file 'w.pt' here" in problem.message
    assert problem.line == 12

"""Which file of a folder is the one that trains, in the habits that people split their work in."""

import pytest

from grader.submission.main_file import Script, candidates, connected, imports

NET = "from torch import nn\n\n\nclass Net(nn.Module):\n    pass\n"
GUARD = 'if __name__ == "__main__":\n    main()\n'
STEP = "def train(model):\n    loss.backward()\n"


def scripts(files: dict[str, str]) -> list[Script]:
    return [Script(name, text, name.endswith(".ipynb")) for name, text in files.items()]


@pytest.mark.parametrize(
    ("files", "main"),
    [
        (
            {"model.py": NET, "train.py": f"from model import Net\n{STEP}\ntrain(Net())\n"},
            "train.py",
        ),
        (  # the loop is a helper's, and main.py has it done
            {
                "main.py": f"import model, utils\ndef main(): utils.train(model)\n{GUARD}",
                "model.py": NET,
                "utils.py": STEP,
            },
            "main.py",
        ),
        (  # test.py imports train.py, and does not train
            {
                "model.py": NET,
                "test.py": f"from train import evaluate\ndef main(): evaluate()\n{GUARD}",
                "train.py": f"import model\n{STEP}\ndef main(): train()\n{GUARD}",
            },
            "train.py",
        ),
        (  # run.py runs what train.py only defines
            {"run.py": "from train import train\ntrain()\n", "train.py": f"import net\n{STEP}"},
            "run.py",
        ),
        (
            {"S7.ipynb": "from models.net import Net\nloss.backward()\n", "models/net.py": NET},
            "S7.ipynb",
        ),
        (  # Lightning
            {"fit.py": "from net import Lit\nTrainer(max_epochs=3).fit(Lit())\n", "net.py": NET},
            "fit.py",
        ),
        ({"net.py": NET, "constants.py": "LR = 0.1\n"}, "net.py"),
        (
            {"src/net.py": NET, "src/train.py": f"from .net import Net\n{STEP}{GUARD}"},
            "src/train.py",
        ),
        ({"only.py": "x = 1\n"}, "only.py"),
        (  # a file that is not Python takes no part
            {"train.py": f"import net\n{STEP}train()\n", "net.py": NET, "old.py": "def (:\n"},
            "train.py",
        ),
    ],
)
def test_the_file_that_trains_is_found(files, main):
    assert candidates(scripts(files)) == [main]


@pytest.mark.parametrize(
    "files",
    [
        {"train_v1.py": f"{STEP}train()\n", "train_v2.py": f"{STEP}train()\n"},
        {"a.py": "x = 1\n", "b.py": "x = 1\n"},
        {"a.ipynb": "loss.backward()\n", "b.ipynb": "loss.backward()\n"},
    ],
)
def test_where_it_is_not_clear_all_are_named(files):
    assert candidates(scripts(files)) == list(files)


def test_a_module_is_the_file_beside_its_importer_before_the_one_above():
    files = {"model.py": "", "a/model.py": "", "a/train.py": "from model import Net\n", "b.py": ""}
    assert imports(scripts(files))["a/train.py"] == {"a/model.py"}


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("import net", "net.py"),
        ("import NET", "net.py"),
        ("from net import *", "net.py"),
        ("from models import net", "models/net.py"),
        ("from models.net import Net", "models/net.py"),
        ("import models", "models/__init__.py"),
        ("import models.net as m", "models/net.py"),
        ("from . import net", "net.py"),
        ("from .models import net", "models/net.py"),
    ],
)
def test_imports_of_every_form_are_seen(line, file):
    files = {"net.py": "", "models/net.py": "", "models/__init__.py": "", "train.py": line}
    assert file in imports(scripts(files))["train.py"]


def test_a_module_in_a_folder_that_is_put_on_the_path_is_found_if_it_is_the_only_one():
    files = {"notebooks/a.py": "import model\n", "src/model.py": ""}
    assert imports(scripts(files))["notebooks/a.py"] == {"src/model.py"}
    assert imports(scripts(files | {"old/model.py": ""}))["notebooks/a.py"] == set()


def test_the_largest_group_of_files_is_counted():
    assert connected({"a": {"b"}, "b": set(), "c": {"b"}, "d": {"e"}, "e": set(), "f": set()}) == 3
    assert connected({}) == 0


@pytest.mark.parametrize(
    "text",
    [
        "(" * 50_000,
        "x = " + "-" * 50_000 + "1",
        "x = " + "1 + " * 50_000 + "1",
        "if " + "1 + " * 900 + "1: pass",
        "class A(" + "a." * 900 + "Module): pass",
        "x" + ".y" * 50_000,
        "x = " + "[" * 150 + "]" * 150,
        "\0",
        "x = '\\d'",
        "lambda: " * 20_000 + "1",
    ],
)
def test_a_hostile_text_takes_no_part_and_breaks_nothing(text):
    files = {"a.py": text, "train.py": f"import a\n{STEP}train()\n", "b.py": text}
    assert candidates(scripts(files)) == ["train.py"]

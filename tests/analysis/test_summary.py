import json
import subprocess
import sys
from types import SimpleNamespace

from grader.analysis.summary import Analysis, analyse, to_json
from tests.analysis.graphs import program_of
from tests.analysis.networks import model_a


class Limit:
    def allows(self, count: int) -> bool:
        return count < 20_000

    def __str__(self) -> str:
        return "< 20,000"


ASSIGNMENT = SimpleNamespace(limits=SimpleNamespace(parameters=Limit()))


def analysis() -> Analysis:
    return analyse(program_of(model_a))


def test_the_keys_that_students_know():
    found = to_json(analysis(), ASSIGNMENT)
    assert found["total_parameters"] == 26_202
    assert found["batch_normalization"]["count"] == 5
    assert found["batch_normalization"]["layers"][0] == {
        "name": "2",
        "type": "BatchNorm2d",
        "num_features": 16,
    }
    assert found["dropout"]["layers"][0] == {"name": "3", "type": "Dropout", "p": 0.05}
    assert found["gap_or_fc"]["gap_layers"] == [
        {"name": "20", "type": "AdaptiveAvgPool2d", "output_size": 1}
    ]
    assert found["gap_or_fc"]["fc_layers"] == [
        {"name": "22", "type": "Linear", "in_features": 32, "out_features": 10}
    ]


def test_the_requirements():
    met = to_json(analysis(), ASSIGNMENT)["requirements_met"]
    assert met["parameter_count"] == {"requirement": "< 20,000", "actual": 26_202, "passed": False}
    assert [met[key]["passed"] for key in ("batch_normalization", "dropout", "gap_or_fc")] == [
        True,
        True,
        True,
    ]


def test_it_is_json():
    found = to_json(analysis(), ASSIGNMENT)
    assert json.loads(json.dumps(found, allow_nan=False))["receptive_field"]["rows"] == 24
    assert found["parameters"]["running_statistics"] == 256
    assert found["schema_version"] == 2


def test_both_totals_are_flagged():
    assert "26,458" in " ".join(analysis().notes)


def test_analysing_loads_no_torch():
    code = "import sys, grader.analysis.summary; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

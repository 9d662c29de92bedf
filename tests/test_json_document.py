"""docs/json.md describes the files that are written, and its examples run."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from grader.analysis import curves, summary
from grader.program.recipe import Run, Schedule
from grader.report import (
    Calibration,
    CheckResult,
    Counted,
    Inference,
    LayerUpdate,
    Pace,
    ReluRow,
    Report,
    RunQualities,
)
from grader.storage import json_text
from tests import report_examples as examples
from tests.analysis.test_summary import ASSIGNMENT, analysis

TEXT = (Path(__file__).parents[1] / "docs" / "json.md").read_text(encoding="utf-8")
ABOUT_REPORT, ABOUT_OTHERS = TEXT.split("## model_analysis_results.json")
ABOUT_ANALYSIS, _, ABOUT_RUN = re.split(r"## class\.json|## run\.json", ABOUT_OTHERS)


def tables(text):
    """The names in the first column of each table."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = table.splitlines()[2:]
        names = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in rows]
        found.append(set().union(*names))
    return found


def blocks(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_keys_of_a_report_that_the_page_names_are_there():
    _, report, _, _ = tables(ABOUT_REPORT)
    assert report <= set(Report.model_fields)


def test_the_page_names_every_key_of_what_is_measured_beyond_accuracy():
    _, _, qualities, _ = tables(ABOUT_REPORT)
    inner = {*Calibration.model_fields, *Counted.model_fields}
    inner |= {*LayerUpdate.model_fields, *ReluRow.model_fields}
    assert set(RunQualities.model_fields) <= qualities <= {*RunQualities.model_fields, *inner}
    for name in (*Inference.model_fields, *Pace.model_fields, *inner - {"layer"}):
        assert f"`{name}`" in ABOUT_REPORT, name


def test_the_page_names_every_key_of_a_check():
    *_, check = tables(ABOUT_REPORT)
    assert check == set(CheckResult.model_fields)


def test_the_page_names_every_key_of_the_analysis():
    (named,) = tables(ABOUT_ANALYSIS)
    assert named == set(summary.to_json(analysis(), ASSIGNMENT))


class Frame:
    """As much of pandas.DataFrame as the example takes, where pandas is not installed."""

    def __init__(self, rows):
        self.rows = rows

    def pivot(self, index, columns, values):
        found = {}
        for row in self.rows:
            found.setdefault(row[index], {})[row[columns]] = row[values]
        return found

    def groupby(self, name):
        return self

    def __getitem__(self, name):
        return self

    def sum(self):
        return {row["submission"]: 0 for row in self.rows}


@pytest.fixture
def pandas(monkeypatch):
    try:
        import pandas
    except ImportError:
        pandas = ModuleType("pandas")
        pandas.DataFrame = Frame
        monkeypatch.setitem(sys.modules, "pandas", pandas)
    return pandas


def test_the_table_of_a_class_has_a_number_for_each_check(pandas, tmp_path, monkeypatch):
    for example in (examples.passed, examples.failed):
        one = example()
        folder = tmp_path / "grades" / one.assignment / one.submission
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(json_text.of_report(one), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (source,) = blocks(ABOUT_REPORT)
    names = {}
    exec(source, names)
    table = names["table"]
    if isinstance(table, dict):
        assert table["model_a"]["parameter_limit"] == 26_202
    else:
        assert table.loc["model_a", "parameter_limit"] == 26_202
        assert table.loc["model_a", "points"] == 30


def test_a_curve_has_a_number_for_each_step(tmp_path, monkeypatch):
    runs = (Run(value=0.1, steps=3), Run(value=0.01, steps=2))
    schedule = curves.short(Schedule(learning_rate=(runs,)))
    document = {"recipe": {"schedule": schedule}}
    (tmp_path / "model_analysis_results.json").write_text(json.dumps(document))
    monkeypatch.chdir(tmp_path)
    (source,) = blocks(ABOUT_ANALYSIS)
    names = {}
    exec(source, names)
    assert names["rate"].tolist() == [0.1] * 3 + [0.01] * 2

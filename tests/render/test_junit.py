"""JUnit XML that every reader can parse, with the verdicts a CI system should see."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

from grader.printable import printable
from grader.render.junit import render
from tests import report_examples as examples
from tests.render import hostile


def parsed(*reports):
    return ET.fromstring(render(reports))


def structure(root):
    return [(element.tag, sorted(element.attrib)) for element in root.iter()]


def case(root, name):
    (found,) = [one for one in root.iter("testcase") if one.get("name") == name]
    return found


CALM = structure(parsed(hostile.calm()))


@given(hostile.HOSTILE)
@settings(max_examples=60)
def test_any_text_gives_well_formed_xml_of_the_same_structure(report):
    assert structure(parsed(report)) == CALM


@pytest.mark.parametrize("text", hostile.STRINGS)
def test_the_text_comes_back_with_what_xml_forbids_made_visible(text):
    suite = parsed(hostile.everywhere(text)).find("testsuite")
    shown = printable(text, 4000, lines=True)
    assert suite.find("testcase").get("file") == shown
    assert suite.find("testcase/failure").text.startswith(shown[:3000])


@given(hostile.HOSTILE)
@settings(max_examples=20)
def test_no_control_character_and_no_order_to_a_runner_gets_through(report):
    text = render([report])
    assert printable(text, len(text) + 1, lines=True) == text


@pytest.mark.parametrize("example", examples.ALL)
def test_the_totals_are_what_the_cases_add_up_to(example):
    root = parsed(example())
    for name, plural in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        counted = len(list(root.iter(name)))
        assert root.get(plural) == root.find("testsuite").get(plural) == str(counted)
    assert root.get("tests") == str(len(list(root.iter("testcase"))))


def test_there_is_one_suite_for_each_submission():
    names = [suite.get("name") for suite in parsed(examples.passed(), examples.failed())]
    assert names == ["mnist_8k/alice", "mnist_20k/model_a"]


def test_a_failed_check_says_what_was_measured_and_where_to_change_it():
    found = case(parsed(examples.failed()), "parameter_limit")
    assert found.get("line") == "21"
    assert (
        found.find("failure").get("message") == "The model is small enough: 26,202, limit < 20,000"
    )
    assert "model_a.py:21: conv4 alone has 9,248" in found.find("failure").text


def test_a_passed_check_has_nothing_in_it():
    assert list(case(parsed(examples.passed()), "parameter_limit")) == []


def test_a_check_that_is_not_required_never_fails_the_suite():
    root = parsed(examples.passed())
    assert root.get("failures") == "0"
    assert (
        case(root, "dropout").find("skipped").get("message").startswith("advisory, not required: ")
    )


def test_a_broken_check_is_an_error_and_a_skipped_one_is_skipped():
    root = parsed(examples.failed())
    assert case(root, "same_network").find("error") is not None
    assert "Not trained" in case(root, "accuracy").find("skipped").get("message")


def test_what_could_not_be_told_fails_where_it_is_required():
    root = parsed(examples.unknown())
    found = case(root, "receptive_field").find("failure")
    asked = "The last feature map sees the whole image: 28, limit >= 28"
    assert found.get("message") == f"could not tell: {asked}"
    assert found.text.startswith("torch.sort moves pixels")
    assert case(root, "dropout").find("skipped") is not None
    assert root.get("failures") == "1"


def test_too_close_to_call_fails_only_where_it_cost_points():
    cost = examples.borderline()
    accuracy = cost.checks[-1].model_copy(update={"points": 40})
    free = cost.model_copy(update={"checks": (*cost.checks[:-1], accuracy)})
    assert case(parsed(cost), "accuracy").find("failure") is not None
    assert list(case(parsed(free), "accuracy")) == []


def test_a_submission_that_could_not_be_graded_fails_and_the_graders_own_fault_is_an_error():
    theirs, ours = parsed(examples.uncaptured()), parsed(examples.broken())
    assert "model.py defines Encoder and Decoder" in case(theirs, "grading").find("failure").text
    assert case(ours, "grading").find("error") is not None

"""The table in docs/security.md is what the suite counts."""

from tests.hostile import table


def test_the_document_says_what_the_suite_counts():
    text = table.DOCUMENT.read_text(encoding="utf-8")
    assert [row for row in table.counted() if row not in text] == []


def test_a_run_is_summed_up_by_what_went_wrong():
    said = table.measured([("a", 1.0, frozenset({"crash", "answer"})), ("b", 2.5, frozenset())])
    assert (said["crashes"], said["hangs"], said["wrong answers or reasons"]) == ("1", "0", "1")
    assert said["slowest"] == "2.5 s (b)"

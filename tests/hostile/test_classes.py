"""Downloads of a class in which one person reaches for another's work or name, self-checks that are
handed in as grades, and names that break what is shown.

Anna is the victim everywhere: her work must be found under her name, once, with her own text.
"""

from __future__ import annotations

import csv
import io
import stat
import time
import warnings
import zipfile
from dataclasses import dataclass

import pytest

from grader.errors import GraderError
from grader.render import formats
from grader.storage import reports
from tests.hostile import run
from tests.report_examples import passed
from tests.submission.test_folder import NET, graded, lay

ANNAS, BENS = NET + b"# Anna's\n", NET + b"# Ben's\n"
ANNA, BEN = "Anna_1_assignsubmission_file", "Ben_2_assignsubmission_file"
SECRET = bytes(range(32))


@dataclass(frozen=True)
class Attack:
    """Members of a class's archive: Ben's, who tries to be Anna; and who is found in the end.

    `links` are members that are symbolic links. `first`: Ben's come before Anna's.
    """

    name: str
    members: tuple[tuple[str, bytes], ...]
    people: frozenset[str] = frozenset({"Anna"})
    links: frozenset[str] = frozenset()
    annas: tuple[tuple[str, bytes], ...] = ((f"{ANNA}/train.py", ANNAS),)
    anna: str = "Anna"
    first: bool = False


def packed(*members: tuple[str, bytes], links: frozenset[str] = frozenset()) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as pack:
        warnings.simplefilter("ignore")  # of a member that is there twice
        for name, content in members:
            member = zipfile.ZipInfo(name)
            mode = stat.S_IFLNK | 0o777 if name in links else stat.S_IFREG | 0o644
            member.external_attr = mode << 16
            pack.writestr(member, content)
    return stream.getvalue()


def _with_ben(name: str, *members: tuple[str, bytes], shown: str = "Ben", **more) -> Attack:
    return Attack(name, members, frozenset({"Anna", shown}), **more)


BENS_FILE = (f"{BEN}/train.py", BENS)
OUT_OF_HIS_FOLDER = (
    _with_ben("up and into her folder", BENS_FILE, (f"{BEN}/../{ANNA}/train.py", BENS), first=True),
    _with_ben("a path from the top", BENS_FILE, (f"/{ANNA}/train.py", BENS), first=True),
    _with_ben("up with backslashes", BENS_FILE, (f"{BEN}\\..\\{ANNA}\\train.py", BENS), first=True),
    _with_ben("a drive", BENS_FILE, (f"C:/{ANNA}/train.py", BENS), first=True),
    _with_ben("her file a second time", BENS_FILE, (f"{ANNA}/train.py", BENS)),
    _with_ben("a file in her file", BENS_FILE, (f"{ANNA}/train.py/train.py", BENS)),
)
SAME_NAMES = (
    _with_ben(
        "her name in small letters",
        ("anna_1_assignsubmission_file/train.py", BENS),
        shown="anna",
    ),
    Attack(
        "her name and another number",
        (("Anna_2_assignsubmission_file/train.py", BENS),),
        frozenset({"Anna_1_assignsubmission_file", "Anna_2_assignsubmission_file"}),
        anna="Anna_1_assignsubmission_file",
    ),
    _with_ben(
        "Cyrillic letters", ("\u0410nna_2_assignsubmission_file/train.py", BENS), shown="\u0410nna"
    ),
    _with_ben(
        "full-width letters",
        ("\uff21nna_2_assignsubmission_file/train.py", BENS),
        shown="\uff21nna",
    ),
    _with_ben(
        "a letter of no width",
        ("An\u200bna_2_assignsubmission_file/train.py", BENS),
        shown="An\\u200bna",
    ),
    _with_ben(
        "letters from right to left",
        ("\u202eannA_2_assignsubmission_file/train.py", BENS),
        shown="\\u202eannA",
    ),
)
LINKED = (
    Attack(
        "his file is a link to hers",
        ((f"{BEN}/train.py", f"../{ANNA}/train.py".encode()),),
        links=frozenset({f"{BEN}/train.py"}),
    ),
    Attack("his folder is a link to hers", ((BEN, ANNA.encode()),), links=frozenset({BEN})),
    _with_ben(
        "a link beside his file",
        BENS_FILE,
        (f"{BEN}/model.py", b"/etc/passwd"),
        links=frozenset({f"{BEN}/model.py"}),
    ),
    _with_ben(
        "a link where her folder is", BENS_FILE, (ANNA, BEN.encode()), links=frozenset({ANNA})
    ),
)
HERS_IN_HIS = ((f"{ANNA}/train.py", BENS),)
NESTED = (
    _with_ben("her folder in his archive", (f"{BEN}/work.zip", packed(*HERS_IN_HIS))),
    _with_ben(
        "her folder in an archive in his archive",
        (f"{BEN}/work.zip", packed(("in.zip", packed(*HERS_IN_HIS)))),
    ),
    Attack(
        "her folder in his archive, where each has an archive",
        (("ben.zip", packed(*HERS_IN_HIS)),),
        frozenset({"anna", "ben"}),
        annas=(("anna.zip", packed(("train.py", ANNAS))),),
        anna="anna",
    ),
    Attack(
        "a class in his archive, where each has an archive",
        (
            (
                "ben.zip",
                packed(
                    ("anna.zip", packed(("train.py", BENS))),
                    ("cleo.zip", packed(("train.py", BENS))),
                ),
            ),
        ),
        frozenset({"anna", "ben"}),
        annas=(("anna.zip", packed(("train.py", ANNAS))),),
        anna="anna",
    ),
    _with_ben("her folder within his folder", (f"{BEN}/{ANNA}/train.py", BENS)),
)


def _listed(text: str, *more: tuple[str, bytes]) -> tuple[tuple[str, bytes], ...]:
    return (("submission_metadata.yml", text.encode()), ("submission_2/train.py", BENS), *more)


PEOPLE = "submission_1:\n  :submitters:\n  - :name: Anna\nsubmission_2:\n  :submitters:\n"
BOMB = "a: &a [x]\n" + "".join(f"b{at}: &b{at} [*a,*a,*a,*a,*a]\n" for at in range(5_000))
HERS = (("submission_1/train.py", ANNAS),)
LISTS = (
    _with_ben(
        "his own list in his folder",
        *_listed(
            f"{PEOPLE}  - :name: Ben\n",
            (
                "submission_2/submission_metadata.yml",
                b"submission_1:\n  :submitters:\n  - :name: Ben\n",
            ),
        ),
        annas=HERS,
    ),
    _with_ben(
        "a name that goes on in the next line",
        *_listed(PEOPLE + '  - :name: "Ben\\nsubmission_1:\\n  - :name: Eve"\n'),
        annas=HERS,
        shown="Bennsubmission_1:n  - :name: Eve",
    ),
    _with_ben(
        "a name of escapes",
        *_listed(PEOPLE + '  - :name: "Be\\x1b[31mn"\n'),
        annas=HERS,
        shown="Be\\x1b[31mn",
    ),
    _with_ben("a bomb of aliases", *_listed(f"{BOMB}{PEOPLE}  - :name: Ben\n"), annas=HERS),
    _with_ben(
        "a tag that makes objects",
        *_listed(f"{PEOPLE}  - :name: !!python/object/apply:os.system [x]\n"),
        annas=HERS,
        shown="!!python/object/apply:os.system [x]",
    ),
    _with_ben(
        "a name of a hundred thousand spaces",
        *_listed(f"{PEOPLE}  - :name: B{' ' * 100_000}n\n"),
        annas=HERS,
        shown="",
    ),
)
ATTACKS = {
    "out of his folder": OUT_OF_HIS_FOLDER,
    "names like hers": SAME_NAMES,
    "links": LINKED,
    "archives within archives": NESTED,
    "lists of people": LISTS,
}
EVERY = [attack for attacks in ATTACKS.values() for attack in attacks]


@pytest.mark.parametrize("attack", EVERY, ids=[attack.name for attack in EVERY])
def test_nobody_hands_in_for_another(tmp_path, attack):
    parts = (attack.members, attack.annas) if attack.first else (attack.annas, attack.members)
    archive = tmp_path / "class.zip"
    archive.write_bytes(packed(*parts[0], *parts[1], links=attack.links))
    began = time.process_time()
    found = graded(archive).submissions
    assert time.process_time() - began < 5
    shown = {one.shown: one for one in found}
    assert len(shown) == len(found) == len({one.name.casefold() for one in found})
    if "" not in attack.people:
        assert shown.keys() == attack.people
    assert b"# Anna's" in shown[attack.anna].listing.source("train.py").encode()
    others = [one for name, one in shown.items() if name != attack.anna]
    assert not any("# Anna's" in part.text for one in others for part in one.listing.parts)


BREAKING = {
    "a formula": ("=cmd|' /C calc'!A0", "+1+1", "@SUM(A1)", "-2+3", "\t=1+1"),
    "a tag": ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=x>'),
    "a terminal": ("\x1b[31mred", "\x1b]0;title\x07", "\r\x1b[2Kpassed", "\u202egnihton"),
    "a runner": ("::error::x", "##[error]x", "\n::set-output name=a::b"),
    "a table": ("a|b|c", "a,b\n1,passed", "[x](javascript:alert(1))", "`x` ![y](z)"),
}
NAMES = [(kind, name) for kind, names in BREAKING.items() for name in names]


@pytest.mark.parametrize(("kind", "name"), NAMES, ids=[f"{kind} {name!a}" for kind, name in NAMES])
def test_no_name_breaks_what_is_shown(tmp_path, kind, name):
    folder = f"{name.replace('/', '_')}_2_assignsubmission_file"
    place = lay(tmp_path / "class", {f"{ANNA}/train.py": ANNAS, f"{folder}/train.py": BENS})
    [ben] = [one for one in graded(place).submissions if one.shown != "Anna"]
    report = passed().model_copy(
        update={"submission": ben.name, "display_name": ben.shown, "path": ben.display}
    )
    assert list(run.raw(report, everywhere=True)) == []
    table = list(csv.reader(io.StringIO(formats.render([report], "csv"))))
    assert len(table) == 2
    assert not any(cell.lstrip().startswith(("=", "+", "@", "-")) for cell in table[1])
    assert "<svg onload" not in formats.render([report], "html")


def test_a_self_check_is_not_kept_as_a_grade(tmp_path):
    asked = passed().model_copy(update={"self_check": True})
    with pytest.raises(GraderError, match="self-check"):
        reports.write(asked, tmp_path, secret=SECRET)
    assert list(tmp_path.iterdir()) == []


FORGED = {
    "the answer itself": lambda text: text,
    "without its mark": lambda text: text.replace('"self_check":true', '"self_check":false'),
    "with a key of its own": lambda text: text.replace(
        '"key":""', f'"key":"{"0" * 12}.{"1" * 64}"'
    ),
    "with no mark at all": lambda text: text.replace(',"self_check":true', ""),
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED)
def test_a_self_check_that_is_put_among_the_grades_is_no_grade(tmp_path, change):
    asked = passed().model_copy(update={"self_check": True, "key": ""})
    folder = tmp_path / asked.assignment / asked.submission
    folder.mkdir(parents=True)
    text = change(asked.model_dump_json())
    (folder / reports.REPORT).write_text(text)
    found = reports.kept(
        asked.submission, asked.assignment, tmp_path, address="0" * 12, secret=SECRET
    )
    assert found is None
    static = passed().model_copy(update={"training": None})
    assert reports.told(static, tmp_path, secret=SECRET).last_trained is None

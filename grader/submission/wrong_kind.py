"""What to say of a file that is neither Python nor a notebook by its name, or by its first bytes.

In: a name and bytes. Out: a SubmissionError in the words of the person who handed it in.
"""

from __future__ import annotations

import codecs
from pathlib import PurePosixPath

from grader.errors import SubmissionError
from grader.submission import notebook

_ARCHIVES = (".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")
_WEIGHTS = (".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".h5", ".keras", ".pkl")
_DOCUMENTS = (".pdf", ".doc", ".docx", ".odt", ".rtf", ".md", ".pages", ".pptx")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def of(name: str, content: bytes) -> SubmissionError:
    """Why a file whose name ends neither in .py nor in .ipynb is not graded, and what to do."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if notebook.is_renamed(content):
        return SubmissionError(
            f"{name} is a notebook under another name: rename it to {_renamed(path, '.ipynb')}."
        )
    if path.stem.lower().endswith((".py", ".ipynb")):
        return SubmissionError(
            f"{name} is code whose name got another ending, {suffix}: rename it to {path.stem}."
        )
    if suffix in (".html", ".htm"):
        return SubmissionError(
            f"{name} is a web page, as notebooks are exported to. Hand in the notebook itself "
            "(.ipynb)."
        )
    if suffix in _ARCHIVES:
        return SubmissionError(
            f"{name} is an archive that is not read here. Pack the folder as .zip, or hand in the "
            "folder."
        )
    if suffix in _WEIGHTS:
        return SubmissionError(
            f"{name} holds weights. The grader trains the network itself: hand in the code."
        )
    if suffix in _DOCUMENTS:
        return SubmissionError(
            f"{name} is a document. Hand in the Python file or the notebook that trains."
        )
    return SubmissionError(
        f"{name} is not a .py file. Hand in a Python file, a notebook (.ipynb), or a folder with "
        "these, which may be packed as .zip."
    )


def refuse_disguised(name: str, content: bytes) -> None:
    """Raises SubmissionError for what another kind of file begins with."""
    if content.startswith(b"PK\x03\x04"):
        raise SubmissionError(
            f"{name} is an archive under another name: rename it to "
            f"{_renamed(PurePosixPath(name), '.zip')}."
        )
    if content.startswith(_UTF_16):
        raise SubmissionError(f"{name} is text in UTF-16. Save it as UTF-8.")
    if content[:200].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise SubmissionError(
            f"{name} is a web page, not code: the page was saved in place of the file. Download "
            "the file itself."
        )


def _renamed(path: PurePosixPath, ending: str) -> str:
    stem = path.stem
    for known in (".py", ".ipynb"):
        stem = stem[: -len(known)] if stem.lower().endswith(known) else stem
    return f"{stem}{ending}"

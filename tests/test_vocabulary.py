"""Words that the project does not use, in pages, docstrings, comments and messages, and the terms instead."""

import re

import pytest

from tests.helpers.paths import ROOT

#: What is not written, as a regular expression, and the term of docs/glossary.md.
WORDS = {
    r"stream registers?": "skid buffer",
    r"reply slots?": "reply cache",
    r"item readers?": "input unpacker",
    r"record writers?": "result packer",
    r"whole[- ]files?\b": "atomic write",
    r"placements": "seed sweep, seeds",
    r"placement seeds?": "seed",
    r"(?:copies|copy) of (?:a|the) (?:register|signal|flip-flop)s?": "fan-out registers",
    r"logarithm of the sum of the powers": "logsumexp",
    r"(?:tokens |a second, )given in advance": "pipelined tokens",
    r"moves the weights": "optimizer, learning-rate schedule",
    r"in the place of": "instead of",
}
#: What is of a date, was written by a measurement, or names the words.
LEFT_OUT = {"docs/notes", "docs/results/mutation.md", "tests/test_vocabulary.py"}
FOLDERS = ("docs", "sw", "hw", "boards", "sim", "tests")
SUFFIXES = {".md", ".py", ".j2", ".jinja", ".v", ".rst"}


def texts() -> list[str]:
    """All pages and sources, by their paths in the tree."""
    paths = [*ROOT.glob("*.md"), *ROOT.glob("*.py")]
    paths += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    names = sorted(path.relative_to(ROOT).as_posix() for path in paths if "sim_build" not in path.parts)
    return [name for name in names if not any(f"{name}/".startswith(f"{each}/") for each in LEFT_OUT)]


def found(text: str) -> list[str]:
    """Each word of `text` that is not to be used, with its term; a line's end counts as a blank."""
    joined = re.sub(r"\n[ #:*>-]*", " ", text)
    return [
        f"{match[0]!r}: write {term}"
        for word, term in WORDS.items()
        for match in re.finditer(rf"\b{word}", joined, re.IGNORECASE)
    ]


def test_a_word_is_found_across_lines_and_comments():
    assert found("a stream\n    # register here") == ["'stream register': write skid buffer"]
    assert found("Tokens given\n> in advance") == ["'Tokens given in advance': write pipelined tokens"]
    assert not found("the estimate after placement, a skid buffer")


@pytest.mark.parametrize("folder", ["", *FOLDERS])
def test_pages_and_sources_use_the_terms_of_the_glossary(folder):
    wrong = {}
    for name in texts():
        if (name.partition("/")[0] if "/" in name else "") == folder:
            words = found((ROOT / name).read_text(encoding="utf-8"))
            if words:
                wrong[name] = words
    assert not wrong, wrong

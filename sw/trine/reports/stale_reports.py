"""Reports of routed boards whose netlist is no longer what the source elaborates to, and their marks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trine.reports.engine_figures import read_reports
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.errors import TrineError
from trine_sw.support.reading import read_text

__all__ = ["PAGE_MARK", "TABLE_MARK", "ReportState", "mark", "marked_page", "marked_tables", "states"]

#: What stands behind a link to a stale report in a row of a table.
TABLE_MARK = " (stale)"
#: What stands in the page of a stale report, below the command that made it.
PAGE_MARK = (
    "**Stale:** this report is of an earlier netlist than the one that the source elaborates to now. "
    "Run the command above to renew it."
)


@dataclass(frozen=True)
class ReportState:
    """What became of a report's netlist.

    Attributes
    ----------
    name : of the report's files, without suffix.
    stale : whether the source elaborates to another netlist now.
    reason : why, as part of a sentence.
    """

    name: str
    stale: bool
    reason: str


def states(
    folder: Path,
    elaborate: Callable[[str], str],
    progress: Callable[[str], None] = lambda name: None,
) -> list[ReportState]:
    """The state of each report in `folder`.

    Parameters
    ----------
    folder : :class:`~pathlib.Path`
        Where ``trine build --results`` has written reports.
    elaborate
        Gives the digest of the netlist that the command of a report elaborates to now. A
        :exc:`TrineError` of it means that the command cannot be run any more.
    progress
        Told the name of each report before it is looked at.

    Raises
    ------
    TrineError
        If `folder` holds no report.
    """
    found = []
    for name, report in read_reports(folder).items():
        progress(name)
        found.append(_state(name, report, elaborate))
    return found


def _state(name: str, report: Mapping[str, Any], elaborate: Callable[[str], str]) -> ReportState:
    recorded = report.get("netlist_sha256")
    if not isinstance(recorded, str):
        return ReportState(name, True, "it records no digest of its netlist")
    try:
        digest = elaborate(str(report.get("command")))
    except TrineError as error:
        return ReportState(name, True, f"its command fails: {error}")
    if digest != recorded:
        return ReportState(name, True, "the source elaborates to another netlist")
    return ReportState(name, False, "the source elaborates to its netlist")


def marked_page(text: str, stale: bool) -> str:
    """The page of a report with or without :data:`PAGE_MARK` below its command."""
    text = text.replace(f"{PAGE_MARK}\n\n", "")
    if not stale:
        return text
    command, blank, rest = text.partition("](README.md).\n\n")
    if not blank:
        raise TrineError("a page has no place for its mark: it is no page of trine build")
    return f"{command}{blank}{PAGE_MARK}\n\n{rest}"


def marked_tables(text: str, stale: Mapping[str, bool]) -> str:
    """A page whose tables have :data:`TABLE_MARK` behind each link to a stale report, and no other link.

    `stale` says it of each report by its name; links to other pages stay as they are.
    """

    def each(link: re.Match[str]) -> str:
        name = link["name"]
        return link[0] if name not in stale else link["link"] + (TABLE_MARK if stale[name] else "")

    links = re.compile(rf"(?P<link>\]\((?:[\w.-]+/)*(?P<name>[\w.-]+)\.md\))(?:{re.escape(TABLE_MARK)})?")
    lines = (links.sub(each, line) if line.startswith("|") else line for line in text.split("\n"))
    return "\n".join(lines)


def mark(found: list[ReportState], folder: Path, pages: list[Path], *, write: bool) -> list[Path]:
    """The files whose marks do not agree with `found`; with `write`, they are corrected.

    The pages of the reports lie in `folder`; `pages` may quote them in tables.
    """
    texts = {
        path: marked_tables(read_text(path), {state.name: state.stale for state in found}) for path in pages
    }
    for state in found:
        path = folder / f"{state.name}.md"
        texts[path] = marked_page(texts.get(path, read_text(path)), state.stale)
    wrong = [path for path, text in texts.items() if text != read_text(path)]
    for path in wrong if write else ():
        with atomic_write(path) as file:
            file.write(texts[path].encode())
    return wrong

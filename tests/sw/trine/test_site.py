"""The documentation's site: every page and every public name is in it, and it builds without a warning."""

import importlib.util
import inspect
import re
import subprocess
import sys

import pytest

import trine
from tests.helpers.paths import ROOT

_SPEC = importlib.util.spec_from_file_location("site_configuration", ROOT / "docs/site/conf.py")
assert _SPEC and _SPEC.loader
conf = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(conf)


def test_every_page_is_in_the_navigation_once():
    listed = [page for pages in conf.navigation().values() for page in pages]
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert sorted([conf.root_doc, *listed]) == sorted(
        str(page.relative_to(ROOT).with_suffix("")) for page in pages
    )


def test_the_page_of_the_api_has_the_place_for_its_entries():
    assert (ROOT / "docs/api.md").read_text(encoding="utf-8").count(conf.ENTRIES) == 1


@pytest.mark.parametrize("name", trine.__all__)
def test_every_public_name_has_an_entry_with_a_docstring(name):
    value = getattr(trine, name)
    directive = conf.entries()[name]
    if isinstance(value, str):
        assert directive.startswith(f".. py:data:: trine.{name}\n")
        return
    assert re.match(rf"\.\. auto\w+:: trine\.{name}(\n|$)", directive)
    doc = inspect.getdoc(value)
    assert doc and not doc.startswith(f"{name}("), f"trine.{name} has no docstring of its own"


@pytest.mark.nightly
def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    result = subprocess.run(
        [
            *command,
            "--conf-dir",
            "docs/site",
            "--doctree-dir",
            str(tmp_path / "cache"),
            ".",
            str(tmp_path / "site"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    reference = (tmp_path / "site/docs/api.html").read_text(encoding="utf-8")
    for name in trine.__all__:
        assert f'id="trine.{name}"' in reference or f'id="module-trine.{name}"' in reference, name
    for page in (tmp_path / "site").rglob("*.html"):
        fetched = re.findall(
            r'<(?:link|script|img)[^>]+(?:href|src)="https?://[^"]+"', page.read_text(encoding="utf-8")
        )
        assert not fetched, f"{page.name} fetches from elsewhere: {fetched}"

"""The documentation as a site: ``make docs`` builds the pages and the API reference into ``build/site``.

The source folder is the repository, so that links between pages are the same here and in a file browser. The
pages are Markdown; the docstrings are numpydoc with reStructuredText roles. Nothing is fetched: the theme
brings its own styles and uses the system's fonts.
"""

import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("sw", "hw", "boards")]

import trine  # noqa: E402  found by the line above

#: The pages of the site under the captions of its side bar, by their paths without suffix.
NAVIGATION = {
    "Tutorials": [],
    "Use": [
        "docs/commands",
        "docs/cluster",
        "docs/driver",
        "docs/training",
        "docs/hardware-checklist",
        "docs/api",
        "docs/glossary",
    ],
    "How it works": ["docs/design", "docs/engine", "docs/verification", "docs/power"],
    "Extend": ["CONTRIBUTING", "docs/adding-a-board", "docs/adding-a-cell", "docs/README", "CHANGELOG"],
    "Results": ["docs/results/README", "docs/results/hitnet", "docs/results/mutation"],
    "Notes": [],
}
#: Folders whose other pages are appended to a caption.
_FOLDERS = {"Tutorials": "docs/tutorials", "Results": "docs/results", "Notes": "docs/notes"}

#: The line of docs/api.md that the entries replace.
ENTRIES = "<!-- public names -->"


def navigation() -> dict[str, list[str]]:
    """Pages of the site by caption: those of :data:`NAVIGATION`, then the rest of its folders."""
    found = {caption: list(pages) for caption, pages in NAVIGATION.items()}
    for caption, folder in _FOLDERS.items():
        names = (path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / folder).glob("*.md")))
        found[caption] += [str(name) for name in names if str(name) not in found[caption]]
    return found


def _directive(name: str, value: Any) -> str:
    """The autodoc directive of the public name `name`, in reStructuredText."""
    target = f"trine.{name}"
    if isinstance(value, ModuleType):
        return f".. automodule:: {value.__name__}\n   :members:"
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
        return f".. auto{kind}:: {target}\n   :members:"
    if callable(value):
        return f".. autofunction:: {target}"
    if isinstance(value, str):
        return f".. py:data:: {target}\n   :value: {value!r}"
    return f".. autodata:: {target}\n   :no-value:"


def entries() -> dict[str, str]:
    """The directive of each name of ``trine.__all__``; :mod:`trine` imports a name when it is asked for."""
    return {name: _directive(name, getattr(trine, name)) for name in trine.__all__}


def _edit_source(app: Any, name: str, source: list[str]) -> None:
    """Add the navigation to the first page, and the entries to the API reference."""
    if name == root_doc:
        for caption, pages in navigation().items():
            listed = "\n".join(f"/{page}" for page in pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listed}\n```\n"
    elif name == "docs/api":
        blocks = (f"## {name}\n\n```{{eval-rst}}\n{text}\n```\n" for name, text in entries().items())
        source[0] = source[0].replace(ENTRIES, "\n".join(blocks))


def _resolve(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Link a role with an internal path, such as trine_sw.engine.EngineConfig, to the public entry."""
    public = node.get("reftarget", "").rpartition(".")[2]
    if node.get("refdomain") != "py" or public not in trine.__all__:
        return None
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", f"trine.{public}", node, content)


def _write_index(app: Any, error: Exception | None) -> None:
    """Lead from index.html to the first page."""
    if error is None and app.builder.name == "html":
        (Path(app.outdir) / "index.html").write_text(
            f'<!doctype html><meta http-equiv="refresh" content="0; url={root_doc}.html">',
            encoding="utf-8",
        )


def setup(app: Any) -> None:
    """Connect the handlers above; called by Sphinx."""
    app.connect("source-read", _edit_source)
    app.connect("missing-reference", _resolve)
    app.connect("build-finished", _write_index)


project = "Trine"
release = importlib.import_module("trine_sw").__version__
root_doc = "README"
extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_parser"]
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/**"]
exclude_patterns = [
    ".*",
    "build",
    "data",
    "runs",
    "sw",
    "hw",
    "boards",
    "sim",
    "tests",
    "models",
    "docs/site",
]

myst_heading_anchors = 3
highlight_language = "default"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"Trine {release}"
html_copy_source = False

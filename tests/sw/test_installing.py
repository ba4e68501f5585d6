"""What to install, as a person with a checkout and one with a wheel can do it."""

import doctest
import shlex
import sys

import pytest

from tests.helpers.paths import ROOT
from trine_sw.support import installing
from trine_sw.support.errors import MissingPackage, TrineError
from trine_sw.support.installing import checkout, install_hint, needed


@pytest.fixture
def wheel(monkeypatch, tmp_path):
    """As where Trine is installed in site-packages, beside other projects' files."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n', encoding="utf-8")
    place = tmp_path / "lib" / "trine_sw" / "support" / "installing.py"
    monkeypatch.setattr(installing, "__file__", str(place))
    checkout.cache_clear()
    yield
    checkout.cache_clear()


def test_a_checkout_is_named_by_its_path():
    words = shlex.split(install_hint("train"))
    assert words == ["pip", "install", "-e", f"{ROOT}[train]"]


def test_a_wheel_names_no_path(wheel):
    assert shlex.split(install_hint("tools")) == ["pip", "install", "trine[tools]"]


def test_only_the_named_package_counts_as_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingPackage, match="training needs tensorboard") as raised:
        with needed("tensorboard", "train", "training"):
            import tensorboard  # noqa: F401
    assert isinstance(raised.value, TrineError) and isinstance(raised.value, ImportError)
    with pytest.raises(ModuleNotFoundError, match="tensorboard"), needed("torch", "train", "training"):
        import tensorboard  # noqa: F401, F811


def test_examples():
    assert doctest.testmod(installing, optionflags=doctest.ELLIPSIS).failed == 0

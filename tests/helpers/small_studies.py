"""All studies, of a few units on a text of a few words."""

import hashlib
from dataclasses import replace

import torch

from trine_sw.data import text as data
from trine_sw.studies import study as studies
from trine_sw.studies.catalogue import STUDIES
from trine_sw.training.nn.recurrence import Numerics

__all__ = ["LINE", "WORDS", "small_studies"]

LINE = "it is the sea that you say it is , and the trees are what you say they are\n"
WORDS = len({*LINE.split(), "<eos>"})


def small_studies(monkeypatch, tmp_path):
    """Set up the folder ``tmp_path`` for studies with 12 units, yield it, and clear up."""
    splits = {}
    (tmp_path / "data/few").mkdir(parents=True)
    for split, text in {"train": LINE * 60, "valid": LINE * 8, "test": LINE * 5}.items():
        (tmp_path / f"data/few/{split}.txt").write_text(text, encoding="utf-8")
        file = data.TextFile(
            f"few/{split}.txt", "https://example.org", hashlib.sha256(text.encode()).hexdigest()
        )
        splits[split] = data.Part(file)
    monkeypatch.setitem(data.DATA_SETS, "few", data.DataSet(splits, words=True))
    monkeypatch.setenv("TRINE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(studies, "_UNITS", 12)
    for known in list(studies.DATA_SETS):
        monkeypatch.delitem(studies.DATA_SETS, known)
    monkeypatch.setitem(studies.DATA_SETS, WORDS, "few")
    for name, study in STUDIES.items():
        monkeypatch.setitem(STUDIES, name, replace(study, words=WORDS, epochs=2))
    monkeypatch.setattr(Numerics, "fastest", lambda device: Numerics())  # compiling would take longest
    data._symbols.cache_clear()
    torch.set_num_threads(1)
    yield tmp_path
    data._symbols.cache_clear()

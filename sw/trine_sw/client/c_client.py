"""Client of a board in C99: a header and a source, generated from a model file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import jinja2

from trine_sw.client.c_facts import ClientFacts
from trine_sw.client.c_layout import state_bytes
from trine_sw.client.c_tables import c_text
from trine_sw.model import Model
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["CClient", "c_client"]


@dataclass(frozen=True)
class CClient:
    """A client in C99.

    Members
    -------
    header, source : texts of the two files
    name : of the files, without their ends
    state_bytes : of a client in RAM, with the default sizes and pointers of 4 bytes
    table_bytes : of the tables that the model fills, in flash
    """

    header: str
    source: str
    name: str
    state_bytes: int
    table_bytes: int

    def write(self, folder: Path) -> list[Path]:
        """Write both files into a folder, and give their paths."""
        paths = [folder / f"{self.name}.h", folder / f"{self.name}.c"]
        for path, text in zip(paths, (self.header, self.source), strict=True):
            with atomic_write(path) as file:
                file.write(text.encode("ascii"))
        return paths


def c_client(
    model: Model,
    *,
    title: str = "a model",
    prefix: str = "trine",
    embedding: str | None = None,
    head: str | None = None,
) -> CClient:
    """A client in C99 of a board that holds ``model``.

    Parameters
    ----------
    model : what the board was built from
    title : the model's name in comments
    prefix : of the C identifiers and of the files; two clients in one program need different ones
    embedding, head : what the board was built with, ``"board"`` or ``"host"``; by default on the board where
        the file has them and the vocabulary is small, as of ``trine board``. What is on the host is computed
        by the client, in integers.

    Raises
    ------
    TrineError
        If the model lacks what is asked for, or its only head is a float one and outputs are asked of it.

    Examples
    --------
    >>> from trine_sw.model import ModelConfig
    >>> from trine_sw.model.random_model import random_model
    >>> client = c_client(random_model(ModelConfig(hidden=8, embedding=5, vocab_size=30), seed=1))
    >>> client.name
    'trine_client'
    >>> "trine_generate" in client.header
    True
    """
    if not isinstance(model, Model):
        raise TrineError(f"model must be a Model, not {shown(model)}")
    if not isinstance(prefix, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", prefix):
        raise TrineError(
            f"the prefix must be a name of C in small letters, of 31 characters at most, not {shown(prefix)}"
        )
    model.check()
    found = ClientFacts(model, c_text(title), embedding, head)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    facts = found.facts() | {"name": f"{prefix}_client"}
    header, source = (environment.get_template(f"client.{end}.jinja").render(facts) for end in ("h", "c"))
    return CClient(
        header=_with_prefix(header, prefix),
        source=_with_prefix(source, prefix),
        name=f"{prefix}_client",
        state_bytes=state_bytes(found.members, found.slots),
        table_bytes=found.table_bytes,
    )


def _with_prefix(text: str, prefix: str) -> str:
    """A text whose identifiers begin with another prefix than ``trine``."""
    text = re.sub(r"\bTRINE_", f"{prefix.upper()}_", text)
    return re.sub(r"\btrine_", f"{prefix}_", text)

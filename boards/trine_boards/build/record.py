"""Record of a build, ``build.json``: the design that the folder's bitstream was made from."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from trine_boards.top import BoardTop
from trine_sw.engine import EngineConfig
from trine_sw.link.board_info import Info
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.checks import finite_real, integer
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text

__all__ = ["RECORD_NAME", "BuildRecord"]

RECORD_NAME = "build.json"
_MODEL_NAME = "model.trine"
_MOST_MHZ = 1000


@dataclass(frozen=True)
class BuildRecord:
    """What a bitstream is of.

    Members
    -------
    name : of the model, as its file was called
    board : its name in :data:`trine_boards.BOARDS`
    clock_mhz : clock of the engine
    transport : what carries the board's bytes, by its name among the board's transports
    baud : of the line; 0 where it has no such number
    address : of the board on its network; empty where it has none
    engine, link : as the gateware was made
    info : what the board says of itself, :meth:`trine_sw.link.board_info.Info.pack`
    seed : of place and route of the bitstream
    bitstream : name of the bitstream's file, in the folder
    sha256 : of that file, hexadecimal
    """

    name: str
    board: str
    clock_mhz: float
    transport: str
    baud: int
    address: str
    engine: EngineConfig
    link: LinkConfig
    info: bytes
    seed: int
    bitstream: str
    sha256: str

    @classmethod
    def of(cls, top: BoardTop, bitstream: Path, seed: int, name: str = "model") -> BuildRecord:
        """The record of ``bitstream``, made from ``top``, the engine of the model ``name``, by place and
        route with ``seed``."""
        link = top.pinned.link
        return cls(
            name=name,
            board=top.board.name,
            clock_mhz=float(top.clock_mhz),
            transport=top.board.transport.name,
            baud=top.board.baud,
            address=top.board.address,
            engine=link.core.engine,
            link=link.link,
            info=link.info.pack(),
            seed=seed,
            bitstream=bitstream.name,
            sha256=sha256(bitstream.read_bytes()).hexdigest(),
        )

    def save(self, folder: Path, model: Model) -> None:
        """Write the record, and a copy of the model beside it, so that the folder can be checked alone."""
        model.save(folder / _MODEL_NAME)
        with atomic_write(folder / RECORD_NAME) as file:
            file.write((json_text(asdict(self) | {"info": self.info.hex()}, indent=2) + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> BuildRecord:
        """The record in ``folder``.

        Raises
        ------
        TrineError
            If there is none, it cannot be read, or the bitstream beside it is not the one it is of.
        """
        path = folder / RECORD_NAME
        try:
            record = cls._of_json(json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            raise TrineError(
                f"{folder} is no folder of a build: it has no {RECORD_NAME}; run trine build"
            ) from None
        except OSError as error:
            raise TrineError(f"cannot read {path}: {error.strerror}") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, TrineError):
            raise TrineError(f"{path} is damaged; run trine build again") from None
        bitstream = folder / record.bitstream
        try:
            found = sha256(bitstream.read_bytes()).hexdigest()
        except OSError as error:
            raise TrineError(f"cannot read {bitstream}: {error.strerror}; run trine build again") from None
        if found != record.sha256:
            raise TrineError(f"{bitstream} is not the bitstream that {path} is of; run trine build again")
        return record

    @classmethod
    def _of_json(cls, values: dict[str, Any]) -> BuildRecord:
        values = {"address": ""} | values  # of builds that could not choose one
        if set(values) != {entry.name for entry in fields(cls)}:
            raise ValueError("its keys are not those of a record")
        if not all(
            isinstance(values[name], str)
            for name in ("name", "board", "transport", "address", "bitstream", "sha256")
        ):
            raise ValueError("a name is no string")
        if not re.fullmatch(r"\w[\w.-]{,99}", values["bitstream"]):
            raise ValueError("the bitstream has another name")
        integer(values["seed"], "seed", 0, 2**32 - 1)
        integer(values["baud"], "baud", 0, 10**9)
        if not 0 < finite_real(values["clock_mhz"], "clock_mhz") < _MOST_MHZ:
            raise ValueError("clock_mhz is no clock")
        engine = dict(values["engine"])
        if engine["assignment"] is not None:
            engine["assignment"] = tuple(engine["assignment"])
        return cls(
            **values
            | {
                "engine": EngineConfig(**engine),
                "link": LinkConfig(**values["link"]),
                "info": bytes.fromhex(values["info"]),
            }
        )

    def built_info(self) -> Info:
        """What the board says of itself. Raises :exc:`TrineError` for another version's."""
        return Info.unpack(self.info)

    @staticmethod
    def model(folder: Path) -> Model:
        """The model in ``folder``. Raises :exc:`TrineError` where it is missing or damaged."""
        return Model.load(folder / _MODEL_NAME)

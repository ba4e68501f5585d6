"""The tutorial of the C client: its programs compile, that of the PC classifies, its figures are measured."""

import functools
import os
import re
import select
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.c_client import STRICT, board_of, needs_gcc
from tests.helpers.paths import ROOT
from trine_sw.client import c_client
from trine_sw.golden.sequences import run_sequences
from trine_sw.link.board_model import BoardModel
from trine_sw.model import Encoder, InputSpec, Model, ModelConfig
from trine_sw.model.random_model import random_model

PAGE = (ROOT / "docs/tutorials/c-client.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```c\n(.*?)^```$", PAGE, re.M | re.S)

#: What the programs use of the makers' libraries.
PICO = {
    "hardware/gpio.h": "enum { GPIO_FUNC_UART = 2 };\nvoid gpio_set_function(unsigned gpio, int fn);\n",
    "hardware/uart.h": """
        #include <stdbool.h>
        #include <stddef.h>
        #include <stdint.h>
        typedef struct uart_inst uart_inst_t;
        extern uart_inst_t *const uart0;
        bool uart_is_readable(uart_inst_t *uart);
        bool uart_is_readable_within_us(uart_inst_t *uart, uint32_t us);
        char uart_getc(uart_inst_t *uart);
        void uart_write_blocking(uart_inst_t *uart, const uint8_t *src, size_t len);
        unsigned uart_init(uart_inst_t *uart, unsigned baudrate);
    """,
    "pico/stdlib.h": """
        #include <stdint.h>
        typedef uint64_t absolute_time_t;
        absolute_time_t get_absolute_time(void);
        uint32_t to_ms_since_boot(absolute_time_t t);
    """,
}
STM32 = {
    "stm32f4xx_hal.h": """
        #include <stdint.h>
        typedef struct { volatile uint32_t NDTR; } DMA_Stream_TypeDef;
        typedef struct { DMA_Stream_TypeDef *Instance; } DMA_HandleTypeDef;
        typedef struct { DMA_HandleTypeDef *hdmarx; } UART_HandleTypeDef;
        typedef enum { HAL_OK } HAL_StatusTypeDef;
        #define __HAL_DMA_GET_COUNTER(handle) ((handle)->Instance->NDTR)
        uint32_t HAL_GetTick(void);
        HAL_StatusTypeDef HAL_UART_Transmit(UART_HandleTypeDef *uart, uint8_t *data, uint16_t size,
                                            uint32_t timeout);
        HAL_StatusTypeDef HAL_UART_Receive_DMA(UART_HandleTypeDef *uart, uint8_t *data, uint16_t size);
    """,
}


@functools.cache
def activity() -> Model:
    """A model of the shape that the tutorial has, untrained."""
    walk = np.random.default_rng(0).normal(size=(500, 3)).cumsum(axis=0)
    encoder = Encoder.from_quantiles(walk, (0.2, 0.4, 0.6, 0.8), differences=True)
    config = ModelConfig(
        hidden=16, embedding=encoder.size, vocab_size=4, cell="gru", head_levels=(0, 1, 2, 3)
    )
    return replace(
        random_model(config, seed=1),
        embedding_weight=None,
        vocabulary=None,
        task="classify",
        labels=["rest", "walk", "run", "wave"],
        reduction="sum",
        head_bias=np.zeros(4, np.int32),
        encoder=encoder,
        inputs=[InputSpec(f"acceleration {axis}", "g") for axis in "xyz"],
        sample_rate=25.0,
    )


def serve(board: BoardModel, wire: int, ended: threading.Event) -> None:
    """Answer at a pseudo-terminal until the event is set."""
    while not ended.is_set():
        if select.select([wire], [], [], 0.05)[0]:
            try:
                os.write(wire, board.exchange(os.read(wire, 4096)))
            except OSError:  # nobody has it open at the other end
                ended.wait(0.01)


def classify(folder: Path, port: str, lines: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The program of the PC at a serial port, with these lines."""
    _, source = c_client(activity()).write(folder)
    (folder / "classify.c").write_text(PROGRAMS[0], encoding="utf-8")
    command = ["gcc", *STRICT, "-O2", *options, "-o", "classify", "classify.c", str(source)]
    subprocess.run(command, cwd=folder, check=True)
    return subprocess.run(
        [folder / "classify", port], input=lines, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def terminal():
    """Both ends of a pseudo-terminal: ours, and the path of the other."""
    wire, port = os.openpty()
    yield wire, os.ttyname(port)
    os.close(wire)
    os.close(port)


@needs_gcc
def test_the_program_of_the_pc_classifies(tmp_path, terminal):
    windows = np.random.default_rng(3).normal(size=(12, 50, 3)).cumsum(axis=1).astype(np.float32)
    expected, labels = run_sequences(activity(), windows).classes, activity().labels
    assert isinstance(expected, np.ndarray) and len(set(expected.tolist())) > 1 and labels is not None
    lines = "".join(" ".join(f"{value:.9g}" for value in row) + "\n" for row in windows.reshape(-1, 3))
    ended = threading.Event()
    board = board_of(activity(), embedding="host")
    server = threading.Thread(target=serve, args=(board, terminal[0], ended))
    server.start()
    try:
        run = classify(tmp_path, terminal[1], lines)
    finally:
        ended.set()
        server.join()
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [labels[number] for number in expected]


@needs_gcc
def test_the_program_of_the_pc_says_what_is_wrong(tmp_path, terminal):
    for given, message in ((terminal[1], "TRINE_ERROR_SILENT"), (str(tmp_path / "none"), "usage")):
        run = classify(tmp_path, given, "", "-DTRINE_PATIENCE_MS=300")
        assert run.returncode and run.stderr.startswith(message)


@needs_gcc
@pytest.mark.parametrize("program, headers", [(1, PICO), (2, STM32)], ids=["rp2040", "stm32"])
def test_the_programs_of_microcontrollers_compile(tmp_path, program, headers):
    c_client(activity()).write(tmp_path)
    for name, text in headers.items():
        path = tmp_path / "sdk" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "wire.c").write_text(PROGRAMS[program], encoding="utf-8")
    subprocess.run(["gcc", *STRICT, "-I", "sdk", "-c", "wire.c"], cwd=tmp_path, check=True)


def test_the_table_of_sizes_has_the_state_that_is_measured():
    rows = re.findall(r"^\| `([\w-]+)` \| (board|host) \| [\d,]+ \| [\d,]+ \| (\d+) \|$", PAGE, re.M)
    assert len(rows) == 3
    for name, head, state in rows:
        model = activity() if name == "activity" else Model.load(ROOT / f"models/{name}.trine")
        assert c_client(model, head=head).state_bytes == int(state)

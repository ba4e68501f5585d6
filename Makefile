# make demo       text over a simulated board's UART, every token and cycle checked
# make test       what every change must pass; make lint: ruff and pyright
# make test-all   everything: also the proofs that take minutes and the checks marked nightly
# make docs       the pages and the API reference as a site in build/site, warnings as errors
# make bitstream  the ULX3S bitstream of shakespeare and its report (half an hour and more with the tools from PyPI)
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# One thread: results and times do not depend on how many cores there are.
export OMP_NUM_THREADS := 1

.PHONY: demo test test-all lint docs bitstream clean

demo: $(VENV)/.runtime
	$(BIN)/trine demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --deep --nightly

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/pyright

docs: $(VENV)/.docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --conf-dir docs/site --doctree-dir build/site-cache . build/site

bitstream: $(VENV)/.runtime
	$(BIN)/trine build models/shakespeare.trine --board ulx3s --clock 72 --floorplan --results docs/results

# torch comes first and pinned, so that training repeats; where a platform has no such build, the range decides.
$(VENV)/.runtime: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Trine needs Python 3.11 or newer; say make PYTHON=python3.x")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==2.13.0 || $(BIN)/python -m pip install --quiet 'torch>=2.6,<3'
	$(BIN)/python -m pip install --quiet --editable '.[train,tools]'
	@touch $@

$(VENV)/.docs: $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --editable '.[train,tools,docs]'
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --editable '.[train,tools,data,figures,explore,bench,usb,ethernet,docs,dev]'
	@touch $@

clean:
	rm -rf build sim_build

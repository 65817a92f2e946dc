# Stepwell's doors. `make` alone lists them.
#
# A fresh machine needs Python 3.11 or later, make and git. uv is pinned and lives in .tools; it
# makes .venv from uv.lock. Works with the make of macOS (3.81).

UV_VERSION := 0.13.8

# The first that works is used; `make setup PYTHON=/path/to/python` takes another.
PYTHON ?= python3.13 python3.12 python3.11 python3
JOBS ?= 2

UV := .tools/bin/uv
BIN := .venv/bin

# Made last and newer than the lock: so a second `make setup` is instant, and a broken one is repeated.
UV_READY := .tools/uv-$(UV_VERSION)
DEMO_READY := .venv/.demo-ready
DEV_READY := .venv/.dev-ready
LOCK := uv.lock pyproject.toml

# Only interpreters that are here; and nothing of the caller's Python settings leaks in. Without
# byte code every start would compile the big libraries again.
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH PYTHONSTARTUP VIRTUAL_ENV

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: setup demo test test-others test-deep lint format lock page page-check bench bench-peers docs clean help

setup: $(DEV_READY)  ## everything that is needed to work on Stepwell, into .venv

demo: $(DEMO_READY)  ## the flights pipeline on 336,776 flights; a second time it runs no step again
	@$(BIN)/stepwell -C examples/flights run

test: lint  ## lint, all tests, then the fast ones on every other Python of this machine
	$(BIN)/python -m pytest -n $(JOBS) -m "not deep and not serial"
	@# 5 means that there is none to run.
	$(BIN)/python -m pytest -m "serial and not deep" || test $$? -eq 5
	@$(MAKE) --no-print-directory test-others

# What depends on the interpreter: identity, loading code, processes.
EVERYWHERE = tests/kernel tests/author/test_fingerprint.py tests/author/test_steady.py tests/author/test_identity_matrix.py tests/e2e \
  tests/worker tests/engines

test-others: $(DEV_READY)
	@$(BIN)/python scripts/interpreters.py | while read -r version python; do \
	  echo "Python $$version ($$python)"; \
	  UV_PROJECT_ENVIRONMENT=.venv-$$version $(UV) sync --quiet --frozen --python "$$python" && \
	  .venv-$$version/bin/python -m pytest -n $(JOBS) -m "not slow and not serial and not deep" $(EVERYWHERE) </dev/null \
	  || exit 1; \
	done

test-deep: $(DEV_READY)  ## the long sweeps: crash points, large graphs, thousands of edits, mutants of the kernel
	$(BIN)/python -m pytest -m deep --timeout 3600 || test $$? -eq 5
	$(BIN)/python scripts/mutate.py --least 85 --jobs $(JOBS)

lint: $(DEV_READY)  ## ruff, pyrefly, the import contracts, that uv.lock fits pyproject.toml and the page its sources
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyrefly check
	$(BIN)/lint-imports --no-logo --no-cache
	@$(UV) lock --check --quiet --python $(BIN)/python || { echo "uv.lock does not fit pyproject.toml; fix: make lock"; exit 1; }
	@$(MAKE) --no-print-directory page-check

format: $(DEV_READY)  ## what the linter can mend by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(UV_READY)  ## write uv.lock anew after a change of pyproject.toml
	$(UV) lock --python .tools/bin/python

page: $(DEV_READY)  ## build the page of `stepwell ui` from page/ into the package
	@$(BIN)/python scripts/page.py build

page-check: $(DEV_READY)  ## the page's types and tests, and that the built files are those of page/
	@$(BIN)/python scripts/page.py check

bench: $(DEV_READY)  ## time and compare; numbers only mean something on a quiet machine
	$(BIN)/python bench/run.py

bench-peers: $(DEV_READY)  ## the tools that Stepwell is timed beside, each into an environment below bench/.peers
	@$(BIN)/python bench/peers.py

docs: $(DEV_READY)  ## write the generated pages of docs/reference anew
	$(BIN)/python scripts/docs.py

clean:  ## remove what make made: environments, caches, the stores of the examples
	rm -rf .tools .venv .venv-* bench/.peers page/node_modules build dist .hypothesis .import_linter_cache .pyrefly_cache .pytest_cache .ruff_cache
	find examples -name .stepwell -type d -prune -exec rm -rf {} +
	find src tests examples bench scripts -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

help:
	@awk 'match($$0, /^[a-z-]+:/) && / ## / { verb = substr($$0, 1, RLENGTH - 1); sub(/.* ## /, ""); printf "  make %-12s %s\n", verb, $$0 }' $(MAKEFILE_LIST)

$(UV_READY): scripts/bootstrap.py
	@for python in $(PYTHON); do \
	  if "$$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "setup with $$("$$python" -c 'import sys; print("Python", sys.version.split()[0], "of", sys.executable)')"; \
	    exec "$$python" scripts/bootstrap.py .tools $(UV_VERSION); \
	  fi; \
	done; \
	echo "setup: no Python 3.11 or later that works was found (tried: $(PYTHON))" >&2; \
	echo "  why   it must start, and have the module venv" >&2; \
	echo "  fix   Debian, Ubuntu: apt install python3 python3-venv" >&2; \
	echo "        macOS:          brew install python@3.13" >&2; \
	echo "        or:             make setup PYTHON=/path/to/python3.12" >&2; \
	exit 1

# The demo leaves out the tools for development; --inexact keeps them where they already are.
$(DEMO_READY): $(UV_READY) $(LOCK)
	@echo "installing the demo's libraries from uv.lock into .venv"
	@$(UV) sync --frozen --inexact --no-default-groups --group demo --quiet --compile-bytecode --python .tools/bin/python
	@touch $@

$(DEV_READY): $(UV_READY) $(LOCK)
	@echo "installing all libraries of uv.lock into .venv"
	@$(UV) sync --frozen --quiet --python .tools/bin/python
	@touch $(DEMO_READY) $@

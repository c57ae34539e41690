# DataCrumbs: what a developer or an administrator types. `make help` lists it.
PREFIX ?= /usr/local
DESTDIR ?=
export PREFIX DESTDIR
PYTHON_SOURCES := $(wildcard core configurator runtime client systemd slurm flux analysis tests scripts containers)
C_SOURCES = $(shell git ls-files -- '*.c' '*.h' 2>/dev/null)
VENV := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help build install uninstall demo cluster test test-cluster test-flux bench bench-cluster bench-flux
.PHONY: bench-report bench-probes fmt lint golden images clean bench-analysis test-kernels

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## every command into .venv/bin of this checkout
	@scripts/install-dependencies.sh build
	@scripts/build.sh $(PREFIX)

install: build ## commands, library, units and host YAMLs into PREFIX (/usr/local); DESTDIR is honoured
	@scripts/install.sh

uninstall: ## removes what install put there
	@scripts/uninstall.sh

demo: build ## (root) a trace of dd and of a Python program, from nothing to its report
	@scripts/install-dependencies.sh demo
	@scripts/demo.sh

test: ## (root) installs what is missing, builds, lints and runs all tests
	@scripts/install-dependencies.sh test
	@scripts/build.sh $(PREFIX)
	@$(MAKE) --no-print-directory lint
	@$(VENV)/python tests/support/readers.py
	@scripts/test.sh

cluster: build ## (root) a shell on the first of NODES=3 real nodes with systemd, Slurm and DataCrumbs
	@scripts/install-dependencies.sh test
	@PYTHONPATH=containers $(VENV)/python -m nodes --nodes $(or $(NODES),3) $(if $(RELEASE),--release $(RELEASE))

test-cluster: build ## (root) real jobs on three such nodes: tests/cluster; RELEASE=trixie: nodes with Debian 13, Slurm 24.11
	@scripts/install-dependencies.sh test
	@DATACRUMBS_NODES_RELEASE=$(RELEASE) scripts/test.sh tests/cluster

test-flux: build ## (root) real jobs under an installed Flux, on a node with systemd: tests/flux
	@scripts/install-dependencies.sh test
	@scripts/test.sh tests/flux tests/unit/flux

test-kernels: build ## (root) kernel functions on kernels that this machine emulates: 6.12 and 6.1
	@scripts/install-dependencies.sh test
	@DATACRUMBS_ALL_KERNELS=1 scripts/test.sh tests/vm

bench: build ## (root) figures against their targets, and against other tools
	@scripts/install-dependencies.sh test
	@$(VENV)/python tests/bench/run.py

bench-cluster: build ## (root) what a job of Slurm pays for tracing, and a burst of jobs, on real nodes
	@scripts/install-dependencies.sh test
	@$(VENV)/python tests/bench/cluster.py

bench-flux: build ## (root) how much longer jobs of an installed Flux wait, against its targets
	@scripts/install-dependencies.sh test
	@$(VENV)/python tests/bench/flux_jobs.py

bench-report: build ## the HTML report of ten million events: time to make, size, time to open
	@scripts/install-dependencies.sh test
	@$(VENV)/python tests/bench/report.py

bench-probes: build ## (root) thousands of user functions attached and detached, and what a call of one costs
	@scripts/install-dependencies.sh test
	@$(VENV)/python tests/bench/run.py --only probes

bench-analysis: build ## how long answers take for 1 to 30 million events, other tools on the same file, Dask
	@scripts/install-dependencies.sh test
	@$(VENV)/python tests/bench/analysis.py

fmt: build ## formats Python and C
	@$(VENV)/ruff check --quiet --fix $(PYTHON_SOURCES) || true
	@$(VENV)/ruff format --quiet $(PYTHON_SOURCES)
	@$(VENV)/clang-format -i $(C_SOURCES)

lint: build ## ruff, mypy --strict, clang-format
	@$(VENV)/ruff check --quiet $(PYTHON_SOURCES)
	@$(VENV)/ruff format --quiet --check $(PYTHON_SOURCES)
	@$(VENV)/mypy
	@$(VENV)/clang-format --dry-run -Werror $(C_SOURCES)

golden: build ## writes tests/golden/wheel.txt anew: read the difference before you commit it
	@$(VENV)/python -c 'import runpy, pathlib; m = runpy.run_path("tests/unit/test_wheel.py"); \
	  m["GOLDEN"].write_text("\n".join(m["listing"](next(pathlib.Path("build/dist").glob("*.whl")))) + "\n")'

images: build ## (root) makes the pictures in docs/images anew from a real trace
	@scripts/images.sh

clean: ## removes everything that was built
	@rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

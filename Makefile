# The one place that knows how the project is set up; CI calls these targets.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
# the tiny models run faster on one thread, and the same bytes come out on every run
export OMP_NUM_THREADS ?= 1
export MALLOC_MMAP_MAX_ ?= 0
export MALLOC_TRIM_THRESHOLD_ ?= 17179869184
export TQDM_MININTERVAL ?= 1
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: setup repro results test test-fast check sound benchmarks format record clean

repro: setup
	@feedback-lens changes --code
	dvc repro
	@$(MAKE) --no-print-directory results

results: setup
	@feedback-lens results

# no test asks the hub; fetch_model, which make repro may run, does
test test-fast: export HF_HUB_OFFLINE = 1

test: setup
	pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: setup
	pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not pipeline and not training"

check: setup
	ruff format --check .
	ruff check .
	mypy

# Is dvc.lock that of this code and these parameters? Needs no data; `check` looks at what DVC's dry run does not see
sound: setup
	@found=$$(dvc repro --allow-missing --dry 2>&1) && ! echo "$$found" | grep "Running stage" || { echo "$$found" | tail -n 3; \
	echo "dvc.lock is not of this code and these parameters: dvc repro, and commit what it wrote"; exit 1; }
	@feedback-lens check

# Measures speed, memory and kills, the local detector and training, a dvc repro with nothing to do, and the report (about 25 minutes); writes benchmarks/results
benchmarks: setup
	python benchmarks/throughput.py
	python benchmarks/memory.py
	python benchmarks/kills.py
	python benchmarks/detection.py
	python benchmarks/toxicity.py
	python benchmarks/training.py
	python benchmarks/noop.py
	python benchmarks/report.py

format: setup
	ruff format .
	ruff check --fix .

# Ask the endpoint (OPENAI_API_KEY, OPENAI_BASE_URL) for the replies that data/recorded lacks, and
# pack exactly those that the pipeline asks for now. Killed in the middle, it goes on from there.
RECORDING := $(CURDIR)/.feedback-lens/recording.sqlite
record: setup
	@grep -q "^  profile: sample" params.yaml || { echo "make record is for the sample profile: the snapshot holds whole prompts and lies in Git"; exit 1; }
	FEEDBACK_LENS_STORE=$(RECORDING) dvc repro --force label label_gold
	FEEDBACK_LENS_STORE=$(RECORDING) dvc repro split
	FEEDBACK_LENS_STORE=$(RECORDING) dvc repro --force --single-item regenerate rate_prompts rate_prompt_sets
	FEEDBACK_LENS_STORE=$(RECORDING) feedback-lens store pack data/recorded --replace
	rm -f $(RECORDING) $(RECORDING)-wal $(RECORDING)-shm
	dvc repro

setup: $(VENV)/.complete

$(VENV)/.complete: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# One line per target; `make check` is what CI runs. Every target makes the environment first.
PYTHON ?= python3
SEEDS ?= 50
SCENARIO ?= campaign
FAILOVERS ?= 100000
# There are 63 splits, 64 graphs of three directors and 42 links between machines.
STORY_SEEDS ?= 64
SIM_SUMMARY ?= build/sim-campaign.json
# A faster interpreter plays more worlds; it needs protobuf, click and structlog, and no more.
SIM_PYTHON ?= $(BIN)/python
REGION_HOURS ?= 10000
TRANSACTIONS ?= 1000000
FIRST_SEED ?= 1
WORKERS ?= 2
SIM = PYTHONPATH=.:protos$(if $(PYTHONPATH),:$(PYTHONPATH)) $(SIM_PYTHON) -m tests.sim
BIN := .venv/bin
PROTOS := $(shell find protos -name '*.proto')
READY := .venv/.ready

.PHONY: demo dev test check fmt lint types imports protos verify-protos model sim sim-long sim-stories \
	sim-bugs sim-disk sim-graphs sim-false-alarms lock clean bench-failover bench-switchover bench-resolve bench-watch bench-agents bench-consensus \
	bench-simulation

demo: $(READY)            # the main job on real processes; ends with a verdict and exit code
	@$(BIN)/director dev --drill

dev: $(READY)             # a whole fleet on loopback to play with; Ctrl-C stops it
	@$(BIN)/director dev

test: $(READY)            # all tests
	$(BIN)/pytest -n 2 -q -rs

check: lint types imports verify-protos test

fmt: $(READY)
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: $(READY)
	$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy && $(BIN)/mypy tests

imports: $(READY)
	$(BIN)/lint-imports

protos: $(READY)
	$(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=protos --pyi_out=protos \
		--grpc_python_out=protos $(PROTOS)

.PHONY: docs
docs: $(READY)            # what docs/ has from the models: docs/schema and the tables of documents.md
	$(BIN)/python -m tests.config.documents_page

verify-protos: $(READY)   # generated code is up to date, and the protos keep the style
	$(BIN)/python -m tests.tidy.verify_protos
	$(BIN)/protolint lint -config_path .protolint.yaml protos

model: $(READY)           # random transactions against a naive model of R1, R2 and R3
	PYTHONPATH=.:protos$(if $(PYTHONPATH),:$(PYTHONPATH)) $(BIN)/python -m tests.model \
		--transactions $(TRANSACTIONS) --workers $(WORKERS) --first-seed $(FIRST_SEED)

sim: $(READY)             # simulated worlds; SEEDS is a count or a range such as 1-1000
	$(SIM) --seeds $(SEEDS) --scenario $(SCENARIO)

sim-long: sim-stories     # the long campaign: every fault and stage must be hit, none may break it
	@mkdir -p $(dir $(SIM_SUMMARY))
	$(SIM) --failovers $(FAILOVERS) --require-coverage --out $(SIM_SUMMARY)
	$(BIN)/python -m tests.sim.campaign_report $(SIM_SUMMARY) docs/robustness.md

sim-stories: $(READY)     # every story of the catalogue in all its variants, and a day without a quorum
	$(SIM) --seeds $(STORY_SEEDS) --scenario stories --require-coverage
	$(SIM) --seeds 1 --scenario quorum-lost-a-day --require-coverage

sim-bugs: $(READY)        # put every known bug in; all must be noticed; writes the table in docs/simulation.md
	$(BIN)/python -m tests.sim.bugs --write

sim-false-alarms: $(READY) # healthy fleets with 1 %, then 5 % of loss; hours; SIM_PYTHON=pypy3 is faster
	$(SIM).false_alarms --region-hours $(REGION_HOURS) --loss 0.01 $(if $(OUT),--out $(OUT)-1-percent.json)
	$(SIM).false_alarms --region-hours $(REGION_HOURS) --loss 0.05 $(if $(OUT),--out $(OUT)-5-percent.json)

sim-disk: $(READY)        # the log: a crash at every call, every bit and byte of 64 KiB; 12 min
	$(BIN)/python -m tests.storage.exhaustive $(if $(OUT),--out $(OUT))

sim-graphs: $(READY)      # all 9,608 graphs of one-way links of five, every leader; 10 min
	$(BIN)/python -m tests.raft.graphs $(if $(OUT),--out $(OUT))

bench-failover bench-switchover bench-watch bench-agents bench-consensus bench-simulation: $(READY)
	$(BIN)/python benchmarks/$(subst -,_,$@).py

bench-resolve: $(READY)   # over gRPC against an empty handler, then in process
	$(BIN)/python benchmarks/bench_resolve.py
	$(BIN)/python benchmarks/bench_resolve_inprocess.py

lock:                     # rewrite the pinned, hashed requirements (needs uv on the PATH)
	for set in runtime "dev --group dev"; do set -- $$set; \
	uv pip compile pyproject.toml $$2 $$3 --constraint requirements/constraints.txt --universal \
		--python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url -o requirements/$$1.txt; done

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.11 ..."; exit 1; }
	@echo "making the environment in .venv (once; about a minute)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

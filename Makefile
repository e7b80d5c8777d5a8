# make demo   a simulated plant, read once in two formats         make parts  what the tests run against (InfluxDB, Telegraf)
# make test   parts, check and all tests; what CI runs            make bench  tables of ratios
# make check  format, lint, types, import contracts
.PHONY: demo test parts check bench clean
.NOTPARALLEL:
.DELETE_ON_ERROR:
SHELL = /bin/sh

# Made anew where pyproject.toml changed, the checkout moved (scripts name their interpreter by full path) or its interpreter went.
ifneq ($(shell .venv/bin/python -c 'print(open(".venv/made").read().strip())' 2>/dev/null),$(CURDIR))
.PHONY: .venv/made
endif

demo: .venv/made
	@.venv/bin/pv-sim demo -- sh tools/demo

# Where a part cannot be had (no root), the tests that need it say so: skipped at home, failed in CI. So "-".
test:
	-@tools/parts
	@$(MAKE) --no-print-directory check
	@.venv/bin/pytest

parts:
	@tools/parts

check: .venv/made
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

bench: .venv/made
	@set -e; for module in $(notdir $(basename $(wildcard bench/[a-z]*.py))); do .venv/bin/python -m bench.$$module; done

.venv/made: pyproject.toml tools/venv
	@tools/venv

clean:
	rm -rf .venv .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
	find . -name __pycache__ -prune -exec rm -rf {} +

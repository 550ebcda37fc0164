# Everything a fresh machine with python3, make and Debian packages needs is fetched into .venv and .tools: no root.
# `make` alone lists the targets.

PYTHON ?= python3
V := .venv/bin
unexport PYTHONDONTWRITEBYTECODE  # the tests start hundreds of processes: each would compile all that it imports

help:                ## this list
	@sed -n 's/^\([a-z-]*\): .*## \(.*\)/  make \1\t\2/p;s/^\([a-z-]*\):  *## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

demo: .venv/demo     ## a battery site that lives on measured data, with its page
	@$(V)/joulebus demo $(ARGS)

setup: .venv/demo .venv/test ## prepare all that `make demo` and `make test` need

test: .venv/test     ## all tests: real broker, MariaDB, Modbus, browser
	$(V)/pytest -q -n 6 --dist worksteal $(ARGS)

test-fast: .venv/test ## only what takes no longer than a moment
	$(V)/pytest -q -n 6 --dist worksteal -m "not slow" $(ARGS)

chaos: .venv/test    ## random faults on real processes, three seeds of 40 s: the table of docs/guarantees.md
	JOULEBUS_CHAOS=full $(V)/pytest -q tests/chaos/test_chaos.py::test_chaos $(ARGS)

faults: .venv/test   ## the single faults of docs/guarantees.md, as long as they are promised to be survived
	JOULEBUS_CHAOS=full $(V)/pytest -q -n 2 tests/chaos tests/consumers/test_archive_faults.py \
		tests/consumers/test_archive_full_disk.py tests/bridges/fieldbus/test_polling.py::test_a_silent_unit_behind_a_gateway \
		--deselect tests/chaos/test_chaos.py::test_chaos $(ARGS)

search: .venv/test   ## look for cases nobody has tried yet, in all that is tested by properties
	JOULEBUS_CHAOS=full $(V)/pytest -q -n 2 -m "hypothesis or search" $(ARGS)

test-containers: .venv/test ## docker-compose.yml really built, started, used and removed: needs root and docker.io
	JOULEBUS_CONTAINERS=1 $(V)/pytest -q -s -rs tests/containers $(ARGS)

trials: .venv/test   ## try every loop and every fault in virtual time: writes docs/closed-loop.md and time-to-safe.md
	$(V)/python -m tests.scenarios docs

picture: .venv/test  ## take docs/page.png again: the page of the demo, in the fetched browser
	$(V)/python -m tests.picture

check: .venv/test    ## lint, types, and which room may import which
	$(V)/ruff format --check .
	$(V)/ruff check .
	$(V)/mypy
	$(V)/lint-imports

collect: .venv/test  ## import every test once: what runs side by side then finds its bytecode
	-@$(V)/pytest -q --collect-only >/dev/null

docs: .venv/test     ## write the generated documents again
	$(V)/joulebus docs docs

lock: .venv/test     ## resolve the dependencies again: pinned versions and hashes
	$(V)/uv pip compile -q pyproject.toml --generate-hashes --no-emit-index-url --no-header -p 3.11 -o requirements.txt
	$(V)/uv pip compile -q pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header -p 3.11 -c requirements.txt -o requirements-dev.txt

up: site             ## the containers of docker-compose.yml, with passwords and keys of their own
	sh mosquitto/secrets.sh --containers mosquitto/secrets mosquitto localhost
	docker compose $(ARGS) up --build --detach
	@echo "The page: http://$${JOULEBUS_PAGE:-127.0.0.1:8080}. Who acts on it shows the token that stands in"
	@echo "  mosquitto/secrets/passwords/page-token       operators: steer, acknowledge, shelve, comment"
	@echo "  mosquitto/secrets/passwords/engineer-token   engineers: take alarms out of service as well"

site:                # what the containers read: site.toml, tariff.toml, profiles and prices. What is there stays
	mkdir site
	sed 's,tcp://127\.0\.0\.1:,tcp://simulate:,' site.toml > site/site.toml
	cp --parents tariff.toml simulator/recordings/de_lu_day_ahead_2020_2023.csv.gz site

down:                ## and stop them; what they keep stays
	docker compose --profile demo down

clean:               ## forget what was fetched and what the demo kept
	rm -rf .venv .tools .run

.venv/bin/uv:
	@echo "preparing .venv"
	@$(PYTHON) -m venv .venv 2>/dev/null || $(PYTHON) -m joulebus.neighbours --venv .venv
	@$(V)/python -m pip install -q --disable-pip-version-check uv==0.13.9

# The demo needs the runtime packages and a broker; the tests need the rest as well.
.venv/demo: .venv/bin/uv requirements.txt pyproject.toml
	@echo "fetching the packages of requirements.txt"
	@$(V)/uv pip install -q --python $(V)/python --require-hashes -r requirements.txt
	@$(V)/uv pip install -q --python $(V)/python --no-deps -e .
	@$(V)/python -m optimizer.policy
	@$(V)/python -m joulebus.neighbours mosquitto
	@touch $@

.venv/test: .venv/demo requirements-dev.txt
	@echo "fetching the packages of requirements-dev.txt"
	@$(V)/uv pip install -q --python $(V)/python --require-hashes -r requirements-dev.txt
	@$(V)/python -m joulebus.neighbours mosquitto mosquitto-clients mariadb mariadb-client galera chromium mbpoll libfaketime
	@touch $@

.PHONY: help demo setup test test-fast chaos faults search test-containers trials picture check collect docs lock up down clean
.DEFAULT_GOAL := help

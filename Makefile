# Everything a user types. Recipes stay short: the work is done by `harness`, whose options have the same names.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

#: BENCH         suite to evaluate: mini (default), longest6, bench2drive, town13, fail2drive; make list shows all
#: ONLY          only these routes of the suite, separated by commas, e.g. ONLY=00,06
#: SEEDS         seeds, separated by commas; default: the suite's own
#: AGENT         expert (default), constant, or your own: path/to/file.py:ClassName
#: CONFIG        text that is passed to the agent's setup, usually a path
#: DATASET       name of the dataset to collect (default carla_leaderboard2)
#: ROOT          folder of the datasets (default data)
#: ROUTES        folder with the route files to collect (default routes/train)
#: REPETITIONS   how often each route is collected (default 1), each time in other traffic
#: ONLY_TYPES, WITHOUT_TYPES, MAX_PER_TYPE  which scenario types to collect, and at most how many routes of each
#: BACKEND       local or slurm; default: slurm if there is a PARTITION
#: PARTITION     Slurm partition, or several with commas: after crashes and lack of memory the next one is used
#: GPU, CPU      per task (default 0 and 2)
#: TIMEOUT       time limit of a task: seconds, 4h, 1-00:00:00 (default 14400)
#: TEMPLATE      your own batch script template with $CMD; default: slurm_templates/
#: ACCOUNT, QOS, MEM, CONSTRAINT  as Slurm knows them; lasting settings belong in harness.toml
#: DETACH        DETACH=1 submits and returns; a chain of small jobs sees to the rest
#: JOBS          how many tasks run side by side; default: the cores, with Slurm the limit files (make test: 2)
#: RUN           folder of a run or dataset; make eval continues the newest incomplete one of the same configuration
#: ALL           ALL=1 lets make scancel cancel every run
#: WATCH         WATCH=1 shows make status again every 15 seconds
#: NEW           NEW=1 starts a new run instead
#: PRINT_ONLY    PRINT_ONLY=1 writes nothing and prints what would be done
#: SIM           embedded (default), or host:port of a CARLA server that is already running
#: OUTPUT        OUTPUT=json prints one JSON document instead of text
#: VERBOSE       VERBOSE=1 says more about what is going on
#: HARNESS_DATA  folder with the official routes and towns (routes/, maps/)
#: HARNESS_CACHE  folder for what make towns and make routes fetch (default ~/.cache/carla-harness); looked in second
#: FROM          make routes BENCH=... and make towns: folder, file or git address to take them from instead
#: TOWN          town of make simulator and make routes
#: PORT          first port of make simulator (default 2000)
#: MAPS          folder with more towns for make simulator and make route-facts (.xodr, .xodr.gz)
#: COUNT, SEED   how many routes make routes samples, and which
#: SHORT         SHORT=1 scales make soak down to 15 minutes
#: RESULTS       result file, folder or archive that make score reads (outputs/evaluation/latest)
#: AGAINST       make score: results of a second agent, with which RESULTS is compared route by route
#: SAVE          make score: folder for the scores as text, JSON, Markdown, CSV, LaTeX and HTML
#: ON_DUPLICATE  make score: which of two results of one drive counts: error, newest, first, all
#: PARTIAL       PARTIAL=1 has make score print the means of an incomplete set, too
#: COMPARE       COMPARE=1 compares make bench with the stored run before it
#: CONFIRM       CONFIRM=1 answers the question of make clean and make clean-failed with yes
#: PYTHON        Python 3.11 or 3.12 to make .venv with; default: the first of python3.12, python3.11, python3 that fits
VALUES := BENCH ONLY SEEDS AGENT CONFIG JOBS RUN SIM OUTPUT HARNESS_DATA HARNESS_CACHE FROM TOWN PORT MAPS COUNT SEED PYTHON \
  DATASET ROOT ROUTES REPETITIONS ONLY_TYPES WITHOUT_TYPES MAX_PER_TYPE \
  BACKEND PARTITION GPU CPU TIMEOUT TEMPLATE ACCOUNT QOS MEM CONSTRAINT RESULTS AGAINST SAVE ON_DUPLICATE
SWITCHES := NEW PRINT_ONLY VERBOSE SHORT COMPARE CONFIRM DETACH ALL WATCH PARTIAL

# What the user typed is text: it is never expanded and reaches the recipes through the environment only.
$(foreach v,$(VALUES) $(SWITCHES),$(if $(value $v),$(eval override $v := $$(value $v))))
$(foreach v,$(SWITCHES),$(if $(filter 0 no false,$($v)),$(eval override $v :=)))
export $(VALUES) $(SWITCHES)

HARNESS := .venv/bin/harness
PYTEST := .venv/bin/pytest
READY := .venv/.ready
CARLA_ROOT_DIR := harness/sim/carla_root
SHELL_FILES := .ci/run slurm_templates/*.sbatch $(CARLA_ROOT_DIR)/CarlaUE4.sh \
  $(CARLA_ROOT_DIR)/CarlaUE4/Binaries/Linux/CarlaUE4-Linux-Shipping

# The same options for everything that is handed to a scheduler.
LAUNCH := $${BACKEND:+--backend="$$BACKEND"} $${PARTITION:+--partition="$$PARTITION"} $${GPU:+--gpu="$$GPU"} \
  $${CPU:+--cpu="$$CPU"} $${TIMEOUT:+--timeout="$$TIMEOUT"} $${TEMPLATE:+--template="$$TEMPLATE"} \
  $${ACCOUNT:+--account="$$ACCOUNT"} $${QOS:+--qos="$$QOS"} $${MEM:+--mem="$$MEM"} \
  $${CONSTRAINT:+--constraint="$$CONSTRAINT"} $${JOBS:+--jobs="$$JOBS"} $${DETACH:+--detach} \
  $${PRINT_ONLY:+--print-only} $${OUTPUT:+--output="$$OUTPUT"}

##@ Run

.PHONY: collect
collect: $(READY) ## Collect DATASET: the expert drives ROUTES and is recorded
	@exec $(HARNESS) collect $${DATASET:+--dataset="$$DATASET"} $${ROOT:+--root="$$ROOT"} $${ROUTES:+--routes="$$ROUTES"} \
	  $${REPETITIONS:+--repetitions="$$REPETITIONS"} $${ONLY_TYPES:+--only-types="$$ONLY_TYPES"} \
	  $${WITHOUT_TYPES:+--without-types="$$WITHOUT_TYPES"} $${MAX_PER_TYPE:+--max-per-type="$$MAX_PER_TYPE"} \
	  $${SEED:+--seed="$$SEED"} $(LAUNCH)

.PHONY: eval
eval: $(READY) ## Evaluate AGENT on BENCH and print the scoreboard
	@exec $(HARNESS) eval $${BENCH:+--bench="$$BENCH"} $${ONLY:+--only="$$ONLY"} $${SEEDS:+--seeds="$$SEEDS"} \
	  $${AGENT:+--agent="$$AGENT"} $${CONFIG:+--config="$$CONFIG"} $${RUN:+--run="$$RUN"} $${SIM:+--sim="$$SIM"} \
	  $${NEW:+--new} $${VERBOSE:+--verbose} $(LAUNCH)

.PHONY: status
status: $(READY) ## Show how the newest run, or RUN, stands
	@exec $(HARNESS) status $${RUN:+--run="$$RUN"} $${WATCH:+--watch} $${OUTPUT:+--output="$$OUTPUT"}

.PHONY: scancel
scancel: $(READY) ## Cancel the newest run, RUN, or with ALL=1 every one
	@exec $(HARNESS) scancel $${RUN:+--run="$$RUN"} $${ALL:+--all} $${PRINT_ONLY:+--print-only} $${OUTPUT:+--output="$$OUTPUT"}

.PHONY: clean-failed
clean-failed: $(READY) ## List the failed routes of the dataset RUN; CONFIRM=1 deletes them, and broken ones are collected again
	@exec $(HARNESS) clean-failed $${RUN:+--run="$$RUN"} $${CONFIRM:+--confirm} \
	  $${PRINT_ONLY:+--print-only} $${OUTPUT:+--output="$$OUTPUT"}

.PHONY: doctor
doctor: $(READY) ## Check this machine and, through a probe job, the nodes of PARTITION
	@exec $(HARNESS) doctor $${PARTITION:+--partition="$$PARTITION"} $${ACCOUNT:+--account="$$ACCOUNT"} \
	  $${GPU:+--gpu="$$GPU"} $${QOS:+--qos="$$QOS"} $${MEM:+--mem="$$MEM"} \
	  $${CONSTRAINT:+--constraint="$$CONSTRAINT"} $${PRINT_ONLY:+--print-only} $${OUTPUT:+--output="$$OUTPUT"}

.PHONY: score
score: $(READY) ## Score result files of any lab in RESULTS by the rules of BENCH
	@exec $(HARNESS) score $${AGAINST:+--compare} "$${RESULTS:-outputs/evaluation/latest}" $${AGAINST:+"$$AGAINST"} $${BENCH:+--bench="$$BENCH"} \
	  $${ON_DUPLICATE:+--on-duplicate="$$ON_DUPLICATE"} $${PARTIAL:+--allow-partial} $${OUTPUT:+--output="$$OUTPUT"} $${SAVE:+--save="$$SAVE"}

.PHONY: simulator
simulator: $(READY) ## Serve TOWN on PORT to any program that uses the carla client
	@exec $(HARNESS) simulator $${TOWN:+--town="$$TOWN"} $${PORT:+--port="$$PORT"} $${MAPS:+--maps="$$MAPS"}

.PHONY: list
list: $(READY) ## Show suites, towns, agents and runs
	@exec $(HARNESS) list $${OUTPUT:+--output="$$OUTPUT"}

##@ Make routes and towns

.PHONY: routes
routes: $(READY) ## Fetch the routes of BENCH; without BENCH sample COUNT routes in TOWN and print their XML
	@if [ -n "$${BENCH:-}" ]; then \
	  exec $(HARNESS) routes fetch --bench="$$BENCH" $${FROM:+--from="$$FROM"} $${PRINT_ONLY:+--print-only}; \
	fi; \
	exec $(HARNESS) routes sample $${TOWN:+--town="$$TOWN"} $${COUNT:+--count="$$COUNT"} $${SEED:+--seed="$$SEED"}

.PHONY: route-facts
route-facts: $(READY) ## Write the tables of routes in routes/suites again, or the one of BENCH
	@exec $(HARNESS) routes tabulate $${BENCH:+--bench="$$BENCH"} $${MAPS:+--maps="$$MAPS"}

.PHONY: towns
towns: $(READY) ## Fetch the twelve towns of CARLA, 23 MB
	@exec $(HARNESS) towns fetch $${FROM:+--from="$$FROM"} $${PRINT_ONLY:+--print-only}

.PHONY: own-towns
own-towns: $(READY) ## Build the repository's own towns again
	@exec $(HARNESS) towns build

##@ Prove

.PHONY: test
test: $(READY) ## Run the tests that need nothing but this repository
	@$(PYTEST) -n "$${JOBS:-2}" --dist loadfile --no-loadscope-reorder

.PHONY: soak
soak: $(READY) ## Run the long proofs
	@$${SHORT:+env HARNESS_SOAK_SHORT=1} $(PYTEST) -m soak --timeout 3600

.PHONY: conformance
conformance: $(READY) ## Write docs/conformance.md from the calls that the contract tests make
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	HARNESS_RECORD_CALLS="$$folder" $(PYTEST) tests/contract; \
	.venv/bin/python -m tests.contract.conformance "$$folder" > docs/conformance.md

.PHONY: foreign
foreign: $(READY) ## Install programs that others wrote for CARLA; make soak runs them against the simulator
	@for name in scenic birdview; do \
	  home=.foreign/$$name; wanted=tests/foreign/$$name.txt; \
	  if cmp -s "$$wanted" "$$home/.installed"; then continue; fi; \
	  echo "installing $$wanted into $$home"; rm -rf "$$home"; .venv/bin/python -m venv "$$home"; \
	  grep -v '^#' "$$wanted" | "$$home/bin/pip" install -q -r /dev/stdin; \
	  sed -n 's/^# apart from its dependencies: //p' "$$wanted" | xargs -r "$$home/bin/pip" install -q --no-deps; \
	  cp "$$wanted" "$$home/.installed"; \
	done

.PHONY: check
check: $(READY) ## Check style, types, import layers, shell scripts and golden files
	.venv/bin/ruff check --quiet
	.venv/bin/ruff format --check --quiet
	.venv/bin/mypy --no-error-summary
	.venv/bin/lint-imports --no-cache
	.venv/bin/shellcheck $(SHELL_FILES)
	@$(PYTEST) -q tests/golden tests/unit/stages/test_scoreboard.py

.PHONY: bench
bench: $(READY) ## Measure speed and keep the numbers in outputs/bench
	@$(PYTEST) tests/bench -m bench --timeout 600 --benchmark-enable --benchmark-autosave \
	  --benchmark-storage="file://outputs/bench/$$(uname -n)" $${COMPARE:+--benchmark-compare}

##@ Keep house

.PHONY: setup
setup: $(READY) ## Make .venv with the tested versions; every other verb does it on demand
	@version=$$($(HARNESS) --version); echo ".venv is ready: $$(.venv/bin/python -V), $$version"

.PHONY: clean
clean: ## Remove everything in outputs/ (asks first)
	@if ! [ -d outputs ]; then echo 'there is no outputs/ to clean'; exit; fi; \
	if [ -n "$${PRINT_ONLY:-}" ]; then find outputs/ -mindepth 1 -maxdepth 4; exit; fi; \
	if [ -z "$${CONFIRM:-}" ]; then \
	  printf 'remove %s files in outputs/ (%s)? [y/N] ' "$$(find outputs/ -type f | wc -l)" "$$(du -shD outputs | cut -f1)" >&2; \
	  read -r answer || { echo 'no answer: type make clean CONFIRM=1' >&2; exit 1; }; \
	  case "$$answer" in y | Y | yes) ;; *) echo 'nothing was removed'; exit ;; esac; \
	fi; \
	find outputs/ -mindepth 1 -delete; echo 'outputs/ is empty'

.PHONY: help
help: ## Show this text
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[A-Za-z0-9_.-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nVariables, e.g. make eval BENCH=longest6 ONLY=00,06 SEEDS=1,2 HARNESS_DATA=path/to/data\n'
	@sed -n 's/^#: */  /p' $(MAKEFILE_LIST)

# A folder that was moved or copied holds a .venv with the old paths in it: .ready remembers where it was made.
ifneq ($(file <$(READY)),$(CURDIR))
.PHONY: $(READY)
endif

# The lock lets two makes start at once. .ready is removed first and written last, so that a set-up which was
# interrupted starts again from an empty .venv. -I keeps the user's PYTHONPATH out of what pip believes is installed.
$(READY): pyproject.toml constraints.txt
	@command -v python3 >/dev/null || { echo 'error: found no python3, expected Python 3.11 or 3.12: install it' >&2; exit 2; }
	@python=$$(python3 -I harness/preflight.py "$${PYTHON:-}"); \
	exec 9<Makefile; flock 9; \
	if [ "$$(cat $@ 2>&1)" = "$$(pwd -P)" ] && [ $@ -nt pyproject.toml ] && [ $@ -nt constraints.txt ]; then exit; fi; \
	echo "setting up .venv with $$python, once, about a minute" >&2; \
	fresh=--clear; \
	if [ -e $@ ] && [ "$$(.venv/bin/python -V 2>&1)" = "$$("$$python" -V)" ]; then fresh=; fi; \
	rm -f $@; "$$python" -I -m venv $$fresh .venv; \
	PIP_USER=0 .venv/bin/python -I -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[sim,dev]' || \
	  { echo 'error: pip could not install constraints.txt, its reason stands above: type make setup to try again' >&2; exit 1; }; \
	pwd -P >$@

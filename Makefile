# stampede: `make help` lists the targets. MODE=release (default), debug, asan or tsan; each has its own objects.

MODE  ?= release
BUILD := build/$(MODE)
comma := ,
# ccache, where it is installed, makes the second build of another MODE or checkout quick.
CXX   := $(if $(shell command -v ccache),CCACHE_SLOPPINESS=pch_defines$(comma)time_macros ccache) g++

# -g1: function names and lines, which perf, bpftrace and backtraces read; variables are for MODE=debug. A quarter of the
# compiler's time.
FLAGS_release := -O2 -g1 -DNDEBUG
FLAGS_debug   := -O0
FLAGS_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined
# What GCC 12 puts in for the thread sanitizer hides from its own warning that an optional was asked.
FLAGS_tsan    := -O1 -fsanitize=thread -Wno-maybe-uninitialized
# Of the simulator alone: which lines its seeds reach.
FLAGS_coverage := -O1 -g0 --coverage
# jemalloc and the sanitizers both replace malloc; the sanitizers win in their own builds.
MALLOC_release := -ljemalloc
MALLOC_debug   := -ljemalloc

VERSION  := $(shell scripts/version)
COMMIT   := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
# WERROR=1: no warning passes. The targets that test set it; a build with another compiler only shows what that one warns of.
CXXFLAGS += $(if $(WERROR),-Werror) -std=c++20 -g -fno-omit-frame-pointer -Wall -Wextra -Wshadow -Wno-missing-field-initializers \
            -Werror=return-type -pthread -MMD -MP -Isrc -isystem /usr/include/postgresql $(FLAGS_$(MODE))
LDLIBS   += -luring -lsodium -lnettle -lxxhash -lsimdjson -lsqlite3 -lpq -lhiredis -lsystemd -lseccomp -lz $(MALLOC_$(MODE)) -pthread

# Every source but main.cc goes into the library that the binary, the tests and the tools share.
LIB_SRCS  := $(filter-out src/main.cc,$(wildcard src/*.cc src/*/*.cc))
UNIT_SRCS := $(wildcard test/unit/*.cc test/unit/*/*.cc)
E2E_SRCS  := $(wildcard test/e2e/*.cc test/e2e/*/*.cc)
# Real servers that tests start themselves: PostgreSQL, Redis, a relay that cuts; both kinds of tests use them.
SERVER_SRCS := $(wildcard test/servers/*.cc)
# The world in one thread: fakes of the seams, for unit tests of whole shards.
WORLD_SRCS := $(wildcard test/world/*.cc)
# The simulator: its parts, their own tests, and the program.
SIM_SRCS  := $(filter-out test/sim/main.cc %_test.cc,$(wildcard test/sim/*.cc))
SIM_TESTS := $(wildcard test/sim/*_test.cc)
# The ledger's scripts are run by the Lua that runs them inside Redis.
SIM_LDLIBS := -llua5.1
# The soak: the real binary under real faults, with the harness of the tests of the real binary.
SOAK_SRCS := $(wildcard test/soak/*.cc) $(wildcard test/e2e/harness/*.cc)
FUZZ_SRCS := $(wildcard test/fuzz/*.cc)
MODEL_SRCS := $(wildcard test/model/*.cc)
objects    = $(patsubst %.cc,$(BUILD)/%.o,$(1))

# One short line a step; V=1 prints the commands.
ifeq ($(V),)
.SILENT:
say = @echo '  $(1) $(@:$(BUILD)/%=%)'
endif

.DEFAULT_GOAL := build
.PHONY: build run demo cluster-demo cluster-soak test unit e2e sanitize soak sim sim-coverage model guards planted fuzz perf bench report tidy deps deps-test install uninstall deb clean help FORCE

# Compile with every CPU; the targets themselves go one after the other (`make clean build`).
compile := +$(MAKE) --no-print-directory -j$(shell nproc)
test unit e2e sanitize soak sim model: compile += WERROR=1

build:  ## build the server (MODE=release|debug|asan|tsan)
	@$(compile) $(BUILD)/stampede

$(BUILD)/libstampede.a: $(call objects,$(LIB_SRCS))
	@rm -f $@ && ar rcs $@ $^

$(BUILD)/stampede: $(BUILD)/src/main.o $(BUILD)/libstampede.a
	$(call say,LD )
	$(CXX) $(CXXFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)

$(BUILD)/unit_tests: $(call objects,$(UNIT_SRCS) $(SERVER_SRCS) $(WORLD_SRCS)) $(BUILD)/libstampede.a
	$(call say,LD )
	$(CXX) $(CXXFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)

$(BUILD)/e2e_tests: $(call objects,$(E2E_SRCS) $(SERVER_SRCS)) $(BUILD)/libstampede.a
	$(call say,LD )
	$(CXX) $(CXXFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)

$(BUILD)/soak: $(call objects,$(SOAK_SRCS) $(SERVER_SRCS)) $(BUILD)/libstampede.a
	$(call say,LD )
	$(CXX) $(CXXFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS) -lfuse3

$(BUILD)/ledger_model: $(call objects,$(MODEL_SRCS))
	$(call say,LD )
	$(CXX) $(CXXFLAGS) -o $@ $^ -lxxhash

# Calls of the C library that the simulator's file system stands in front of (test/sim/file_calls.cc).
SIM_WRAPPED := open close pread pwrite fsync fdatasync ftruncate fallocate rename unlink mkdir opendir fopen \
               openat creat truncate rmdir remove link symlink mkstemp renameat unlinkat mkdirat read write writev \
               pwritev posix_fallocate sync_file_range syncfs dup _exit abort
SIM_LDFLAGS  = $(foreach name,$(SIM_WRAPPED),-Wl,--wrap=$(name))
$(BUILD)/sim: $(call objects,test/sim/main.cc $(SIM_SRCS) $(WORLD_SRCS)) $(BUILD)/libstampede.a
	$(call say,LD )
	$(CXX) $(CXXFLAGS) -o $@ $^ $(LDFLAGS) $(SIM_LDFLAGS) $(LDLIBS) $(SIM_LDLIBS)

$(BUILD)/sim_tests: $(call objects,$(SIM_SRCS) $(SIM_TESTS) $(WORLD_SRCS) $(SERVER_SRCS)) $(BUILD)/libstampede.a
	$(call say,LD )
	$(CXX) $(CXXFLAGS) -o $@ $^ $(LDFLAGS) $(SIM_LDFLAGS) $(LDLIBS) $(SIM_LDLIBS)

# Programs of perf/ that measure parts of the server without it. `make test` builds them: they follow the parts' interfaces.
PARTS := $(addprefix $(BUILD)/,block_list door_checks enrolled find_code order_limits)
$(PARTS): $(BUILD)/%: $(BUILD)/perf/%.o $(BUILD)/libstampede.a
	$(call say,LD )
	$(CXX) $(CXXFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)

$(BUILD)/floor: $(BUILD)/perf/floor.o
	$(call say,LD )
	$(CXX) $(CXXFLAGS) -o $@ $^

# Only one object knows the version, and it is rebuilt only when that changes.
$(BUILD)/version.txt: FORCE
	@mkdir -p $(@D) && echo '$(VERSION) $(COMMIT)' | cmp -s - $@ || echo '$(VERSION) $(COMMIT)' > $@
$(BUILD)/src/cmd/version.o: $(BUILD)/version.txt
$(BUILD)/src/cmd/version.o: CXXFLAGS += -DSTAMPEDE_VERSION='"$(VERSION)"' -DSTAMPEDE_COMMIT='"$(COMMIT)"'
FORCE:

# The scripts that run inside Redis, as C++ literals.
$(BUILD)/lua_scripts.inc: $(wildcard lua/*.lua)
	@mkdir -p $(@D)
	@for f in $^; do printf '{"%s", R"lua(' "$$(basename $$f .lua)"; cat $$f; printf ')lua"},\n'; done > $@
$(BUILD)/src/cluster/scripts.o: $(BUILD)/lua_scripts.inc
$(BUILD)/src/cluster/scripts.o: CXXFLAGS += -iquote $(BUILD)

# Tests are compiled once and run once: the compiler's time counts, not theirs. Not -O0: simdjson lays out its objects
# otherwise where __OPTIMIZE__ is not defined, and the library has them the optimised way.
TEST_FLAGS_release := -Og -g1
# The model is run more than it is compiled; headers that were compiled with other flags are not for it.
$(BUILD)/test/model/%.o: TEST_FLAGS_release := -O2 -g1
$(BUILD)/test/model/%.o: compiled_headers :=
$(BUILD)/test/%.o: compiled_headers = -include $(BUILD)/test/standard.h
$(BUILD)/test/%.o: test/%.cc $(BUILD)/test/standard.h.gch
	@mkdir -p $(@D)
	$(call say,CXX)
	$(CXX) $(CXXFLAGS) $(TEST_FLAGS_$(MODE)) $(compiled_headers) -DDOCTEST_CONFIG_SUPER_FAST_ASSERTS -c -o $@ $<

# A number that is cut costs money in src/ alone.
$(BUILD)/src/%.o: CXXFLAGS += -Wconversion -Wno-sign-conversion

$(BUILD)/%.o: %.cc $(BUILD)/src/standard.h.gch
	@mkdir -p $(@D)
	$(call say,CXX)
	$(CXX) $(CXXFLAGS) -include $(BUILD)/src/standard.h -c -o $@ $<

# The standard library's headers are compiled once, not 400 times (src/standard.h says more).
$(BUILD)/src/standard.h.gch $(BUILD)/test/standard.h.gch: $(BUILD)/%/standard.h.gch: src/standard.h
	@mkdir -p $(@D)
	$(call say,CXX)
	$(CXX) $(CXXFLAGS) $(if $(filter test,$*),$(TEST_FLAGS_$(MODE))) -o $@ $<

# Fuzzers: libFuzzer with the address and undefined-behaviour sanitizers, by clang, of the parts that read hostile bytes.
# Objects of their own; NAME of test/fuzz/NAME.cc is a target of its own.
FUZZ_CXX   := $(shell command -v ccache) clang++-16
FUZZ_FLAGS := -std=c++20 -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link \
              -fno-sanitize-recover=undefined -pthread -MMD -MP -Isrc -isystem /usr/share/include/llhttp \
              $(if $(filter x86_64,$(shell uname -m)),-mcx16)
# What they try; a folder is one translation unit, which takes half of the compiler's time.
FUZZ_UNITS := src/base src/http src/door src/stock src/orderlog
FUZZ_LIB   := $(FUZZ_UNITS:%=build/fuzz/%.o) $(patsubst %.cc,build/fuzz/%.o,src/net/address.cc src/shard/admin_routes.cc \
              src/shard/levers.cc test/unit/http/parser_cases.cc)
FUZZERS    := $(patsubst test/fuzz/%.cc,build/fuzz/%,$(FUZZ_SRCS))
# The second parser, llhttp, is packaged as sources; it is linked into the fuzzer of http alone.
LLHTTP_OBJS := $(patsubst %,build/fuzz/llhttp/%.o,api http llhttp)
build/fuzz/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(call say,CC )
	$(CC) -O1 -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp -c -o $@ $<

build/fuzz/%.o: %.cc
	@mkdir -p $(@D)
	$(call say,CXX)
	$(FUZZ_CXX) $(FUZZ_FLAGS) -c -o $@ $<

$(FUZZ_UNITS:%=build/fuzz/%.o): build/fuzz/%.o: $(wildcard $(FUZZ_UNITS:%=%/*.cc))
	@mkdir -p $(@D)
	$(call say,CXX)
	printf '#include "%s"\n' $(wildcard $*/*.cc) > build/fuzz/$*.cc
	$(FUZZ_CXX) $(FUZZ_FLAGS) -I. -c -o $@ build/fuzz/$*.cc

build/fuzz/libfuzzed.a: $(FUZZ_LIB)
	@rm -f $@ && ar rcs $@ $^

$(FUZZERS): build/fuzz/%: build/fuzz/test/fuzz/%.o build/fuzz/libfuzzed.a
	$(call say,LD )
	$(FUZZ_CXX) -fsanitize=address,undefined,fuzzer -o $@ $^ -lsodium -lnettle -lxxhash -lsimdjson -luring -pthread
build/fuzz/http: $(LLHTTP_OBJS)

DATA ?= stampede-data

run: deps  ## install what is missing, build and serve the demo sale on 127.0.0.1:8080
	@$(compile) $(BUILD)/stampede
	@exec $(BUILD)/stampede serve --demo --data $(DATA)

cluster-demo: deps-test  ## ten nodes sell 10,000 tickets; three die for ever, Redis fails over; and the proof
	@$(compile) $(BUILD)/stampede
	@scripts/cluster-demo $(BUILD)/stampede

cluster-soak: deps-test  ## the same with a hundred nodes
	@$(compile) $(BUILD)/stampede
	@scripts/cluster-demo $(BUILD)/stampede 100

demo: deps  ## the headline: a million users rush for 10,000 tickets, and the proof
	@$(compile) $(BUILD)/stampede
	@scripts/demo $(BUILD)/stampede

test: deps-test  ## everything; ends with `N passed, N failed`
	@$(compile) $(BUILD)/stampede $(BUILD)/unit_tests $(BUILD)/e2e_tests $(BUILD)/ledger_model $(BUILD)/sim_tests \
	    $(BUILD)/sim $(FUZZERS) $(BUILD)/floor $(PARTS)
	@scripts/run-tests --beside '$(BUILD)/e2e_tests -ts=e2e/shared_ledger*' --beside '$(BUILD)/e2e_tests -tse=e2e/shared_ledger*' $(BUILD)/unit_tests $(BUILD)/ledger_model $(BUILD)/sim_tests \
	    "$(BUILD)/sim --first test/sim/seeds.txt --runs 200" "scripts/fuzz 10 $(FUZZERS)" "scripts/check-docs $(BUILD)/stampede" \
	    "scripts/check-contract $(BUILD)/stampede"

unit:  ## the unit tests alone (MODE=asan and MODE=tsan too)
	@$(compile) $(BUILD)/unit_tests
	@scripts/run-tests $(BUILD)/unit_tests

e2e:  ## the tests of the real binary alone
	@$(compile) $(BUILD)/stampede $(BUILD)/e2e_tests
	@scripts/run-tests $(BUILD)/e2e_tests

sanitize: deps-test  ## unit tests under address, undefined-behaviour and thread sanitizers
	@$(compile) MODE=asan build/asan/unit_tests
	@$(compile) MODE=tsan build/tsan/unit_tests
	@scripts/run-tests build/asan/unit_tests build/tsan/unit_tests

soak: deps-test  ## the real binary under real faults for SECONDS=3600: kills, power cuts, bad disks, Redis, PostgreSQL, clocks
	@$(compile) $(BUILD)/stampede $(BUILD)/soak
	@$(BUILD)/soak --seconds $(or $(SECONDS),3600)

fuzz: deps-test  ## all fuzzers for SECONDS each (60), one a CPU at a time; what they find is kept in build/fuzz
	@$(compile) $(FUZZERS)
	@scripts/fuzz $(or $(SECONDS),60) $(FUZZERS)

sim:  ## whole nodes in a simulated world with faults, seed by seed (SEED=1 RUNS=2000, JOBS=2)
	@$(compile) $(BUILD)/sim
	@$(BUILD)/sim $(if $(SEED),,--first test/sim/seeds.txt) --seed $(or $(SEED),1) --runs $(or $(RUNS),2000) $(if $(JOBS),--jobs $(JOBS))

sim-coverage:  ## which lines of src its seeds reach (SEED=1 RUNS=200)
	@$(compile) MODE=coverage build/coverage/sim
	@scripts/sim-coverage $(or $(SEED),1) $(or $(RUNS),200)

model:  ## every order of events that the shared ledger's protocol allows, in larger worlds (minutes, 2 GB)
	@$(compile) $(BUILD)/ledger_model
	@scripts/run-tests "$(BUILD)/ledger_model --no-skip"

guards:  ## every guard of test/guards taken out, one by one: each must be noticed (AREA=leases, NAME=text, JOBS=2)
	@$(compile) $(BUILD)/unit_tests
	@scripts/guards $(if $(AREA),--area '$(AREA)') $(if $(NAME),--name '$(NAME)') $(if $(JOBS),--jobs $(JOBS))

planted:  ## every guard of test/sim taken out, one by one: each must be noticed by SEEDS (500) of the simulator (NAME=text, JOBS=2)
	@$(compile) $(BUILD)/sim
	@scripts/guards --sim $(or $(SEEDS),500) $(if $(NAME),--name '$(NAME)') $(if $(JOBS),--jobs $(JOBS))

perf:  ## build what the scripts of perf/ measure
	@$(compile) $(BUILD)/stampede $(BUILD)/floor $(PARTS)

bench: deps-test perf  ## instructions a request, by stage, and what each check of the door costs; the same in every run
	@perf/instructions
	@perf/door_checks

report: deps-test perf  ## goal beside measured: every script of perf/, text, JSON and a page with charts (QUICK=1, TODAY=1)
	@perf/report $(if $(QUICK),--quick) $(if $(TODAY),--today)

# A folder is one translation unit of clang-tidy, which so reads the system's headers once a folder: 5 CPU minutes instead of 13.
# Files of this folder define the same names for themselves (a command's Flags) and are read one by one.
TIDY_SINGLY := cmd
TIDY_UNITS  := src/main $(filter $(addprefix src/,$(addsuffix /%,$(TIDY_SINGLY))),$(LIB_SRCS:.cc=)) \
               $(sort $(patsubst %/,%,$(dir $(filter-out $(addprefix src/,$(addsuffix /%,$(TIDY_SINGLY))),$(LIB_SRCS)))))

tidy:  ## check formatting, the include table, and clang-tidy's checks (.clang-tidy) of what has changed since they passed
	@scripts/deps tidy && scripts/tidy
	@$(compile) $(TIDY_UNITS:%=build/tidy/%.ok)

build/tidy/%.ok: .clang-tidy $(wildcard src/*.h src/*/*.cc src/*/*.h) | $(BUILD)/lua_scripts.inc
	@mkdir -p $(@D)
	@echo '  TIDY $*'
	@printf '#include "%s"\n' $(or $(wildcard $*.cc),$(wildcard $*/*.cc)) > build/tidy/$*.cc
	@clang-tidy-16 -quiet build/tidy/$*.cc -- -std=c++20 -I. -Isrc -iquote $(BUILD) -isystem /usr/include/postgresql \
	    -DSTAMPEDE_VERSION='""' -DSTAMPEDE_COMMIT='""' 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

deps:  ## install the Debian packages that building and running need
	@scripts/deps

deps-test:
	@scripts/deps test

# PREFIX is where it will stand, DESTDIR what is put in front of it while it is installed.
PREFIX ?= /usr/local
install uninstall: export DESTDIR := $(DESTDIR)
install uninstall: export PREFIX := $(PREFIX)

install:  ## put the binary, units and examples below PREFIX (/usr/local); OPERATE.md goes on from there
	@$(compile) $(BUILD)/stampede
	@scripts/install install $(BUILD)/stampede

uninstall:  ## remove exactly what `make install` put there
	@scripts/install uninstall

deb:  ## a Debian package in build/deb
	@scripts/deps deb
	@$(compile) $(BUILD)/stampede
	@scripts/make-deb $(BUILD)/stampede

clean:  ## remove everything that was built
	rm -rf build

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

-include $(shell find $(BUILD) build/fuzz -name "*.d" 2>/dev/null)

# stampede: `make help` lists the targets. MODE=release (default), debug, asan or tsan; each has its own objects.

MODE  ?= release
BUILD := build/$(MODE)
CXX   ?= g++

FLAGS_release := -O2 -DNDEBUG
FLAGS_debug   := -O0
FLAGS_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined
FLAGS_tsan    := -O1 -fsanitize=thread
# jemalloc and the sanitizers both replace malloc; the sanitizers win in their own builds.
MALLOC_release := -ljemalloc
MALLOC_debug   := -ljemalloc

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT   := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
CXXFLAGS += -std=c++20 -g -fno-omit-frame-pointer -Wall -Wextra -Wshadow -Wno-missing-field-initializers \
            -Werror=return-type -pthread -MMD -MP -iquote src $(FLAGS_$(MODE))
LDLIBS   += -luring -lsodium -lxxhash -lsimdjson -lsqlite3 -lsystemd $(MALLOC_$(MODE)) -pthread

# -iquote, not -I: src/limits.h must not hide <limits.h>.
# Every source but main.cc goes into the library that the binary, the tests and the tools share.
LIB_SRCS  := $(filter-out src/main.cc,$(wildcard src/*.cc src/*/*.cc))
UNIT_SRCS := $(wildcard test/unit/*.cc test/unit/*/*.cc)
E2E_SRCS  := $(wildcard test/e2e/*.cc test/e2e/*/*.cc)
FUZZ_SRCS := $(wildcard test/fuzz/*.cc)
objects    = $(patsubst %.cc,$(BUILD)/%.o,$(1))

.DEFAULT_GOAL := build
.PHONY: build run demo test unit e2e soak fuzz perf tidy deps clean help

build: $(BUILD)/stampede  ## build the server (MODE=release|debug|asan|tsan)

$(BUILD)/libstampede.a: $(call objects,$(LIB_SRCS))
	@rm -f $@ && ar rcs $@ $^

$(BUILD)/stampede: $(BUILD)/src/main.o $(BUILD)/libstampede.a
	$(CXX) $(CXXFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)

$(BUILD)/unit_tests: $(call objects,$(UNIT_SRCS)) $(BUILD)/libstampede.a
	$(CXX) $(CXXFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)

$(BUILD)/e2e_tests: $(call objects,$(E2E_SRCS)) $(BUILD)/libstampede.a
	$(CXX) $(CXXFLAGS) -o $@ $^ $(LDFLAGS) $(LDLIBS)

$(BUILD)/floor: $(BUILD)/perf/floor.o
	$(CXX) $(CXXFLAGS) -o $@ $^

# Only one object knows the version, and it is rebuilt only when that changes.
$(BUILD)/version.txt: FORCE
	@mkdir -p $(@D) && echo '$(VERSION) $(COMMIT)' | cmp -s - $@ || echo '$(VERSION) $(COMMIT)' > $@
$(BUILD)/src/cmd/version.o: $(BUILD)/version.txt
$(BUILD)/src/cmd/version.o: CXXFLAGS += -DSTAMPEDE_VERSION='"$(VERSION)"' -DSTAMPEDE_COMMIT='"$(COMMIT)"'
FORCE:

$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -c -o $@ $<

perf: $(BUILD)/stampede $(BUILD)/floor  ## build what perf/compare measures

clean:  ## remove everything that was built
	rm -rf build

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

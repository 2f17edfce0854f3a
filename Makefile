# SPDX-License-Identifier: BSD-2-Clause
# Thin front of meson: each target names one command of CONTRIBUTING.md.

BUILD     ?= build
FUZZ_TIME ?= 60
RUN       := python3 scripts/run-tests.py
QUICK     := --suite unit --suite sim-quick --suite scripts --suite layers --suite options
# gcc's and clang's TSan cannot live with high mmap randomisation; setarch turns it off
NOASLR    := setarch $(shell uname -m) -R
DEBUG     := -Ddebug_checks=true
MAKEFLAGS += --no-print-directory

.PHONY: all deps check test demo bench install asan tsan valgrind fuzz clang format-check clean

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@sh scripts/deps.sh --check
	meson setup $(BUILD)

deps:
	@sh scripts/deps.sh

# The fast loop: no root, nothing installed, under a minute.
check: $(BUILD)/build.ninja
	ninja -C $(BUILD)
	@$(RUN) $(BUILD) $(QUICK) $(TOTALS)

test: deps
	@$(MAKE) all
	@$(RUN) $(BUILD) $(TOTALS)

demo: deps
	@$(MAKE) all
	@$(BUILD)/src/tools/naru demo

bench: all
	meson test -C $(BUILD) --benchmark --verbose

install: all
	meson install -C $(BUILD) --no-rebuild

# Variants, each in a folder of its own.
build-asan/build.ninja:
	meson setup build-asan -Db_sanitize=address,undefined $(DEBUG)
build-tsan/build.ninja:
	meson setup build-tsan -Db_sanitize=thread $(DEBUG)
build-clang/build.ninja:
	CC=clang meson setup build-clang $(DEBUG)
build-fuzz/build.ninja:
	CC=clang meson setup build-fuzz -Dfuzz=true -Db_lundef=false $(DEBUG)

SANITIZERS := ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 \
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

asan: build-asan/build.ninja
	ninja -C build-asan
	@$(SANITIZERS) $(RUN) build-asan --slower 3 $(QUICK) --suite sim --suite fault --suite fuzz $(TOTALS)

tsan: build-tsan/build.ninja
	ninja -C build-tsan
	@$(SANITIZERS) $(NOASLR) $(RUN) build-tsan --slower 3 --suite unit --suite sim $(TOTALS)

clang: build-clang/build.ninja
	ninja -C build-clang
	@$(RUN) build-clang $(QUICK) $(TOTALS)

valgrind: all
	@$(RUN) $(BUILD) --slower 20 --suite unit --suite fuzz $(TOTALS) \
		--wrapper 'valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite'

fuzz: build-fuzz/build.ninja
	ninja -C build-fuzz
	@sh scripts/fuzz.sh build-fuzz $(FUZZ_TIME)

format-check:
	@sh scripts/format-check.sh

clean:
	rm -rf build build-asan build-tsan build-clang build-fuzz

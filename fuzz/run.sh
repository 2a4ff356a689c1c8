#!/usr/bin/env bash
# Runs the coverage-guided fuzz targets, each for SECONDS_EACH (60), from the committed corpus.
#
#   fuzz/run.sh [TARGET...]        oracle, live, evidence, pricing, report; all without a name
#   SECONDS_EACH=600 fuzz/run.sh evidence
#
# Needs a nightly compiler (rustup toolchain install nightly), a C++ compiler, and cargo-fuzz (cargo install cargo-fuzz).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(oracle live evidence pricing report)
for target in "${targets[@]}"; do
    found=$(mktemp -d)
    cargo +nightly fuzz run --fuzz-dir . --sanitizer none "$target" "$found" "corpus/$target" -- \
        -max_total_time="${SECONDS_EACH:-60}" -max_len=2048 -print_final_stats=1
    rm -r "$found"
done

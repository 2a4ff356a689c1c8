#!/usr/bin/env bash
# Tests the package toolchain: builds the self-test program, compares what it computes in the SVM with the host, and
# checks that a stack frame beyond 4 KB fails the build.
#
# usage: selftest/run.sh
set -euo pipefail
# shellcheck source-path=SCRIPTDIR/.. source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
selftest=$toolchain/selftest
out=$target/selftest
mkdir -p "$out"

log "self-test: a frame of 4000 bytes builds"
compile packages "$selftest" "$out/frame.so" --features frame-of-4000-bytes 2>"$out.log" || die "it does not: $(cat "$out.log")"
frame=$(python3 "$toolchain/frames.py" "$out/frame.so") || die "frames.py refuses it"
((frame >= 4000)) || die "frames.py measures $frame bytes"

log "self-test: a frame of 5000 bytes fails in the linker"
if compile packages "$selftest" "$out/frame.so" --features frame-of-5000-bytes 2>"$out.log"; then die "it builds"; fi
grep -q 'stack limit is exceeded' "$out.log" || die "it fails for another reason: $(cat "$out.log")"

log "self-test: a frame of 5000 bytes that the linker let pass fails in frames.py"
BPF_STACK_SIZE=8192 compile packages "$selftest" "$out/frame.so" --features frame-of-5000-bytes 2>"$out.log" ||
  die "it does not build: $(cat "$out.log")"
if python3 "$toolchain/frames.py" "$out/frame.so" 2>"$out.log"; then die "it passes"; fi
grep -q 'uses 50[0-9][0-9] bytes of stack' "$out.log" || die "it fails for another reason: $(cat "$out.log")"

log "self-test: arithmetic, memory functions and panics"
compile packages "$selftest" "$out/selftest.so"
python3 "$toolchain/frames.py" "$out/selftest.so" >/dev/null
(cd "$root" && SELFTEST_PROGRAM=$out/selftest.so CARGO_TARGET_DIR=$target \
  cargo test --quiet --locked --manifest-path "$selftest/Cargo.toml")

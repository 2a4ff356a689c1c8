#!/usr/bin/env bash
# Checks that artifacts/ is what the sources give.
#
# usage: check.sh OUTPUT_DIRECTORY
#
# Rebuilds the program and the IDL into OUTPUT_DIRECTORY and compares. It fails if the record names other sources, if the IDL
# differs, or if the same compiler versions gave other bytes. Other compiler versions may give other bytes: then it
# says so. The last line of its output, alone on stdout, is the path of the program to run the tests on:
#
#   BACKSTOP_PROGRAM=$(toolchain/check.sh target/check) cargo test --workspace
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ $# -eq 1 ]] || die "usage: check.sh OUTPUT_DIRECTORY"
mkdir -p "$1"
output=$(cd "$1" && pwd)
artifacts=$root/artifacts
failed=0

for file in backstop.so backstop.json build.json; do
  [[ -f $artifacts/$file ]] || die "artifacts/$file is missing: run toolchain/build.sh"
done

# members OBJECT FILE: the lines of an object in build.json.
members() { sed -n "/^  \"$1\": {/,/^  }/p" "$2"; }
value() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$2"; }

sum=$(sha256sum "$artifacts/backstop.so" | cut -d' ' -f1)
if [[ $(value sha256 "$artifacts/build.json") != "$sum" ]]; then
  log "FAILED: artifacts/build.json does not describe artifacts/backstop.so, whose sha256 is $sum"
  failed=1
fi
if [[ $(value source_sha256 "$artifacts/build.json") != "$(source_digest)" ]]; then
  log "FAILED: artifacts/ was built from other sources: run toolchain/build.sh and commit the result"
  failed=1
fi

# With the recorded compiler where possible, so that there is something to compare.
preferred=$(value toolchain "$artifacts/build.json")
if [[ $preferred != packages ]] || ! command -v apt-get >/dev/null; then preferred=''; fi
compiler=$(BACKSTOP_COMPILER=${BACKSTOP_COMPILER:-$preferred} choose_compiler)
log "rebuilding with $compiler"
build_program "$compiler" "$output"

if cmp -s "$artifacts/backstop.so" "$output/backstop.so"; then
  log "same program: sha256 $sum"
  program=$artifacts/backstop.so
elif [[ $(members compiler "$artifacts/build.json") == "$(members compiler "$output/build.json")" ]]; then
  log "FAILED: the same compiler versions gave another program: $(value sha256 "$output/build.json"), not $sum"
  failed=1
  program=$output/backstop.so
else
  log "the program was built with other compiler versions than these, so its bytes cannot be compared:"
  diff <(members compiler "$artifacts/build.json") <(members compiler "$output/build.json") | grep '^[<>]' >&2 || true
  log "testing the rebuilt program instead"
  program=$output/backstop.so
fi

build_idl "$output/backstop.json"
if ! diff -u "$artifacts/backstop.json" "$output/backstop.json" >&2; then
  log "FAILED: artifacts/backstop.json is not the program's IDL: run toolchain/build.sh --idl"
  failed=1
fi

((failed == 0)) || exit 1
echo "$program"

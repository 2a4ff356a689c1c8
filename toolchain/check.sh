#!/usr/bin/env bash
# Checks that artifacts/ is what the sources give.
#
# usage: check.sh OUTPUT_DIRECTORY
#
# Rebuilds the programs and their IDLs into OUTPUT_DIRECTORY and compares. It fails if the record names other sources, if the IDL
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

# members OBJECT FILE: the lines of an object in a record.
members() { sed -n "/^  \"$1\": {/,/^  }/p" "$2"; }
value() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$2"; }

# check_program NAME: sets program to the file to test, and failed.
check_program() {
  local name=$1 record sum preferred compiler
  record=$(record_of "$name")
  for file in "$name.so" "$name.json" "$record"; do
    [[ -f $artifacts/$file ]] || die "artifacts/$file is missing: run toolchain/build.sh"
  done

  sum=$(sha256sum "$artifacts/$name.so" | cut -d' ' -f1)
  if [[ $(value sha256 "$artifacts/$record") != "$sum" ]]; then
    log "FAILED: artifacts/$record does not describe artifacts/$name.so, whose sha256 is $sum"
    failed=1
  fi
  if [[ $(value source_sha256 "$artifacts/$record") != "$(source_digest "$name")" ]]; then
    log "FAILED: artifacts/$name.so was built from other sources: run toolchain/build.sh and commit the result"
    failed=1
  fi

  # With the recorded compiler where possible, so that there is something to compare.
  preferred=$(value toolchain "$artifacts/$record")
  if [[ $preferred != packages ]] || ! command -v apt-get >/dev/null; then preferred=''; fi
  compiler=$(BACKSTOP_COMPILER=${BACKSTOP_COMPILER:-$preferred} choose_compiler)
  log "rebuilding $name with $compiler"
  build_program "$compiler" "$name" "$output"

  if cmp -s "$artifacts/$name.so" "$output/$name.so"; then
    log "same program: sha256 $sum"
    program=$artifacts/$name.so
  elif [[ $(members compiler "$artifacts/$record") == "$(members compiler "$output/$record")" ]]; then
    log "FAILED: the same compiler versions gave another program: $(value sha256 "$output/$record"), not $sum"
    failed=1
    program=$output/$name.so
  else
    log "$name was built with other compiler versions than these, so its bytes cannot be compared:"
    diff <(members compiler "$artifacts/$record") <(members compiler "$output/$record") | grep '^[<>]' >&2 || true
    log "testing the rebuilt program instead"
    program=$output/$name.so
  fi

  build_idl "$name" "$output/$name.json"
  if ! diff -u "$artifacts/$name.json" "$output/$name.json" >&2; then
    log "FAILED: artifacts/$name.json is not the program's IDL: run toolchain/build.sh --idl"
    failed=1
  fi
}

# The example lender first: the tests run the committed one.
check_program loan
check_program backstop

((failed == 0)) || exit 1
echo "$program"

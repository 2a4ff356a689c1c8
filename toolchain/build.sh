#!/usr/bin/env bash
# Builds the programs and their IDLs: artifacts/backstop.so, artifacts/backstop.json, and artifacts/build.json, which
# records what the program was built from; and the same of the example lender, artifacts/loan.so, loan.json and
# loan.build.json.
#
# usage: build.sh [--program | --idl]      (one of the two only)
#        build.sh --crate DIRECTORY OUTPUT.so
#
# The second form builds a program of another project, in its workspace, and checks its stack frames.
#
# The compiler is `cargo build-sbf` where Solana's platform-tools are installed, else the package toolchain, which is
# installed if it is missing (see setup.sh).
#
#   BACKSTOP_COMPILER    platform-tools or packages: choose by hand
#   BACKSTOP_TOOLCHAIN   where the package toolchain is, default ~/.cache/backstop-toolchain
#   CARGO_TARGET_DIR     where to compile, default target
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
  '' | --program | --idl) ;;
  --crate)
    [[ $# -eq 3 ]] || die "usage: build.sh --crate DIRECTORY OUTPUT.so"
    [[ -f $2/Cargo.toml ]] || die "there is no Cargo.toml in $2"
    directory=$(realpath "$2")
    output=$(realpath -m "$3")
    log "building the program in $directory with $(choose_compiler)"
    compile "$(choose_compiler)" "$directory" "$output"
    frame=$(python3 "$toolchain/frames.py" "$output" "$frame_limit") || die "a stack frame exceeds $frame_limit bytes"
    log "$output: $(stat -c %s "$output") bytes, deepest stack frame $frame of $frame_limit bytes"
    exit
    ;;
  *) die "usage: build.sh [--program | --idl | --crate DIRECTORY OUTPUT.so]" ;;
esac

if [[ ${1:-} != --idl ]]; then
  compiler=$(choose_compiler)
  for name in "${programs[@]}"; do
    log "building $name with $compiler"
    build_program "$compiler" "$name" "$root/artifacts"
  done
fi
if [[ ${1:-} != --program ]]; then
  for name in "${programs[@]}"; do
    log "building the IDL of $name"
    build_idl "$name" "$root/artifacts/$name.json"
  done
fi

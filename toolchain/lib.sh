# shellcheck shell=bash
# What build.sh, check.sh and selftest/run.sh share. Source it; it sets root, toolchain and target.

toolchain=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$toolchain/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
[[ $target == /* ]] || target=$PWD/$target
prefix=${BACKSTOP_TOOLCHAIN:-$HOME/.cache/backstop-toolchain}
frame_limit=4096
# Above the 600 KB first planned: see "Program size" in README.md.
size_limit=$((1280 * 1024))

log() { echo "toolchain: $*" >&2; }
die() {
  log "$*"
  exit 1
}

# The compiler to use: `platform-tools` where cargo build-sbf works without downloading anything, else
# `packages`. BACKSTOP_COMPILER chooses by hand.
choose_compiler() {
  case ${BACKSTOP_COMPILER:-} in
    platform-tools | packages) echo "$BACKSTOP_COMPILER" ;;
    '')
      # It names a rustc only when its platform-tools are on this machine.
      if platform_tools_version 2>/dev/null | grep -q 'rustc '; then echo platform-tools; else echo packages; fi
      ;;
    *) die "BACKSTOP_COMPILER is $BACKSTOP_COMPILER, expected platform-tools or packages" ;;
  esac
}

platform_tools_version() { cargo build-sbf --version | tr '\n' ' ' | sed 's/ *$//'; }

# compiler_versions COMPILER: the JSON members that say what compiled the program. Where these agree, so do the bytes.
compiler_versions() {
  case $1 in
    platform-tools)
      printf '    "toolchain": "platform-tools",\n    "cargo-build-sbf": "%s"\n' "$(platform_tools_version)"
      ;;
    packages)
      printf '    "toolchain": "packages",\n    "rustc": "%s",\n    "rustc_llvm": "%s",\n    "llvm": "%s",\n    "sbpf-linker": "%s",\n    "cargo": "%s"\n' \
        "$(/usr/bin/rustc --version)" "$(/usr/bin/rustc -vV | sed -n 's/^LLVM version: //p')" \
        "$(cat "$prefix/llvm23/version")" \
        "$(sed -n 's/^"sbpf-linker \([^ ]*\) .*/\1/p' "$prefix/.crates.toml")" "$(cd "$root" && cargo --version)"
      ;;
  esac
}

# compile COMPILER DIRECTORY OUTPUT.so [CARGO-ARGS...]: builds the program crate in DIRECTORY.
compile() {
  local compiler=$1 directory=$2 output=$3 name
  shift 3
  name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$directory/Cargo.toml" | head -n 1)
  mkdir -p "$(dirname "$output")"
  "compile_with_${compiler//-/_}" "$directory" "$output" "${name//-/_}" "$@"
}

compile_with_platform_tools() {
  local directory=$1 output=$2 name=$3 scratch
  shift 3
  # cargo build-sbf writes a new keypair next to the program: into a scratch directory, never into artifacts.
  scratch=$(mktemp -d)
  rm -f "$target"/sbf-platform-tools/*/release/deps/lib"$name.so"
  # Its rustc may be older than the workspace's rust-version, which is chosen for the client.
  (cd "$root" && cargo build-sbf --arch v3 --manifest-path "$directory/Cargo.toml" --sbf-out-dir "$scratch" -- \
    --locked --ignore-rust-version --target-dir "$target/sbf-platform-tools" "$@") >&2 || return
  cp "$scratch/$name.so" "$output"
  rm -rf "$scratch"
}

compile_with_packages() {
  local directory=$1 output=$2 name=$3 stack=${BPF_STACK_SIZE:-$frame_limit} flags
  shift 3
  "$toolchain/setup.sh" "$prefix" || return
  # Cargo does not see changes of std, the target or the wrappers: another installation starts afresh.
  if ! cmp -s "$prefix/ready" "$target/sbf/toolchain"; then
    rm -rf "$target/sbf"
    mkdir -p "$target/sbf"
    cp "$prefix/ready" "$target/sbf/toolchain"
  fi
  # Nothing here may name a place on this machine, it would change the program: see packages/rustc.
  flags=(
    -C linker=link-program -C linker-flavor=bpf
    # Instructions: SBPF has the newest BPF's, and 64-bit relocations, but no atomics, jump tables, sign-extending
    # moves and loads, or byte swaps.
    -C target-cpu=v4 -C target-feature=+allows-misaligned-mem-access
    -C passes=lower-atomic -C relocation-model=static -C jump-tables=no
    -C link-arg=--llvm-args=--disable-movsx -C link-arg=--llvm-args=--disable-ldsx
    -C link-arg=--llvm-args=--disable-bswap
    # Longer copies than 8 words by syscall: LLVM would write out up to 128 of them.
    -C link-arg=--llvm-args=--bpf-max-stores-per-memfunc=8
    # SBPFv3 calls syscalls by hash.
    -A explicit_builtin_cfgs_in_flags --cfg 'target_feature="static-syscalls"'
    -C link-arg=--arch=v3 -C link-arg=--deploy=false -C "link-arg=--llvm-args=--bpf-stack-size=$stack"
  )
  # Whoever depends on a program builds it too, without an entrypoint, to the same file: cargo must not take that for this.
  rm -f "$target/sbf/sbpf-solana-solana/release/deps/lib$name.so"
  (
    cd "$directory" || exit
    unset RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_RUSTC_WRAPPER CARGO_BUILD_TARGET
    export RUSTC=$prefix/bin/rustc PATH=$prefix/bin:$PATH RUST_TARGET_PATH=$prefix/targets
    export RUSTC_BOOTSTRAP=1 RUSTC_BOOTSTRAP_SYNTHETIC_TARGET=1
    export __CARGO_TESTS_ONLY_SRC_ROOT=$prefix/library # cargo -Zbuild-std takes std from here
    export CARGO_TARGET_DIR=$target/sbf
    export CARGO_INCREMENTAL=0 # an incremental build gives other bytes, by what was built before
    CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${flags[*]}")
    export CARGO_ENCODED_RUSTFLAGS
    cargo build --release --locked --target sbpf-solana-solana -Zbuild-std=std,panic_abort "$@"
  ) >&2 || return
  cp "$target/sbf/sbpf-solana-solana/release/lib$name.so" "$output"
}

# The programs, built one by one: in one build cargo would give backstop the features that loan asks of it, and with
# them no entrypoint.
programs=(backstop loan)

# record_of NAME: what the record of a program is called.
record_of() { if [[ $1 == backstop ]]; then echo build.json; else echo "$1.build.json"; fi; }

# source_digest NAME: sha256 over the names and contents of everything that goes into a program.
source_digest() {
  local crates=(programs/backstop)
  if [[ $1 != backstop ]]; then crates+=("programs/$1"); fi
  (
    cd "$root" || exit
    {
      find "${crates[@]}" toolchain/packages -type f ! -path 'programs/*/tests/*' ! -name '.*' ! -name '*.md' ! -name '*.orig' ! -name '*.rs.bk'
      printf '%s\n' Cargo.toml Cargo.lock rust-toolchain.toml toolchain/lib.sh toolchain/setup.sh
    } | LC_ALL=C sort | while IFS= read -r file; do sha256sum -- "$file"; done | sha256sum | cut -d' ' -f1
  )
}

# build_idl NAME OUTPUT.json
build_idl() {
  local name=$1 output=$2
  mkdir -p "$(dirname "$output")"
  (
    cd "$root" || exit
    # The builder misreads RUSTUP_TOOLCHAIN; rust-toolchain.toml names the compiler.
    unset RUSTUP_TOOLCHAIN
    CARGO_TARGET_DIR=$target/idl cargo build --quiet --locked --manifest-path toolchain/idl/Cargo.toml
    CARGO_TARGET_DIR=$target "$target/idl/debug/idl" "$root/programs/$name" >"$output.new"
  )
  mv "$output.new" "$output"
}

# build_program COMPILER NAME DIRECTORY: writes NAME.so and its record to DIRECTORY. It checks the frames and the size,
# and leaves DIRECTORY alone if they are too large.
build_program() {
  local compiler=$1 name=$2 directory=$3 new record frame size
  new=$target/$name.so.new
  compile "$compiler" "$root/programs/$name" "$new"
  frame=$(python3 "$toolchain/frames.py" "$new" "$frame_limit") || die "a stack frame exceeds $frame_limit bytes"
  size=$(stat -c %s "$new")
  ((size >= 4096)) || die "the program has $size bytes: no entrypoint"
  ((size <= size_limit)) || die "the program has $size bytes, its budget is $size_limit"
  mkdir -p "$directory"
  record=$directory/$(record_of "$name")
  # Whole or not at all: it is read as soon as it is there.
  cat >"$new.json" <<JSON
{
  "source_sha256": "$(source_digest "$name")",
  "compiler": {
$(compiler_versions "$compiler")
  },
  "program": {
    "sha256": "$(sha256sum "$new" | cut -d' ' -f1)",
    "size": $size,
    "deepest_stack_frame": $frame
  }
}
JSON
  mv "$new.json" "$record"
  mv "$new" "$directory/$name.so"
  log "$directory/$name.so: $size of $size_limit bytes, deepest stack frame $frame of $frame_limit bytes"
}

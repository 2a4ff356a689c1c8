#!/usr/bin/env bash
# Installs the package toolchain: a Solana (SBPFv3) compiler made of Debian packages and published crates,
# for machines that do not have Anza's platform-tools.
#
# usage: setup.sh [PREFIX]
#
# PREFIX defaults to $BACKSTOP_TOOLCHAIN, then to ~/.cache/backstop-toolchain. Running it again does nothing
# unless the files in toolchain/packages have changed. It needs root for apt-get and takes about three minutes.
#
#   rustc-web 1.96 (Debian: the rustc that browsers are built with)   the front end, emits LLVM bitcode
#   PREFIX/library       its std, patched for target_os = "solana"
#   PREFIX/llvm23        LLVM 23 from Debian unstable, with its own C library: the back end
#   PREFIX/bin           sbpf-linker (a published crate) and the wrappers rustc and link-program
#   PREFIX/rt.o          memory functions through syscalls, 128-bit multiplication and division
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
prefix=${1:-${BACKSTOP_TOOLCHAIN:-$HOME/.cache/backstop-toolchain}}
sbpf_linker=0.2.6

log() { echo "toolchain: $*" >&2; }
die() { log "$*"; exit 1; }

# What the installation is made from. The same files and versions in place mean that there is nothing to do.
wanted=$({ echo "sbpf-linker $sbpf_linker"; cd "$here/packages" && LC_ALL=C sha256sum -- *; } | sha256sum | cut -d' ' -f1)
if [[ -f $prefix/ready && $(cat "$prefix/ready") == "$wanted" ]]; then exit 0; fi

[[ $(uname -sm) == "Linux x86_64" ]] || die "the package toolchain needs Linux on x86-64; elsewhere install Solana's platform-tools (cargo build-sbf)"
command -v apt-get >/dev/null || die "the package toolchain needs Debian's apt-get; elsewhere install Solana's platform-tools (cargo build-sbf)"
for tool in python3 cargo dpkg-deb; do
  command -v "$tool" >/dev/null || die "$tool is missing; install it and run this again"
done

mkdir -p "$prefix/bin"
prefix=$(cd "$prefix" && pwd)
rm -f "$prefix/ready"

packages=(rustc-web rust-web-src rust-web-llvm libstd-rust-web-dev-bpf llvm-22)
if ! [[ -x /usr/bin/rustc && -d /usr/lib/rustlib/bpfel-unknown-none ]] || ! command -v llvm-link-22 >/dev/null; then
  ((EUID == 0)) || die "needs root to install ${packages[*]}: run it as root (sudo $0 $prefix), or install them yourself and run it again"
  log "installing ${packages[*]}"
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
    die "this distribution does not offer ${packages[*]}; Debian 12 does. Elsewhere install Solana's platform-tools (cargo build-sbf)"
fi
version=$(/usr/bin/rustc --version)
[[ $version == "rustc 1.96."* ]] || log "written for rustc 1.96, found $version: trying"

if ! [[ -f $prefix/llvm23/version ]]; then
  log "fetching LLVM 23 from Debian unstable"
  rm -rf "$prefix/llvm23"
  apt=$(mktemp -d)
  trap 'rm -rf "$apt"' EXIT
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  : >"$apt/status"
  # shellcheck disable=SC2016 # apt expands this
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/$') ||
    die "apt has no Debian mirror configured"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$apt/sources.list"
  options=(-qq -o "Dir::State=$apt" -o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/status"
    -o "Dir::Cache=$apt/cache" -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null)
  if ((EUID == 0)); then options+=(-o APT::Sandbox::User=root); fi
  apt-get "${options[@]}" update
  apt-get "${options[@]}" install -y --no-install-recommends --download-only -o Debug::NoLocking=1 libllvm23 >/dev/null
  for deb in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$prefix/llvm23"; done
  for deb in "$apt"/cache/archives/libllvm23_*.deb; do dpkg-deb -f "$deb" Version; done >"$prefix/llvm23/version"
fi

if ! [[ -x $prefix/bin/sbpf-linker ]] || ! grep -q "sbpf-linker $sbpf_linker " "$prefix/.crates.toml" 2>/dev/null; then
  log "building sbpf-linker $sbpf_linker"
  cargo install --quiet --locked --force --root "$prefix" sbpf-linker --version "$sbpf_linker"
fi

log "patching std and building the runtime"
rm -rf "$prefix/library"
cp -r /usr/lib/rustlib/src/rust/library "$prefix/library"
python3 "$here/packages/patch_std.py" "$prefix/library"
mkdir -p "$prefix/targets"
cp "$here/packages/sbpf-solana-solana.json" "$prefix/targets/"
install -m 755 "$here/packages/rustc" "$here/packages/link-program" "$prefix/bin/"

build=$(mktemp -d)
trap 'rm -rf "$build" ${apt:+"$apt"}' EXIT
cp "$here/packages/builtins.rs" "$here/packages/shims.ll" "$build/"
(
  cd "$build"
  RUSTC_BOOTSTRAP=1 /usr/bin/rustc --edition 2021 --target bpfel-unknown-none --crate-name builtins -C opt-level=3 \
    -C panic=abort -C overflow-checks=off -C target-cpu=v4 -C relocation-model=static -C jump-tables=no \
    --emit=obj=builtins.o builtins.rs
  llvm-as-22 shims.ll -o shims.o
  llvm-link-22 builtins.o shims.o -o "$prefix/rt.o"
)
echo "$wanted" >"$prefix/ready"
log "ready in $prefix"

# What one does most. `just` lists it; CONTRIBUTING.md says when.

set positional-arguments

_:
    @just --list --unsorted

# Format, lints, spelling, licences: what CI checks before it builds the program.
check: && spelling licences
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Every test; or some: `just test svm triggers::`, `just test client audit::`.
test *which:
    #!/usr/bin/env bash
    set -euo pipefail
    case ${1-} in
        "") exec cargo test --workspace --locked ;;
        svm | client) suite=$1; shift; exec cargo test -p backstop-tests --locked --test "$suite" -- "$@" ;;
        *) exec cargo test --workspace --locked -- "$@" ;;
    esac

# Write the generated files anew: negative matrix, layouts, compute units, scale, the book's reference. Look at the difference.
bless:
    BACKSTOP_BLESS=1 cargo test -p backstop-tests --locked --test svm -- negative_matrix:: layout:: compute_units:: scale::
    BACKSTOP_BLESS=1 cargo test -p backstop-tests --locked --test client -- docs::
    git status --short

# What every instruction costs, against the table.
cu:
    cargo test -p backstop-tests --locked --test svm -- compute_units:: --nocapture

# The USDC depeg of March 2023, on the real program.
demo *arguments:
    cargo run --locked -- demo "$@"

# Rebuild the program, its IDL and their record in artifacts/.
artifacts:
    toolchain/build.sh

# The book, in target/book; `just docs serve` shows it while you write. Needs mdbook.
docs *how="build":
    mdbook "$@" docs

# Spelling. Needs typos.
spelling:
    typos

# Licences, sources and duplicates of what we depend on. Needs cargo-deny.
licences:
    cargo deny --locked --all-features check licenses sources
    cargo deny --locked check bans

# Advisories against what we depend on. Needs cargo-deny and the network.
advisories:
    cargo deny --locked check advisories

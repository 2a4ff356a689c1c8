#!/usr/bin/env bash
# Mutation testing of the program's core (math, payout, peril, state) against its host tests, with cargo-mutants.
#
#   tests/mutants.sh                 every area, then the record and the score
#   tests/mutants.sh AREA...         some areas: math oracle evidence live pool product policy reinsurance rest
#   tests/mutants.sh --score         the record of what was run so far, and the score
#
# It can be stopped at any time: what was caught is not run again. SHARD=K/N runs one part of each area's mutants, with
# K from 0. MUTANTS_DIR (default: target/mutants) holds the working copy, the build and the outcomes; NICE the niceness.
#
# The mutants are built in a copy of the program without its handlers, which the host tests do not touch: that builds
# several times faster. The copy of an area has only the modules that the area's tests use.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=${MUTANTS_DIR:-$root/target/mutants}
record=$root/tests/mutants
mkdir -p "$work"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$work/build}
export BACKSTOP_FIXTURES=${BACKSTOP_FIXTURES:-$root/../shared/fixtures}
# A caught mutant fails many tests: the traces of all would take longer than the tests.
export RUST_BACKTRACE=0
# Fewer random cases: a mutant that survives them is run again with all.
export BACKSTOP_CASES_FACTOR=${BACKSTOP_CASES_FACTOR:-0.05}

# The modules of an area's copy, its files, and the passes of tests: each pass runs what the one before did not catch.
describe() {
    case $1 in
        math)
            modules="pub mod math;"
            files=("math/*.rs")
            passes=("--lib" "--test math")
            ;;
        oracle)
            modules=$core
            files=("peril/feed/*.rs")
            passes=("--lib" "--test oracle_rules" "--test live_model --test vault_model")
            ;;
        evidence)
            modules=$core
            files=("peril/mod.rs" "peril/condition.rs" "peril/evidence/*.rs" "payout/*.rs")
            passes=("--test evidence_model" "--lib" "--test vault_model --test live_model")
            ;;
        live)
            modules=$core
            files=("peril/live.rs" "peril/vault.rs" "peril/two_keys.rs" "peril/reading.rs" "state/live.rs" "state/attestors.rs")
            passes=("--lib" "--test live_model --test vault_model --test reading_model")
            ;;
        pool)
            modules=$core
            files=("state/pool/[!t]*.rs" "state/pool/terms.rs" "state/pool/tranche.rs" "state/exit.rs")
            passes=("--test state_pool" "--lib")
            ;;
        product)
            modules=$core
            files=("state/product.rs" "state/rates.rs")
            passes=("--test state_product" "--lib")
            ;;
        policy)
            modules=$core
            files=("state/policy.rs" "state/lien.rs" "state/position.rs" "state/cover.rs")
            passes=("--test state_liens --lib" "--test state_product")
            ;;
        reinsurance)
            modules=$core
            files=("state/pool/treaties.rs" "state/treaty.rs" "state/cession.rs" "state/incident.rs" "state/crisis.rs")
            passes=("--test state_reinsurance" "--lib" "--test crisis_model")
            ;;
        rest)
            modules=$core
            files=("state/mod.rs" "state/ledger.rs" "state/protocol.rs" "state/trigger.rs" "state/version.rs")
            passes=("--test state_rest" "--test versions" "--lib")
            ;;
        *)
            echo "no area $1: math oracle evidence live pool product policy reinsurance rest" >&2
            exit 2
            ;;
    esac
}

core='#[macro_use] pub mod error; #[macro_use] mod stored; pub mod border; pub mod constants; pub mod math; pub mod payout;
pub mod peril; pub mod state;
use anchor_lang::prelude::*;
declare_id!("BackstopCoverPoo1s1111111111111111111111111");'

# A workspace with the one package, its tests, and the modules of the area.
copy() {
    local area=$1 tree=$work/$1/tree
    mkdir -p "$tree/programs"
    rm -rf "$tree/programs/backstop"
    cp -rp "$root/programs/backstop" "$tree/programs/"
    rm -r "$tree/programs/backstop/src/instructions"
    sed -i 's/"cdylib", //' "$tree/programs/backstop/Cargo.toml"
    # The members and what only they need are not copied. Cargo tells packages in one build directory apart by name and
    # version, not by path: the areas have different ones, so that they can run side by side.
    sed -e 's/^members = .*/members = ["programs\/backstop"]/' -e '/^exclude = /d' -e '/^default-members = /d' \
        -e '/^backstop-[a-z]* = /d' -e '/^\[profile.dev.package\]/,/^$/d' \
        -e "s/^version = \"\(.*\)\"/version = \"\1-$area\"/" "$root/Cargo.toml" >"$tree/Cargo.toml"
    cp "$root/Cargo.lock" "$root/rust-toolchain.toml" "$tree/"
    printf '%s\n' "#![allow(missing_docs, unused)]" "$modules" >"$tree/programs/backstop/src/lib.rs"
}

# Adds the outcomes of a run, also of one that was stopped, to those of the area.
keep() {
    local outcome
    for outcome in caught timeout unviable missed; do
        touch "$1/$outcome.txt"
        if [ -f "$2/mutants.out/$outcome.txt" ]; then
            sort -u -o "$1/$outcome.txt" "$1/$outcome.txt" "$2/mutants.out/$outcome.txt"
        fi
    done
}

# Forgets the outcomes of sources that have changed since: places move.
forget() {
    local dir=$1 file outcome
    shift
    touch "$dir/sources"
    (cd "$dir/tree" && sha256sum "$@") >"$dir/sources.now"
    for file in "$@"; do
        if ! grep -qxF "$(grep -F " $file" "$dir/sources.now")" "$dir/sources"; then
            for outcome in caught timeout unviable missed; do sed -i "\\|^$file:|d" "$dir/$outcome.txt"; done
        fi
    done
    mv "$dir/sources.now" "$dir/sources"
}

run() {
    local area=$1 shard=${SHARD:-} dir=$work/$1 out file pass word status
    describe "$area"
    copy "$area"
    out=$dir/out${shard:+-${shard//\//-of-}}
    local paths=() select=()
    for file in "${files[@]}"; do
        for file in "$dir/tree/programs/backstop/src/"$file; do paths+=("${file#"$dir/tree/"}"); done
    done
    for file in "${paths[@]}"; do select+=(--file "$file"); done
    keep "$dir" "$out"
    forget "$dir" "${paths[@]}"
    (cd "$dir/tree" && cargo mutants --list "${select[@]}") >"$dir/listed.txt"
    for pass in "${passes[@]}"; do
        status=0
        # For the build and the run alike: other targets do not build without the modules that were left out.
        local targets=()
        for word in $pass; do targets+=("--cargo-arg=$word"); done
        # What it needs not run again.
        rm -rf "$out"
        mkdir -p "$out/mutants.out"
        cat "$dir/caught.txt" "$dir/timeout.txt" >"$out/mutants.out/caught.txt"
        cp "$dir/unviable.txt" "$out/mutants.out/"
        (cd "$dir/tree" && nice -n "${NICE:-15}" cargo mutants --in-place --iterate --no-shuffle \
            ${shard:+--shard "$shard"} --output "$out" "${select[@]}" --baseline "${BASELINE:-run}" \
            --timeout "${TIMEOUT:-60}" --build-timeout 900 --colors never "${targets[@]}") || status=$?
        keep "$dir" "$out"
        # 2: some were missed; 3: some ran out of time. Anything else but 0 means that it did not run.
        case $status in 0 | 2 | 3) ;; *) exit "$status" ;; esac
    done
}

score() {
    python3 "$record/score.py" "$work" "$record" "$root"
}

if [ "${1:-}" = --score ]; then
    score
    exit
fi
[ $# -gt 0 ] || set -- math oracle evidence live pool product policy reinsurance rest
for area in "$@"; do run "$area"; done
score

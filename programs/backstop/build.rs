//! Chooses the entrypoint.
//!
//! Anchor writes one unless the feature `no-entrypoint` is set. The program has its own, which costs less (see
//! `src/border/invoke.rs`): Anchor is told that there is none, and the own one is left out where a dependant asks for
//! none, by `no-entrypoint` or by `cpi`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(entrypoint)");
    if std::env::var_os("CARGO_FEATURE_NO_ENTRYPOINT").is_none() {
        println!("cargo::rustc-cfg=entrypoint");
        println!("cargo::rustc-cfg=feature=\"no-entrypoint\"");
    }
}

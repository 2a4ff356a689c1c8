//! The library's example does what it says.

#[path = "../../app/sandbox/examples/protect_user.rs"]
mod protect_user;

#[test]
fn the_example_for_protocols_runs() {
    protect_user::main().expect("the user is protected");
}

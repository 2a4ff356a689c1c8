//! The pages over HTTP: what they show is what the client's views tell, they are safe to open, and quick.

mod content;
mod guard;
mod hostile;
mod looks;
mod numbers;
mod speed;
mod stage;

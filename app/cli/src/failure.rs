//! How a command that does not end well says so: for people two lines, for machines an object.

use crate::output::{self, Output};
use backstop_client::redact;
use serde::Serialize;

/// What went wrong.
#[derive(Serialize)]
pub struct Failure {
    /// The number of the program's error, else the exit code.
    pub code: u32,
    /// The program's name for its error, else the kind of failure.
    pub name: String,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What the process ends with.
    pub exit_code: u8,
    /// The transaction that was sent, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: &'a Failure,
}

impl Failure {
    /// Says it on stderr, without what must not be shown.
    pub fn tell(mut self, output: Output) {
        self.message = redact::text(&self.message).into_owned();
        self.hint = self.hint.map(|hint| redact::text(&hint).into_owned());
        if output != Output::Display
            && let Ok(line) = serde_json::to_string(&Envelope { error: &self })
        {
            anstream::eprintln!("{line}");
            return;
        }
        anstream::eprintln!("{} {}", output::paint("error:", output::BAD), self.message);
        if let Some(hint) = &self.hint {
            anstream::eprintln!("{} {hint}", output::paint("hint:", output::ACCENT));
        }
    }
}

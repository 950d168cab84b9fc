//! What the user sees: results on stdout, everything else on stderr.
//!
//! In: text and failures. Out: bytes, with colour only where it is wanted. Never panics
//! because the other end of a pipe has gone.

use crate::cli::{ColorWhen, Common};
use crate::exit::{ExitStatus, Failure};
use std::io::{self, IsTerminal, Write};
use strait_study::answer::{Detail, TextStyle};

/// Both streams, with what was asked for on the command line.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    detail: Detail,
    json: bool,
}

/// Text that could not reach stdout.
fn undelivered(error: &io::Error) -> Failure {
    Failure::Temporary {
        message: format!("can't write the result to stdout: {error}"),
        remedy: "write it to a file on a disk with space left, or to a terminal".to_owned(),
    }
}

/// A line on stderr; what can't be said there can't be said at all.
pub fn complain(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", text.trim_end());
}

impl Terminal {
    /// Applies `--color`, `-q`, `-v` and `--json`.
    pub fn new(common: &Common) -> Terminal {
        match common.color {
            ColorWhen::Auto => anstream::ColorChoice::Auto,
            ColorWhen::Always => anstream::ColorChoice::Always,
            ColorWhen::Never => anstream::ColorChoice::Never,
        }
        .write_global();
        let detail = match (common.quiet, common.verbose) {
            (true, _) => Detail::Headline,
            (false, 0) => Detail::Normal,
            (false, _) => Detail::Full,
        };
        Terminal {
            detail,
            json: common.json,
        }
    }

    /// The result is wanted as JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// How to print an answer; codes that stdout does not want are removed on the way.
    pub fn style(&self) -> TextStyle {
        TextStyle {
            detail: self.detail,
            styled: true,
        }
    }

    /// Progress bars are welcome.
    pub fn live(&self) -> bool {
        self.detail > Detail::Headline && io::stderr().is_terminal()
    }

    /// Writes the result. A reader that has gone away (`| head`) wanted no more of it.
    pub fn result(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = anstream::stdout().lock();
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        let written = (stdout.write_all(text.as_bytes()))
            .and_then(|()| stdout.write_all(newline.as_bytes()))
            .and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(undelivered(&error)),
            _ => Ok(()),
        }
    }

    /// Writes an object as the result.
    pub fn object<T: serde::Serialize>(&self, object: &T) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(object)
            .map_err(|error| Failure::Unexpected(error.to_string()))?;
        self.result(&text)
    }

    /// Writes an object as one line: the result so far.
    pub fn line<T: serde::Serialize>(&self, object: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(object)
            .map_err(|error| Failure::Unexpected(error.to_string()))?;
        self.result(&text)
    }

    /// A remark for people who watch; not with `-q`.
    pub fn remark(&self, text: &str) {
        if self.detail > Detail::Headline {
            complain(text);
        }
    }

    /// A remark with `-v` only.
    pub fn aside(&self, text: &str) {
        if self.detail == Detail::Full {
            complain(text);
        }
    }

    /// The first words of an error, in red where stderr wants it.
    pub fn error(words: &str) -> String {
        format!("\x1b[1;31m{words}\x1b[0m")
    }

    /// Says why there is no result, and how the command ends.
    pub fn report(&self, failure: &Failure) -> ExitStatus {
        let red = Terminal::error;
        match failure {
            Failure::Input(message) => complain(message),
            Failure::Usage { message, remedy } | Failure::Temporary { message, remedy } => {
                complain(&format!("{} {message}\n  help: {remedy}", red("error:")));
            }
            Failure::Interrupted => complain("interrupted"),
            Failure::Unexpected(message) => complain(&format!("{} {message}", red("error:"))),
        }
        failure.status()
    }
}

/// Prints help, the version, or what is wrong with the command line.
pub fn usage(message: &clap::Error) -> ExitStatus {
    let status = if message.use_stderr() {
        ExitStatus::Usage
    } else {
        ExitStatus::Done
    };
    match message.print().and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("error: can't write to stdout: {error}"));
            ExitStatus::Temporary
        }
        _ => status,
    }
}

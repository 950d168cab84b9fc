//! How the command ends.
//!
//! In: nothing. Out: the exit statuses that scripts may rely on. Never ends the process.

use std::process::ExitCode;

/// Exit status of every command. The numbers are a promise.
///
/// A claim's verdict never changes the status; an expectation that fails does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Done.
    Done = 0,
    /// Something unexpected: a fault of the command itself.
    Unexpected = 1,
    /// The command line is wrong.
    Usage = 2,
    /// An input file, or a value in it, is wrong.
    BadInput = 3,
    /// A check that the user asked for failed.
    CheckFailed = 4,
    /// Storage or resources failed; worth a retry.
    Temporary = 75,
    /// Interrupted by the user.
    Interrupted = 130,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> ExitCode {
        ExitCode::from(status as u8)
    }
}

/// The same list for `--help`.
pub const HELP: &str = "\
Exit status: 0 done, 1 unexpected, 2 usage, 3 bad input, 4 a check that was asked for failed
([[expect]], validate --gate), 75 temporary (storage, resources), 130 interrupted.";

/// Why a command has no result.
#[derive(Debug)]
pub enum Failure {
    /// What was asked for does not fit what it was asked of.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do about it.
        remedy: String,
    },
    /// An input is wrong; the message is complete, with place and remedy.
    Input(String),
    /// Something could not be written or run; worth a retry after the remedy.
    Temporary {
        /// What failed.
        message: String,
        /// What to do about it.
        remedy: String,
    },
    /// The user asked to stop.
    Interrupted,
    /// A fault of the command itself.
    Unexpected(String),
}

impl Failure {
    /// The status that this failure ends with.
    pub fn status(&self) -> ExitStatus {
        match self {
            Failure::Usage { .. } => ExitStatus::Usage,
            Failure::Input(_) => ExitStatus::BadInput,
            Failure::Temporary { .. } => ExitStatus::Temporary,
            Failure::Interrupted => ExitStatus::Interrupted,
            Failure::Unexpected(_) => ExitStatus::Unexpected,
        }
    }
}

impl From<strait_study::artifact::WriteError> for Failure {
    fn from(error: strait_study::artifact::WriteError) -> Failure {
        if error.source.kind() == std::io::ErrorKind::InvalidInput {
            return Failure::Input(format!(
                "error: {error}\n  = help: results go into plain files, which appear whole or not at all; copy \
                 the file to elsewhere afterwards"
            ));
        }
        Failure::Temporary {
            message: error.to_string(),
            remedy: "choose a folder that you may write to, on a disk with space left".to_owned(),
        }
    }
}

/// Replaces the panic message by an apology that says where to report it.
pub fn apologise_for_panics() {
    std::panic::set_hook(Box::new(|panic| {
        use std::io::Write;
        let place = panic
            .location()
            .map_or("an unknown place".to_owned(), ToString::to_string);
        let what = panic.payload_as_str().unwrap_or("no message");
        let arguments: Vec<_> = std::env::args_os().skip(1).collect();
        // Stderr may be closed; there is nobody left to tell.
        let _ = writeln!(
            std::io::stderr(),
            "error: strait {} has failed, and it is not your fault: sorry.\n  \
             {what}, at {place}\n  \
             Please report these lines, with the scenario, at {}/issues\n  \
             Arguments: {arguments:?}",
            crate::VERSION,
            env!("CARGO_PKG_REPOSITORY"),
        );
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_status() {
        for status in [
            ExitStatus::Done,
            ExitStatus::Unexpected,
            ExitStatus::Usage,
            ExitStatus::BadInput,
            ExitStatus::CheckFailed,
            ExitStatus::Temporary,
            ExitStatus::Interrupted,
        ] {
            assert!(HELP.contains(&format!("{} ", status as u8)), "{status:?}");
        }
    }
}

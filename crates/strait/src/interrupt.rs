//! Ctrl-C while a command works.
//!
//! In: a command as a closure that looks at a flag now and then. Out: its exit status, or
//! [`ExitStatus::Interrupted`]. Never stops a thread in the middle of writing files, unless
//! it ignores the flag for longer than [`GRACE`].

use crate::exit::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinError;

/// How long a command may take to stop by itself.
const GRACE: Duration = Duration::from_secs(3);

/// Stack of the thread that works.
const STACK: usize = 16 << 20;

/// Runs a command on a thread of its own and waits for it or for Ctrl-C.
pub fn supervise<F>(command: F) -> ExitStatus
where
    F: FnOnce(&AtomicBool) -> ExitStatus + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            crate::terminal::complain(&format!("error: can't start: {error}"));
            return ExitStatus::Temporary;
        }
    };
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    let status = runtime.block_on(async {
        let mut work = tokio::task::spawn_blocking(move || command(&flag));
        tokio::select! {
            done = &mut work => return finished(done),
            () = asked_to_stop() => {}
        }
        cancel.store(true, Ordering::Relaxed);
        tokio::select! {
            done = &mut work => finished(done),
            () = asked_to_stop() => ExitStatus::Interrupted,
            () = tokio::time::sleep(GRACE) => ExitStatus::Interrupted,
        }
    });
    // A command that ignores the flag must not keep the process alive.
    runtime.shutdown_background();
    status
}

/// The status of a command; a panic has already been apologised for.
fn finished(done: Result<ExitStatus, JoinError>) -> ExitStatus {
    done.unwrap_or(ExitStatus::Unexpected)
}

/// Waits for Ctrl-C, or for the signal by which a job scheduler ends a process.
async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // No handler can be set: the system's own ends the process.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_passes_through_and_a_panic_is_unexpected() {
        assert_eq!(
            supervise(|_| ExitStatus::CheckFailed),
            ExitStatus::CheckFailed
        );
        assert_eq!(supervise(|_| panic!("as intended")), ExitStatus::Unexpected);
    }

    #[test]
    #[cfg(unix)]
    fn an_interrupt_sets_the_flag_and_waits_for_the_command() {
        let status = supervise(|cancel| {
            let shell = std::process::Command::new("sh")
                .args(["-c", "sleep 0.3; kill -INT $PPID"])
                .status();
            assert!(shell.is_ok_and(|s| s.success()));
            while !cancel.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
            ExitStatus::Interrupted
        });
        assert_eq!(status, ExitStatus::Interrupted);
    }
}

//! How a process learns that it should end.

use std::io::{self, Read};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the shell reports for a process ended by SIGINT.
const EXIT_INTERRUPTED: i32 = 130;

/// A token that SIGTERM or SIGINT cancels. A second signal ends the process at once, with status 130: whoever sends it
/// does not want to wait for the graceful stop. Must be called within a tokio runtime.
pub fn on_signals() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        for signals in 1.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if signals > 1 {
                exit_now();
            }
            tracing::info!("stopping; a second signal ends the process at once");
            stop.cancel();
        }
    });
    Ok(token)
}

/// Cancels `stop` when standard input closes. A parent gives its child a pipe as standard input and holds the other
/// end: when the parent ends, however it ends, the kernel closes the pipe and the child stops too.
pub fn exit_with_stdin(stop: &CancellationToken) {
    let stop = stop.clone();
    // A thread of its own: tokio reads standard input in a blocking task, which would hold up the runtime's end.
    thread::spawn(move || {
        wait_for_end(io::stdin().lock());
        stop.cancel();
    });
}

#[expect(clippy::disallowed_methods, reason = "the second signal asks for exactly this: no graceful stop")]
fn exit_now() -> ! {
    std::process::exit(EXIT_INTERRUPTED)
}

/// An error counts as the end: nothing more will come from there.
fn wait_for_end(mut input: impl Read) {
    let mut ignored = [0; 256];
    loop {
        match input.read(&mut ignored) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

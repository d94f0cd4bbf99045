//! Signals that come, one after another.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

/// Those that are passed on, and the one that says that a child has ended.
const ALL: [i32; 8] = [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH];
/// More are kept by the kernel, which counts each kind once.
const KEPT: usize = 16;

#[derive(Debug)]
pub(crate) struct Inbox(Receiver<i32>);

impl Inbox {
    /// From now on they come here. Who is started does not inherit that.
    pub(crate) fn open() -> io::Result<Self> {
        let mut signals = Signals::new(ALL)?;
        let (sender, receiver) = sync_channel(KEPT);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                if sender.send(signal).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self(receiver))
    }

    /// Waits so long for one that is to be passed on; something may have happened in any case.
    pub(crate) fn wait(&self, longest: Duration) -> Option<Signal> {
        match self.0.recv_timeout(longest) {
            Ok(SIGCHLD) => None,
            Ok(number) => Signal::from_named_raw(number),
            Err(RecvTimeoutError::Timeout) => None,
            // That thread does not end before this one.
            Err(RecvTimeoutError::Disconnected) => {
                thread::park_timeout(longest);
                None
            }
        }
    }
}

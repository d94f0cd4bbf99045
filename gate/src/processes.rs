//! The processes below the supervisor: started, reaped, and killed to the last one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::process::Command;

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, set_child_subreaper, wait,
};

/// The program cannot be executed, or is not there: what shells say.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

#[derive(Debug)]
pub(crate) struct Processes {
    main: Pid,
    /// How the main process has ended.
    ended: Option<u8>,
}

/// From now on, orphans among what is started come back to this process, wherever it runs.
pub(crate) fn adopt_orphans() -> Result<(), String> {
    set_child_subreaper(Some(getpid())).map_err(|error| format!("orphans cannot be adopted: {error}"))
}

/// Whether the kernel ends everything else when this process ends.
pub(crate) fn is_first() -> bool {
    getpid().is_init()
}

/// An error comes with the exit status that tells it.
pub(crate) fn start(command: &[OsString]) -> Result<Processes, (u8, String)> {
    let Some((program, args)) = command.split_first() else {
        return Err((NOT_FOUND, "there is no command".to_owned()));
    };
    let failed = |error: io::Error| {
        let status = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
        (status, format!("{} cannot be started: {error}", program.display()))
    };
    let child = Command::new(program).args(args).spawn().map_err(failed)?;
    let main = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let main = main.ok_or_else(|| (NOT_EXECUTABLE, "the process has no number".to_owned()))?;
    // It is reaped with all others.
    Ok(Processes { main, ended: None })
}

impl Processes {
    /// Reaps whoever has ended, and gives the exit status of the main process once it is known.
    pub(crate) fn reap(&mut self) -> Option<u8> {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid == self.main {
                self.ended = self.ended.or(code(status.exit_status(), status.terminating_signal()));
            }
        }
        self.ended
    }

    /// To the main process, as a kubelet would send it; what that has ended does not get it.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            // Until it is reaped, nobody else has its number.
            let _ = kill_process(self.main, signal);
        }
    }
}

/// Kills everything below, and says whether anything was left.
pub(crate) fn kill_all() -> bool {
    if is_first() {
        // Everybody else in the container, whoever he runs as. Who is another user's dies with this process.
        let _ = kill_process_group(Pid::INIT, Signal::KILL);
        return false;
    }
    let below = below(getpid().as_raw_nonzero().get(), &parents());
    for pid in &below {
        if let Some(pid) = Pid::from_raw(*pid) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    !below.is_empty()
}

/// The processes that live, and the parent of each.
fn parents() -> BTreeMap<i32, i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let parent = |pid: i32| Some((pid, parent(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?));
    numbers.filter_map(parent).collect()
}

/// The parent in a line such as `7 (a) b) S 1 ...`; none of who is dead and waits to be reaped.
fn parent(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    fields.next()?.parse().ok().filter(|_| !matches!(state, "Z" | "X"))
}

/// All that descend from one process.
fn below(root: i32, parents: &BTreeMap<i32, i32>) -> Vec<i32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(one) = found.get(next).copied() {
        // A number that was used again while this was read could make a circle.
        let children = parents.iter().filter(|(pid, parent)| **parent == one && !found.contains(pid));
        let children: Vec<i32> = children.map(|(pid, _)| *pid).collect();
        found.extend(children);
        next += 1;
    }
    found.split_off(1)
}

fn code(exit: Option<i32>, signal: Option<i32>) -> Option<u8> {
    let number = exit.or(signal.map(|signal| 128 + signal))?;
    Some(u8::try_from(number).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_read_whatever_a_process_is_called() {
        assert_eq!(parent("7 (sh) S 1 7 7 0"), Some(1));
        assert_eq!(parent("7 (a) R 9) ) S 12 7 7 0"), Some(12));
        assert_eq!(parent("7 (sh) Z 1 7 7 0"), None);
        assert_eq!((parent(""), parent("7 (sh"), parent("7 (sh) S x")), (None, None, None));
    }

    #[test]
    fn descendants_are_found_and_nobody_else() {
        let parents = BTreeMap::from([(1, 0), (5, 1), (6, 5), (7, 6), (8, 5), (9, 1), (11, 12), (12, 11)]);
        assert_eq!(below(5, &parents), [6, 8, 7]);
        assert_eq!((below(11, &parents), below(7, &parents)), (vec![12], vec![]));
    }

    #[test]
    fn the_exit_status_is_that_of_a_shell() {
        let codes = [(Some(0), None), (Some(7), None), (None, Some(9)), (None, Some(15)), (None, None)];
        let codes = codes.map(|(exit, signal)| code(exit, signal));
        assert_eq!(codes, [Some(0), Some(7), Some(137), Some(143), None]);
    }
}

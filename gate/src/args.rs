//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::holder::Terms;

pub(crate) const HELP: &str = "\
godwit-gate: lets a process run as long as its cluster's lease stands

  godwit-gate --lease FILE... --life UID --grace TIME -- COMMAND ARGS...
      Waits for the lease and starts COMMAND. When the lease ends, COMMAND gets SIGTERM, and TIME later everything that
      it has started is killed. Signals are passed on. The exit status is that of COMMAND, 128 and the signal that ended
      it, 126 or 127 if it cannot be started, or 75 if the lease has ended it.
  godwit-gate --check --lease FILE... --life UID
      Succeeds if the lease stands.
  godwit-gate --install FILE
      Copies this program.

  --lease FILE   the file that an agent writes; several may be given
  --life UID     the life of the workload that it has to name
  --grace TIME   such as 30s or 500ms";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Help,
    Install(PathBuf),
    Check(Terms),
    Supervise { terms: Terms, grace: Duration, command: Vec<OsString> },
}

#[derive(Debug, Default)]
struct Given {
    files: Vec<PathBuf>,
    life: Option<String>,
    grace: Option<Duration>,
    install: Option<PathBuf>,
    check: bool,
    command: Option<Vec<OsString>>,
}

/// The first argument is the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut args = args.into_iter().skip(1);
    let mut given = Given::default();
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{} needs a value", flag.display()));
        match flag.to_str() {
            Some("--help" | "-h") => return Ok(Asked::Help),
            Some("--lease") => given.files.push(value()?.into()),
            Some("--life") => given.life = Some(life(value()?)?),
            Some("--grace") => given.grace = Some(grace(value()?)?),
            Some("--install") => given.install = Some(value()?.into()),
            Some("--check") => given.check = true,
            Some("--") => {
                given.command = Some(args.collect());
                break;
            }
            Some(_) | None => {
                return Err(format!("{} is not known; --help tells what is", flag.display()));
            }
        }
    }
    given.asked()
}

impl Given {
    fn asked(self) -> Result<Asked, String> {
        let Self { files, life, grace, install, check, command } = self;
        if let Some(path) = install {
            let alone = files.is_empty() && life.is_none() && !check && command.is_none();
            return if alone { Ok(Asked::Install(path)) } else { Err("--install stands alone".to_owned()) };
        }
        if files.is_empty() {
            return Err("--lease is missing: name the file that the agent writes".to_owned());
        }
        let life = life.ok_or("--life is missing: name the life of the workload that the lease is for")?;
        let terms = Terms { files, life };
        match (check, command) {
            (true, None) => Ok(Asked::Check(terms)),
            (true, Some(_)) => Err("--check starts nothing: leave the command out".to_owned()),
            (false, Some(command)) if !command.is_empty() => {
                let grace = grace.ok_or("--grace is missing: say how long it may take to stop")?;
                Ok(Asked::Supervise { terms, grace, command })
            }
            (false, _) => Err("a command is missing: write -- COMMAND ARGS...".to_owned()),
        }
    }
}

fn life(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("--life {}: it must be a UID", value.display()))
}

fn grace(value: OsString) -> Result<Duration, String> {
    let read = |text: &str| match text.strip_suffix("ms") {
        Some(number) => number.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    };
    let wrong = || format!("--grace {}: it must be a time, such as 30s or 500ms", value.display());
    value.to_str().and_then(read).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Asked, String> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        let terms = |files: &[&str]| Terms {
            files: files.iter().map(PathBuf::from).collect(),
            life: "2a".to_owned(),
        };
        let command = ["sh", "--lease", "--"].map(OsString::from).to_vec();
        assert_eq!(
            parsed("gate --lease /a --lease /b --life 2a --grace 500ms -- sh --lease --"),
            Ok(Asked::Supervise { terms: terms(&["/a", "/b"]), grace: Duration::from_millis(500), command })
        );
        assert_eq!(parsed("gate --check --lease /a --life 2a"), Ok(Asked::Check(terms(&["/a"]))));
        assert_eq!(parsed("gate --install /x/gate"), Ok(Asked::Install("/x/gate".into())));
        assert_eq!(parsed("gate --life 2a -h"), Ok(Asked::Help));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        for (line, problem) in [
            ("gate", "--lease is missing"),
            ("gate --lease /a", "--life is missing"),
            ("gate --lease", "--lease needs a value"),
            ("gate --lease /a --life 2a -- sh", "--grace is missing"),
            ("gate --lease /a --life 2a --grace 30s", "a command is missing"),
            ("gate --lease /a --life 2a --grace 30s --", "a command is missing"),
            ("gate --lease /a --life 2a --grace 30 -- sh", "such as 30s"),
            ("gate --check --lease /a --life 2a -- sh", "--check starts nothing"),
            ("gate --install /a --life 2a", "--install stands alone"),
            ("gate sh", "sh is not known"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(problem), "{line}: {error}");
        }
    }
}

//! `godwit completion`.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Cli;
use crate::error::Error;

/// Print a script that completes commands in a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(godwit completion bash)
  godwit completion zsh > \"${fpath[1]}/_godwit\"
  godwit completion fish > ~/.config/fish/completions/godwit.fish")]
pub(crate) struct Completion {
    /// The shell
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(["bash", "zsh", "fish"]))]
    shell: String,
}

impl Completion {
    pub(crate) fn run(self) -> Result<(), Error> {
        let shell = match self.shell.as_str() {
            "bash" => Shell::Bash,
            "zsh" => Shell::Zsh,
            _ => Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "godwit", &mut script);
        Ok(io::stdout().write_all(&script)?)
    }
}

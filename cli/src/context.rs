//! Where the hub is and who asks: the context file, like a kubeconfig.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use godwit_certs::atomic_file;
use godwit_rt::dial::Endpoint;
use godwit_rt::tls::TlsFiles;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Where `godwit dev` keeps its state, below the folder that it was started in.
pub(crate) const DEV_FOLDER: &str = ".godwit/dev";
/// The context file's name, in that folder and in the user's.
pub(crate) const FILE_NAME: &str = "config.yaml";
/// Far more than four short lines need.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Which hub to talk to, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    /// The file that says so.
    pub(crate) path: PathBuf,
    /// The hub's address.
    pub(crate) endpoint: Endpoint,
    /// The certificates.
    pub(crate) tls: TlsFiles,
    /// They are those of a login, whose certificate is renewed in time.
    pub(crate) is_login: bool,
}

/// What the file holds. Paths are relative to its folder.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    address: String,
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    /// Written by `godwit login`, which keeps the certificates fresh.
    #[serde(default, skip_serializing_if = "is_false")]
    login: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Where a context file may be.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The one that the user names, by `--config` or `$GODWIT_CONFIG`.
    pub(crate) named: Option<PathBuf>,
    /// Where the command runs: it and the folders above it may hold the state of `godwit dev`.
    pub(crate) working_folder: PathBuf,
    /// The user's configuration folder.
    pub(crate) user_folder: Option<PathBuf>,
}

impl Places {
    /// As the environment says. `named` is `--config` or `$GODWIT_CONFIG`.
    pub(crate) fn of_environment(named: Option<PathBuf>) -> Result<Self, Error> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let working_folder = std::env::current_dir()
            .map_err(|error| Error::failed(format!("the current folder cannot be found: {error}")))?;
        let user_folder = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
        Ok(Self {
            named: named.filter(|path| !path.as_os_str().is_empty()),
            working_folder,
            user_folder: user_folder.map(|folder| folder.join("godwit")),
        })
    }

    /// Where a login is written: the file that is named, or the user's own.
    pub(crate) fn of_login(&self) -> Result<PathBuf, Error> {
        let user = || self.user_folder.as_ref().map(|folder| folder.join(FILE_NAME));
        self.named.clone().or_else(user).ok_or_else(|| {
            Error::failed(
                "there is no folder for your configuration: neither $XDG_CONFIG_HOME nor $HOME is set",
            )
            .with_hint("name a file by --config")
        })
    }

    /// The file that counts.
    pub(crate) fn find(&self) -> Result<PathBuf, Error> {
        if let Some(named) = &self.named {
            return Ok(named.clone());
        }
        let user = self.user_folder.as_ref().map(|folder| folder.join(FILE_NAME));
        let found = self.of_dev().or_else(|| user.clone().filter(|file| file.exists()));
        found.ok_or_else(|| {
            let user = user.map_or(String::new(), |file| format!(" and no {}", file.display()));
            let message = format!(
                "no context: there is no {DEV_FOLDER}/{FILE_NAME} in {} or above{user}",
                self.working_folder.display()
            );
            Error::failed(message).with_hint(
                "start one with `godwit dev`, log in with `godwit login`, or name a context file with --config or $GODWIT_CONFIG",
            )
        })
    }

    /// The nearest one of `godwit dev`. Somebody else's (in a shared folder such as /tmp) is passed over: it would
    /// choose the hub that this user talks to.
    fn of_dev(&self) -> Option<PathBuf> {
        Some(self.dev_folder()?.join(FILE_NAME)).filter(|file| file.exists())
    }

    /// The nearest folder of `godwit dev`.
    pub(crate) fn dev_folder(&self) -> Option<PathBuf> {
        let own = fs::metadata("/proc/self").ok()?.uid();
        let mut folders = self.working_folder.ancestors().map(|folder| folder.join(DEV_FOLDER));
        folders.find(|folder| fs::metadata(folder).is_ok_and(|metadata| metadata.uid() == own))
    }
}

impl Context {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |reason: String| {
            Error::failed(format!("context file {}: {reason}", path.display()))
                .with_hint("it holds four lines: address (https://HOST:PORT), ca, certificate and key")
        };
        let text = read_bounded(path).map_err(|error| {
            Error::failed(format!("context file {}: {error}", path.display())).with_hint(
                "--config or $GODWIT_CONFIG names it; without them, `godwit --help` says which are tried",
            )
        })?;
        let file: File =
            serde_saphyr::from_str(&text).map_err(|error| wrong(error.without_snippet().to_string()))?;
        let endpoint = file.address.parse().map_err(|error| wrong(format!("address: {error}")))?;
        // `join` keeps an absolute path as it is.
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            path: path.to_owned(),
            endpoint,
            tls: TlsFiles {
                ca: folder.join(file.ca),
                certificate: folder.join(file.certificate),
                key: folder.join(file.key),
            },
            is_login: file.login,
        })
    }

    /// Writes the file. Certificates in its folder or below are named relative to it, so that the folder can be moved.
    pub(crate) fn write(&self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let relative = |path: &Path| path.strip_prefix(folder).unwrap_or(path).to_owned();
        let file = File {
            address: self.endpoint.to_string(),
            ca: relative(&self.tls.ca),
            certificate: relative(&self.tls.certificate),
            key: relative(&self.tls.key),
            login: self.is_login,
        };
        let text = serde_saphyr::to_string(&file).map_err(io::Error::other)?;
        atomic_file::write(&self.path, text.as_bytes(), atomic_file::PRIVATE)
    }
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let file = fs::File::open(path)?;
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(file, FILE_BYTES_MAX), &mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(working_folder: &Path, user_folder: &Path) -> Places {
        Places {
            named: None,
            working_folder: working_folder.to_owned(),
            user_folder: Some(user_folder.to_owned()),
        }
    }

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn the_named_file_comes_first_then_that_of_dev_then_the_users() {
        let folder = tempfile::tempdir().unwrap();
        let (work, user) = (folder.path().join("a/b/c"), folder.path().join("user"));
        let mut places = places(&work, &user);
        let Err(Error::Failed { message, .. }) = places.find() else {
            panic!("there is none yet");
        };
        assert!(message.contains("a/b/c") && message.contains("user/config.yaml"), "{message}");

        touch(&user.join(FILE_NAME));
        assert_eq!(places.find().unwrap(), user.join(FILE_NAME));
        let dev = folder.path().join("a/.godwit/dev/config.yaml");
        touch(&dev);
        assert_eq!(places.find().unwrap(), dev);
        places.named = Some("elsewhere.yaml".into());
        assert_eq!(places.find().unwrap(), Path::new("elsewhere.yaml"));
    }

    #[test]
    fn a_context_is_written_and_read_with_paths_relative_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let context = Context {
            path: folder.path().join(FILE_NAME),
            endpoint: "https://127.0.0.1:7443".parse().unwrap(),
            tls: TlsFiles {
                ca: folder.path().join("certs/ca.pem"),
                certificate: "/etc/godwit/admin.pem".into(),
                key: folder.path().join("certs/admin.key"),
            },
            is_login: false,
        };
        context.write().unwrap();
        let text = fs::read_to_string(&context.path).unwrap();
        assert!(text.contains("ca: certs/ca.pem") && !text.contains("login"), "{text}");
        assert_eq!(Context::read(&context.path).unwrap(), context);
        let context = Context { is_login: true, ..context };
        context.write().unwrap();
        assert_eq!(Context::read(&context.path).unwrap(), context);
    }

    #[test]
    fn a_file_that_is_no_context_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let reason = || match Context::read(&path) {
            Err(Error::Failed { message, hint }) => {
                let hint = hint.unwrap();
                assert!(hint.contains("https://HOST:PORT") || hint.contains("--config"), "{hint}");
                message
            }
            other => panic!("{other:?}"),
        };
        assert!(reason().contains("No such file"));
        for (text, word) in [
            ("", "unexpected end of input"),
            ("ca: a", "address"),
            ("address: x\nca: a\ncertificate: b\nkey: c\n", "https://"),
            ("address: https://h:1\nca: a\ncertificate: b\nkye: c\n", "kye"),
            ("[", "config.yaml"),
        ] {
            fs::write(&path, text).unwrap();
            let reason = reason();
            assert!(reason.contains(word), "{text:?}: {reason}");
        }
    }
}

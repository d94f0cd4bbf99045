//! `godwit login`.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use godwit_certs::LoginToken;
use godwit_proto::v1;
use godwit_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use godwit_rt::dial::{Endpoint, dial_with};
use godwit_rt::limits::DialTimeouts;
use godwit_rt::tls;
use tonic::Code;

use crate::client::{Client, answer};
use crate::context::{Context, Places};
use crate::error::Error;
use crate::login::{Kept, Pending};
use crate::output::{age, text};

/// Where hubs take agents and operators, and those who have no certificate yet.
const PORT: u16 = 8443;
const ENROLMENT_PORT: u16 = 8444;
/// A token has a few hundred bytes.
const TOKEN_BYTES_MAX: u64 = 4096;

/// Log in to a hub with a token of `godwit token create --operator`.
///
/// The key is made here and stays here, beside the context file, which later commands find. They renew the certificate past half
/// of its life: who runs one every few days stays logged in. The token is read from a file or standard input, never from the
/// command line, which others can see.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit login hub.example.com --token-file ann.token
  ssh admin@hub.example.com godwit token create --operator ann | godwit login hub.example.com")]
pub(crate) struct Login {
    /// The hub, as HOST or HOST:PORT [default port: 8443]
    #[arg(value_name = "HUB")]
    hub: String,
    /// The file with the token; standard input without it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Where the hub takes those who have no certificate yet, as HOST:PORT [default: the hub's host, port 8444]
    #[arg(long, value_name = "HOST:PORT")]
    enrolment: Option<String>,
    /// Take the place of a context that is there already
    #[arg(long)]
    replace: bool,
}

impl Login {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let Self { hub, token_file, enrolment, replace } = self;
        let endpoint = endpoint("HUB", &hub, PORT)?;
        let enrolment = match enrolment {
            Some(given) => self::endpoint("--enrolment", &given, ENROLMENT_PORT)?,
            None => self::endpoint("HUB", &host_of(&endpoint), ENROLMENT_PORT)?,
        };
        let path = places.of_login()?;
        let context = Context { tls: Kept::beside(&path).tls(), path, endpoint, is_login: true };
        check_free(&context, replace)?;
        let token = read_token(token_file.as_deref())?;
        obtain(&context, &enrolment, &token, replace).await?;
        let path = context.path.clone();
        let found = who_am_i(context).await?;
        greet(&found)?;
        if places.find()? != path {
            eprintln!(
                "commands in this folder still go by {}; --config {} names this login",
                places.find()?.display(),
                path.display()
            );
        }
        Ok(())
    }
}

/// Gets the certificate, and writes everything down. No other command changes the files meanwhile.
async fn obtain(
    context: &Context,
    enrolment: &Endpoint,
    token: &LoginToken,
    replace: bool,
) -> Result<(), Error> {
    let kept = Kept::beside(&context.path);
    kept.make_folder()?;
    let _lock = kept.lock()?;
    // Another login may have come first.
    check_free(context, replace)?;
    let Pending { request, is_new } = kept.pending()?;
    let certificate = match log_in(enrolment, token, request.csr_pem).await {
        Ok(certificate) => certificate,
        Err(Missed { error, is_final }) => {
            // A key that was there before may be the one of another token, whose answer was lost: only with that key is it
            // answered again. The next login takes it, or logout removes it.
            if is_new && is_final {
                kept.answered()?;
            }
            return Err(error);
        }
    };
    kept.store(certificate, &request.key_pem)?;
    context.write().map_err(|error| {
        Error::failed(format!("context file {} cannot be written: {error}", context.path.display()))
    })?;
    kept.answered()
}

/// There is no certificate.
struct Missed {
    error: Error,
    /// The token is not used up by the key: asking again with the same one does not help more than with another.
    is_final: bool,
}

/// Shows the token to the hub that it is of, and to no other.
async fn log_in(
    enrolment: &Endpoint,
    token: &LoginToken,
    signing_request: String,
) -> Result<Option<v1::Certificate>, Missed> {
    let connection = dial_with(enrolment, tls::pinned(token.authority), DialTimeouts::default()).await;
    let connection = connection.map_err(|error| {
        let error = Error::failed(format!("the hub cannot be reached: {error}"))
            .with_hint("the port for those who have no certificate yet is another one: --enrolment names it if it is not 8444");
        Missed { error, is_final: true }
    })?;
    let (name, secret) = (token.name.to_string(), token.secret().to_vec());
    let asked = v1::LogInRequest { name, secret, signing_request };
    let answered = answer(EnrolmentServiceClient::new(connection).log_in(asked)).await;
    answered.map(|answered| answered.certificate).map_err(|error| {
        let is_final = error.is_final();
        match error {
            Error::Refused { status, .. } if status.code() == Code::Unimplemented => {
                let error = Error::failed("this hub logs nobody in: it is of an older version");
                Missed { error, is_final }
            }
            error => Missed { error, is_final },
        }
    })
}

async fn who_am_i(context: Context) -> Result<v1::WhoAmIResponse, Error> {
    let client = Client::open(context).await?;
    answer(client.access().who_am_i(v1::WhoAmIRequest {})).await
}

fn greet(found: &v1::WhoAmIResponse) -> Result<(), Error> {
    let v1::WhoAmIResponse { name, role, expires, .. } = found;
    let role = match role.as_str() {
        "" => "without a role yet: ask an admin for `godwit role bind`".to_owned(),
        role => format!("as {role}"),
    };
    let left = age::until(expires.as_ref(), SystemTime::now()).unwrap_or_default();
    let line = format!(
        "logged in: {name}, {role}; the certificate lasts for {} and is renewed by later commands",
        age::short(left)
    );
    Ok(writeln!(io::stdout(), "{}", text::plain(&line))?)
}

/// Nobody's context is lost by a login to another hub.
fn check_free(context: &Context, replace: bool) -> Result<(), Error> {
    if replace {
        return Ok(());
    }
    if !context.path.exists() {
        return match Kept::beside(&context.path).stray() {
            None => Ok(()),
            Some(stray) => {
                Err(Error::failed(format!("{} is there already, and of no login here", stray.display()))
                    .with_hint("name another file by --config, or say --replace"))
            }
        };
    }
    let same =
        Context::read(&context.path).is_ok_and(|there| there.is_login && there.endpoint == context.endpoint);
    if same {
        return Ok(());
    }
    Err(Error::failed(format!("{} is there already, and is for something else", context.path.display()))
        .with_hint("name another file by --config, or say --replace"))
}

fn read_token(file: Option<&Path>) -> Result<LoginToken, Error> {
    let (named, read) = match file {
        Some(path) => {
            let text = File::open(path).and_then(bounded);
            (path.display().to_string(), text)
        }
        None => ("standard input".to_owned(), typed()),
    };
    let text = read.map_err(|error| Error::failed(format!("{named}: the token cannot be read: {error}")))?;
    text.parse().map_err(|error| Error::failed(format!("{named}: {error}")))
}

/// A person types one line, and a program says all that it has to.
fn typed() -> io::Result<String> {
    let input = io::stdin().lock();
    if !io::stdin().is_terminal() {
        return bounded(input);
    }
    eprint!("token: ");
    let mut line = String::new();
    input.take(TOKEN_BYTES_MAX).read_line(&mut line)?;
    Ok(line)
}

fn bounded(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    input.take(TOKEN_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// As people write it: with or without a scheme, with or without a port.
fn endpoint(named: &str, written: &str, port: u16) -> Result<Endpoint, Error> {
    let bare = written.strip_prefix("https://").unwrap_or(written);
    let with_port =
        [format!("https://{bare}"), format!("https://{bare}:{port}"), format!("https://[{bare}]:{port}")];
    let is_whole = |text: &&String| text.parse::<Endpoint>().is_ok();
    let whole = match bare.matches(':').count() {
        // More than one is an IPv6 address, which has brackets if it has a port.
        0 => with_port.get(1),
        1 => with_port.first(),
        _ => with_port.iter().find(is_whole),
    };
    let whole = whole.filter(is_whole).ok_or_else(|| {
        Error::Usage(format!("{named} = {written:?} is not a hub's address: write HOST or HOST:PORT"))
    })?;
    whole.parse().map_err(|error| Error::Usage(format!("{named} = {written:?}: {error}")))
}

fn host_of(endpoint: &Endpoint) -> String {
    endpoint.host().trim_matches(['[', ']']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_written_in_many_ways() {
        for (written, whole) in [
            ("hub.example.com", "https://hub.example.com:8443"),
            ("https://hub.example.com", "https://hub.example.com:8443"),
            ("hub.example.com:443", "https://hub.example.com:443"),
            ("https://10.0.0.1:9000", "https://10.0.0.1:9000"),
            ("[::1]:443", "https://[::1]:443"),
            ("::1", "https://[::1]:8443"),
        ] {
            let read = endpoint("HUB", written, PORT).unwrap();
            assert_eq!(read.to_string(), whole, "{written}");
            let beside = endpoint("HUB", &host_of(&read), ENROLMENT_PORT).unwrap();
            assert_eq!((host_of(&beside), beside.port()), (host_of(&read), 8444));
        }
        for wrong in ["", "a b", "http://hub", "hub:port", "hub/path"] {
            assert!(matches!(endpoint("HUB", wrong, PORT), Err(Error::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn no_context_is_lost_by_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        let context = |hub: &str, is_login| Context {
            tls: Kept::beside(&path).tls(),
            path: path.clone(),
            endpoint: endpoint("HUB", hub, PORT).unwrap(),
            is_login,
        };
        check_free(&context("one", true), false).unwrap();
        context("one", true).write().unwrap();
        check_free(&context("one", true), false).unwrap();
        assert!(check_free(&context("other", true), false).is_err());
        check_free(&context("other", true), true).unwrap();
        context("one", false).write().unwrap();
        assert!(check_free(&context("one", true), false).is_err());

        // Nor a file of somebody else's that has the name of one of a login.
        std::fs::remove_file(&path).unwrap();
        let stray = context("one", true).tls.ca;
        std::fs::write(&stray, "").unwrap();
        assert!(check_free(&context("one", true), false).is_err());
        check_free(&context("one", true), true).unwrap();
        std::fs::remove_file(stray).unwrap();
        check_free(&context("one", true), false).unwrap();
    }
}

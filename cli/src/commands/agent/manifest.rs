//! `godwit agent manifest`.

use std::io::{self, Write};
use std::net::IpAddr;

use clap::{Args, ValueEnum};
use godwit_common::ClusterName;
use godwit_rt::dial::Endpoint;

use super::credentials::Credentials;
use super::source::{self, Change};
use crate::context::{Context, Places};
use crate::error::Error;
use crate::target;

/// The most hubs that an agent tries.
const HUBS_MAX: usize = 16;
/// The longest audience, as the hub has it.
const AUDIENCE_MAX: usize = 200;
/// The longest name of an image that is taken: repository, tag and digest.
const IMAGE_MAX: usize = 512;

/// Print all that runs the agent in a cluster, ready for `kubectl apply -f -`.
#[derive(Debug, Args)]
#[command(after_help = "\
It holds the cluster's private key, or its join token: pipe it, or keep it as safe as one. What is
printed is deploy/kustomize/agent with these answers filled in, and a Secret with the certificate or
the token.

Examples:
  godwit token create --cluster alpha |
    godwit agent manifest --cluster alpha --hub hub.example.com:8443 --join-token-file - |
    kubectl --context alpha apply -f -
  godwit agent manifest --cluster alpha --hub hub.example.com:8443 --ca ca.pem --ca-key ca.key |
    kubectl --context alpha apply -f -
  godwit agent manifest --cluster alpha --ca ca.pem --cert alpha.pem --key alpha.key > alpha.yaml")]
pub(crate) struct Manifest {
    /// The name of the cluster, as its certificate says it
    #[arg(long, value_name = "NAME")]
    cluster: ClusterName,
    /// A hub as the cluster reaches it, HOST:PORT; may be repeated. Without it, that of the context file
    #[arg(long = "hub", value_name = "HOST:PORT", value_parser = hub)]
    hubs: Vec<String>,
    #[command(flatten)]
    credentials: Credentials,
    /// The agent's image
    #[arg(long, value_name = "IMAGE", value_parser = image)]
    image: Option<String>,
    /// The agent's namespace
    #[arg(long, value_name = "NAME", value_parser = target::namespace, default_value = source::NAMESPACE)]
    namespace: String,
    /// Whom the token of the agents' service account is for: enrolment.audience of the hub
    #[arg(long, value_name = "TEXT", value_parser = audience, default_value = source::AUDIENCE)]
    audience: String,
    /// A pod on each node, or two pods in all
    #[arg(long, value_enum, default_value_t)]
    kind: Kind,
}

/// What makes the agent's pods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// One on each node, so that losing a node does not look like losing the cluster.
    #[default]
    Daemonset,
    /// Two in all.
    Deployment,
}

impl Manifest {
    pub(crate) fn run(self, places: &Places) -> Result<(), Error> {
        let admission = self.credentials.admission(&self.cluster)?;
        let hubs = match self.hubs.as_slice() {
            [] => vec![of_context(places)?],
            hubs if hubs.len() > HUBS_MAX => {
                return Err(Error::Usage(format!("--hub: an agent tries at most {HUBS_MAX} hubs")));
            }
            hubs => hubs.to_vec(),
        };
        let Self { namespace, image, audience, kind, .. } = self;
        let change = Change { namespace, hubs, image, audience, kind };
        Ok(io::stdout().write_all(source::render(&change, &admission).as_bytes())?)
    }
}

/// The hub that this operator talks to, if agents can, too.
fn of_context(places: &Places) -> Result<String, Error> {
    let without = |error: Error| error.with_hint("say --hub HOST:PORT, as the cluster reaches the hub");
    let context = Context::read(&places.find().map_err(without)?).map_err(without)?;
    let endpoint = &context.endpoint;
    let loopback = match endpoint.host().parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => endpoint.host() == "localhost",
    };
    if loopback {
        let message = format!("{endpoint}, the hub of {}, is this machine alone", context.path.display());
        return Err(without(Error::failed(message)));
    }
    Ok(endpoint.to_string().trim_start_matches("https://").to_owned())
}

fn hub(text: &str) -> Result<String, String> {
    let endpoint = format!("https://{text}").parse::<Endpoint>();
    endpoint.map(|_| text.to_owned()).map_err(|_| "write HOST:PORT, such as hub.example.com:8443".to_owned())
}

/// As the hub takes it.
fn audience(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@~+".contains(c);
    match (1..=AUDIENCE_MAX).contains(&text.len()) && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("write a name such as godwit.dev/hub".to_owned()),
    }
}

/// Only the form: whether there is such an image is for the cluster to say.
fn image(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let is_image = (1..=IMAGE_MAX).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(plain);
    match is_image {
        true => Ok(text.to_owned()),
        false => Err("write REPOSITORY:TAG, such as images.example.com/godwit-agent:0.1.0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_up_in_yaml_has_a_form() {
        for good in ["godwit-agent:0.1.0", "images.example.com:5000/a/b@sha256:0f"] {
            assert_eq!(image(good).as_deref(), Ok(good));
        }
        for bad in ["", "a b", "a\n- b", "\"x\"", "-x", &"a".repeat(513)] {
            assert!(image(bad).is_err(), "{bad:?}");
        }
        assert_eq!(audience("godwit.example.com/hub").as_deref(), Ok("godwit.example.com/hub"));
        for bad in ["", "a b", "a\nb", "\"a\"", &"a".repeat(201)] {
            assert!(audience(bad).is_err(), "{bad:?}");
        }
        assert_eq!(hub("hub:8443").as_deref(), Ok("hub:8443"));
        for bad in ["", "hub", "https://hub:1", "hub:1\nx: y", "hub:1/x"] {
            assert!(hub(bad).is_err(), "{bad:?}");
        }
    }
}

//! `godwit whoami`.

use std::io::{self, Write};
use std::time::SystemTime;

use clap::Args;
use godwit_proto::{json, v1};

use crate::client::{Client, answer};
use crate::context::{Context, Places};
use crate::error::Error;
use crate::output::document::{self, Syntax};
use crate::output::{Format, age, text};

/// Show who you are to the hub, and what you may do.
#[derive(Debug, Args)]
pub(crate) struct WhoAmI {
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl WhoAmI {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let client = Client::connect(places).await?;
        let found = answer(client.access().who_am_i(v1::WhoAmIRequest {})).await?;
        let out = &mut io::stdout().lock();
        match self.output {
            Format::Json => document::print(&json::to_json(&found)?, Syntax::Json, out),
            Format::Yaml => document::print(&json::to_json(&found)?, Syntax::Yaml, out),
            Format::Name => Ok(writeln!(out, "{}", text::plain(&found.name))?),
            Format::Table | Format::Wide => {
                for line in lines(&found, client.context(), SystemTime::now()) {
                    writeln!(out, "{}", text::plain(&line))?;
                }
                Ok(())
            }
        }
    }
}

fn lines(found: &v1::WhoAmIResponse, context: &Context, now: SystemTime) -> Vec<String> {
    let v1::WhoAmIResponse {
        name,
        role,
        source,
        namespaces,
        policies,
        max_priority,
        serial,
        expires,
        address,
    } = found;
    let why = match source.as_str() {
        "configured" => "by the hub's configuration",
        "bound" => "bound",
        _ => "as everybody to whom no role is bound",
    };
    let role_line = match role.as_str() {
        "" => "none: ask an admin for `godwit role bind`".to_owned(),
        role => format!("{role} ({why})"),
    };
    let some = |names: &[String], all: &str| if names.is_empty() { all.to_owned() } else { names.join(", ") };
    let mut rows = vec![("Name", name.clone()), ("Role", role_line)];
    if !role.is_empty() {
        rows.push(("Namespaces", some(namespaces, "all")));
    }
    if role == "deployer" {
        rows.push(("Policies", some(policies, "all")));
        rows.push(("Priority", format!("up to {max_priority}")));
    }
    let left = age::until(expires.as_ref(), now).unwrap_or_default();
    let renewal = if context.is_login { ", and is renewed by itself half way" } else { "" };
    rows.push(("Certificate", format!("serial number {serial}, ends in {}{renewal}", age::short(left))));
    rows.push(("Seen from", address.clone()));
    rows.push(("Context", context.path.display().to_string()));
    rows.into_iter().map(|(label, value)| format!("{:<13}{value}", format!("{label}:"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployer_is_told_its_bounds_and_a_stranger_to_the_roles_whom_to_ask() {
        let deployer = v1::WhoAmIResponse {
            name: "bob".into(),
            role: "deployer".into(),
            source: "bound".into(),
            namespaces: vec!["shop".into(), "staging".into()],
            max_priority: 10,
            serial: "4a".into(),
            ..v1::WhoAmIResponse::default()
        };
        let shown = lines(&deployer, &context(true), SystemTime::UNIX_EPOCH).join("\n");
        for part in [
            "deployer (bound)",
            "shop, staging",
            "Policies:    all",
            "up to 10",
            "serial number 4a",
            "by itself",
        ] {
            assert!(shown.contains(part), "{part:?} is not in {shown}");
        }
        let nobody =
            v1::WhoAmIResponse { name: "eve".into(), source: "unbound".into(), ..Default::default() };
        let shown = lines(&nobody, &context(false), SystemTime::UNIX_EPOCH).join("\n");
        assert!(shown.contains("none: ask an admin") && !shown.contains("Namespaces"), "{shown}");
        assert!(!shown.contains("by itself") && shown.contains("c.yaml"), "{shown}");
    }

    fn context(is_login: bool) -> Context {
        let [ca, certificate, key] = ["ca.pem", "cert.pem", "key.pem"].map(Into::into);
        let tls = godwit_rt::tls::TlsFiles { ca, certificate, key };
        Context { path: "c.yaml".into(), endpoint: "https://hub:8443".parse().unwrap(), tls, is_login }
    }
}

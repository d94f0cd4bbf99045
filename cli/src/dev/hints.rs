//! What to try next, in lines that can be copied.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::federation::Federation;
use super::layout::Layout;
use crate::error::Error;

/// A small application for the gRPC line: it needs no file.
const DEPLOY: &str = r#"{"replicas": 6, "manifests": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: hello}, spec: {selector: {matchLabels: {app: hello}}, template: {metadata: {labels: {app: hello}}, spec: {containers: [{name: hello, image: nginx}]}}}}"}"#;

/// Prints them.
pub(super) fn print(
    federation: &Federation,
    layout: &Layout,
    elsewhere: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let context = federation.context();
    let godwit =
        if elsewhere { format!("{} --config {}", program(), short(&context.path)) } else { program() };
    let dir = if elsewhere { format!(" --dir {}", short(layout.folder())) } else { String::new() };
    writeln!(out, "\nThe hub serves on {}; ready: {}.", context.endpoint, federation.names().join(", "))?;
    writeln!(out, "Its metrics for Prometheus are on {}.", federation.metrics())?;
    writeln!(
        out,
        "State, certificates and logs are in {}. Ctrl-C stops everything.",
        short(layout.folder())
    )?;
    writeln!(out, "\nTry in another terminal{}:", if elsewhere { "" } else { ", in this folder" })?;
    if Path::new("examples/web.yaml").exists() {
        writeln!(out, "  {godwit} apply -f examples/policies -f examples/web.yaml")?;
    } else {
        writeln!(out, "  {godwit} apply -f YOUR-DEPLOYMENT.yaml --replicas 20")?;
    }
    writeln!(out, "  {godwit} get workloads --watch")?;
    let last_but_one = federation.members().iter().take(2).last();
    if let Some(member) = last_but_one {
        let (accident, name) =
            (if member.is_simulated() { "kill-cluster" } else { "cut-link" }, member.name());
        let dev = format!("{} dev", program());
        writeln!(out, "  {dev} {accident} {name}{dir}; sleep 30; {dev} heal {name}{dir}")?;
        writeln!(
            out,
            "  kubectl --kubeconfig {} get deployments,pods --all-namespaces",
            short(&member.kubeconfig())
        )?;
    }
    let tls = &context.tls;
    let authority = context.endpoint.to_string().replace("https://", "");
    writeln!(out, "\nThe same by any gRPC client:")?;
    writeln!(
        out,
        "  grpcurl -cacert {} -cert {} -key {} -d '{DEPLOY}' {authority} godwit.v1.WorkloadService/Deploy\n",
        short(&tls.ca),
        short(&tls.certificate),
        short(&tls.key),
    )?;
    Ok(out.flush()?)
}

/// How the user can call this program again.
fn program() -> String {
    let Ok(own) = std::env::current_exe() else { return "godwit".to_owned() };
    let found = std::env::var_os("PATH").and_then(|path| {
        let mut candidates = std::env::split_paths(&path).map(|folder| folder.join("godwit"));
        candidates.find(|candidate| candidate.exists())?.canonicalize().ok()
    });
    match found {
        Some(found) if found == own => "godwit".to_owned(),
        _ => short(&own),
    }
}

/// A path as seen from here, quoted if a shell needs that.
fn short(path: &Path) -> String {
    let here = std::env::current_dir().and_then(|folder| folder.canonicalize()).unwrap_or_default();
    let path: PathBuf = path.strip_prefix(&here).unwrap_or(path).to_owned();
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=@:,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_applications_manifest_is_a_good_one() {
        let request: serde_json::Value = serde_json::from_str(DEPLOY).unwrap();
        let application = godwit_manifest::parse_application(request["manifests"].as_str().unwrap()).unwrap();
        assert_eq!(&*application.workloads[0].id.name, "hello");
        assert!(!DEPLOY.contains('\''), "it stands between single quotes");
    }

    #[test]
    fn paths_are_quoted_for_shells() {
        assert_eq!(short(Path::new("/x y/it's")), r"'/x y/it'\''s'");
        assert_eq!(short(Path::new("/x/y.yaml")), "/x/y.yaml");
    }
}

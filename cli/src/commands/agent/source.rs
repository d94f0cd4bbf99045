//! The manifests of deploy/kustomize/agent, as they are in this build, with the answers of one cluster filled in. They are
//! changed as text, so that what is printed keeps the comments that explain it.

use std::fmt::Write;

use godwit_certs::JoinToken;

use super::credentials::{Admission, Secret};
use super::manifest::Kind;

/// The namespace that the manifests are written for.
pub(super) const NAMESPACE: &str = "godwit-system";

macro_rules! manifest {
    ($name:literal) => {
        include_str!(concat!("../../../../deploy/kustomize/agent/", $name))
    };
}

/// In the order in which they are applied: what is needed first comes first, and the pods come last.
const BEFORE: [&str; 5] = [
    manifest!("base/namespace.yaml"),
    manifest!("base/priorityclass.yaml"),
    manifest!("base/rbac.yaml"),
    manifest!("base/configmap.yaml"),
    manifest!("base/networkpolicy.yaml"),
];
const DAEMON_SET: [&str; 1] = [manifest!("daemonset.yaml")];
const DEPLOYMENT: [&str; 2] =
    [manifest!("deployment/poddisruptionbudget.yaml"), manifest!("deployment/deployment.yaml")];

/// The one line that names the hubs, up to its value; and the one that names the image.
const HUBS: &str = "  GODWIT_AGENT_HUBS: ";
const IMAGE: &str = "          image: ";
/// The one that says whom the token of the service account is for, and what it says.
const FOR: &str = "                  audience: ";
pub(super) const AUDIENCE: &str = "godwit.dev/hub";
/// How the lines begin that say where the certificate is; and what stands in their place where it comes from the hub, which is
/// what deploy/kustomize/agent-joining says.
const TLS: &str = "  GODWIT_AGENT_TLS__";
const JOINING: &str = include_str!("../../../../deploy/kustomize/agent-joining/configmap.yaml");
const IDENTITY: &str = "  GODWIT_AGENT_IDENTITY__";

/// What differs from the manifests as they are written.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) namespace: String,
    pub(super) hubs: Vec<String>,
    pub(super) image: Option<String>,
    pub(super) audience: String,
    pub(super) kind: Kind,
}

/// All manifests of one cluster.
pub(super) fn render(change: &Change, admission: &Admission) -> String {
    let pods: &[&str] = match change.kind {
        Kind::Daemonset => &DAEMON_SET,
        Kind::Deployment => &DEPLOYMENT,
    };
    let mut text = String::new();
    for document in BEFORE {
        let filled = fill(document, change);
        append(
            &mut text,
            &match admission {
                Admission::Token(token) => joining(&filled, token),
                Admission::Certificate(_) => filled,
            },
        );
    }
    append(&mut text, &of_admission(admission, &change.namespace));
    for document in pods {
        append(&mut text, &fill(document, change));
    }
    text
}

fn append(text: &mut String, document: &str) {
    text.push_str("---\n");
    text.push_str(document);
}

fn fill(document: &str, change: &Change) -> String {
    let mut filled = String::with_capacity(document.len());
    for line in document.lines() {
        if line.starts_with(FOR) {
            filled.push_str(&line.replace(AUDIENCE, &change.audience));
            filled.push('\n');
            continue;
        }
        let line = match (line.starts_with(HUBS), line.starts_with(IMAGE), &change.image) {
            (true, _, _) => format!("{HUBS}\"{}\"", change.hubs.join(",")),
            (_, true, Some(image)) => format!("{IMAGE}\"{image}\""),
            (false, true, None) | (false, false, _) => line.replace(NAMESPACE, &change.namespace),
        };
        filled.push_str(&line);
        filled.push('\n');
    }
    filled
}

/// The certificate comes from the hub: what its agents have to know of it stays when the token is gone.
fn joining(document: &str, token: &JoinToken) -> String {
    let mut text = String::with_capacity(document.len());
    for line in document.lines().filter(|line| !line.starts_with(TLS)) {
        text.push_str(line);
        text.push('\n');
    }
    if text.len() < document.len() {
        for line in JOINING.lines().filter(|line| line.starts_with(IDENTITY)) {
            text.push_str(line);
            text.push('\n');
        }
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{IDENTITY}CLUSTER: \"{}\"", token.cluster);
        let _ = writeln!(text, "{IDENTITY}AUTHORITY_PIN: \"{}\"", token.authority);
    }
    text
}

fn of_admission(admission: &Admission, namespace: &str) -> String {
    let head = |comment: &str, name: &str| {
        format!(
            "# {comment}\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels:\n    \
             app.kubernetes.io/name: godwit-agent\n    app.kubernetes.io/part-of: godwit\n"
        )
    };
    match admission {
        Admission::Certificate(secret) => {
            let comment = "The cluster's certificate: it alone says which cluster this is. Keep it as safe as any private key.";
            head(comment, "godwit-agent-tls") + &of_certificate(secret)
        }
        Admission::Token(token) => {
            let comment = "The join token: whoever uses it first is this cluster. Once an agent is ready it may be deleted.";
            let token = token.reveal();
            format!("{}type: Opaque\nstringData:\n  token: {token}\n", head(comment, "godwit-agent-join"))
        }
    }
}

fn of_certificate(secret: &Secret) -> String {
    let mut text = "type: kubernetes.io/tls\nstringData:\n".to_owned();
    for (name, pem) in [("ca.crt", &secret.ca), ("tls.crt", &secret.certificate), ("tls.key", &secret.key)] {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {name}: |");
        for line in pem.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn rendered(kind: Kind, image: Option<&str>) -> (String, Vec<Value>) {
        let change = Change {
            namespace: "agents".to_owned(),
            hubs: vec!["a:1".to_owned(), "b:2".to_owned()],
            image: image.map(str::to_owned),
            audience: AUDIENCE.to_owned(),
            kind,
        };
        let pem = |what: &str| format!("-----BEGIN {what}-----\nAAAA\n\n-----END {what}-----\n");
        let secret = Secret { ca: pem("CA"), certificate: pem("CERTIFICATE"), key: pem("KEY") };
        let text = render(&change, &Admission::Certificate(secret));
        let objects = serde_saphyr::from_multiple(&text).expect("it is YAML");
        (text, objects)
    }

    fn named<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
        objects.iter().find(|object| object["kind"] == kind).expect("it is there")
    }

    #[test]
    fn the_answers_are_filled_in_and_nothing_of_the_old_ones_is_left() {
        let (text, objects) = rendered(Kind::Daemonset, Some("images.example.com/agent:7"));
        assert!(!text.contains(NAMESPACE), "{text}");
        assert_eq!(named(&objects, "Namespace")["metadata"]["name"], "agents");
        assert_eq!(named(&objects, "ConfigMap")["data"]["GODWIT_AGENT_HUBS"], "a:1,b:2");
        let pod = &named(&objects, "DaemonSet")["spec"]["template"]["spec"];
        assert_eq!(pod["containers"][0]["image"], "images.example.com/agent:7");
        let binding = named(&objects, "ClusterRoleBinding");
        assert_eq!(binding["subjects"][0]["namespace"], "agents");
        let secret = &named(&objects, "Secret")["stringData"];
        assert_eq!(secret["tls.key"], "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n");
        assert_eq!(pod["volumes"][0]["secret"]["secretName"], named(&objects, "Secret")["metadata"]["name"]);
    }

    #[test]
    fn with_a_token_the_settings_and_the_secret_are_others() {
        let (hubs, kind) = (vec!["a:1".to_owned()], Kind::Daemonset);
        let audience = "hub.example.com".to_owned();
        let change = Change { namespace: NAMESPACE.to_owned(), hubs, image: None, audience, kind };
        let pin = "0f".repeat(32);
        let token = format!("godwit-join.east.{}.{pin}", "ab".repeat(32));
        let text = render(&change, &Admission::Token(token.parse().expect("a token")));
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("it is YAML");
        let settings = named(&objects, "ConfigMap")["data"].as_object().expect("settings");
        assert!(settings.keys().all(|key| !key.contains("_TLS_")), "{settings:?}");
        assert_eq!(settings["GODWIT_AGENT_IDENTITY__CLUSTER"], "east");
        assert_eq!(settings["GODWIT_AGENT_IDENTITY__AUTHORITY_PIN"], pin);
        let secret = named(&objects, "Secret");
        assert_eq!(secret["stringData"]["token"], token);
        let pod = &named(&objects, "DaemonSet")["spec"]["template"]["spec"];
        // Where the agents look for the token of their account the kubelet puts it.
        let mounts = pod["containers"][0]["volumeMounts"].as_array().expect("mounts");
        let account = mounts.iter().find(|mount| mount["name"] == "account").expect("it is mounted");
        let path = format!("{}/token", account["mountPath"].as_str().expect("a path"));
        assert_eq!(settings["GODWIT_AGENT_IDENTITY__SERVICE_ACCOUNT_TOKEN_FILE"], path);
        let volumes = pod["volumes"].as_array().expect("volumes");
        let account = volumes.iter().find(|volume| volume["name"] == "account").expect("it is there");
        assert_eq!(account["projected"]["sources"][0]["serviceAccountToken"]["path"], "token");
        assert_eq!(account["projected"]["sources"][0]["serviceAccountToken"]["audience"], "hub.example.com");
        assert_eq!(pod["volumes"][1]["secret"]["secretName"], secret["metadata"]["name"]);
    }

    #[test]
    fn without_an_image_it_is_the_one_of_this_version() {
        let (_, objects) = rendered(Kind::Deployment, None);
        let image = &named(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"];
        assert_eq!(*image, concat!("godwit-agent:", env!("CARGO_PKG_VERSION")));
        assert!(objects.iter().any(|object| object["kind"] == "PodDisruptionBudget"));
        assert!(objects.iter().all(|object| object["kind"] != "DaemonSet"));
    }
}

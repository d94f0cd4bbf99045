//! The Dockerfiles build what the manifests run. There may be no Docker here; what they say can be compared all the same.

use std::fs;

use godwit_common::WorkloadKind;
use godwit_manifest::supervisor::{Supervisor, supervise};

use super::manifests::{deploy, kustomized, template};

/// The lines of a Dockerfile that begin with this word, without it.
fn lines(part: &str, word: &str) -> Vec<String> {
    let text = fs::read_to_string(deploy("docker").join(format!("Dockerfile.{part}"))).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    lines.map(str::to_owned).collect()
}

#[test]
fn each_builds_the_program_that_it_runs() {
    let root = fs::read_to_string(deploy("../Cargo.toml")).unwrap();
    let rust = root.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    for (part, package, program, profile) in [
        ("hub", "hub/Cargo.toml", "godwit-hub", "dist"),
        ("agent", "agent/Cargo.toml", "godwit-agent", "dist-small"),
        ("cli", "cli/Cargo.toml", "godwit", "dist"),
    ] {
        assert!(root.contains(&format!("[profile.{profile}]")));
        let package = fs::read_to_string(deploy("..").join(package)).unwrap();
        let package =
            package.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().trim_matches('"');
        let stages = lines(part, "FROM");
        assert_eq!(stages, [format!("rust:{rust}-bookworm AS build"), "scratch".to_owned()], "{part}");
        let build = lines(part, "RUN").pop().unwrap();
        assert!(
            build.contains(&format!("--profile {profile} --target \"$TARGET\" -p {package} ")),
            "{build}"
        );
        assert!(build.ends_with(&format!("/{profile}/{program}\" /program")), "{build}");
        assert_eq!(lines(part, "ENTRYPOINT"), [format!("[\"/usr/local/bin/{program}\"]")]);
        assert!(lines(part, "COPY").contains(&format!("--from=build /program /usr/local/bin/{program}")));
    }
}

/// The supervisor is copied from the agent's image into containers of any other: it needs nothing that these have.
#[test]
fn the_agents_image_has_the_supervisor() {
    let [.., build, _] = &lines("agent", "RUN")[..] else { panic!("it is built before the agent") };
    assert!(build.contains("--profile dist-small --target \"$TARGET\" -p godwit-gate "), "{build}");
    assert!(build.ends_with("/dist-small/godwit-gate\" /gate"), "{build}");
    let target = lines("agent", "ARG");
    assert!(target.iter().any(|target| target.ends_with("-musl")), "static: {target:?}");
    let copied = "--from=build /gate /usr/local/bin/godwit-gate".to_owned();
    assert!(lines("agent", "COPY").contains(&copied));
    let mut manifest = serde_json::json!({
        "spec": {"template": {"spec": {"containers": [{"name": "web", "command": ["web"]}]}}}
    });
    let supervisor = Supervisor { image: "agent:1".to_owned(), directory: "/run/godwit/leases".to_owned() };
    supervise(WorkloadKind::Deployment, &mut manifest, "0", &supervisor).unwrap();
    let copies = &manifest["spec"]["template"]["spec"]["initContainers"][0]["command"];
    assert_eq!(copies[0], "/usr/local/bin/godwit-gate");
}

#[test]
fn each_runs_as_the_user_of_the_manifests() {
    for (part, path) in [("hub", "hub"), ("agent", "agent"), ("agent", "agent/deployment")] {
        let objects = kustomized(path);
        let security = &objects.iter().find_map(template).unwrap()["spec"]["securityContext"];
        let user = format!("{}:{}", security["runAsUser"], security["runAsGroup"]);
        assert_eq!(lines(part, "USER"), [user], "{path}");
    }
}

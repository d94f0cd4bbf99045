//! DaemonSets, Jobs and CronJobs, and what their manifests may not say.

use godwit_manifest::{Workload, parse_application};

fn job(more: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: import}}\nspec:\n{more}  backoffLimit: 3\n  template:\n    \
         spec:\n      restartPolicy: Never\n      containers:\n        - {{name: a, image: b}}\n"
    )
}

fn cron_job(more: &str, of_job: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: backup}}\nspec:\n  schedule: \"0 3 * * *\"\n{more}  \
         jobTemplate:\n    spec:\n{of_job}      template:\n        spec:\n          restartPolicy: OnFailure\n          \
         containers:\n            - {{name: a, image: b, envFrom: [{{secretRef: {{name: login}}}}]}}\n"
    )
}

fn daemon_set(more: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: logs}}\nspec:\n{more}  selector: {{matchLabels: {{app: \
         logs}}}}\n  template:\n    metadata: {{labels: {{app: logs}}}}\n    spec:\n      containers:\n        - {{name: \
         a, image: b}}\n"
    )
}

fn read(text: &str) -> Workload {
    parse_application(text).expect("a good manifest").workloads.remove(0)
}

#[track_caller]
fn refused(text: &str, says: &str) {
    let errors = parse_application(text).expect_err("a mistake").to_string();
    assert!(errors.contains(says), "{errors}");
}

#[test]
fn a_job_runs_once_or_not_at_all_as_long_as_it_is_suspended() {
    let import = read(&job(""));
    assert_eq!((import.replicas, &*import.object.api_version), (1, "batch/v1"));
    let suspended = read(&job("  suspend: true\n"));
    assert_eq!(suspended.replicas, 0);
    // Whether it may run is no part of what it is.
    assert_eq!(suspended.manifest, import.manifest);
    assert!(!import.manifest.contains("suspend"));
    assert_eq!(read(&cron_job("  suspend: true\n", "")).replicas, 0);
}

#[test]
fn a_cron_job_needs_what_its_pods_name() {
    let backup = read(&cron_job("", ""));
    assert_eq!(backup.replicas, 1);
    let needs: Vec<String> = backup.needs.iter().map(ToString::to_string).collect();
    assert_eq!(needs, ["Secret default/login"]);
}

#[test]
fn a_daemon_set_has_no_number() {
    assert_eq!(read(&daemon_set("")).replicas, 0);
    refused(&daemon_set("  replicas: 3\n"), "spec.replicas: this field is unknown");
}

#[test]
fn what_would_work_against_the_hub_is_refused_by_name() {
    refused(
        &job("  ttlSecondsAfterFinished: 60\n"),
        "spec.ttlSecondsAfterFinished: a Job that is gone before its end is known would run again; remove it",
    );
    refused(
        &job("  selector: {matchLabels: {a: b}}\n"),
        "spec.selector: Kubernetes gives each Job a selector of its own",
    );
    refused(
        &job("  managedBy: example.com/queue\n"),
        "spec.managedBy: the clusters' own Job controllers are to run it",
    );
    refused(
        &job("  paralelism: 2\n"),
        "spec.paralelism: this field is unknown; did you mean \"parallelism\"?",
    );
    refused(
        &job("").replace("      restartPolicy: Never\n", ""),
        "restartPolicy: it is missing; write Never or OnFailure",
    );
    refused(
        &job("").replace("Never", "Always"),
        "restartPolicy: \"Always\" is not known; known are Never, OnFailure",
    );
    refused(
        &cron_job("", "      suspend: true\n"),
        "spec.jobTemplate.spec.suspend: nobody would let the Jobs begin",
    );
    refused(&cron_job("", "").replace("  schedule: \"0 3 * * *\"\n", ""), "spec.schedule: it is missing");
    let of_ours = cron_job("", "").replace(
        "template:\n        spec:",
        "template:\n        metadata: {labels: {godwit.dev/cron-job: x}}\n        spec:",
    );
    refused(&of_ours, "godwit.dev/cron-job");
    // The Jobs of a CronJob may go when their time is over.
    read(&cron_job("", "      ttlSecondsAfterFinished: 60\n"));
}

#[test]
fn jobs_are_served_under_batch_alone() {
    refused(
        &job("").replace("batch/v1", "batch/v1beta1"),
        "a Job cannot be handled: Kubernetes serves it as batch/v1 only",
    );
    refused(&daemon_set("").replace("apps/v1", "extensions/v1beta1"), "Kubernetes serves it as apps/v1 only");
}

fn custom(more: &str, spec: &str) -> String {
    format!(
        "apiVersion: example.com/v1\nkind: Fleet\nmetadata:\n  name: ships\n  annotations:\n    godwit.dev/workload: \
         \"true\"\n{more}spec: {spec}\n"
    )
}

#[test]
fn a_custom_resource_is_a_workload_if_it_says_so() {
    let fleet = read(&custom("    godwit.dev/policy: even\n", "{replicas: 6, image: a}"));
    assert_eq!((fleet.replicas, fleet.id.to_string().as_str()), (6, "Fleet default/ships"));
    assert_eq!((&*fleet.object.api_version, fleet.policy.is_some()), ("example.com/v1", true));
    let needs: Vec<String> = fleet.needs.iter().map(ToString::to_string).collect();
    assert_eq!(needs, ["the kind Fleet of example.com/v1 with a subresource scale"]);
    assert!(!fleet.manifest.contains("replicas") && fleet.manifest.contains("godwit.dev/workload"));
    assert_eq!(
        (fleet.pod.requests.pods, fleet.pod.requests.cpu_millis),
        (1, 0),
        "nobody says what its pods ask for"
    );
    assert_eq!(read(&custom("", "{image: a}")).replicas, 1);
    let kept = read(&fleet.manifest);
    assert_eq!((kept.manifest, kept.needs), (fleet.manifest, fleet.needs), "it is read back as it was");
    refused(
        &custom("", "{image: a}").replace("    godwit.dev/workload: \"true\"\n", ""),
        "none of the objects is a workload",
    );
}

#[test]
fn a_custom_resource_may_count_elsewhere() {
    let fleet = read(&custom("    godwit.dev/replicas: \"6\"\n", "{replicas: two of each, size: 1}"));
    assert_eq!(fleet.replicas, 6);
    assert!(fleet.manifest.contains("two of each") && !fleet.manifest.contains("godwit.dev/replicas"));
    refused(
        &custom("    godwit.dev/replicas: \"many\"\n", "{}"),
        "metadata.annotations[godwit.dev/replicas]: \"many\" is not valid here; write a whole number from 0 to 1000000 in \
         quotes",
    );
    refused(&custom("", "{replicas: two of each}"), "spec.replicas: \"two of each\" is not valid here");
}

#[test]
fn what_its_pods_ask_for_is_read_where_it_has_a_template() {
    let spec = "{replicas: 2, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: b, envFrom: \
                [{secretRef: {name: login}}], resources: {requests: {cpu: 250m}}}]}}}";
    let fleet = read(&custom("", spec));
    assert_eq!(fleet.pod.requests.cpu_millis, 250);
    assert!(fleet.needs.iter().any(|need| need.to_string() == "Secret default/login"));
    let other = read(&custom("", "{template: {name: of something else}}"));
    assert_eq!(other.pod.requests.cpu_millis, 0);
}

#[test]
fn what_cannot_be_a_workload_is_refused_by_name() {
    let fleet = custom("", "{replicas: 2}");
    refused(
        &fleet.replace("example.com/v1", "networking.k8s.io/v1").replace("Fleet", "Ingress"),
        "a Ingress of networking.k8s.io has no count; remove the annotation",
    );
    refused(
        &fleet.replace("Fleet", "Job"),
        "workloads are told apart by kind and name, and Kubernetes has a Job of its own",
    );
    refused(&fleet.replace("\"true\"", "\"yes\""), "godwit.dev/workload]: \"yes\" is not known; write true");
    let definition = "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: \
                      fleets.example.com}\nspec:\n  group: example.com\n  names: {kind: Fleet, plural: fleets}\n  versions: \
                      [{name: v1, served: true, storage: true, subresources: {status: {}}}]\n";
    refused(
        &format!("{fleet}{definition}"),
        "the definition of Fleet that comes along has no subresource scale",
    );
    let scalable = definition.replace("status: {}", "scale: {}");
    assert_eq!(read(&format!("{fleet}{scalable}")).needs, []);
}

fn scaled(more: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels: {{godwit.dev/mode: scale-only, tier: web}}\n  \
         annotations: {{godwit.dev/replicas: \"6\", godwit.dev/policy: even}}\nspec:\n  selector: {{matchLabels: {{a: b}}}}\n  \
         template:\n    metadata: {{labels: {{a: b}}}}\n    spec:\n      containers:\n      - {{name: c, image: i, envFrom: \
         [{{secretRef: {{name: login}}}}], resources: {{requests: {{cpu: 250m}}}}}}\n{more}"
    )
}

#[test]
fn of_what_is_only_scaled_nothing_but_the_count_is_godwits() {
    let web = read(&scaled(""));
    assert_eq!((web.scale_only, web.replicas, web.pod.requests.cpu_millis), (true, 6, 250));
    let needs: Vec<String> = web.needs.iter().map(ToString::to_string).collect();
    assert_eq!(needs, ["Deployment default/web from GitOps"], "what its pods need GitOps sees to");
    let other = read(&scaled("").replace("image: i", "image: other").replace("\"6\"", "\"7\""));
    assert_eq!((other.replicas, other.manifest), (7, web.manifest), "no change of Git's is a revision");
    let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n";
    let application = parse_application(&scaled(map)).expect("a good file");
    assert_eq!(
        (application.workloads.len(), application.dependents.len()),
        (1, 0),
        "the rest is GitOps', too"
    );
}

#[test]
fn a_mode_that_cannot_be_is_refused() {
    refused(&scaled("").replace("mode: scale-only", "mode: all"), "\"all\" is not known; write scale-only");
    refused(
        &scaled("").replace("godwit.dev/replicas: \"6\", ", ""),
        "the total over all clusters is not said: spec.replicas is that of each cluster; write it into the annotation \
         godwit.dev/replicas",
    );
    refused(
        &scaled("").replace("labels: {godwit.dev/mode: scale-only, tier: web}", "labels: {tier: web}"),
        "godwit.dev/replicas is not for manifests",
    );
    let noted = scaled("")
        .replace("labels: {godwit.dev/mode: scale-only, tier: web}", "labels: {tier: web}")
        .replace("annotations: {", "annotations: {godwit.dev/mode: scale-only, ");
    refused(&noted, "the clusters' agents look for it among the labels; write it into metadata.labels");
    refused(
        &job("").replace("{name: import}", "{name: import, labels: {godwit.dev/mode: scale-only}}"),
        "a Job has no count that could be divided; remove the label godwit.dev/mode",
    );
    let both = format!("{}---\n{}", scaled(""), job(""));
    refused(
        &both,
        "it is applied together with workloads of which only the count is (scale-only); apply it on its own",
    );
}

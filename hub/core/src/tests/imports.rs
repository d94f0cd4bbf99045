//! Importing what runs already: S34.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::{ObjectTarget, Original, WorkloadTarget};
use godwit_common::policy::overrides::Change;
use godwit_common::policy::{Fencing, Mode, Override, Rebalance, Strategy};
use godwit_common::{ClusterName, Uid, WorkloadId};

use super::fixture::{Fixture, autoscaler, cluster, deployment, object, policy, spec, web};
use crate::{
    Answer, Application, Command, Deploy, Deployed, DrainState, DrainTerms, Found, FoundObject,
    FoundWorkload, Import, ObjectSpec, Policy, PolicyChoice, Refused, RefusedKind, WorkloadSpec,
};

/// Three clusters, of which the policy `even` chooses all.
fn fleet() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40), ("charlie", 40)]);
    let even = policy("even", &[("alpha", 1), ("bravo", 1), ("charlie", 1)]);
    fixture.command(Command::ApplyPolicy(even)).expect("a good policy");
    fixture
}

fn under(mut fixture: Fixture, change: impl FnOnce(&mut Policy)) -> Fixture {
    let mut even = policy("even", &[("alpha", 1), ("bravo", 1), ("charlie", 1)]);
    change(&mut even);
    fixture.command(Command::ApplyPolicy(even)).expect("a good policy");
    fixture
}

/// The object in a cluster.
fn original_in(name: &str) -> Original {
    Original { uid: Uid(godwit_common::stable_hash([name.as_bytes()]).into()), content: 1 }
}

fn found(name: &str, spec: WorkloadSpec) -> (ClusterName, Found) {
    let workloads = vec![FoundWorkload { original: original_in(name), life: None, spec }];
    (cluster(name), Found { workloads, objects: Vec::new() })
}

/// The same of a ConfigMap in alpha.
const CONFIG: Original = Original { uid: Uid(77), content: 1 };

fn found_object(manifest: Arc<str>) -> FoundObject {
    FoundObject { original: CONFIG, life: None, spec: ObjectSpec { manifest, ..object("config") } }
}

/// The import of [`three_and_five`], with an object that was found in alpha.
fn with_object(config: FoundObject) -> Deploy {
    let mut deploy = three_and_five();
    deploy.application.objects.push(config.spec.clone());
    let import = deploy.import.as_mut().expect("an import");
    import.found.get_mut(&cluster("alpha")).expect("it is there").objects.push(config);
    deploy
}

/// Another workload has the object already, in all clusters.
fn with_known_object() -> Fixture {
    let mut fixture = fleet();
    let other = spec(super::fixture::deployment_id("other"), 3);
    let application = Application { workloads: vec![other], objects: vec![object("config")] };
    let choice = PolicyChoice::Named("even".parse().expect("a valid name"));
    fixture.command(Command::Deploy(deployment(application, choice))).expect("a good request");
    fixture.pass(Duration::from_secs(60));
    fixture
}

fn import_of(newest: WorkloadSpec, all: impl IntoIterator<Item = (ClusterName, Found)>) -> Deploy {
    let application = Application { workloads: vec![newest], objects: Vec::new() };
    let policy = PolicyChoice::Named("even".parse().expect("a valid name"));
    let import = Import { found: all.into_iter().collect(), allow_moves: false, from: None };
    Deploy { import: Some(import), ..deployment(application, policy) }
}

fn three_and_five() -> Deploy {
    import_of(spec(web(), 8), [found("alpha", spec(web(), 3)), found("bravo", spec(web(), 5))])
}

fn send(fixture: &mut Fixture, deploy: Deploy) -> Result<Deployed, Refused> {
    match fixture.command(Command::Deploy(deploy))? {
        Answer::Deployed(deployed) => Ok(deployed),
        other => panic!("not an answer to a deployment: {other:?}"),
    }
}

fn refused(fixture: &mut Fixture, deploy: Deploy, kind: RefusedKind, part: &str) {
    let refused = send(fixture, deploy).expect_err(part);
    assert_eq!(refused.kind, kind, "{refused:?}");
    assert!(refused.message.contains(part), "{refused:?}");
    assert!(fixture.views().is_empty(), "nothing of it is done");
}

#[test]
fn s34_the_total_is_what_runs_and_nothing_moves() {
    let mut fixture = fleet();
    let answer = send(&mut fixture, three_and_five()).expect("a good import");
    let [web] = &answer.workloads[..] else { panic!("{answer:?}") };
    assert_eq!((web.replicas, web.pending, web.revision), (8, 0, 1));
    assert_eq!(web.placements, [(cluster("alpha"), 3), (cluster("bravo"), 5)]);
    assert_eq!(answer.warnings, Vec::<String>::new());
    assert_eq!(fixture.noted("Imported"), 1);
    fixture.pass(Duration::from_secs(60));
    let sent: Vec<(&str, u32)> =
        fixture.sent.iter().map(|(name, _, replicas)| (name.as_str(), *replicas)).collect();
    assert_eq!(sent, [("alpha", 3), ("bravo", 5), ("charlie", 0)], "told once, and as it was");
    let adopts = |name: &str| fixture.members[&cluster(name)].rows.values().next().expect("a row").adopts;
    assert_eq!(
        [adopts("alpha"), adopts("bravo"), adopts("charlie")],
        [Some(original_in("alpha")), Some(original_in("bravo")), None]
    );
}

#[test]
fn s34_the_objects_that_may_be_taken_over_are_durable() {
    let mut fixture = fleet();
    let mut deploy = three_and_five();
    deploy.application.objects.push(object("config"));
    let import = deploy.import.as_mut().expect("an import");
    let alpha = import.found.get_mut(&cluster("alpha")).expect("it is there");
    alpha.objects.push(found_object(object("config").manifest));
    send(&mut fixture, deploy).expect("a good import");
    for name in ["alpha", "bravo", "charlie"] {
        fixture.disconnect(name);
        let member = fixture.members.get_mut(&cluster(name)).expect("a member");
        (member.fence, member.rows, member.objects) = Default::default();
    }
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    let member = |name: &str| &fixture.members[&cluster(name)];
    assert_eq!(member("alpha").rows.values().next().expect("a row").adopts, Some(original_in("alpha")));
    let object = |name: &str| member(name).objects.values().next().expect("an object").adopts;
    assert_eq!((object("alpha"), object("bravo")), (Some(CONFIG), None));
}

#[test]
fn s34_an_agent_that_has_an_objects_row_already_is_told_that_it_may_take_it_over() {
    let mut fixture = with_known_object();
    let adopts = |fixture: &Fixture, name: &str| {
        fixture.members[&cluster(name)].objects.values().next().expect("an object").adopts
    };
    assert_eq!((adopts(&fixture, "alpha"), adopts(&fixture, "bravo")), (None, None));
    send(&mut fixture, with_object(found_object(object("config").manifest))).expect("a good import");
    fixture.pass(Duration::from_secs(60));
    assert_eq!((adopts(&fixture, "alpha"), adopts(&fixture, "bravo")), (Some(CONFIG), None));
}

#[test]
fn s34_what_is_godwits_already_is_not_written_over_another_object() {
    let mut fixture = with_known_object();
    let other = || found_object("{\"data\":{\"of\":\"alpha\"}}".into());
    let refused = send(&mut fixture, with_object(other())).expect_err("another object");
    assert_eq!(refused.kind, RefusedKind::AlreadyExists, "{refused:?}");
    for part in ["ConfigMap default/config is Godwit's already", "cluster alpha", "--with-dependents"] {
        assert!(refused.message.contains(part), "{refused:?}");
    }
    assert_eq!(fixture.noted("Imported"), 0);
    // What this federation has made there itself is whatever it made of it.
    let life = fixture.members[&cluster("alpha")].objects.keys().next().copied();
    send(&mut fixture, with_object(FoundObject { life, ..other() })).expect("its own");
}

#[test]
fn s34_what_the_policy_would_move_is_refused_unless_it_may() {
    let mut fixture = under(fleet(), |even| even.placement.rebalance = Rebalance::Always);
    refused(&mut fixture, three_and_five(), RefusedKind::FailedPrecondition, "in bravo goes from 5 to");
    assert_eq!(fixture.noted("Imported"), 0);
    let mut deploy = three_and_five();
    deploy.import.as_mut().expect("an import").allow_moves = true;
    let answer = send(&mut fixture, deploy).expect("a good import");
    assert!(
        answer.warnings.iter().any(|warning| warning.contains("in charlie goes from 0 to")),
        "{answer:?}"
    );
    fixture.pass(Duration::from_secs(300));
    let counts = fixture.web().placements.iter().map(|row| row.sent).collect::<Vec<_>>();
    assert_eq!((counts.iter().sum::<u32>(), counts.iter().max()), (8, Some(&3)));
}

#[test]
fn s34_what_runs_where_it_may_not_is_named() {
    let mut fixture = fleet();
    let only_alpha = policy("even", &[("alpha", 1)]);
    fixture.command(Command::ApplyPolicy(only_alpha)).expect("a good policy");
    refused(&mut fixture, three_and_five(), RefusedKind::FailedPrecondition, "in bravo goes from 5 to 0");
}

#[test]
fn s34_another_template_is_an_older_revision_and_rolls_in_its_turn() {
    let mut fixture = fleet();
    let old = WorkloadSpec { manifest: "{\"old\":1}".into(), ..spec(web(), 5) };
    let deploy = import_of(spec(web(), 8), [found("alpha", spec(web(), 3)), found("bravo", old)]);
    let answer = send(&mut fixture, deploy).expect("a good import");
    assert_eq!((answer.workloads[0].revision, answer.workloads[0].behind), (2, 1));
    let told = |fixture: &Fixture, name: &str| {
        let row = fixture.members[&cluster(name)].rows.values().next().expect("a row").clone();
        (row.revision, row.replicas, row.manifest.expect("a manifest").to_string())
    };
    assert_eq!(told(&fixture, "alpha"), (2, 3, spec(web(), 8).manifest.to_string()));
    assert_eq!(told(&fixture, "bravo"), (1, 5, "{\"old\":1}".to_owned()), "as it runs there");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(told(&fixture, "bravo").0, 2, "it had its turn");
    assert_eq!(told(&fixture, "bravo").1, 5);
}

#[test]
fn s34_the_same_again_changes_nothing() {
    let mut fixture = fleet();
    send(&mut fixture, three_and_five()).expect("a good import");
    fixture.pass(Duration::from_secs(60));
    let again = send(&mut fixture, three_and_five()).expect("the same again");
    assert_eq!(again.workloads[0].action, crate::Action::Unchanged);
    assert_eq!((again.changes.total, fixture.noted("Imported")), (0, 1));
    let uid = fixture.web().uid;
    let labelled = |life: Uid| {
        let mut deploy = import_of(spec(web(), 2), [found("charlie", spec(web(), 2))]);
        let import = deploy.import.as_mut().expect("an import");
        let charlie = import.found.get_mut(&cluster("charlie")).expect("it is there");
        charlie.workloads[0].life = Some(life);
        deploy
    };
    send(&mut fixture, labelled(uid)).expect("it carries the labels of this life");
    let other = send(&mut fixture, labelled(Uid(5))).expect_err("another's");
    assert_eq!(other.kind, RefusedKind::AlreadyExists, "{other:?}");
}

#[test]
fn s34_what_cannot_stay_as_it_is_is_refused_by_name() {
    let mut fixture = fleet();
    fixture.disconnect("bravo");
    refused(&mut fixture, three_and_five(), RefusedKind::FailedPrecondition, "cluster bravo cannot be told");
    fixture.connect("bravo");
    let unknown = import_of(spec(web(), 1), [found("delta", spec(web(), 1))]);
    refused(&mut fixture, unknown, RefusedKind::NotFound, "delta");
    let db = || spec(WorkloadId::new("default", "StatefulSet", "db").expect("a valid identity"), 2);
    let twice = import_of(db(), [found("alpha", db()), found("bravo", db())]);
    refused(&mut fixture, twice, RefusedKind::FailedPrecondition, "runs in alpha, bravo");
    let mut foreign = three_and_five();
    let import = foreign.import.as_mut().expect("an import");
    import.found.values_mut().for_each(|found| found.workloads[0].life = Some(Uid(9)));
    refused(&mut fixture, foreign, RefusedKind::FailedPrecondition, "does not know");
    let once = import_of(db(), [found("alpha", db()), found("bravo", WorkloadSpec { replicas: 0, ..db() })]);
    send(&mut fixture, once).expect("it runs in one of them");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.sent.last().map(|(_, _, replicas)| *replicas), Some(0));
}

#[test]
fn s34_under_duplicate_the_total_is_what_each_runs() {
    let mut fixture = under(fleet(), |even| even.placement.strategy = Strategy::Duplicate);
    let three =
        |names: &[&str]| import_of(spec(web(), 9), names.iter().map(|name| found(name, spec(web(), 3))));
    let answer = send(&mut fixture, three(&["alpha", "bravo", "charlie"])).expect("a good import");
    assert_eq!((answer.workloads[0].replicas, answer.workloads[0].clusters), (3, 3));
    assert_eq!(answer.warnings, Vec::<String>::new());
}

/// `web` in three clusters, three copies in each under an autoscaler from 2 to 6, and no word about the policy.
fn scaled_in_three() -> Deploy {
    let names = ["alpha", "bravo", "charlie"];
    let mut deploy = import_of(spec(web(), 3), names.map(|name| found(name, spec(web(), 3))));
    deploy.policy = PolicyChoice::Annotated;
    deploy.application.objects.push(autoscaler("web", 2, 6));
    for (name, found) in &mut deploy.import.as_mut().expect("an import").found {
        let spec = autoscaler("web", 2, 6);
        found.objects.push(FoundObject { original: original_in(name.as_str()), life: None, spec });
    }
    deploy
}

/// What the clusters are told of the autoscaler, where they are told another than what its manifest says.
fn told_of_the_autoscaler(fixture: &Fixture) -> Vec<(String, Option<u32>, Option<u32>)> {
    let rows = fixture.members.values().flat_map(|member| member.objects.values());
    let told = |row: &ObjectTarget| {
        let manifest = row.manifest.as_ref().expect("told once");
        (manifest.to_string(), row.bounds.min, row.bounds.max)
    };
    rows.map(told).collect()
}

#[test]
fn s34_bounds_are_added_up_where_the_replicas_are() {
    let mut fixture = fleet();
    let usual = policy("default", &[]);
    fixture.command(Command::ApplyPolicy(usual)).expect("a good policy");
    send(&mut fixture, scaled_in_three()).expect("a good import");
    fixture.pass(Duration::from_secs(60));
    let third = ("6/18".to_owned(), Some(2), Some(6));
    assert_eq!(told_of_the_autoscaler(&fixture), [third.clone(), third.clone(), third]);
}

#[test]
fn s34_under_a_usual_policy_that_duplicates_each_keeps_its_bounds() {
    let mut fixture = fleet();
    let mut usual = policy("default", &[]);
    usual.placement.strategy = Strategy::Duplicate;
    fixture.command(Command::ApplyPolicy(usual)).expect("a good policy");
    let answer = send(&mut fixture, scaled_in_three()).expect("a good import");
    assert_eq!((answer.workloads[0].replicas, answer.workloads[0].clusters), (3, 3));
    fixture.pass(Duration::from_secs(60));
    let whole = ("2/6".to_owned(), None, None);
    assert_eq!(told_of_the_autoscaler(&fixture), [whole.clone(), whole.clone(), whole]);
}

#[test]
fn s34_bounds_of_what_is_not_imported_are_nobodys_total() {
    let mut fixture = fleet();
    let mut deploy = scaled_in_three();
    deploy.policy = three_and_five().policy;
    deploy.application.objects = vec![autoscaler("other", 2, 6)];
    let found = &mut deploy.import.as_mut().expect("an import").found;
    found.values_mut().flat_map(|found| &mut found.objects).for_each(|found| {
        found.spec = autoscaler("other", 2, 6);
    });
    send(&mut fixture, deploy).expect("a good import");
    fixture.pass(Duration::from_secs(60));
    let whole = ("2/6".to_owned(), None, None);
    assert_eq!(told_of_the_autoscaler(&fixture), [whole.clone(), whole.clone(), whole]);
}

#[test]
fn s34_a_policy_that_makes_other_pods_of_what_runs_is_refused() {
    let change = Change { annotations: [("a".into(), "b".into())].into(), ..Change::default() };
    let one = Override { selector: Default::default(), objects: Default::default(), change };
    let mut fixture = under(fleet(), |even| even.placement.overrides = vec![one]);
    refused(&mut fixture, three_and_five(), RefusedKind::FailedPrecondition, "policy even has overrides");
}

/// The import of [`three_and_five`] again, with the object in alpha saying something else by now.
fn changed_in_alpha(from: Option<&str>) -> Deploy {
    let edited = WorkloadSpec { manifest: "{\"edited\":1}".into(), ..spec(web(), 3) };
    let newest =
        if from == Some("bravo") { spec(web(), 8) } else { WorkloadSpec { replicas: 8, ..edited.clone() } };
    let mut deploy = import_of(newest, [found("alpha", edited), found("bravo", spec(web(), 5))]);
    let import = deploy.import.as_mut().expect("an import");
    import.found.get_mut(&cluster("alpha")).expect("it is there").workloads[0].original.content = 2;
    import.from = from.map(cluster);
    deploy
}

fn row_in(fixture: &Fixture, name: &str) -> WorkloadTarget {
    fixture.members[&cluster(name)].rows.values().next().expect("a row").clone()
}

#[test]
fn s34_what_was_changed_before_it_was_taken_over_is_the_next_revision_by_a_word() {
    let mut fixture = fleet();
    send(&mut fixture, three_and_five()).expect("a good import");
    let unsaid = send(&mut fixture, changed_in_alpha(None)).expect_err("nobody says which is right");
    assert_eq!(unsaid.kind, RefusedKind::FailedPrecondition);
    assert!(
        unsaid.message.contains("changed in alpha") && unsaid.message.contains("--from alpha"),
        "{unsaid:?}"
    );
    assert_eq!(row_in(&fixture, "alpha").adopts, Some(original_in("alpha")));
    let answer = send(&mut fixture, changed_in_alpha(Some("alpha"))).expect("alpha is right");
    let [told] = &answer.workloads[..] else { panic!("{answer:?}") };
    assert_eq!((told.action, told.revision, told.replicas), (crate::Action::Configured, 2, 8));
    let alpha = row_in(&fixture, "alpha");
    let changed = Original { content: 2, ..original_in("alpha") };
    assert_eq!((alpha.adopts, alpha.revision, alpha.replicas), (Some(changed), 2, 3));
    assert_eq!(alpha.manifest.as_deref(), Some("{\"edited\":1}"));
    fixture.pass(Duration::from_secs(120));
    let bravo = row_in(&fixture, "bravo");
    assert_eq!((bravo.revision, bravo.replicas), (2, 5), "it has its turn");
    assert_eq!(fixture.noted("Imported"), 2);
}

#[test]
fn s34_what_was_changed_before_it_was_taken_over_is_set_back_by_a_word() {
    let mut fixture = fleet();
    send(&mut fixture, three_and_five()).expect("a good import");
    let answer = send(&mut fixture, changed_in_alpha(Some("bravo"))).expect("bravo is right");
    assert_eq!(answer.workloads[0].revision, 1);
    let alpha = row_in(&fixture, "alpha");
    assert_eq!((alpha.adopts.map(|original| original.content), alpha.revision), (Some(2), 1));
    let again = send(&mut fixture, changed_in_alpha(None)).expect("its agent has heard of it");
    assert_eq!((again.workloads[0].action, fixture.noted("Imported")), (crate::Action::Unchanged, 2));
}

#[test]
fn s34_whose_word_it_is_has_to_have_the_workload() {
    let mut fixture = fleet();
    send(&mut fixture, three_and_five()).expect("a good import");
    let elsewhere = super::fixture::deployment_id("api");
    let api = |content| {
        let (name, mut api) = found("bravo", spec(elsewhere.clone(), 2));
        api.workloads[0].original = Original { content, ..original_in("bravo") };
        (name, api)
    };
    let import = |content| {
        let mut both = changed_in_alpha(Some("alpha"));
        both.application.workloads.push(spec(elsewhere.clone(), 2));
        let of_bravo = both.import.as_mut().expect("an import").found.get_mut(&cluster("bravo"));
        of_bravo.expect("it is there").workloads.extend(api(content).1.workloads);
        both
    };
    send(&mut fixture, import_of(spec(elsewhere.clone(), 2), [api(1)])).expect("a good import");
    let refused = send(&mut fixture, import(2)).expect_err("alpha has no api");
    assert!(refused.message.contains("Deployment default/api was changed in bravo"), "{refused:?}");
    assert!(!refused.message.contains("default/web"), "of that alpha is right: {refused:?}");
    send(&mut fixture, import(1)).expect("api was not changed");
}

#[test]
fn s8_what_an_import_makes_the_next_revision_may_run_once_where_it_has_to() {
    let mut fixture = under(fleet(), |even| even.placement.motion.mode = Mode::AtMost(Fencing::Confirm));
    send(&mut fixture, three_and_five()).expect("it runs no more than are wanted");
    let mut surging = changed_in_alpha(Some("alpha"));
    surging.application.workloads[0].surges = true;
    let refused = send(&mut fixture, surging).expect_err("its rollouts would run more");
    assert!(refused.message.contains("atMost"), "{refused:?}");
    send(&mut fixture, changed_in_alpha(Some("alpha"))).expect("and without them it is good");
}

#[test]
fn s34_what_carries_godwits_labels_needs_no_leave_and_what_was_changed_needs_a_word() {
    let mut fixture = with_known_object();
    let adopts = |fixture: &Fixture| {
        fixture.members[&cluster("alpha")].objects.values().next().expect("an object").adopts
    };
    let again = |content: u64, life: Option<Uid>, from: Option<&str>| {
        let original = Original { content, ..CONFIG };
        let found = FoundObject { original, life, ..found_object(object("config").manifest) };
        let mut deploy = with_object(found);
        deploy.import.as_mut().expect("an import").from = from.map(cluster);
        deploy
    };
    send(&mut fixture, again(1, None, None)).expect("a good import");
    assert_eq!(adopts(&fixture), Some(CONFIG));
    let refused = send(&mut fixture, again(2, None, None)).expect_err("it was changed");
    assert!(refused.message.contains("ConfigMap default/config was changed in alpha"), "{refused:?}");
    assert_eq!(adopts(&fixture), Some(CONFIG));
    let changed = Some(Original { content: 2, ..CONFIG });
    send(&mut fixture, again(2, None, Some("alpha"))).expect("it is set back");
    fixture.pass(Duration::from_secs(5));
    assert_eq!(adopts(&fixture), changed);
    let life = fixture.members[&cluster("alpha")].objects.keys().next().copied();
    send(&mut fixture, again(0, life, None)).expect("it is Godwit's by now");
    fixture.pass(Duration::from_secs(5));
    assert_eq!(adopts(&fixture), changed, "what carries the labels needs no leave");
}

#[test]
fn s34_what_runs_in_a_cluster_that_is_being_cleaned_up_is_not_imported() {
    let mut fixture = with_known_object();
    let terms = DrainTerms::default();
    fixture.command(Command::Retire { cluster: cluster("alpha"), terms }).expect("a member");
    fixture.pass(Duration::from_secs(30));
    let state = |fixture: &Fixture| fixture.hub.cluster(&cluster("alpha")).and_then(|view| view.drain);
    let cleaning = state(&fixture).is_some_and(|view| view.drain.state == DrainState::Cleaning);
    assert!(cleaning, "{:?}", state(&fixture));
    let mut deploy = three_and_five();
    deploy.import.as_mut().expect("an import").allow_moves = true;
    let refused = send(&mut fixture, deploy).expect_err("alpha leaves");
    assert_eq!(refused.kind, RefusedKind::FailedPrecondition, "{refused:?}");
    assert!(refused.message.contains("cluster alpha, which is told of nothing more"), "{refused:?}");
    assert_eq!(fixture.views().len(), 1, "nothing of it is done");
}

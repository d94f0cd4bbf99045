//! Hub and agents of different releases: they speak the newest protocol that both know, or say that there is none.

use godwit_common::link::{Down, Hello, RefusalCode, Up, VERSIONS, VersionRange};

use crate::agent::{Agent, hello};
use crate::federation::Federation;

/// What the hub says to an agent that speaks these versions.
async fn answer_to(oldest: u32, newest: u32) -> Option<Down> {
    let federation = Federation::start(&["east"]);
    let mut agent = Agent::dial(&federation, "east").await.expect("a session");
    let versions = VersionRange { oldest, newest };
    agent.say(Up::Hello(Hello { versions, ..hello("east") })).await;
    agent.hear().await
}

#[tokio::test]
async fn an_agent_of_a_newer_release_is_served_in_the_version_that_both_speak() {
    match answer_to(VERSIONS.newest, VERSIONS.newest + 1).await {
        Some(Down::Welcome(welcome)) => assert_eq!(welcome.version, VERSIONS.newest),
        other => panic!("no welcome but {other:?}"),
    }
}

#[tokio::test]
async fn an_agent_with_which_there_is_no_common_version_is_told_both_ranges() {
    let later = VERSIONS.newest + 1;
    match answer_to(later, later + 1).await {
        Some(Down::Refusal(refusal)) => {
            assert_eq!(refusal.code, RefusalCode::Version);
            for version in [VERSIONS.oldest, later] {
                assert!(refusal.message.contains(&version.to_string()), "{}", refusal.message);
            }
        }
        other => panic!("no refusal but {other:?}"),
    }
}

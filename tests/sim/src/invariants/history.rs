//! What one hub says of its own history: its epochs, its freezes, and what it foresaw (S10, S30).

use godwit_hub_core::{Answer, Effect, Freeze, FreezeCause, Key, Record, Refused};

use super::Records;

/// A command comes to what its rehearsal said (S30).
pub(super) fn check_answer(foreseen: &Result<Answer, Refused>, effects: &[Effect]) {
    let answers = effects.iter().filter_map(|effect| match effect {
        Effect::Answer { answer, .. } => Some(answer),
        Effect::Put(_) | Effect::Delete(_) | Effect::Send { .. } | Effect::Close { .. } => None,
    });
    for answer in answers {
        assert_eq!(foreseen, answer, "S30: a rehearsal foresaw something else");
    }
}

/// A hub begins under an epoch that its store does not know (S10).
pub(super) fn check_epoch(store: &Records, effects: &[Effect]) {
    let epoch =
        |record: &Record| if let Record::Federation(record) = record { Some(record.epoch) } else { None };
    let taken =
        effects.iter().find_map(|effect| if let Effect::Put(record) = effect { epoch(record) } else { None });
    let known = store.get(&Key::Federation).and_then(epoch);
    assert!(taken > known, "S10: a hub starts under epoch {taken:?}, and its store knows {known:?}");
}

/// A hub that alone writes its store, before it speaks, never hears of a later history than its own (S10).
pub(super) fn check_history(effects: &[Effect]) {
    for effect in effects {
        if let Effect::Put(Record::Federation(federation)) = effect
            && let Some(Freeze { cause, message, .. }) = &federation.freeze
        {
            assert!(
                *cause != FreezeCause::NewerHistory,
                "S10: the only hub there is believes that another one has spoken: {message}"
            );
        }
    }
}

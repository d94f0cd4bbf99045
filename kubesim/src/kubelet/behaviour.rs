//! How containers behave, told by the names of their images.

use serde_json::Value;

use crate::object::{items, text};

/// How a pod behaves: as the worst of its containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Behaviour {
    /// It starts and runs.
    Good,
    /// It runs, and never becomes ready.
    NeverReady,
    /// It ends soon after each start.
    CrashLoop,
    /// Its image cannot be pulled.
    BadImage,
}

impl Behaviour {
    pub(super) fn of(pod: &Value) -> Self {
        items(&pod["spec"]["containers"])
            .iter()
            .map(|container| Self::of_image(text(&container["image"])))
            .max()
            .unwrap_or(Self::Good)
    }

    /// The last part of the image's path decides.
    pub(super) fn of_image(image: &str) -> Self {
        let last = image.rsplit('/').next().unwrap_or_default();
        [("crashloop", Self::CrashLoop), ("badimage", Self::BadImage), ("never-ready", Self::NeverReady)]
            .into_iter()
            .find(|(prefix, _)| last.starts_with(prefix))
            .map_or(Self::Good, |(_, behaviour)| behaviour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_path_decides() {
        assert_eq!(Behaviour::of_image("registry.io/team/crashloop:1"), Behaviour::CrashLoop);
        assert_eq!(Behaviour::of_image("badimage"), Behaviour::BadImage);
        assert_eq!(Behaviour::of_image("never-ready/web:1"), Behaviour::Good);
        assert_eq!(Behaviour::of_image("x/never-ready-2"), Behaviour::NeverReady);
    }
}

//! Mistakes of policies as errors of the message.

use godwit_common::policy::{Mistake, Place, Step};

use crate::field::FieldError;

impl From<Mistake> for FieldError {
    fn from(mistake: Mistake) -> Self {
        let Mistake { place, problem, remedy } = mistake;
        Self::new(path(&place), format!("{problem}; {remedy}"))
    }
}

/// A place as the message names it.
fn path(place: &Place) -> String {
    let mut path = String::new();
    let steps = place.0.as_slice();
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Field(name) => {
                let rule = match &steps[..index] {
                    // The numbers of a rule by selector are in a message of their own.
                    [Step::Field("rules"), Step::Item(_)] if *name != "clusterSelector" => "rule.",
                    _ => "",
                };
                let dot = if path.is_empty() { "" } else { "." };
                path.push_str(&format!("{dot}{rule}{}", snake_case(name)));
            }
            Step::Item(item) => path.push_str(&format!("[{item}]")),
            Step::Entry(key) => path.push_str(&format!("[{key}]")),
            // The problem says which.
            Step::Value(_) => {}
        }
    }
    path
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

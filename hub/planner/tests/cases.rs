//! The planner's answers as readable stories: each script in `tests/cases` has its expected output beside it.
//! `INSTA_UPDATE=always cargo test -p godwit-planner --test cases` writes the output anew.
//!
//! A script describes clusters and rules; `divide N` asks the planner, shows the answer, and carries it out.

mod script;

use script::Script;

fn check(name: &str, text: &str) {
    let output = Script::default().run(text);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("cases");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, output));
}

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name), include_str!(concat!("cases/", stringify!($name), ".txt")));
            }
        )*
    };
}

cases!(weights, minimums, bounds, loss_and_return, shrinking, rebalancing, shortage, ties, extremes);
cases!(capacity, spread, pack, ordered, duplicate);
cases!(choosing, groups, fallback);

//! Relative links in Markdown lead to a file, and their anchors to a heading.

use crate::finding::{Finding, expect_at, expect_none};
use crate::repository::Repository;

fn broken_links(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repository.with_extension("md") {
        for (line, target) in links(text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { Some(path.to_owned()) } else { resolve(path, file) };
            let problem = match file.filter(|file| repository.has(file)) {
                None => format!("`{target}` leads to no file"),
                Some(file) if !anchor.is_empty() && !has_heading(repository, &file, anchor) => {
                    format!("{file} has no heading #{anchor}")
                }
                Some(_) => continue,
            };
            findings.push(Finding::new(path, line, problem, "correct the link"));
        }
    }
    findings
}

/// The targets of `[text](target)`, outside blocks of code, with their lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (line, content) in prose(text) {
        for (place, opening) in content.match_indices("](") {
            let rest = &content[place + opening.len()..];
            // A title may follow the target: [text](target "title").
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            found.push((line, target));
        }
    }
    found
}

fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        (!in_code && !fence).then_some((index + 1, line))
    })
}

/// The path from the root, or nothing when the link leaves the repository.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn has_heading(repository: &Repository, file: &str, anchor: &str) -> bool {
    let text = repository.text(file).unwrap_or_default();
    prose(text).filter(|(_, line)| line.starts_with('#')).any(|(_, line)| slug(line) == anchor)
}

/// The anchor that GitHub gives a heading.
fn slug(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn a_broken_link_is_found() {
    let page = "# A page, of `mine`\n[good](../b.md#b-is-here) [bad](c.md)\n[out](../../x)\n```\n[code](none)\n```\n\
                [self](#a-page-of-mine) [lost](#nowhere)\n[web](https://x) [folder](.) [titled](../b.md \"B\")\n";
    let repository = Repository::of(&[("docs/a.md", page), ("b.md", "## B is here\n")]);
    expect_at(&broken_links(&repository), &[("docs/a.md", 2), ("docs/a.md", 3), ("docs/a.md", 7)]);
}

#[test]
fn links_lead_somewhere() {
    expect_none(&broken_links(Repository::here()));
}

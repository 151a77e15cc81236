//! Every link of the guide leads somewhere, and every page can be reached from the index.

use crate::page::Page;

/// Links to files or anchors that are not there, and pages that nobody reaches from `index`.
/// `exists` answers for paths below the root of the checkout.
pub(crate) fn broken_links(
    pages: &[Page],
    index: &str,
    exists: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut findings = Vec::new();
    for page in pages {
        for link in &page.links {
            if let Some(reason) = broken(page, &link.target, pages, &exists) {
                findings.push(format!("{}:{}: {}: {reason}", page.path, link.line, link.target));
            }
        }
    }
    let reached = reached_from(index, pages);
    let lost = pages.iter().filter(|page| !reached.contains(&page.path));
    findings.extend(lost.map(|page| format!("{}: no page links to it", page.path)));
    findings
}

fn broken(
    page: &Page,
    target: &str,
    pages: &[Page],
    exists: impl Fn(&str) -> bool,
) -> Option<String> {
    if target.starts_with("https://") {
        return None;
    }
    let (path, anchor) = resolved(&page.path, target);
    if !exists(&path) {
        return Some("no such file".to_owned());
    }
    let anchor = anchor?;
    match pages.iter().find(|other| other.path == path) {
        None => Some("an anchor in what is no page".to_owned()),
        Some(other) if other.anchors.contains(&anchor) => None,
        Some(_) => Some("the page has no such heading".to_owned()),
    }
}

/// The path below the root, and the anchor if any, that a target names on a page.
fn resolved(from: &str, target: &str) -> (String, Option<String>) {
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (target, None),
    };
    if path.is_empty() {
        return (from.to_owned(), anchor);
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            name => parts.push(name),
        }
    }
    (parts.join("/"), anchor)
}

fn reached_from(index: &str, pages: &[Page]) -> Vec<String> {
    let mut reached = vec![index.to_owned()];
    let mut at = 0;
    while at < reached.len() {
        let page = pages.iter().find(|page| page.path == reached[at]);
        for link in page.into_iter().flat_map(|page| &page.links) {
            let (path, _) = resolved(&reached[at], &link.target);
            if !reached.contains(&path) {
                reached.push(path);
            }
        }
        at += 1;
    }
    reached
}

#[test]
fn broken_links_and_lost_pages_are_found() {
    let pages = [
        Page::new("docs/README.md", "# A b\n[x](b.md) [y](#a-b) [z](#b) [u](../up.c) [v](gone.md)"),
        Page::new("docs/b.md", "[a](README.md#a-b) [n](README.md#a) [p](../up.c#x)"),
        Page::new("docs/lost.md", "[a](README.md)"),
    ];
    let there = ["docs/README.md", "docs/b.md", "docs/lost.md", "up.c"];
    let findings = broken_links(&pages, "docs/README.md", |path| there.contains(&path));
    let expected = [
        "docs/README.md:2: #b: the page has no such heading",
        "docs/README.md:2: gone.md: no such file",
        "docs/b.md:1: README.md#a: the page has no such heading",
        "docs/b.md:1: ../up.c#x: an anchor in what is no page",
        "docs/lost.md: no page links to it",
    ];
    assert_eq!(findings, expected);
}

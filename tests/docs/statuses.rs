//! The guide's table of statuses is the header's list: each number, name and text, in order.

/// A status of the header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) name: String,
    pub(crate) number: String,
    pub(crate) text: String,
}

/// The statuses that a header defines, with their comments.
pub(crate) fn of_header(header: &str) -> Vec<Status> {
    let mut statuses = Vec::new();
    let mut comment = String::new();
    for line in header.lines() {
        if let Some(opened) = line.strip_prefix("/** ") {
            comment = opened.to_owned();
        } else if let Some(more) = line.strip_prefix(" * ") {
            comment.push(' ');
            comment.push_str(more);
        } else if let Some(define) = line.strip_prefix("#define ES_")
            && let Some((name, number)) = define.split_once(' ')
            && (name == "OK" || name.starts_with("ERR_"))
        {
            statuses.push(Status {
                name: format!("ES_{name}"),
                number: number.trim_matches(['(', ')']).to_owned(),
                text: comment.trim_end_matches("*/").trim_end().to_owned(),
            });
        }
    }
    statuses
}

/// The row of a status: what it means, and as much as the header says about what to do.
pub(crate) fn row(status: &Status) -> String {
    let (meaning, action) = status.text.split_once(". ").unwrap_or((&status.text, ""));
    let quoted = |text: &str| {
        let words = text.split(' ').map(|word| {
            let bare = word.trim_end_matches(['.', ',', ':', ';']);
            let is_code = bare.contains('_') || bare.contains("->");
            if is_code { word.replacen(bare, &format!("`{bare}`"), 1) } else { word.to_owned() }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let meaning = quoted(meaning.trim_end_matches('.'));
    format!("| `{}` | {} | {meaning} | {} |", status.name, status.number, quoted(action))
}

/// Where a page's table and the header disagree.
pub(crate) fn differences(page: &str, header: &str) -> Vec<String> {
    let expected: Vec<String> = of_header(header).iter().map(row).collect();
    let found: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `ES_OK`") || line.starts_with("| `ES_ERR_"))
        .collect();
    let mut findings = Vec::new();
    for at in 0..expected.len().max(found.len()) {
        let (expected, found) = (expected.get(at).map(String::as_str), found.get(at).copied());
        if expected != found {
            findings.push(format!("expected {expected:?}, found {found:?}"));
        }
    }
    findings
}

#[test]
fn differences_from_the_header_are_found() {
    let header = "/** Done. */\n#define ES_OK 0\n/** The call has\n * no x. Set err->seq. */\n#define ES_ERR_A (-1)\n#define ES_NTS 4\n";
    let rows =
        ["| `ES_OK` | 0 | Done |  |", "| `ES_ERR_A` | -1 | The call has no x | Set `err->seq`. |"];
    assert_eq!(differences(&rows.join("\n"), header), [""; 0]);
    assert_eq!(differences(rows[0], header).len(), 1, "a row is missing");
    assert_eq!(differences(&rows.join("\n").replace("-1", "-2"), header).len(), 1, "a number");
    assert_eq!(differences(&rows.join("\n").replace("no x", "an x"), header).len(), 1, "a text");
}

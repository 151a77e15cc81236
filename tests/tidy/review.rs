//! The review of the interface names no test, script or file that is not there.

/// What the review names and the tree has not. `read` gives the text of a file of the tree.
pub(crate) fn missing(review: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(review.lines().filter(|line| line.starts_with("| "))) {
        // The suites of the line so far: what follows a name of a suite are its tests.
        let mut suites = String::new();
        for quoted in line.split('`').skip(1).step_by(2) {
            let is_word = quoted.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let suite = read(&format!("tests/{quoted}.rs")).filter(|_| is_word);
            let is_there = match suite {
                Some(text) => {
                    suites.push_str(&text);
                    true
                }
                None if quoted.contains('/') => read(quoted).is_some(),
                None if quoted.contains('_') && is_word && !quoted.starts_with("es_") => {
                    suites.contains(&format!("fn {quoted}("))
                }
                None => true,
            };
            if !is_there {
                found.push(format!("row {number}: {quoted} does not exist"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn what_is_gone_is_found() {
        let read = |path: &str| (path == "tests/abi.rs").then(|| "fn rules_hold() {}".to_owned());
        let sound = "| 1 | point | 2 | T `abi` `rules_hold`, `es_error` |";
        assert_eq!(missing(sound, read), [""; 0]);
        let gone = "| 1 | point | 2 | T `abi` `rules_held`; `tests/no.sh`; T `abj` `rules_hold` |";
        assert_eq!(missing(gone, read).len(), 2, "{:?}", missing(gone, read));
    }
}

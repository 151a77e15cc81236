//! Whether the misuse matrices call each function of the header in the wrong ways that it has.

/// A function that the header declares.
struct Declared<'a> {
    name: &'a str,
    returns: &'a str,
    first_parameter: &'a str,
}

fn declared(header: &str) -> impl Iterator<Item = Declared<'_>> {
    header.split("\nES_API\n").skip(1).map(|text| {
        let text = text.trim_start_matches("ES_MUST_USE\n");
        let (head, parameters) = text.split_once('(').expect("parameters");
        let at = head.rfind([' ', '*']).expect("a return type") + 1;
        let first = parameters.split([',', ')']).next().expect("a first parameter");
        Declared { name: &head[at..], returns: head[..at].trim(), first_parameter: first.trim() }
    })
}

/// The statements of the matrices that contain all of these words, the first one at their start.
fn has_statement(matrices: &str, words: &[&str]) -> bool {
    matrices.split(';').any(|statement| words.iter().all(|word| statement.contains(word)))
}

/// What the matrices leave out, a line each.
pub(crate) fn gaps(header: &str, matrices: &str) -> Vec<String> {
    let mut gaps = Vec::new();
    for function in declared(header) {
        let name = function.name;
        let call = format!("{name}(");
        let mut need = |is_there: bool, what: &str| {
            if !is_there {
                gaps.push(format!("{name}: {what}"));
            }
        };
        let handle = match function.first_parameter {
            "struct es_run *run" => Some("BAD_RUNS"),
            "struct es_reader *reader" => Some("BAD_READERS"),
            "struct es_report *report" => Some("BAD_REPORTS"),
            _ => None,
        };
        if name.starts_with("es_free_") {
            let bad = [format!("{name}(NULL)"), format!("{name}(no_")];
            need(bad.iter().any(|call| matrices.contains(call)), "never freed what is no handle");
        } else if name.starts_with("es_init_") {
            need(has_statement(matrices, &["INIT_CASE(", &format!(" {name})")]), "no INIT_CASE");
        } else if function.returns == "es_status" {
            need(
                ["REFUSED", "refused("].iter().any(|by| has_statement(matrices, &[by, &call])),
                "no wrong call is refused",
            );
            if let Some(macro_name) = handle {
                let bad = format!("{macro_name}(");
                need(has_statement(matrices, &[&bad, &call]), "not called with bad handles");
            }
        } else {
            need(has_statement(matrices, &["CHECK(", &call]), "its answer is never checked");
        }
    }
    gaps
}

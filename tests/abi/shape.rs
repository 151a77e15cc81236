//! The rules that every declaration of the interface keeps, whatever it is for.

/// The types of fields, parameters and results; pointers to them too.
const TYPES: [&str; 9] =
    ["char", "void", "size_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t", "int32_t", "int64_t"];

/// The breaches of a snapshot's lines, a line each.
pub(crate) fn breaches(snapshot: &str) -> Vec<String> {
    snapshot.lines().flat_map(breaches_of_line).collect()
}

fn breaches_of_line(line: &str) -> Vec<String> {
    let (about, says) = line.split_once(" = ").expect("about = says");
    let (kind, name) = about.split_once(' ').expect("a kind and a name");
    let mut found = Vec::new();
    let mut need = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("{name}: {what}"));
        }
    };
    let prefix = if kind == "constant" { "ES_" } else { "es_" };
    need(name.starts_with(prefix), "no prefix");
    match kind {
        "constant" => {
            let is_status = name == "ES_OK" || name.starts_with("ES_ERR_");
            let value = says.trim_matches(['(', ')']);
            need(!is_status || value == "0" || value.starts_with('-'), "a status above 0");
        }
        "field" => {
            let declared = says.rsplit_once(", ").map_or(says, |(_, declared)| declared);
            need(is_known(declared, Place::Field), "a type of no fixed width");
        }
        "function" => function(name, says, &mut need),
        _ => {}
    }
    found
}

fn function(name: &str, declaration: &str, need: &mut impl FnMut(bool, &str)) {
    let (head, parameters) = declaration.split_once('(').expect("parameters");
    let result = head.trim_end_matches(name).trim();
    need(!result.ends_with('*') || result == "const char *", "gives memory to free");
    need(is_known(head, Place::Result), "answers with a type of no fixed width, or a struct");
    let parameters = parameters.trim_end_matches(')');
    for parameter in parameters.split(", ").filter(|text| *text != "void") {
        need(is_known(parameter, Place::Parameter), "takes a type of no fixed width, or a struct");
    }
    let says_why = parameters.ends_with("struct es_error *err") || name.starts_with("es_init_");
    need(result != "es_status" || says_why, "its last parameter is no es_error");
    let frees = name.starts_with("es_free_") && result == "void";
    let tells = name.starts_with("es_status_") || name.ends_with("version");
    need(result == "es_status" || frees || tells, "cannot say that it failed");
}

#[derive(PartialEq, Eq)]
enum Place {
    Field,
    Parameter,
    Result,
}

/// Whether a declared thing is of a type that is the same for every compiler and language.
fn is_known(declared: &str, place: Place) -> bool {
    let pointer = declared.contains('*');
    let words = declared.split([' ', '*']).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.filter(|word| !["const", "struct"].contains(word)).collect();
    let Some(kind) = words.first() else { return false };
    match *kind {
        "es_status" | "es_halt_fn" => true,
        "void" => pointer || place == Place::Result,
        "char" => pointer || declared.contains('['),
        own if own.starts_with("es_") => pointer || place == Place::Field,
        other => TYPES.contains(&other),
    }
}

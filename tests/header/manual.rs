//! Reads the header and the exporting sources as text, to check them as a manual.

/// A function of the header, with its comment.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) comment: String,
    pub(crate) parameters: Vec<String>,
    pub(crate) returns_status: bool,
}

/// All functions that the header declares.
pub(crate) fn functions(header: &str) -> Vec<Function> {
    let mut found = Vec::new();
    let mut rest = header;
    while let Some(at) = rest.find("\nES_API\n") {
        let before = &rest[..at];
        let comment = &before[before.rfind("/**").expect("each function has a comment")..];
        let declaration = &rest[at + "\nES_API\n".len()..];
        let end = declaration.find(';').expect("a declaration ends");
        found.push(function(comment, &declaration[..end]));
        rest = &declaration[end..];
    }
    found
}

fn function(comment: &str, declaration: &str) -> Function {
    let declaration = declaration.trim_start_matches("ES_MUST_USE\n");
    let (head, parameters) = declaration.split_once('(').expect("parameters");
    let name = head.rsplit([' ', '*']).next().expect("a name").to_owned();
    let parameters = parameters
        .trim_end_matches(')')
        .split(',')
        .map(|parameter| parameter.trim().rsplit([' ', '*']).next().unwrap_or("").to_owned())
        .filter(|parameter| parameter != "void")
        .collect();
    let returns_status = head.starts_with("es_status ");
    Function { name, comment: comment.to_owned(), parameters, returns_status }
}

/// What a comment leaves out.
pub(crate) fn gaps(function: &Function) -> Vec<String> {
    let mut gaps = Vec::new();
    let mut need = |holds: bool, what: String| {
        if !holds {
            gaps.push(format!("{}: {what}", function.name));
        }
    };
    let comment = &function.comment;
    for parameter in &function.parameters {
        need(comment.contains(&format!("@param {parameter} ")), format!("no @param {parameter}"));
    }
    let returns_nothing = function.name.starts_with("es_free_");
    need(returns_nothing || comment.contains("@return "), "no @return".into());
    let threads = ["[any thread]", "[one thread at a time per object]"];
    need(threads.iter().any(|tag| comment.contains(tag)), "no thread tag".into());
    let blocking = ["[blocks]", "[never blocks]"];
    need(blocking.iter().any(|tag| comment.contains(tag)), "no blocking tag".into());
    need(comment.contains("Since 0.1."), "no version".into());
    if function.returns_status {
        need(comment.contains("ES_OK"), "no ES_OK".into());
        // Each status that stands alone or first of a list is followed by what to do.
        let is_init = function.name.starts_with("es_init_");
        need(is_init || comment.contains("ES_ERR_PANIC"), "no ES_ERR_PANIC".into());
        let takes_handle = ["run", "reader", "report"]
            .iter()
            .any(|name| function.parameters.first().is_some_and(|first| first == name));
        need(!takes_handle || comment.contains("ES_ERR_BAD_HANDLE"), "no ES_ERR_BAD_HANDLE".into());
        need(
            !takes_handle || comment.contains("ES_ERR_USED_AFTER_FORK"),
            "no ES_ERR_USED_AFTER_FORK".into(),
        );
    }
    gaps
}

/// The program in the header's first comment.
pub(crate) fn quick_start(header: &str) -> String {
    let start = header.find("QUICK START").expect("a quick start");
    let end = header.find(" * RULES").expect("rules");
    let lines = header[start..end].lines().filter_map(|line| line.strip_prefix(" *     "));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// The exported functions of a source: how many, and those whose body is not the guard.
pub(crate) struct Exports {
    pub(crate) all: usize,
    pub(crate) unguarded: Vec<String>,
}

/// Functions that cannot fail: they look at no memory of the caller.
const PURE: [&str; 6] = [
    "es_status_name",
    "es_status_message",
    "es_status_is_retryable",
    "es_status_is_fatal",
    "es_abi_version",
    "es_version",
];

/// Looks at what follows each `no_mangle`.
pub(crate) fn unguarded_exports(source: &str) -> Exports {
    let mut exports = Exports { all: 0, unguarded: Vec::new() };
    for part in source.split("#[unsafe(no_mangle)]").skip(1) {
        exports.all += 1;
        let (_, after) = part.split_once("extern \"C\" fn ").expect("an exported C function");
        let name = after.split('(').next().expect("a name");
        let body = after.split_once('{').expect("a body").1.trim_start();
        let guarded = body.starts_with("guarded!(") || body.starts_with("let _ = guarded!(");
        if !guarded && !PURE.contains(&name) {
            exports.unguarded.push(name.to_owned());
        }
    }
    exports
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An export without the guard is found.
    #[test]
    fn missing_guard_is_caught() {
        let bare =
            "#[unsafe(no_mangle)]\npub extern \"C\" fn es_bare(run: *mut es_run) -> i32 {\n  0\n}";
        assert_eq!(unguarded_exports(bare).unguarded, ["es_bare"]);
    }

    /// A comment that leaves something out is found.
    #[test]
    fn gap_in_a_comment_is_caught() {
        let header = "/** Does it. @return ES_OK; ES_ERR_PANIC. [any thread] Since 0.1. */\n\
                      \nES_API\nES_MUST_USE\nes_status es_do(struct es_run *run, uint64_t seq);\n";
        let found = functions(header);
        assert_eq!(found[0].parameters, ["run", "seq"]);
        let gaps = gaps(&found[0]);
        assert_eq!(gaps.len(), 5, "{gaps:?}");
    }
}

//! A page of the guide as the checks see it: fenced blocks, headings, links.
//!
//! Reads the part of Markdown that the guide uses: ATX headings, fences of three backticks, inline
//! links and images. Text in backticks is no link. Who judges: `links`, `blocks`, `session`.

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its first line of text, from 1.
    pub(crate) line: usize,
    /// The words behind the fence: the language first.
    pub(crate) info: Vec<String>,
    pub(crate) text: String,
}

impl Block {
    pub(crate) fn language(&self) -> &str {
        self.info.first().map_or("", String::as_str)
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.info.iter().skip(1).any(|info| info == word)
    }

    /// The name of `file=NAME`.
    pub(crate) fn file(&self) -> Option<&str> {
        self.info.iter().find_map(|word| word.strip_prefix("file="))
    }
}

/// Where a link leads, and the line it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
}

#[derive(Debug)]
pub(crate) struct Page {
    /// Below the root of the checkout, such as `docs/concepts.md`.
    pub(crate) path: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) links: Vec<Link>,
    /// What `#...` of a link may name.
    pub(crate) anchors: Vec<String>,
    /// The lines outside of blocks, with their numbers.
    pub(crate) prose: Vec<(usize, String)>,
    /// The line of a fence that nothing closes.
    pub(crate) unclosed: Option<usize>,
}

impl Page {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut page = Self {
            path: path.to_owned(),
            blocks: Vec::new(),
            links: Vec::new(),
            anchors: Vec::new(),
            prose: Vec::new(),
            unclosed: None,
        };
        let mut open: Option<(usize, Block)> = None;
        for (number, line) in (1..).zip(text.lines()) {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(info)) => {
                    let info = info.split_whitespace().map(str::to_owned).collect();
                    open = Some((number, Block { line: number + 1, info, text: String::new() }));
                }
                (Some(_), Some(_)) => page.blocks.extend(open.take().map(|(_, block)| block)),
                (Some((_, block)), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => page.read_prose(number, line),
            }
        }
        page.unclosed = open.map(|(line, _)| line);
        page
    }

    fn read_prose(&mut self, number: usize, line: &str) {
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() && heading.starts_with(' ') {
            let slug = slug(heading.trim());
            let same = self.anchors.iter().filter(|anchor| **anchor == slug).count();
            self.anchors.push(if same == 0 { slug } else { format!("{slug}-{same}") });
        }
        let targets = targets(line).into_iter();
        self.links.extend(targets.map(|target| Link { line: number, target }));
        self.prose.push((number, line.to_owned()));
    }
}

/// The name that a heading has in links, as GitHub and most renderers make it.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The targets of `[text](target)` in a line, outside of backticks.
fn targets(line: &str) -> Vec<String> {
    // Text between backticks is every second part; blanked, so that a link may span it.
    let parts = line.split('`').enumerate();
    let blank: String = parts
        .map(|(at, part)| if at % 2 == 0 { part } else { "code" })
        .collect::<Vec<_>>()
        .join("");
    let after = blank.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

#[test]
fn page_gives_blocks_links_and_anchors() {
    let text = "# What `x` is, then\n[a](b.md#c) `[n](o)` and [`f`](../f.c)\n```c file=a.c\nint x;\n```\n# What x is then\n```sh\n";
    let page = Page::new("docs/a.md", text);
    assert_eq!(page.anchors, ["what-x-is-then", "what-x-is-then-1"]);
    let targets: Vec<&str> = page.links.iter().map(|link| link.target.as_str()).collect();
    assert_eq!(targets, ["b.md#c", "../f.c"]);
    assert_eq!(page.blocks.len(), 1);
    assert_eq!((page.blocks[0].line, page.blocks[0].file()), (4, Some("a.c")));
    assert_eq!((page.blocks[0].text.as_str(), page.unclosed), ("int x;\n", Some(7)));
}

//! The parts of a Markdown page that the tests of the documentation use.

use std::collections::HashMap;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

pub(crate) struct Page {
    /// The anchors of its headings, as GitHub and mdBook make them.
    pub(crate) anchors: Vec<String>,
    /// The targets of its links, in order.
    pub(crate) links: Vec<String>,
    /// The inline code in its text.
    pub(crate) codes: Vec<String>,
    /// Its fenced blocks: the language and the text of each.
    pub(crate) blocks: Vec<(String, String)>,
    headings: Vec<Heading>,
}

struct Heading {
    level: HeadingLevel,
    text: String,
}

impl Page {
    #[expect(clippy::wildcard_enum_match_arm, reason = "of the library's events few matter here")]
    pub(crate) fn parse(text: &str) -> Self {
        let mut page = Self {
            anchors: Vec::new(),
            links: Vec::new(),
            codes: Vec::new(),
            blocks: Vec::new(),
            headings: Vec::new(),
        };
        let (mut heading, mut in_block) = (None::<Heading>, false);
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    heading = Some(Heading { level, text: String::new() });
                }
                Event::End(TagEnd::Heading(_)) => page.headings.extend(heading.take()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.to_string());
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(kind))) => {
                    in_block = true;
                    page.blocks.push((kind.to_string(), String::new()));
                }
                Event::End(TagEnd::CodeBlock) => in_block = false,
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.text.push_str(&code);
                    }
                    page.codes.push(code.to_string());
                }
                Event::Text(text) => {
                    if let Some((_, block)) = page.blocks.last_mut().filter(|_| in_block) {
                        block.push_str(&text);
                    }
                    if let Some(heading) = &mut heading {
                        heading.text.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        page.anchors = anchors(page.headings.iter().map(|heading| heading.text.as_str()));
        page
    }

    /// The headings of the third level below this heading of the second level.
    pub(crate) fn section(&self, name: &str) -> Vec<&str> {
        let below = self.headings.iter().skip_while(|heading| heading.text != name).skip(1);
        let inner = below.take_while(|heading| heading.level > HeadingLevel::H2);
        inner
            .filter(|heading| heading.level == HeadingLevel::H3)
            .map(|heading| heading.text.as_str())
            .collect()
    }
}

/// Makes anchors as GitHub does: lower case, hyphens in place of spaces, and only letters, digits, hyphens and underscores. If an
/// anchor occurs again, it gets a number.
fn anchors<'a>(headings: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let unique = headings.map(|text| {
        let kept = text.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let slug: String =
            kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect();
        let times = seen.entry(slug.clone()).or_default();
        *times += 1;
        if *times == 1 { slug } else { format!("{slug}-{}", *times - 1) }
    });
    unique.collect()
}

#[test]
fn anchors_and_links_of_a_page_are_parsed_as_github_does() {
    let page = Page::parse(
        "# A page\n\n[one](a.md#b) `x::y` ![two](b.svg)\n\n## Keep `it`, always\n\n### In\n\n[three](c.md)\n\n## In\n\n```sh\n[no](link.md)\n```\n",
    );
    assert_eq!(page.anchors, ["a-page", "keep-it-always", "in", "in-1"]);
    assert_eq!(page.links, ["a.md#b", "b.svg", "c.md"]);
    assert_eq!(page.codes, ["x::y", "it"]);
    assert_eq!(page.blocks, [("sh".to_owned(), "[no](link.md)\n".to_owned())]);
    assert_eq!(page.section("Keep it, always"), ["In"]);
}

//! What a server prints, as a tree of parentheses and brackets. Any text is one: what is never closed ends with the text.

use std::iter::Peekable;

/// The characters of operators (PostgreSQL documentation, 4.1.3).
const OPERATOR: &[u8] = b"+-*/<>=~!@#%^&|`?";
/// Parentheses in parentheses that are followed; what is deeper stays as it stands.
const DEPTH: usize = 100;

/// A part of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node<'a> {
    /// A word, a literal, an operator or another character.
    Atom(&'a str),
    /// What stands in parentheses.
    Group(Vec<Node<'a>>),
    /// What stands in brackets.
    List(Vec<Node<'a>>),
}

impl Node<'_> {
    /// Whether it is this word or character.
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self, Node::Atom(atom) if *atom == text)
    }
}

/// Reads a text.
pub(super) fn read(text: &str) -> Vec<Node<'_>> {
    // Each level, and whether it is one of parentheses.
    let mut open: Vec<(bool, Vec<Node<'_>>)> = vec![(true, Vec::new())];
    let mut at = 0;
    while let Some(token) = next_token(text, at) {
        at += token.len();
        let closes = match (token, open.as_slice()) {
            (")", [_, .., (is_group, _)]) => *is_group,
            ("]", [_, .., (is_group, _)]) => !*is_group,
            _ => false,
        };
        if closes {
            close(&mut open);
        } else if (token == "(" || token == "[") && open.len() < DEPTH {
            open.push((token == "(", Vec::new()));
        } else if !token.trim_start().is_empty()
            && let Some((_, nodes)) = open.last_mut()
        {
            nodes.push(Node::Atom(token));
        }
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.pop().map(|(_, nodes)| nodes).unwrap_or_default()
}

fn close<'a>(open: &mut Vec<(bool, Vec<Node<'a>>)>) {
    if let Some((is_group, nodes)) = open.pop()
        && let Some((_, outer)) = open.last_mut()
    {
        outer.push(if is_group { Node::Group(nodes) } else { Node::List(nodes) });
    }
}

/// The token that begins at this byte, or the white space there.
fn next_token(text: &str, at: usize) -> Option<&str> {
    let rest = text.get(at..)?;
    let first = rest.chars().next()?;
    let run = |belongs: &dyn Fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
    let length = match first {
        '\'' | '"' => quoted(rest, first),
        '$' => dollar_quoted(rest).unwrap_or(1),
        ':' if rest.starts_with("::") => 2,
        _ if first.is_whitespace() => run(&char::is_whitespace),
        _ if is_in_word(first) => run(&|c| is_in_word(c) || c == '$'),
        _ if u8::try_from(first).is_ok_and(|byte| OPERATOR.contains(&byte)) => {
            run(&|c| u8::try_from(c).is_ok_and(|byte| OPERATOR.contains(&byte)))
        }
        _ => first.len_utf8(),
    };
    rest.get(..length)
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii() && !c.is_whitespace()
}

/// The length of what stands in quotes, with them. A doubled quote is an end and a new beginning.
fn quoted(rest: &str, quote: char) -> usize {
    rest.get(1..).and_then(|inside| inside.find(quote)).map_or(rest.len(), |end| end + 2)
}

/// The length of `$tag$ … $tag$`.
fn dollar_quoted(rest: &str) -> Option<usize> {
    let tag = rest.get(..rest.get(1..)?.find(|c| !is_in_word(c))? + 2)?;
    let end = tag.ends_with('$').then(|| rest.get(tag.len()..)?.find(tag))?;
    Some(end? + 2 * tag.len())
}

/// Takes `::` and the type behind it.
pub(super) fn cast<'a>(rest: &mut Peekable<impl Iterator<Item = Node<'a>>>) -> Vec<Node<'a>> {
    let mut cast: Vec<Node<'a>> = rest.next().into_iter().collect();
    cast.extend(rest.next_if(|node| matches!(node, Node::Atom(_))));
    while let Some(point) = rest.next_if(|node| node.is(".")) {
        cast.push(point);
        cast.extend(rest.next());
    }
    let more: &[&str] = match cast.last() {
        Some(Node::Atom("character" | "bit")) => &["varying"],
        Some(Node::Atom("double")) => &["precision"],
        Some(Node::Atom("time" | "timestamp")) => &["with", "without", "time", "zone"],
        Some(Node::Atom("interval")) => &["year", "month", "day", "hour", "minute", "second", "to"],
        _ => &[],
    };
    let is_modifier = |node: &Node<'_>| {
        match node {
        Node::Group(inner) => inner.iter().all(|node| {
            matches!(node, Node::Atom(text) if text.bytes().all(|byte| byte.is_ascii_digit()) || *text == "," || *text == "-")
        }),
        Node::Atom(word) => more.contains(word),
        Node::List(_) => false,
    }
    };
    while let Some(node) = rest.next_if(is_modifier) {
        cast.push(node);
    }
    if let Some(array) = rest.next_if(|node| matches!(node, Node::List(inner) if inner.is_empty())) {
        cast.push(array);
    }
    cast
}

/// The nodes as a text, one blank between two.
pub(super) fn written(nodes: &[Node<'_>]) -> String {
    let mut out = String::new();
    write(nodes, &mut out);
    out
}

fn write(nodes: &[Node<'_>], out: &mut String) {
    for node in nodes {
        if !out.is_empty() {
            out.push(' ');
        }
        match node {
            Node::Atom(text) => out.push_str(text),
            Node::Group(inner) => bracketed(inner, "(", ")", out),
            Node::List(inner) => bracketed(inner, "[", "]", out),
        }
    }
}

fn bracketed(inner: &[Node<'_>], begin: &str, end: &str, out: &mut String) {
    out.push_str(begin);
    write(inner, out);
    out.push(' ');
    out.push_str(end);
}

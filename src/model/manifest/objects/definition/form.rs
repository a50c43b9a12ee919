//! The one form of a definition: a tree of parentheses, in which casts of arrays and chains of AND and OR have one shape.

mod tree;

use tree::{Node, written};

/// The definition in its one form.
pub(super) fn form(printed: &str) -> String {
    written(&formed(tree::read(printed)))
}

/// The nodes in their one form, the innermost first.
fn formed(nodes: Vec<Node<'_>>) -> Vec<Node<'_>> {
    let inner = nodes.into_iter().map(|node| match node {
        Node::Group(nodes) => Node::Group(flattened(unwrapped(formed(nodes)))),
        Node::List(nodes) => Node::List(formed(nodes)),
        Node::Atom(text) => Node::Atom(text),
    });
    casts_handed_on(inner.collect())
}

/// Without parentheses around parentheses. A row in parentheses and a subquery keep theirs.
fn unwrapped(mut nodes: Vec<Node<'_>>) -> Vec<Node<'_>> {
    let is_one = |inner: &[Node<'_>]| {
        let begins_a_query =
            matches!(inner.first(), Some(Node::Atom("SELECT" | "VALUES" | "WITH" | "TABLE")));
        !begins_a_query && !inner.iter().any(|node| node.is(","))
    };
    match nodes.as_mut_slice() {
        [Node::Group(inner)] if is_one(inner) => std::mem::take(inner),
        _ => nodes,
    }
}

/// What AND or OR join, without parentheses around a part that the same word joins.
fn flattened(nodes: Vec<Node<'_>>) -> Vec<Node<'_>> {
    let Some(word) = joined_by(&nodes) else { return nodes };
    let mut flat: Vec<Node<'_>> = Vec::with_capacity(nodes.len());
    let operands: Vec<Vec<Node<'_>>> = split(nodes, word);
    for (place, mut operand) in operands.into_iter().enumerate() {
        if place > 0 {
            flat.push(Node::Atom(word));
        }
        match operand.as_mut_slice() {
            [Node::Group(inner)] if joined_by(inner) == Some(word) => flat.append(inner),
            _ => flat.append(&mut operand),
        }
    }
    flat
}

/// The word that joins the parts of an expression; none if it is no such expression. BETWEEN has an AND of its own, which
/// stands in frames of windows.
fn joined_by(nodes: &[Node<'_>]) -> Option<&'static str> {
    let has = |word: &str| nodes.iter().any(|node| node.is(word));
    let foreign = ["BETWEEN", ",", "SELECT"].into_iter().any(has);
    match (has("AND"), has("OR")) {
        (true, false) if !foreign => Some("AND"),
        (false, true) if !foreign => Some("OR"),
        _ => None,
    }
}

fn split<'a>(nodes: Vec<Node<'a>>, word: &str) -> Vec<Vec<Node<'a>>> {
    let mut parts = vec![Vec::new()];
    for node in nodes {
        match parts.last_mut() {
            Some(part) if !node.is(word) => part.push(node),
            _ => parts.push(Vec::new()),
        }
    }
    parts
}

/// `ARRAY[a, b]::type[]`, in parentheses or not, as `ARRAY[a::type, b::type]`.
fn casts_handed_on(nodes: Vec<Node<'_>>) -> Vec<Node<'_>> {
    let mut out: Vec<Node<'_>> = Vec::with_capacity(nodes.len());
    let mut rest = nodes.into_iter().peekable();
    while let Some(node) = rest.next() {
        // What comes before the list stands in `out` already.
        let list = match node {
            Node::List(list) if !list.is_empty() && out.last().is_some_and(|last| last.is("ARRAY")) => list,
            Node::Group(mut inner) if rest.peek().is_some_and(|next| next.is("::")) => {
                match inner.as_mut_slice() {
                    [array, Node::List(list)] if array.is("ARRAY") && !list.is_empty() => {
                        let list = std::mem::take(list);
                        out.push(Node::Atom("ARRAY"));
                        list
                    }
                    _ => {
                        out.push(Node::Group(inner));
                        continue;
                    }
                }
            }
            other => {
                out.push(other);
                continue;
            }
        };
        let mut elements: Vec<Vec<Node<'_>>> =
            split(list, ",").into_iter().map(without_parentheses).collect();
        while rest.peek().is_some_and(|next| next.is("::")) {
            let cast = tree::cast(&mut rest);
            match cast.split_last() {
                Some((Node::List(empty), cast)) if empty.is_empty() => hand_on(&mut elements, cast),
                // A domain over an array has no type of elements.
                _ => {
                    out.push(joined(elements));
                    out.extend(cast);
                    elements = Vec::new();
                    break;
                }
            }
        }
        if !elements.is_empty() {
            out.push(joined(elements));
        }
    }
    out
}

fn joined(elements: Vec<Vec<Node<'_>>>) -> Node<'_> {
    let mut list = Vec::new();
    for (place, element) in elements.into_iter().enumerate() {
        if place > 0 {
            list.push(Node::Atom(","));
        }
        list.extend(element);
    }
    Node::List(list)
}

/// Casts each element, or the elements of each: `cast` is `::` and a type.
fn hand_on<'a>(elements: &mut [Vec<Node<'a>>], cast: &[Node<'a>]) {
    for element in elements.iter_mut().filter(|element| !element.is_empty()) {
        match element.as_mut_slice() {
            [array, Node::List(list)] if array.is("ARRAY") && !list.is_empty() => {
                let mut inner = split(std::mem::take(list), ",");
                hand_on(&mut inner, cast);
                element.truncate(1);
                element.push(joined(inner));
            }
            _ => {
                if !is_chain(element) {
                    *element = vec![Node::Group(std::mem::take(element))];
                }
                element.extend(cast.iter().cloned());
            }
        }
    }
}

/// An element without parentheses around what is only cast: `('a'::x)::y` as `'a'::x::y`.
fn without_parentheses(mut element: Vec<Node<'_>>) -> Vec<Node<'_>> {
    loop {
        match element.first_mut() {
            Some(Node::Group(inner)) if is_chain(inner) && inner.len() > 1 => {
                let inner = std::mem::take(inner);
                element.splice(0..1, inner);
            }
            _ => return element,
        }
    }
}

/// Whether this is one value and nothing but casts behind it.
fn is_chain(nodes: &[Node<'_>]) -> bool {
    let mut rest = match nodes {
        [Node::Atom(_) | Node::Group(_), rest @ ..] => rest.iter().cloned().peekable(),
        _ => return false,
    };
    while rest.peek().is_some_and(|next| next.is("::")) {
        tree::cast(&mut rest);
    }
    rest.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PostgreSQL 17 prints before a restore and after it, of the same things.
    const BEFORE_AND_AFTER: [(&str, &str); 9] = [
        (
            "CHECK (((kind)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
            "CHECK (((kind)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))",
        ),
        (
            "CHECK (((v)::text = ANY ((ARRAY[(upper('a'::text))::character varying, 'b'::character varying(1)])::text[])))",
            "CHECK (((v)::text = ANY (ARRAY[((upper('a'::text))::character varying)::text, ('b'::character varying(1))::text])))",
        ),
        (
            "CHECK (((v)::text = ANY ((ARRAY[('a'::text)::character varying, 'b'::character varying])::text[])))",
            "CHECK (((v)::text = ANY (ARRAY[(('a'::text)::character varying)::text, ('b'::character varying)::text])))",
        ),
        (
            "CHECK ((((n >= (0)::numeric) AND (n <= (10)::numeric)) AND (n IS NOT NULL)))",
            "CHECK (((n >= (0)::numeric) AND (n <= (10)::numeric) AND (n IS NOT NULL)))",
        ),
        (
            "WHERE (((k)::text = 'a'::text) AND (((n >= 1) AND (n <= 2)) AND ((s >= 3) AND (s <= 4))) AND (b OR (c OR (s = 1))))",
            "WHERE (((k)::text = 'a'::text) AND ((n >= 1) AND (n <= 2) AND ((s >= 3) AND (s <= 4))) AND (b OR c OR (s = 1)))",
        ),
        (
            "WHEN (((n >= (1)::numeric) AND (n <= (2)::numeric)) AND (i > 1)) THEN 1",
            "WHEN ((n >= (1)::numeric) AND (n <= (2)::numeric) AND (i > 1)) THEN 1",
        ),
        (
            "ON n, (a::text = ANY (ARRAY['x'::character varying, 'y'::character varying]::text[])) FROM app.more",
            "ON n, (a::text = ANY (ARRAY['x'::character varying::text, 'y'::character varying::text])) FROM app.more",
        ),
        (
            " HAVING (((count(*) >= 1) AND (count(*) <= 5)) AND true);",
            "\n  HAVING ((count(*) >= 1) AND (count(*) <= 5) AND true);",
        ),
        (
            "(x <> ALL ((ARRAY[ARRAY['a'::character varying], ARRAY['b'::character varying]])::text[]))",
            "(x <> ALL (ARRAY[ARRAY[('a'::character varying)::text], ARRAY[('b'::character varying)::text]]))",
        ),
    ];

    #[test]
    fn what_a_restore_prints_otherwise_has_one_form() {
        for (before, after) in BEFORE_AND_AFTER {
            assert_eq!(form(before), form(after));
        }
    }

    #[test]
    fn what_means_something_else_has_another_form() {
        for (one, other) in [
            ("((a OR b) AND c)", "(a OR (b AND c))"),
            ("((a AND b) OR c)", "(a AND (b OR c))"),
            ("((a)::text = 'x'::text)", "(a = 'x'::text)"),
            ("((ARRAY['a'::text])::text[])", "((ARRAY['a'::text])::name[])"),
            ("(ARRAY['a', 'b'])", "(ARRAY['a', 'c'])"),
            ("f((a, b))", "f(a, b)"),
            ("f('a b')", "f('a  b')"),
            ("f('a'')')", "f('a)''')"),
            ("AS $f$ a  b $f$", "AS $f$ a b $f$"),
            ("x \"A B\"", "x \"A  B\""),
            ("a = ANY (SELECT b)", "a = ANY ((SELECT b))"),
            ("(NOT (a AND b))", "((NOT a) AND b)"),
            ("(a <> - b)", "(a < > - b)"),
        ] {
            assert_ne!(form(one), form(other), "{one} and {other}");
        }
    }

    #[test]
    fn frames_of_windows_and_other_uses_of_the_words_stay() {
        let frame = "OVER (ORDER BY a ROWS BETWEEN (1) PRECEDING AND CURRENT ROW)";
        assert_eq!(form(frame), "OVER ( ORDER BY a ROWS BETWEEN ( 1 ) PRECEDING AND CURRENT ROW )");
        assert_eq!(form("ARRAY(SELECT 1)::int[]"), "ARRAY ( SELECT 1 ) :: int [ ]");
        assert_eq!(form("'{}'::text[]"), "'{}' :: text [ ]");
        assert_eq!(form("ARRAY[]::text[]"), "ARRAY [ ] :: text [ ]");
        assert_eq!(form("(ARRAY[1, 2])::app.codes"), "ARRAY [ 1 , 2 ] :: app . codes");
    }

    #[test]
    fn any_text_has_a_form() {
        for odd in [
            "",
            "(",
            ")",
            "[",
            "]",
            "'",
            "\"",
            "$",
            "$$",
            "$x$ a",
            "::",
            "a::",
            "ARRAY[",
            "(ARRAY[1])::",
            ") AND (",
        ] {
            let _ = form(odd);
        }
        let deep = "(".repeat(20_000);
        let _ = form(&deep);
    }
}

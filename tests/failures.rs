//! The message and the hint of every failure, in one file to be read by a person: `tests/golden/failures.txt`.
//!
//! They are collected from the source. What a message puts together from parts stands one part a line; `{…}` is what is
//! filled in. `UPDATE_DOCS=1 cargo test --test failures` writes the file anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall, ItemConst, ItemFn, ItemMod, Lit, Local, Macro, Pat};

/// Constructors of `Failure`, and the argument that holds the message. The code comes before it, if there is one.
const CONSTRUCTORS: [&str; 6] = ["bad", "config", "inconclusive", "in_file", "disk_full", "defect"];

#[test]
fn the_message_and_the_hint_of_every_failure_are_these() {
    let file = root().join("tests/golden/failures.txt");
    let found = written(&collected());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &found).expect("the golden file can be written");
    }
    let golden = fs::read_to_string(&file).unwrap_or_default();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (was, is) = (lines(&golden), lines(&found));
    let gone: Vec<_> = was.difference(&is).map(|line| format!("- {line}")).collect();
    let new: Vec<_> = is.difference(&was).map(|line| format!("+ {line}")).collect();
    assert!(
        golden == found,
        "messages of failures differ from tests/golden/failures.txt; read them, then UPDATE_DOCS=1 writes them:\n{}\n{}",
        gone.join("\n"),
        new.join("\n")
    );
}

/// By code: messages with their hints.
type Failures = BTreeMap<String, BTreeSet<Said>>;

#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    message: Vec<String>,
    hint: Vec<String>,
}

fn written(failures: &Failures) -> String {
    let mut text = String::new();
    for (code, all) in failures {
        let _ = writeln!(text, "{code}");
        for said in all {
            for part in &said.message {
                let _ = writeln!(text, "    {part}");
            }
            for part in &said.hint {
                let _ = writeln!(text, "        hint: {part}");
            }
        }
        text.push('\n');
    }
    text
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn collected() -> Failures {
    let mut failures = Failures::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() {
                if name != "tests" {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") && name != "tests.rs" && name != "testing.rs" {
                let source = fs::read_to_string(&path).expect("a source file");
                let parsed =
                    syn::parse_file(&source).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                let mut collector = Collector { failures: &mut failures, named: BTreeMap::new(), hint: None };
                collector.visit_file(&parsed);
            }
        }
    }
    assert!(failures.len() > 50, "the failures were found");
    failures
}

struct Collector<'a> {
    failures: &'a mut Failures,
    /// Texts of variables and constants, by name.
    named: BTreeMap<String, Vec<String>>,
    /// The hint of the failure that is looked into.
    hint: Option<Vec<String>>,
}

impl Collector<'_> {
    fn texts(&self, expression: &Expr) -> Vec<String> {
        let mut texts = Texts { named: &self.named, found: Vec::new() };
        texts.visit_expr(expression);
        texts.found
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !module.attrs.iter().any(is_for_tests) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if !function.attrs.iter().any(is_for_tests) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_item_const(&mut self, constant: &'ast ItemConst) {
        let texts = self.texts(&constant.expr);
        self.named.insert(constant.ident.to_string(), texts);
    }

    fn visit_local(&mut self, local: &'ast Local) {
        visit::visit_local(self, local);
        if let (Pat::Ident(name), Some(value)) = (&local.pat, &local.init) {
            let texts = self.texts(&value.expr);
            self.named.insert(name.ident.to_string(), texts);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if call.method != "hint" || call.args.len() != 1 {
            return visit::visit_expr_method_call(self, call);
        }
        let hint = self.texts(&call.args[0]);
        if is_a_constructor(&call.receiver) {
            let before = self.hint.replace(hint);
            self.visit_expr(&call.receiver);
            self.hint = before;
        } else {
            self.visit_expr(&call.receiver);
            if !hint.is_empty() {
                let said = Said { message: Vec::new(), hint };
                self.failures.entry("(a hint that is added later)".to_owned()).or_default().insert(said);
            }
        }
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        let Some(constructor) = constructor(call) else { return visit::visit_expr_call(self, call) };
        let (code, message) = match call.args.iter().collect::<Vec<_>>()[..] {
            [code, message] => (last_word(code), message),
            [message] => (constructor, message),
            _ => return,
        };
        let said = Said { message: self.texts(message), hint: self.hint.take().unwrap_or_default() };
        if !said.message.is_empty() || !said.hint.is_empty() {
            self.failures.entry(code).or_default().insert(said);
        }
    }
}

fn is_for_tests(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
    list.path.is_ident("cfg") && list.tokens.to_string().contains("test")
}

fn is_a_constructor(expression: &Expr) -> bool {
    matches!(expression, Expr::Call(call) if constructor(call).is_some())
}

/// The name of the constructor of `Failure` that is called.
fn constructor(call: &ExprCall) -> Option<String> {
    let Expr::Path(path) = &*call.func else { return None };
    let words: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let [.., of, name] = &words[..] else { return None };
    (of == "Failure" && CONSTRUCTORS.contains(&name.as_str())).then(|| name.clone())
}

/// `codes::DISK_FULL` is `disk_full`.
fn last_word(code: &Expr) -> String {
    let text = quote::ToTokens::to_token_stream(code).to_string();
    let word = text.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).find(|word| !word.is_empty());
    word.unwrap_or("?").to_lowercase()
}

/// Collects the texts of an expression: literals, those of `format!` and its like, and those of names that stand for some.
struct Texts<'a> {
    named: &'a BTreeMap<String, Vec<String>>,
    found: Vec<String>,
}

impl Texts<'_> {
    fn add(&mut self, text: &str) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // One word is a name or a key, not a message.
        if text.contains(' ') && !self.found.contains(&text) {
            self.found.push(text);
        }
    }

    fn of_tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Literal(literal) => {
                    if let Lit::Str(text) = Lit::new(literal) {
                        self.add(&text.value());
                    }
                }
                TokenTree::Group(group) => self.of_tokens(group.stream()),
                TokenTree::Ident(name) => self.of_name(&name.to_string()),
                TokenTree::Punct(_) => {}
            }
        }
    }

    fn of_name(&mut self, name: &str) {
        for text in self.named.get(name).cloned().unwrap_or_default() {
            self.add(&text);
        }
    }
}

impl<'ast> Visit<'ast> for Texts<'_> {
    fn visit_lit(&mut self, literal: &'ast Lit) {
        if let Lit::Str(text) = literal {
            self.add(&text.value());
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.of_tokens(call.tokens.clone());
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        if let Some(last) = path.path.segments.last() {
            self.of_name(&last.ident.to_string());
        }
    }
}

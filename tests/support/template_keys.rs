//! The keys of a template's sections, read from the source: for each field of a section its key, its type, what it is if it is
//! absent, and its documentation.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use restore_drill::model::names::COMPACT_TIMESTAMP;
use syn::{
    Attribute, Expr, Field, Fields, GenericArgument, Item, ItemEnum, ItemStruct, Lit, Meta, PathArguments,
    Type,
};

/// What stands at the end of a field's documentation if its default is no value.
const DEFAULT: &str = "Default: ";

/// The source of the template's sections.
pub struct Sections {
    structs: BTreeMap<String, ItemStruct>,
    enums: BTreeMap<String, ItemEnum>,
    /// Values of the functions of `defaults.rs`, and of `impl Default`, by struct and field.
    defaults: BTreeMap<String, String>,
    defaults_of: BTreeMap<String, BTreeMap<String, String>>,
}

impl Sections {
    /// Reads `src/template`, and what it takes from elsewhere.
    pub fn read(root: &Path) -> Self {
        let mut sections = Self {
            structs: BTreeMap::new(),
            enums: BTreeMap::new(),
            defaults: BTreeMap::new(),
            defaults_of: BTreeMap::new(),
        };
        let entries = fs::read_dir(root.join("src/template"))
            .expect("the sections")
            .map(|entry| entry.expect("a file").path());
        let files: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|end| end == "rs")).collect();
        let elsewhere = ["src/model/verdict/stack.rs", "src/model/entry_rule.rs"].map(|path| root.join(path));
        for path in files.iter().chain(&elsewhere) {
            let source = fs::read_to_string(path).expect("a source file");
            for item in syn::parse_file(&source).expect("Rust").items {
                // A verdict has structs of the same names, which are no sections.
                let is_other = matches!(&item, Item::Struct(item) if !is_section(item));
                if files.contains(path) || !is_other {
                    sections.take(item, path.ends_with("defaults.rs"));
                }
            }
        }
        sections
    }

    fn take(&mut self, item: Item, is_default: bool) {
        match item {
            Item::Struct(item) => drop(self.structs.insert(item.ident.to_string(), item)),
            Item::Enum(item) => drop(self.enums.insert(item.ident.to_string(), item)),
            Item::Fn(item) if is_default => {
                if let Some(syn::Stmt::Expr(value, None)) = item.block.stmts.last() {
                    self.defaults.insert(item.sig.ident.to_string(), shown(value));
                }
            }
            Item::Impl(item) if item.trait_.as_ref().is_some_and(|(_, of, _)| of.is_ident("Default")) => {
                let Some(name) = last_name(&item.self_ty) else { return };
                let syn::ImplItem::Fn(made) = &item.items[0] else { return };
                if let Some(syn::Stmt::Expr(Expr::Struct(value), None)) = made.block.stmts.last() {
                    let fields = value.fields.iter().map(|field| {
                        let syn::Member::Named(name) = &field.member else { panic!("a named field") };
                        (name.to_string(), shown(&field.expr))
                    });
                    self.defaults_of.insert(name, fields.collect());
                }
            }
            _ => {}
        }
    }

    /// The names of all sections: what a template may hold, and nothing else.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.structs.iter().filter(|(_, item)| is_section(item)).map(|(name, _)| name.as_str())
    }

    /// The table of a section. The keys of tables in a list follow that list.
    pub fn table(&self, section: &str) -> String {
        let mut out = "| Key | Type | Default | Meaning |\n|---|---|---|---|\n".to_owned();
        self.rows(section, "", &mut out);
        out
    }

    fn rows(&self, section: &str, prefix: &str, out: &mut String) {
        let item =
            self.structs.get(section).unwrap_or_else(|| panic!("src/template has no section {section}"));
        let Fields::Named(fields) = &item.fields else { panic!("{section} has fields") };
        for field in fields.named.iter().filter(|field| !has(&field.attrs, "serde", "skip")) {
            let inner = list_of(&field.ty)
                .as_ref()
                .and_then(last_name)
                .filter(|name| self.structs.contains_key(name));
            // A section of its own has a table of its own.
            let is_section = section == "Template" && (inner.is_some() || self.is_section(&field.ty));
            if is_section {
                continue;
            }
            let key = value_of(&field.attrs, "rename")
                .unwrap_or_else(|| field.ident.as_ref().expect("a name").to_string());
            let (meaning, own_default) = documentation(field);
            let default = own_default.unwrap_or_else(|| self.default(item, field));
            let cells = [self.kind(&field.ty), default, meaning].map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(out, "| `{prefix}{key}` | {} |", cells.join(" | "));
            if let Some(inner) = inner {
                self.rows(&inner, &format!("{prefix}{key}[]."), out);
            }
        }
    }

    /// Whether a type is a section, or has sections in it.
    fn is_section(&self, of: &Type) -> bool {
        let inner = last_name(of).filter(|name| self.structs.contains_key(name));
        inner.is_some_and(|name| name != "ProjectPrefix")
            || arguments(of).iter().any(|of| self.is_section(of))
            || last_name(of).as_deref() == Some("BTreeMap")
    }

    fn kind(&self, of: &Type) -> String {
        let name = last_name(of).unwrap_or_default();
        let inner = arguments(of);
        match (name.as_str(), &inner[..]) {
            ("Option", [inner]) => self.kind(inner),
            ("Vec", [inner]) => match self.kind(inner).as_str() {
                "text" => "list of text".to_owned(),
                one => format!("list of {one}s"),
            },
            ("BTreeMap", [_, inner]) => format!("table of {}", self.kind(inner)),
            ("u16" | "u32" | "u64" | "usize", _) => "count".to_owned(),
            ("f64", _) => "number".to_owned(),
            ("bool", _) => "boolean".to_owned(),
            ("String" | "Secret" | "ProjectPrefix" | "ServerName", _) => "text".to_owned(),
            ("Duration", _) => "duration".to_owned(),
            ("ByteSize", _) => "size".to_owned(),
            ("DatabaseName", _) => "database name".to_owned(),
            ("TableName", _) => "table name".to_owned(),
            ("PathBuf", _) => "path".to_owned(),
            ("LossKind", _) => "kind".to_owned(),
            ("DatabaseSystem", _) => "`\"postgres\"` or `\"sqlite\"`".to_owned(),
            ("Statements", _) => "text or list of text, SQL".to_owned(),
            _ if self.structs.contains_key(&name) => "table".to_owned(),
            _ => match self.enums.get(&name) {
                Some(of) => words(of).map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(" or "),
                None => panic!("tests/support/template_keys.rs has no word for the type {name}"),
            },
        }
    }

    fn default(&self, section: &ItemStruct, field: &Field) -> String {
        let name = field.ident.as_ref().expect("a name").to_string();
        if let Some(value) = self.defaults_of.get(&section.ident.to_string()).and_then(|of| of.get(&name)) {
            return value.clone();
        }
        if let Some(function) = value_of(&field.attrs, "default") {
            let function = function.rsplit("::").next().unwrap_or_default().to_owned();
            return self.defaults.get(&function).unwrap_or_else(|| panic!("no default {function}")).clone();
        }
        let is_optional = last_name(&field.ty).as_deref() == Some("Option");
        match has(&field.attrs, "serde", "default") || has(&section.attrs, "serde", "default") || is_optional
        {
            false => "required".to_owned(),
            true => self.empty(&field.ty),
        }
    }

    /// What a type is by default.
    fn empty(&self, of: &Type) -> String {
        let name = last_name(of).unwrap_or_default();
        match name.as_str() {
            "Option" => "none".to_owned(),
            "Vec" | "BTreeMap" | "Statements" => "empty".to_owned(),
            "String" | "Secret" => "`\"\"`".to_owned(),
            "bool" => "`false`".to_owned(),
            _ => {
                let of = self.enums.get(&name).unwrap_or_else(|| panic!("no default of {name}"));
                let nth = of
                    .variants
                    .iter()
                    .position(|variant| variant.attrs.iter().any(|a| a.path().is_ident("default")));
                format!("`\"{}\"`", words(of).nth(nth.expect("a default")).expect("a variant"))
            }
        }
    }
}

/// The words of an enum's variants.
fn words(of: &ItemEnum) -> impl Iterator<Item = String> {
    of.variants.iter().map(|variant| {
        let mut word = String::new();
        for c in variant.ident.to_string().chars() {
            if c.is_uppercase() && !word.is_empty() {
                word.push('_');
            }
            word.extend(c.to_lowercase());
        }
        word
    })
}

/// A value as a template has it.
fn shown(value: &Expr) -> String {
    match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => format!("`\"{}\"`", text.value()),
            other => format!("`{}`", quote::quote!(#other)),
        },
        Expr::MethodCall(call) => shown(&call.receiver),
        Expr::Path(path) => match path.path.segments.last().expect("a name").ident.to_string().as_str() {
            "None" => "none".to_owned(),
            "COMPACT_TIMESTAMP" => format!("`\"{COMPACT_TIMESTAMP}\"`"),
            other => panic!("tests/support/template_keys.rs does not know the value {other}"),
        },
        Expr::Call(call) => {
            let function = quote::quote!(#call).to_string().replace(' ', "");
            if function == "Vec::new()" {
                return "empty".to_owned();
            }
            let (name, argument) = function.split_once('(').expect("a call");
            let argument: u64 = argument
                .trim_end_matches(')')
                .split('*')
                .map(|n| n.parse::<u64>().expect("a number"))
                .product();
            match name {
                "Duration::from_secs" => format!("`\"{}\"`", human_duration(argument)),
                "ByteSize::mib" => format!("`\"{argument}MiB\"`"),
                other => panic!("tests/support/template_keys.rs does not know {other}"),
            }
        }
        other => panic!("tests/support/template_keys.rs does not know {}", quote::quote!(#other)),
    }
}

fn human_duration(seconds: u64) -> String {
    match seconds {
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// A field's documentation on one line, and the default that it names.
fn documentation(field: &Field) -> (String, Option<String>) {
    let lines = field.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")).map(|attribute| {
        let Meta::NameValue(doc) = &attribute.meta else { panic!("documentation") };
        let Expr::Lit(text) = &doc.value else { panic!("documentation") };
        let Lit::Str(text) = &text.lit else { panic!("documentation") };
        text.value().trim().to_owned()
    });
    let text = lines.collect::<Vec<_>>().join(" ");
    match text.split_once(DEFAULT) {
        Some((meaning, default)) => {
            (meaning.trim().to_owned(), Some(default.trim().trim_end_matches('.').to_owned()))
        }
        None => (text, None),
    }
}

/// The last name of a path.
fn last_name(of: &Type) -> Option<String> {
    let Type::Path(path) = of else { return None };
    path.path.segments.last().map(|segment| segment.ident.to_string())
}

/// The types between the angle brackets.
fn arguments(of: &Type) -> Vec<Type> {
    let Type::Path(path) = of else { return Vec::new() };
    let Some(PathArguments::AngleBracketed(inner)) =
        path.path.segments.last().map(|segment| &segment.arguments)
    else {
        return Vec::new();
    };
    let types = inner.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(of) => Some(of.clone()),
        _ => None,
    });
    types.collect()
}

/// What a list is made of.
fn list_of(of: &Type) -> Option<Type> {
    (last_name(of).as_deref() == Some("Vec")).then(|| arguments(of).into_iter().next()).flatten()
}

/// Whether an attribute such as `serde(…)` has this word.
fn has(attributes: &[Attribute], attribute: &str, word: &str) -> bool {
    serde_parts(attributes, attribute).any(|part| part == word)
}

/// The text behind `word = ` in `serde(…)`.
fn value_of(attributes: &[Attribute], word: &str) -> Option<String> {
    serde_parts(attributes, "serde").find_map(|part| {
        let (name, value) = part.split_once('=')?;
        (name.trim() == word).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn serde_parts(attributes: &[Attribute], attribute: &str) -> impl Iterator<Item = String> {
    let lists = attributes.iter().filter_map(move |found| match &found.meta {
        Meta::List(list) if list.path.is_ident(attribute) => Some(list.tokens.to_string()),
        _ => None,
    });
    let parts: Vec<String> = lists
        .flat_map(|list| list.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>())
        .collect();
    parts.into_iter()
}

/// Whether a template has this struct as a section.
fn is_section(item: &ItemStruct) -> bool {
    has(&item.attrs, "serde", "deny_unknown_fields")
}

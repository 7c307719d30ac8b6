//! What the derives read off a struct: docs, serde's names, the crate's path.

use syn::{
    Attribute, Data, DeriveInput, Expr, ExprLit, Field, Fields, GenericArgument, Lit, LitStr, Meta,
    Path, PathArguments, Type, meta::ParseNestedMeta,
};

use crate::diagnose::Errors;

/// The doc comment, its lines trimmed of one leading space.
pub(crate) fn docs(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) => match &pair.value {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(text),
                    ..
                }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        })
        .map(|line| {
            line.strip_prefix(' ')
                .unwrap_or(&line)
                .trim_end()
                .to_owned()
        })
        .collect();
    lines.join("\n").trim().to_owned()
}

/// A label from a doc comment: its first sentence or paragraph, without the full stop.
pub(crate) fn label(docs: &str) -> String {
    let paragraph = docs
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .replace('\n', " ");
    let sentence = paragraph.split(". ").next().unwrap_or_default();
    sentence.trim_end_matches('.').trim().to_owned()
}

/// The fields of a struct with named fields.
pub(crate) fn named<'a>(input: &'a DeriveInput, what: &str, errors: &Errors) -> Vec<&'a Field> {
    if !input.generics.params.is_empty() {
        errors.at(
            &input.generics,
            format!("{what} cannot have generic parameters"),
        );
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => fields.named.iter().collect(),
            Fields::Unit => Vec::new(),
            Fields::Unnamed(fields) => {
                errors.at(
                    fields,
                    format!("{what} need names: use a struct with named fields"),
                );
                Vec::new()
            }
        },
        Data::Enum(_) | Data::Union(_) => {
            errors.at(&input.ident, format!("{what} are the fields of a struct"));
            Vec::new()
        }
    }
}

/// What serde's attributes say about names.
pub(crate) struct SerdeStruct {
    rename_all: Option<String>,
}

impl SerdeStruct {
    pub(crate) fn read(input: &DeriveInput) -> Self {
        let mut rename_all = None;
        each_serde(&input.attrs, |meta| {
            if meta.path.is_ident("rename_all") {
                rename_all = literal(meta).ok().map(|text| text.value());
            } else {
                skip(meta);
            }
        });
        Self { rename_all }
    }

    /// The name of a field in JSON.
    pub(crate) fn name(&self, field: &Field) -> String {
        let mut renamed = None;
        each_serde(&field.attrs, |meta| {
            if meta.path.is_ident("rename") {
                renamed = literal(meta).ok().map(|text| text.value());
            } else {
                skip(meta);
            }
        });
        let ident = field
            .ident
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let ident = ident.trim_start_matches("r#").to_owned();
        renamed.unwrap_or_else(|| match self.rename_all.as_deref() {
            Some("camelCase") => camel(&ident, false),
            Some("PascalCase") => camel(&ident, true),
            Some("kebab-case") => ident.replace('_', "-"),
            Some("SCREAMING_SNAKE_CASE" | "UPPERCASE") => ident.to_uppercase(),
            _ => ident,
        })
    }
}

/// How serde fills a field that is missing.
pub(crate) enum SerdeDefault {
    None,
    Default,
    Path(Path),
}

pub(crate) fn serde_default(field: &Field) -> SerdeDefault {
    let mut default = SerdeDefault::None;
    each_serde(&field.attrs, |meta| {
        if !meta.path.is_ident("default") {
            skip(meta);
            return;
        }
        default = match literal(meta).and_then(|text| text.parse::<Path>()) {
            Ok(path) => SerdeDefault::Path(path),
            Err(_) => SerdeDefault::Default,
        };
    });
    default
}

fn each_serde(attributes: &[Attribute], mut each: impl FnMut(&ParseNestedMeta<'_>)) {
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
    {
        // What serde itself will report is not reported twice.
        let _ = attribute.parse_nested_meta(|meta| {
            each(&meta);
            Ok(())
        });
    }
}

/// Passes over what stands behind a key that is of no interest.
fn skip(meta: &ParseNestedMeta<'_>) {
    if meta.input.peek(syn::Token![=]) {
        let _ = meta.value().and_then(|value| value.parse::<Expr>());
    } else if meta.input.peek(syn::token::Paren) {
        let _ = meta.parse_nested_meta(|inner| {
            skip(&inner);
            Ok(())
        });
    }
}

/// The text behind `key = "…"`.
pub(crate) fn literal(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    meta.value()?.parse()
}

/// `snake_case` to `camelCase` or `PascalCase`.
pub(crate) fn camel(snake: &str, mut upper: bool) -> String {
    let mut out = String::with_capacity(snake.len());
    for c in snake.chars() {
        if c == '_' {
            upper = !out.is_empty() || upper;
        } else if upper {
            out.extend(c.to_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    out
}

/// The path of the core crate: what `#[<attribute>(crate = path)]` says, else `::shipsec_core`.
pub(crate) fn crate_path(attributes: &[Attribute], attribute: &str, errors: &Errors) -> Path {
    let mut path: Path = syn::parse_quote!(::shipsec_core);
    for found in attributes
        .iter()
        .filter(|found| found.path().is_ident(attribute))
    {
        errors.take(found.parse_nested_meta(|meta| {
            if meta.path.is_ident("crate") {
                path = path_value(&meta)?;
                Ok(())
            } else {
                Err(meta.error(format!(
                    "unknown key; `{attribute}` on a struct knows: crate"
                )))
            }
        }));
    }
    path
}

/// A path, bare or in quotes.
pub(crate) fn path_value(meta: &ParseNestedMeta<'_>) -> syn::Result<Path> {
    let value = meta.value()?;
    if value.peek(LitStr) {
        value.parse::<LitStr>()?.parse_with(Path::parse_mod_style)
    } else {
        value.call(Path::parse_mod_style)
    }
}

/// Whether a type is `name<…>` by its last segment, and what its first argument is.
pub(crate) fn wrapped<'a>(ty: &'a Type, name: &str) -> Option<Option<&'a Type>> {
    let Type::Path(path) = ty else { return None };
    let last = path
        .path
        .segments
        .last()
        .filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return Some(None);
    };
    Some(arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }))
}

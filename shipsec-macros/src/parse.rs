//! Reading attributes: docs, keys and their values.

use quote::ToTokens;
use syn::{
    Attribute, Expr, ExprLit, GenericArgument, Lit, LitStr, Meta, Path, PathArguments, Token, Type,
    ext::IdentExt,
    meta::ParseNestedMeta,
    parse::{ParseStream, Parser},
};

use crate::diagnose::Errors;

/// What people see of a thing: its doc comment.
#[derive(Default)]
pub(crate) struct Docs {
    pub(crate) label: String,
    pub(crate) description: String,
}

impl Docs {
    /// Reads the doc comment; both texts are empty where there is none.
    pub(crate) fn read(attributes: &[Attribute]) -> Self {
        let lines: Vec<String> = attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("doc"))
            .filter_map(|attribute| match &attribute.meta {
                Meta::NameValue(pair) => text_of(&pair.value),
                _ => None,
            })
            .map(|line| {
                line.strip_prefix(' ')
                    .unwrap_or(&line)
                    .trim_end()
                    .to_owned()
            })
            .collect();
        let description = lines.join("\n").trim().to_owned();
        let paragraph = description.split("\n\n").next().unwrap_or_default();
        let paragraph = paragraph.replace('\n', " ");
        let sentence = paragraph.split(". ").next().unwrap_or_default();
        Self {
            label: sentence.trim_end_matches('.').trim().to_owned(),
            description,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.description.is_empty()
    }
}

fn text_of(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

/// One key of an attribute, with what stands behind it.
pub(crate) type Key<'a> = ParseNestedMeta<'a>;

/// Reads every key of the attributes called `name`; a bad one does not hide those behind it.
pub(crate) fn each_key(
    attributes: &[Attribute],
    name: &str,
    errors: &Errors,
    mut read: impl FnMut(&Key<'_>) -> syn::Result<()>,
) {
    let mut seen = Vec::new();
    for attribute in attributes
        .iter()
        .filter(|found| found.path().is_ident(name))
    {
        errors.take(attribute.parse_nested_meta(|key| {
            one_key(&key, errors, &mut seen, &mut read);
            Ok(())
        }));
    }
}

/// As [`each_key`], for the keys in the parentheses of `#[component(…)]`.
pub(crate) fn each_key_of(
    tokens: proc_macro2::TokenStream,
    errors: &Errors,
    mut read: impl FnMut(&Key<'_>) -> syn::Result<()>,
) {
    let mut seen = Vec::new();
    let parser = syn::meta::parser(|key| {
        one_key(&key, errors, &mut seen, &mut read);
        Ok(())
    });
    errors.take(parser.parse2(tokens));
}

/// As [`each_key`], for the keys in the parentheses behind a key.
pub(crate) fn each_key_in(
    outer: &Key<'_>,
    errors: &Errors,
    mut read: impl FnMut(&Key<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    let mut seen = Vec::new();
    outer.parse_nested_meta(|key| {
        one_key(&key, errors, &mut seen, &mut read);
        Ok(())
    })
}

fn one_key(
    key: &Key<'_>,
    errors: &Errors,
    seen: &mut Vec<String>,
    read: &mut impl FnMut(&Key<'_>) -> syn::Result<()>,
) {
    let name = key.path.to_token_stream().to_string();
    if seen.contains(&name) {
        errors.at(&key.path, "given twice");
    }
    seen.push(name);
    if let Err(error) = read(key) {
        errors.push(error);
        pass_over(key.input);
    }
}

/// Passes over what is left of a key.
pub(crate) fn pass_over(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<proc_macro2::TokenTree>().is_err() {
            return;
        }
    }
}

/// The error of a key that nobody knows.
pub(crate) fn unknown(key: &Key<'_>, attribute: &str, known: &str) -> syn::Error {
    key.error(format!("unknown key; `{attribute}` knows: {known}"))
}

/// The text behind `key = "…"`.
pub(crate) fn literal(key: &Key<'_>) -> syn::Result<LitStr> {
    key.value()?.parse()
}

/// Text that is not empty behind `key = "…"`.
pub(crate) fn some_text(key: &Key<'_>) -> syn::Result<LitStr> {
    let text = literal(key)?;
    if text.value().trim().is_empty() {
        return Err(syn::Error::new(text.span(), "expected some text"));
    }
    Ok(text)
}

/// A path, bare or in quotes.
pub(crate) fn path(key: &Key<'_>) -> syn::Result<Path> {
    let value = key.value()?;
    if value.peek(LitStr) {
        value.parse::<LitStr>()?.parse_with(Path::parse_mod_style)
    } else {
        value.call(Path::parse_mod_style)
    }
}

/// A word, bare or in quotes: `blocking` or `"blocking"`.
pub(crate) fn word(key: &Key<'_>) -> syn::Result<(String, proc_macro2::Span)> {
    let value = key.value()?;
    if value.peek(LitStr) {
        let text: LitStr = value.parse()?;
        return Ok((text.value(), text.span()));
    }
    let word = value.call(syn::Ident::parse_any)?;
    Ok((word.to_string(), word.span()))
}

/// A number, with or without a fraction.
pub(crate) fn number(key: &Key<'_>) -> syn::Result<(f64, proc_macro2::Span)> {
    number_of(&key.value()?.parse()?)
}

fn number_of(literal: &Lit) -> syn::Result<(f64, proc_macro2::Span)> {
    match literal {
        Lit::Int(number) => Ok((number.base10_parse()?, number.span())),
        Lit::Float(number) => Ok((number.base10_parse()?, number.span())),
        other => Err(syn::Error::new(other.span(), "expected a number")),
    }
}

/// Milliseconds of `key = "30s"`, `"500ms"`, `"2m"`, `"1h"`, or of a number of seconds.
pub(crate) fn millis(key: &Key<'_>) -> syn::Result<u64> {
    const EXPECTED: &str = "expected a length of time, more than 0: \"500ms\", \"30s\", \"2m\", \"1h\", or seconds as a number";
    let literal: Lit = key.value()?.parse()?;
    let wrong = || syn::Error::new(literal.span(), EXPECTED);
    let millis = match &literal {
        Lit::Str(text) => {
            let text = text.value();
            let at = text
                .find(|c: char| c.is_ascii_alphabetic())
                .ok_or_else(wrong)?;
            let (amount, unit) = text.split_at(at);
            let amount: f64 = amount.trim().parse().map_err(|_| wrong())?;
            amount
                * match unit {
                    "ms" => 1.0,
                    "s" => 1e3,
                    "m" => 60e3,
                    "h" => 3600e3,
                    _ => return Err(wrong()),
                }
        }
        other => number_of(other).map_err(|_| wrong())?.0 * 1e3,
    };
    if (1.0..1e15).contains(&millis) {
        Ok(millis as u64)
    } else {
        Err(wrong())
    }
}

/// The path of the core crate: what `#[<attribute>(crate = path)]` says, else `::shipsec_core`.
pub(crate) fn crate_path(attributes: &[Attribute], attribute: &str, errors: &Errors) -> Path {
    let mut krate = default_crate();
    each_key(attributes, attribute, errors, |key| {
        if key.path.is_ident("crate") {
            krate = path(key)?;
            Ok(())
        } else {
            Err(unknown(key, attribute, "crate"))
        }
    });
    krate
}

/// `::shipsec_core`.
pub(crate) fn default_crate() -> Path {
    syn::parse_quote!(::shipsec_core)
}

/// The first argument of a type whose last segment is `name<…>`.
pub(crate) fn argument_of<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let first = arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    first.filter(|_| last.ident == name)
}

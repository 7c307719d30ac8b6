//! What serde's attributes say of names and defaults. What serde itself reports as wrong is not
//! reported twice.

use quote::ToTokens;
use syn::{Attribute, Field, Ident, LitStr, Path, ext::IdentExt};

use crate::{
    diagnose::Errors,
    parse::{Key, literal, pass_over},
};

/// Where a value comes from when JSON has none: the function of that path, else `Default`.
pub(crate) type Default = Option<Path>;

/// Serde's attributes on a struct.
#[derive(Default)]
pub(crate) struct Container {
    rename_all: Option<String>,
    pub(crate) default: Option<Default>,
}

impl Container {
    pub(crate) fn read(attributes: &[Attribute], errors: &Errors) -> Self {
        let mut container = Self::default();
        each(attributes, |key| {
            if key.path.is_ident("rename_all") {
                container.rename_all = name(key, errors).map(|rule| rule.value());
            } else if key.path.is_ident("default") {
                container.default = Some(default(key));
            } else if key.path.is_ident("transparent") {
                errors.at(
                    &key.path,
                    "the JSON of a transparent struct has no fields by name",
                );
            }
        });
        container
    }

    /// The name in JSON of a field that has no name of its own.
    fn name(&self, ident: &Ident, errors: &Errors) -> String {
        let plain = ident.unraw().to_string();
        match self.rename_all.as_deref() {
            Some("camelCase") => camel(&plain, false),
            Some("PascalCase") => camel(&plain, true),
            Some("kebab-case") => plain.replace('_', "-"),
            Some("SCREAMING_SNAKE_CASE" | "UPPERCASE") => plain.to_uppercase(),
            Some("SCREAMING-KEBAB-CASE") => plain.to_uppercase().replace('_', "-"),
            Some(_) => plain,
            None => {
                if plain.contains('_') {
                    errors.at(
                        ident,
                        "names in JSON are camelCase: add #[serde(rename_all = \"camelCase\")] to the struct, or #[serde(rename = \"…\")] here",
                    );
                }
                plain
            }
        }
    }
}

/// Serde's attributes on a field.
pub(crate) struct FieldNames {
    /// The name in JSON, placed where it is said.
    pub(crate) id: LitStr,
    pub(crate) default: Option<Default>,
}

impl FieldNames {
    /// `ports`: the field's value crosses by itself, without what serde does to the field.
    pub(crate) fn read(
        field: &Field,
        ident: &Ident,
        container: &Container,
        ports: bool,
        errors: &Errors,
    ) -> Self {
        let (mut id, mut found) = (None, None);
        each(&field.attrs, |key| {
            let is = |names: &[&str]| names.iter().any(|name| key.path.is_ident(name));
            if is(&["rename"]) {
                id = name(key, errors);
            } else if is(&["default"]) {
                found = Some(default(key));
            } else if is(&["skip", "skip_serializing", "skip_deserializing", "flatten"]) {
                let which = key.path.to_token_stream();
                errors.at(
                    &key.path,
                    format!("every field is one by its name: `{which}` takes the name away"),
                );
            } else if ports && is(&["with", "serialize_with", "deserialize_with"]) {
                errors.at(
                    &key.path,
                    "a port's value crosses with its type's own JSON: give the field a type of its own",
                );
            }
        });
        Self {
            id: id.unwrap_or_else(|| LitStr::new(&container.name(ident, errors), ident.span())),
            default: found.or_else(|| container.default.clone().map(|_| None)),
        }
    }
}

/// `= "name"`, or the same name for both ways.
fn name(key: &Key<'_>, errors: &Errors) -> Option<LitStr> {
    if key.input.peek(syn::Token![=]) {
        return literal(key).ok();
    }
    let mut names: Vec<LitStr> = Vec::new();
    let _ = key.parse_nested_meta(|way| {
        names.push(literal(&way)?);
        Ok(())
    });
    match names.as_slice() {
        [one, other] if one.value() == other.value() => Some(one.clone()),
        _ => {
            errors.at(
                &key.path,
                "reading and writing need the same name: use `= \"…\"`",
            );
            names.pop()
        }
    }
}

fn default(key: &Key<'_>) -> Default {
    literal(key).and_then(|text| text.parse()).ok()
}

fn each(attributes: &[Attribute], mut read: impl FnMut(&Key<'_>)) {
    for attribute in attributes
        .iter()
        .filter(|found| found.path().is_ident("serde"))
    {
        let _ = attribute.parse_nested_meta(|key| {
            read(&key);
            pass_over(key.input);
            Ok(())
        });
    }
}

/// `snake_case` to `camelCase` or `PascalCase`.
pub(crate) fn camel(snake: &str, upper_first: bool) -> String {
    let mut out = String::with_capacity(snake.len());
    let mut upper = upper_first;
    for c in snake.chars() {
        if c == '_' {
            upper = upper_first || !out.is_empty();
        } else if upper {
            out.extend(c.to_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_serdes() {
        for (snake, lower, upper) in [
            ("text", "text", "Text"),
            ("max_hosts", "maxHosts", "MaxHosts"),
            ("_hidden_one", "hiddenOne", "HiddenOne"),
            ("sha_256", "sha256", "Sha256"),
        ] {
            assert_eq!(camel(snake, false), lower);
            assert_eq!(camel(snake, true), upper);
        }
    }
}

//! What the derives found: ports, parameters, a contract's name.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Expr, Field, Fields, Ident, LitStr, Path, Type};

use crate::{
    diagnose::Errors,
    parse::{Docs, crate_path, default_crate, each_key, path, some_text, unknown},
    serde::{Container, FieldNames},
};

/// Where a field's default comes from.
pub(crate) enum Source {
    /// `#[port(default = EXPR)]`.
    Expr(Expr),
    /// `#[serde(default)]` on the field.
    Type,
    /// `#[serde(default = "path")]` on the field.
    Call(Path),
    /// `#[serde(default)]` on the struct; the function that makes the struct, where one is named.
    Struct(Option<Path>),
}

impl Source {
    fn read(own: Option<Option<Path>>, container: &Container) -> Option<Self> {
        match (own, &container.default) {
            (Some(Some(path)), _) => Some(Self::Call(path)),
            (Some(None), None) => Some(Self::Type),
            (None, Some(path)) => Some(Self::Struct(path.clone())),
            (Some(None), Some(_)) => Some(Self::Type),
            (None, None) => None,
        }
    }

    /// The default as an expression of the field's type.
    pub(crate) fn expression(&self, whole: &Ident, field: &Ident, ty: &Type) -> TokenStream {
        match self {
            Self::Expr(expression) => quote!(#expression),
            Self::Type => quote!(<#ty as ::core::default::Default>::default()),
            Self::Call(path) => quote!(#path()),
            Self::Struct(Some(path)) => quote!(#path().#field),
            Self::Struct(None) => {
                quote!(<#whole as ::core::default::Default>::default().#field)
            }
        }
    }
}

/// What ports and parameters have in common.
pub(crate) struct Named<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) id: LitStr,
    pub(crate) docs: Docs,
    pub(crate) default: Option<Source>,
}

impl<'a> Named<'a> {
    fn read(field: &'a Field, container: &Container, what: What, errors: &Errors) -> Option<Self> {
        let ident = field.ident.as_ref()?;
        let docs = Docs::read(&field.attrs);
        if docs.is_empty() {
            errors.at(
                ident,
                format!("a {what} needs a doc comment: it is what people see of it"),
            );
        }
        let serde = FieldNames::read(field, ident, container, what == What::Port, errors);
        Some(Self {
            ident,
            ty: &field.ty,
            id: serde.id,
            docs,
            default: Source::read(serde.default, container),
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Port,
    Parameter,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Port => "port",
            Self::Parameter => "parameter",
        })
    }
}

/// A struct and its fields as the derives see them.
pub(crate) struct Struct<'a, F> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) krate: Path,
    pub(crate) fields: Vec<F>,
}

impl<'a, F> Struct<'a, F> {
    fn read(
        input: &'a DeriveInput,
        attribute: &str,
        what: What,
        errors: &Errors,
        mut field: impl FnMut(&'a Field, Named<'a>) -> F,
    ) -> Self {
        let krate = crate_path(&input.attrs, attribute, errors);
        let container = Container::read(&input.attrs, errors);
        if !input.generics.params.is_empty() {
            errors.at(&input.generics, format!("{what}s cannot be generic"));
        }
        let mut ids = HashSet::new();
        let mut fields = Vec::new();
        for found in named_fields(input, what, errors) {
            let Some(named) = Named::read(found, &container, what, errors) else {
                continue;
            };
            if !ids.insert(named.id.value()) {
                errors.at(
                    &named.id,
                    format!(
                        "{what} id {:?} is taken by a field before",
                        named.id.value()
                    ),
                );
            }
            fields.push(field(found, named));
        }
        Self {
            input,
            krate,
            fields,
        }
    }
}

impl<F> Struct<'_, F> {
    /// Whether it has parameters of its own, which is a mistake; nothing can stand in for it then.
    pub(crate) fn is_generic(&self) -> bool {
        !self.input.generics.params.is_empty()
    }
}

fn named_fields<'a>(
    input: &'a DeriveInput,
    what: What,
    errors: &Errors,
) -> impl Iterator<Item = &'a Field> {
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Some(&fields.named),
            Fields::Unit => None,
            Fields::Unnamed(fields) => {
                errors.at(
                    fields,
                    format!("{what}s have names: use a struct with named fields"),
                );
                None
            }
        },
        Data::Enum(_) | Data::Union(_) => {
            errors.at(&input.ident, format!("{what}s are the fields of a struct"));
            None
        }
    };
    fields.into_iter().flatten()
}

/// One port.
pub(crate) struct Port<'a> {
    pub(crate) named: Named<'a>,
    pub(crate) branching: bool,
    pub(crate) lift: bool,
    pub(crate) manual_first: bool,
}

/// Reads a struct for `#[derive(Ports)]`.
pub(crate) fn ports<'a>(input: &'a DeriveInput, errors: &Errors) -> Struct<'a, Port<'a>> {
    Struct::read(input, "ports", What::Port, errors, |field, named| {
        let mut port = Port {
            named,
            branching: false,
            lift: false,
            manual_first: false,
        };
        each_key(&field.attrs, "port", errors, |key| {
            let is = |name: &str| key.path.is_ident(name);
            if is("branching") {
                port.branching = true;
            } else if is("lift") {
                port.lift = true;
            } else if is("manual_first") {
                port.manual_first = true;
            } else if is("default") {
                let expression = key.value()?.parse()?;
                if matches!(port.named.default, Some(Source::Type | Source::Call(_))) {
                    return Err(key.error("serde's `default` is here too: keep one of them"));
                }
                port.named.default = Some(Source::Expr(expression));
            } else if is("label") {
                port.named.docs.label = some_text(key)?.value();
            } else if is("id") {
                return Err(key.error(
                    "a port's id is the field's name in JSON: use #[serde(rename = \"…\")]",
                ));
            } else {
                let known = "branching, lift, manual_first, default, label";
                return Err(unknown(key, "port", known));
            }
            Ok(())
        });
        port
    })
}

/// One parameter.
pub(crate) struct Param<'a> {
    pub(crate) named: Named<'a>,
    pub(crate) editor: Option<LitStr>,
}

impl Param<'_> {
    /// Whether its value must be a secret.
    pub(crate) fn is_secret(&self) -> bool {
        self.editor
            .as_ref()
            .is_some_and(|editor| editor.value() == "secret")
    }
}

/// Reads a struct for `#[derive(Params)]`.
pub(crate) fn params<'a>(input: &'a DeriveInput, errors: &Errors) -> Struct<'a, Param<'a>> {
    Struct::read(input, "params", What::Parameter, errors, |field, named| {
        let mut param = Param {
            named,
            editor: None,
        };
        each_key(&field.attrs, "param", errors, |key| {
            if key.path.is_ident("editor") {
                param.editor = Some(some_text(key)?);
            } else if key.path.is_ident("label") {
                param.named.docs.label = some_text(key)?.value();
            } else if key.path.is_ident("default") {
                return Err(key.error(
                    "a parameter's default is serde's: use #[serde(default)] or #[serde(default = \"path\")]",
                ));
            } else if key.path.is_ident("id") {
                return Err(key.error(
                    "a parameter's id is the field's name in JSON: use #[serde(rename = \"…\")]",
                ));
            } else {
                return Err(unknown(key, "param", "editor, label"));
            }
            Ok(())
        });
        param
    })
}

/// A type with a named contract.
pub(crate) struct Contract<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) krate: Path,
    pub(crate) id: String,
}

/// Reads a type for `#[derive(Contract)]`.
pub(crate) fn contract<'a>(input: &'a DeriveInput, errors: &Errors) -> Contract<'a> {
    let mut contract = Contract {
        input,
        krate: default_crate(),
        id: String::new(),
    };
    let mut said = false;
    each_key(&input.attrs, "contract", errors, |key| {
        if key.path.is_ident("id") {
            said = true;
            let id = some_text(key)?;
            contract.id = id.value();
            if !is_contract(&contract.id) {
                return Err(syn::Error::new(
                    id.span(),
                    "a contract's name has a '.' between its parts, and else letters, digits, '-' and '_' alone, as in \"shipsec.finding.v1\"",
                ));
            }
        } else if key.path.is_ident("crate") {
            contract.krate = path(key)?;
        } else {
            return Err(unknown(key, "contract", "id, crate"));
        }
        Ok(())
    });
    if !said {
        errors.at(
            &input.ident,
            "a contract needs a name: #[contract(id = \"shipsec.finding.v1\")]",
        );
    }
    if !input.generics.params.is_empty() {
        errors.at(&input.generics, "a contract cannot be generic");
    }
    contract
}

fn is_contract(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    id.contains('.')
        && id
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(plain))
}

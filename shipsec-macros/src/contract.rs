//! `#[derive(Contract)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, LitStr, Path, parse_quote};

use crate::{
    diagnose::Errors,
    fields::{literal, path_value},
};

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let errors = Errors::default();
    let mut krate: Path = parse_quote!(::shipsec_core);
    let mut id: Option<LitStr> = None;
    for attribute in input
        .attrs
        .iter()
        .filter(|found| found.path().is_ident("contract"))
    {
        errors.take(attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("id") {
                id = Some(literal(&meta)?);
            } else if meta.path.is_ident("crate") {
                krate = path_value(&meta)?;
            } else {
                return Err(meta.error("unknown key; `contract` knows: id, crate"));
            }
            Ok(())
        }));
    }
    if !input.generics.params.is_empty() {
        errors.at(&input.generics, "a contract cannot have generic parameters");
    }
    match &id {
        None => errors.at(
            &input.ident,
            "a contract needs a name: #[contract(id = \"shipsec.finding.v1\")]",
        ),
        Some(id) => {
            let text = id.value();
            let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
            if !text.contains('.') || !text.bytes().all(plain) {
                errors.at(id, "a contract's name has a '.', and else letters, digits, '-' and '_' alone, as in \"shipsec.finding.v1\"");
            }
        }
    }
    let (name, id) = (&input.ident, id.map_or_else(String::new, |id| id.value()));
    let errors = errors.into_tokens();
    quote! {
        #[automatically_derived]
        impl #krate::value::kinds::ContractId for #name {
            const ID: &'static str = #id;
        }

        #[automatically_derived]
        impl #krate::value::PortData for #name {
            type Kind = #krate::value::kinds::Contract<Self>;
            type Held = Self;

            fn into_value(self) -> ::core::option::Option<#krate::value::Value> {
                ::core::option::Option::Some(#krate::value::Value::new(self))
            }

            fn from_value(
                value: &#krate::value::Value,
            ) -> ::core::result::Result<Self, #krate::value::ValueError> {
                value.read()
            }
        }
        #errors
    }
}

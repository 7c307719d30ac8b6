//! `#[derive(Params)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Field};

use crate::{
    diagnose::Errors,
    fields::{
        SerdeDefault, SerdeStruct, crate_path, docs, label, literal, named, serde_default, wrapped,
    },
};

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let errors = Errors::default();
    let krate = crate_path(&input.attrs, "params", &errors);
    let serde = SerdeStruct::read(input);
    let fields = named(input, "parameters", &errors);
    let specs: Vec<TokenStream> = fields
        .into_iter()
        .map(|field| spec(field, &serde, &krate, &errors))
        .collect();
    let body = if errors.is_empty() {
        quote!(::std::vec::Vec::from([#(#specs),*]))
    } else {
        quote!(::core::unreachable!("this type does not compile"))
    };
    let name = &input.ident;
    let errors = errors.into_tokens();
    quote! {
        #[automatically_derived]
        #[allow(clippy::all)]
        impl #krate::component::Params for #name {
            fn specs() -> ::std::vec::Vec<#krate::component::ParamSpec> {
                #body
            }
        }
        #errors
    }
}

fn spec(field: &Field, serde: &SerdeStruct, krate: &syn::Path, errors: &Errors) -> TokenStream {
    let ty = &field.ty;
    let description = docs(&field.attrs);
    if description.is_empty() {
        errors.at(
            &field.ident,
            "a parameter needs a doc comment: it is what people see of it",
        );
    }
    let mut label = label(&description);
    let mut editor = quote!(::core::option::Option::None);
    for attribute in field
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("param"))
    {
        errors.take(attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("editor") {
                let text = literal(&meta)?;
                let inner = wrapped(ty, "Option").flatten().unwrap_or(ty);
                if text.value() == "secret" && wrapped(inner, "Secret").is_none() {
                    errors.at(ty, "a secret editor needs a `Secret<_>`: any other type would be recorded in clear");
                }
                editor = quote!(::core::option::Option::Some(::std::string::String::from(#text)));
            } else if meta.path.is_ident("label") {
                label = literal(&meta)?.value();
            } else {
                return Err(meta.error("unknown key; `param` knows: editor, label"));
            }
            Ok(())
        }));
    }
    let id = serde.name(field);
    let private = quote!(#krate::__private);
    let default = match serde_default(field) {
        SerdeDefault::None if wrapped(ty, "Option").is_some() => quote!(param.required = false;),
        SerdeDefault::None => quote!(param.required = true;),
        SerdeDefault::Default => quote! {
            param.default = #private::to_json(&<#ty as ::core::default::Default>::default());
        },
        SerdeDefault::Path(path) => quote! {
            param.default = #private::to_json::<#ty>(&#path());
        },
    };
    quote! {{
        let mut param = #krate::component::ParamSpec::new(#id, #private::schema_of::<#ty>());
        param.label = ::std::string::String::from(#label);
        param.description = ::std::string::String::from(#description);
        param.editor = #editor;
        #default
        param
    }}
}

//! `#[derive(Ports)]`.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{DeriveInput, Expr, Field, Ident, LitStr, Path, spanned::Spanned};

use crate::{
    diagnose::Errors,
    fields::{SerdeStruct, crate_path, docs, label, literal, named, wrapped},
};

struct Port<'a> {
    field: &'a Field,
    ident: &'a Ident,
    id: LitStr,
    label: String,
    description: String,
    branching: bool,
    lift: bool,
    manual_first: bool,
    default: Option<Expr>,
}

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let errors = Errors::default();
    let krate = crate_path(&input.attrs, "ports", &errors);
    let serde = SerdeStruct::read(input);
    let fields = named(input, "ports", &errors);
    let ports: Vec<Port<'_>> = fields
        .into_iter()
        .filter_map(|field| read(field, &serde, &errors))
        .collect();
    let mut seen: BTreeMap<String, ()> = BTreeMap::new();
    for port in &ports {
        if seen.insert(port.id.value(), ()).is_some() {
            errors.at(
                &port.id,
                format!("port id {:?} is taken by a port before", port.id.value()),
            );
        }
    }
    let body = expand(input, &krate, &ports, errors.is_empty());
    let errors = errors.into_tokens();
    quote!(#body #errors)
}

fn read<'a>(field: &'a Field, serde: &SerdeStruct, errors: &Errors) -> Option<Port<'a>> {
    let ident = field.ident.as_ref()?;
    let description = docs(&field.attrs);
    if description.is_empty() {
        errors.at(
            ident,
            "a port needs a doc comment: it is what people see of it",
        );
    }
    let mut port = Port {
        field,
        ident,
        id: LitStr::new(&serde.name(field), ident.span()),
        label: label(&description),
        description,
        branching: false,
        lift: false,
        manual_first: false,
        default: None,
    };
    for attribute in field
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("port"))
    {
        errors.take(attribute.parse_nested_meta(|meta| {
            let is = |key: &str| meta.path.is_ident(key);
            if is("branching") {
                port.branching = true;
                if wrapped(&field.ty, "Option").is_none() {
                    errors.at(
                        &field.ty,
                        "a branching port is an `Option<_>`: it is active when it has a value",
                    );
                }
            } else if is("lift") {
                port.lift = true;
                let inner = wrapped(&field.ty, "Option").flatten().unwrap_or(&field.ty);
                let inner = wrapped(inner, "Shared").flatten().unwrap_or(inner);
                if wrapped(inner, "Vec").is_none() {
                    errors.at(&field.ty, "only a list lifts: a `Vec<_>`");
                }
            } else if is("manual_first") {
                port.manual_first = true;
            } else if is("default") {
                port.default = Some(meta.value()?.parse()?);
            } else if is("label") {
                port.label = literal(&meta)?.value();
            } else {
                return Err(meta.error(
                    "unknown key; `port` knows: branching, lift, manual_first, default, label",
                ));
            }
            Ok(())
        }));
    }
    Some(port)
}

fn expand(input: &DeriveInput, krate: &Path, ports: &[Port<'_>], sound: bool) -> TokenStream {
    let (name, visibility) = (&input.ident, &input.vis);
    let handles = format_ident!("{name}Handles");
    let private = quote!(#krate::__private);
    let data = quote!(#krate::value::PortData);
    let handle_fields = ports.iter().map(|port| {
        let (ident, ty) = (port.ident, &port.field.ty);
        let text = format!("The handle of port `{}`.", port.id.value());
        quote!(#[doc = #text] pub #ident: R::Handle<#ty>)
    });
    let role = if ports.is_empty() {
        quote!(#[doc(hidden)] pub __role: ::core::marker::PhantomData<R>)
    } else {
        quote!()
    };
    let role_value = if ports.is_empty() {
        quote!(__role: ::core::marker::PhantomData)
    } else {
        quote!()
    };
    let make_handles = ports.iter().map(|port| {
        let (ident, id) = (port.ident, &port.id);
        quote!(#ident: R::handle(role, #id))
    });
    let defaults = ports.iter().filter_map(|port| {
        let (default, ty) = (port.default.as_ref()?, &port.field.ty);
        let maker = maker(port);
        Some(quote_spanned!(default.span()=> fn #maker() -> #ty { #default }))
    });
    let specs = ports.iter().map(|port| {
        let Port {
            id,
            label,
            description,
            branching,
            lift,
            ..
        } = port;
        let ty = &port.field.ty;
        let priority = if port.manual_first {
            quote!(ManualFirst)
        } else {
            quote!(ConnectionFirst)
        };
        let default = port.default.as_ref().map(|_| {
            let maker = maker(port);
            quote! {
                port.required = false;
                port.default = #private::to_json(&#maker());
            }
        });
        quote! {{
            let mut port = #krate::component::PortSpec::of::<#ty>(#id);
            port.label = ::std::string::String::from(#label);
            port.description = ::std::string::String::from(#description);
            port.branching = #branching;
            port.lift = #lift;
            port.priority = #krate::component::PortPriority::#priority;
            port.schema = #private::schema_of::<#ty>();
            #default
            port
        }}
    });
    let count = ports.len();
    let read = ports.iter().enumerate().map(|(index, port)| {
        let (ident, ty, id) = (port.ident, &port.field.ty, &port.id);
        let absent = match &port.default {
            Some(_) => {
                let maker = maker(port);
                quote!(#maker())
            }
            None => quote! {
                match <#ty as #data>::absent() {
                    ::core::option::Option::Some(absent) => absent,
                    ::core::option::Option::None => {
                        return ::core::result::Result::Err(
                            #krate::component::PortError::missing(#id),
                        );
                    }
                }
            },
        };
        quote! {
            #ident: match values.take(#index) {
                ::core::option::Option::Some(value) => {
                    match <#ty as #data>::from_value(&value) {
                        ::core::result::Result::Ok(value) => value,
                        ::core::result::Result::Err(error) => {
                            return ::core::result::Result::Err(
                                #krate::component::PortError::new(#id, error),
                            );
                        }
                    }
                }
                ::core::option::Option::None => #absent,
            }
        }
    });
    let write = ports.iter().map(|port| {
        let (ident, ty) = (port.ident, &port.field.ty);
        quote!(values.push(<#ty as #data>::into_value(self.#ident));)
    });
    let (defaults, specs, read, write) = if sound {
        (
            quote!(#(#defaults)*),
            quote!(::std::vec::Vec::from([#(#specs),*])),
            quote!(let mut values = values; let _ = &mut values; ::core::result::Result::Ok(Self { #(#read),* })),
            quote!(
                let mut values = #krate::component::PortValues::with_capacity(#count);
                #(#write)*
                values
            ),
        )
    } else {
        // The errors are told; what follows from them is not.
        let stop = quote!(::core::unreachable!("this type does not compile"));
        (quote!(), stop.clone(), stop.clone(), stop)
    };
    quote! {
        #[doc(hidden)]
        #[derive(::core::clone::Clone)]
        #[allow(missing_debug_implementations, missing_docs, unreachable_pub, dead_code)]
        #visibility struct #handles<R: #krate::component::HandleRole> {
            #(#handle_fields,)*
            #role
        }

        #[automatically_derived]
        #[allow(clippy::all, unused_variables, unused_mut)]
        const _: () = {
            #defaults

            impl #krate::component::Ports for #name {
                type Handles<R: #krate::component::HandleRole> = #handles<R>;

                fn specs() -> ::std::vec::Vec<#krate::component::PortSpec> {
                    #specs
                }

                fn from_values(
                    values: #krate::component::PortValues,
                ) -> ::core::result::Result<Self, #krate::component::PortError> {
                    #read
                }

                fn into_values(self) -> #krate::component::PortValues {
                    #write
                }

                fn handles<R: #krate::component::HandleRole>(role: &R) -> #handles<R> {
                    #handles { #(#make_handles,)* #role_value }
                }
            }
        };
    }
}

fn maker(port: &Port<'_>) -> Ident {
    format_ident!("__default_{}", port.ident)
}

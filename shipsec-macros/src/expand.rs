//! Writing the derives' models out as code.
//!
//! What is written names everything by a path from the root, so that whatever the author has in
//! scope under the name of `Option` or `std` changes nothing.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{DeriveInput, spanned::Spanned};

use crate::{
    diagnose::{Errors, stop},
    model::{self, Named, Param, Port, Struct},
};

/// `#[derive(Ports)]`.
pub(crate) fn ports(input: &DeriveInput) -> TokenStream {
    let errors = Errors::default();
    let model = model::ports(input, &errors);
    if model.is_generic() {
        return errors.into_tokens();
    }
    let handles = handles(&model);
    let PortsBody {
        checks,
        mut specs,
        mut from_values,
        mut into_values,
    } = ports_body(&model);
    if !errors.is_empty() {
        // The checks stay: what they find is told with the rest.
        (specs, from_values, into_values) = (stop(), stop(), stop());
    }
    let krate = &model.krate;
    let name = &input.ident;
    let handles_name = handles_name(name);
    let fields = model.fields.iter().map(|port| {
        let (ident, id) = (port.named.ident, &port.named.id);
        quote!(#ident: #krate::component::HandleRole::handle(role, #id),)
    });
    let errors = errors.into_tokens();
    quote! {
        #handles

        #[allow(clippy::all, clippy::pedantic, clippy::nursery, unused_variables, unused_mut)]
        const _: () = {
            #checks

            #[automatically_derived]
            impl #krate::component::Ports for #name {
                type Handles<R: #krate::component::HandleRole> = #handles_name<R>;

                fn specs() -> ::std::vec::Vec<#krate::component::PortSpec> {
                    #specs
                }

                fn from_values(
                    mut values: #krate::component::PortValues,
                ) -> ::core::result::Result<Self, #krate::component::PortError> {
                    #from_values
                }

                fn into_values(self) -> #krate::component::PortValues {
                    #into_values
                }

                fn handles<R: #krate::component::HandleRole>(role: &R) -> #handles_name<R> {
                    #handles_name {
                        #(#fields)*
                        __role: ::core::marker::PhantomData,
                    }
                }
            }
        };
        #errors
    }
}

fn handles_name(name: &Ident) -> Ident {
    format_ident!("{name}Handles")
}

/// The struct with the handle of each port.
fn handles(model: &Struct<'_, Port<'_>>) -> TokenStream {
    let krate = &model.krate;
    let (name, visibility) = (&model.input.ident, &model.input.vis);
    let handles = handles_name(name);
    let doc = format!("The handles of the ports of [`{name}`], for building workflows.");
    let fields = model.fields.iter().map(|port| {
        let Named {
            ident, ty, docs, ..
        } = &port.named;
        let doc = &docs.description;
        quote!(#[doc = #doc] pub #ident: R::Handle<#ty>,)
    });
    quote! {
        #[doc = #doc]
        #[derive(::core::clone::Clone)]
        #[allow(missing_debug_implementations, private_interfaces, unreachable_pub, dead_code)]
        #visibility struct #handles<R: #krate::component::HandleRole> {
            #(#fields)*
            #[doc(hidden)]
            pub __role: ::core::marker::PhantomData<R>,
        }
    }
}

struct PortsBody {
    checks: TokenStream,
    specs: TokenStream,
    from_values: TokenStream,
    into_values: TokenStream,
}

fn ports_body(model: &Struct<'_, Port<'_>>) -> PortsBody {
    let krate = &model.krate;
    let private = quote!(#krate::__private);
    let data = quote!(#krate::value::PortData);
    let mut checks = TokenStream::new();
    let mut specs = TokenStream::new();
    let mut read = TokenStream::new();
    let mut write = TokenStream::new();
    for (index, port) in model.fields.iter().enumerate() {
        let Named { ident, ty, id, .. } = &port.named;
        let default = default_function(&port.named, &model.input.ident);
        if let Some((_, function)) = &default {
            checks.extend(quote!(#function));
        }
        if port.branching {
            checks.extend(require(&private, "branching_port", ty));
        }
        if port.lift {
            checks.extend(require(&private, "lifting_port", ty));
        }
        specs.extend(port_spec(
            port,
            krate,
            default.as_ref().map(|(name, _)| name),
        ));
        let absent = match &default {
            Some((function, _)) => quote!(#function()),
            None => quote! {
                match <#ty as #data>::absent() {
                    ::core::option::Option::Some(value) => value,
                    ::core::option::Option::None => {
                        return ::core::result::Result::Err(
                            #krate::component::PortError::missing(#id),
                        );
                    }
                }
            },
        };
        read.extend(quote! {
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
            },
        });
        write.extend(quote!(values.push(<#ty as #data>::into_value(self.#ident));));
    }
    let count = model.fields.len();
    PortsBody {
        checks,
        specs: quote! {
            let fields = #private::FieldSchemas::ports::<Self>();
            ::std::vec::Vec::from([#specs])
        },
        from_values: quote!(::core::result::Result::Ok(Self { #read })),
        into_values: quote! {
            let mut values = #krate::component::PortValues::with_capacity(#count);
            #write
            values
        },
    }
}

fn port_spec(port: &Port<'_>, krate: &syn::Path, default: Option<&Ident>) -> TokenStream {
    let Named { ty, id, docs, .. } = &port.named;
    let (label, description) = (&docs.label, &docs.description);
    let branching = port.branching.then(|| quote!(port.branching = true;));
    let lift = port.lift.then(|| quote!(port.lift = true;));
    let priority = port
        .manual_first
        .then(|| quote!(port.priority = #krate::component::PortPriority::ManualFirst;));
    let default = default.map(|function| {
        quote! {
            port.required = false;
            port.default = #krate::__private::to_json(&#function());
        }
    });
    quote! {{
        let mut port = fields.port(
            #id,
            #label,
            #description,
            <#ty as #krate::value::PortData>::port_type(),
            <#ty as #krate::value::PortData>::required(),
            ::core::any::TypeId::of::<<#ty as #krate::value::PortData>::Held>(),
            <#ty as #krate::value::PortData>::gather,
        );
        #branching #lift #priority #default
        port
    },}
}

/// A function that makes a field's default. A default of another type is an error at its place.
fn default_function(named: &Named<'_>, whole: &Ident) -> Option<(Ident, TokenStream)> {
    let Named { ident, ty, .. } = named;
    let expression = named.default.as_ref()?.expression(whole, ident, ty);
    let name = format_ident!("__default_{}", ident, span = Span::call_site());
    let function = quote_spanned!(expression.span()=> fn #name() -> #ty { #expression });
    Some((name, function))
}

/// A check of the field's type, which only the compiler can do: the type may be an alias.
fn require(private: &TokenStream, what: &str, ty: &syn::Type) -> TokenStream {
    let what = Ident::new(what, Span::call_site());
    quote!(const _: () = #private::#what::<#ty>();)
}

/// `#[derive(Params)]`.
pub(crate) fn params(input: &DeriveInput) -> TokenStream {
    let errors = Errors::default();
    let model = model::params(input, &errors);
    let krate = &model.krate;
    let private = quote!(#krate::__private);
    if model.is_generic() {
        return errors.into_tokens();
    }
    let secrets = model.fields.iter().filter(|param| param.is_secret());
    let checks = secrets.map(|param| require(&private, "secret_editor", param.named.ty));
    let body = if errors.is_empty() {
        let specs = model.fields.iter().map(|param| param_spec(param, &model));
        quote! {
            let fields = #private::FieldSchemas::params::<Self>();
            ::std::vec::Vec::from([#(#specs)*])
        }
    } else {
        stop()
    };
    let name = &input.ident;
    let errors = errors.into_tokens();
    quote! {
        #[allow(clippy::all, clippy::pedantic, clippy::nursery, unused_variables)]
        const _: () = {
            #(#checks)*

            #[automatically_derived]
            impl #krate::component::Params for #name {
                fn specs() -> ::std::vec::Vec<#krate::component::ParamSpec> {
                    #body
                }
            }
        };
        #errors
    }
}

fn param_spec(param: &Param<'_>, model: &Struct<'_, Param<'_>>) -> TokenStream {
    let krate = &model.krate;
    let Named {
        ident,
        ty,
        id,
        docs,
        default,
    } = &param.named;
    let (label, description) = (&docs.label, &docs.description);
    let editor = param.editor.as_ref().map(|editor| {
        quote!(param.editor = ::core::option::Option::Some(::std::string::String::from(#editor));)
    });
    let default = default.as_ref().map(|source| {
        let default = source.expression(&model.input.ident, ident, ty);
        quote! {
            if ::core::option::Option::is_none(&param.default) {
                param.default = #krate::__private::to_json::<#ty>(&#default);
            }
        }
    });
    quote! {{
        let mut param = fields.param(#id, #label, #description);
        #editor #default
        param
    },}
}

/// `#[derive(Contract)]`.
pub(crate) fn contract(input: &DeriveInput) -> TokenStream {
    let errors = Errors::default();
    let model::Contract { input, krate, id } = model::contract(input, &errors);
    if !input.generics.params.is_empty() {
        return errors.into_tokens();
    }
    let name = &input.ident;
    let value = quote!(#krate::value);
    let errors = errors.into_tokens();
    quote! {
        #[automatically_derived]
        impl #value::kinds::ContractId for #name {
            const ID: &'static ::core::primitive::str = #id;
        }

        #[automatically_derived]
        impl #value::PortData for #name {
            type Kind = #value::kinds::Contract<Self>;
            type Held = Self;

            fn into_value(self) -> ::core::option::Option<#value::Value> {
                ::core::option::Option::Some(#value::Value::new(self))
            }

            fn from_value(
                value: &#value::Value,
            ) -> ::core::result::Result<Self, #value::ValueError> {
                #value::Value::read(value)
            }
        }
        #errors
    }
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;
    use syn::parse_quote;

    use super::*;

    /// Every identifier in the tokens that follows neither `::` nor `.`, and so is looked up in
    /// the author's scope.
    fn looked_up(tokens: TokenStream, found: &mut Vec<String>) {
        let mut before = ' ';
        for token in tokens {
            match &token {
                proc_macro2::TokenTree::Group(group) => {
                    looked_up(group.stream(), found);
                    before = ' ';
                }
                proc_macro2::TokenTree::Punct(punct) => before = punct.as_char(),
                proc_macro2::TokenTree::Ident(ident) => {
                    if !matches!(before, ':' | '.') {
                        found.push(ident.to_string());
                    }
                    before = ' ';
                }
                proc_macro2::TokenTree::Literal(_) => before = ' ',
            }
        }
    }

    #[test]
    fn nothing_is_looked_up_in_the_authors_scope_and_the_core_crate_only_by_the_path_given() {
        let ports_of: DeriveInput = parse_quote! {
            #[ports(crate = vendored::sdk)]
            struct In {
                /// One.
                #[port(lift, default = make())]
                one: a::Many,
                /// Two.
                #[port(branching)]
                two: a::Maybe,
            }
        };
        let params_of: DeriveInput = parse_quote! {
            #[params(crate = vendored::sdk)]
            struct Settings {
                /// One.
                #[serde(default)]
                #[param(editor = "secret")]
                one: a::Hidden,
            }
        };
        let contract_of: DeriveInput = parse_quote! {
            #[contract(crate = vendored::sdk, id = "a.b")]
            struct Thing;
        };
        let function = quote! {
            /// Does it.
            async fn work(input: a::In, params: a::Settings, cx: &a::Context) -> a::Result<a::Out, a::E> {}
        };
        let component = crate::function::component(
            quote!(
                crate = vendored::sdk,
                id = "a.b",
                version = "1.0.0",
                category = "c",
                timeout = "1s",
                retry(max_attempts = 2)
            ),
            function.clone(),
        );
        let written = component.to_string().replace(&function.to_string(), "");
        for (written, by_name) in [
            (
                ports(&ports_of),
                "Option Result Vec String Some None Ok Err",
            ),
            (
                params(&params_of),
                "Option Result Vec String Some None Ok Err",
            ),
            (
                contract(&contract_of),
                "Option Result Vec String Some None Ok Err str",
            ),
            (
                written.parse::<TokenStream>().unwrap(),
                "Option Result Vec String Some None Ok Err Duration",
            ),
        ] {
            let text = written.to_token_stream().to_string();
            assert!(!text.contains("compile_error"), "{text}");
            assert!(!text.contains("shipsec_core"), "{text}");
            assert!(text.contains("vendored :: sdk :: "), "{text}");
            let mut found = Vec::new();
            looked_up(written, &mut found);
            for name in by_name.split(' ').chain(["std", "core"]) {
                assert!(!found.iter().any(|found| found == name), "{name} in {text}");
            }
        }
    }
}

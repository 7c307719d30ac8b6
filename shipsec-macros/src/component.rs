//! `#[component(…)]`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{
    FnArg, Ident, ItemFn, LitFloat, LitInt, LitStr, Path, ReturnType, Type, meta::ParseNestedMeta,
    parse::Parser, parse_quote, spanned::Spanned,
};

use crate::{
    diagnose::Errors,
    fields::{camel, docs, label, literal, path_value},
};

const KEYS: &str = "id, version, category, label, execution, timeout_seconds, \
                    heartbeat_timeout_seconds, max_attempts, crate";

struct Options {
    krate: Path,
    id: Option<LitStr>,
    version: Option<LitStr>,
    category: Option<LitStr>,
    label: Option<LitStr>,
    settings: Vec<TokenStream>,
}

pub(crate) fn expand(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let errors = Errors::default();
    let function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(_) => {
            errors.push(syn::Error::new(
                item.span(),
                "a component is an async function; for a type with state implement `Component`",
            ));
            let errors = errors.into_tokens();
            return quote!(#item #errors);
        }
    };
    let options = options(attributes, &errors);
    let description = docs(&function.attrs);
    if description.is_empty() {
        errors.at(
            &function.sig.ident,
            "a component needs a doc comment: it is what people see of it",
        );
    }
    let types = signature(&function, &errors);
    let body = types.map(|types| implement(&function, &options, &description, &types));
    let body = body.filter(|_| errors.is_empty());
    let errors = errors.into_tokens();
    quote!(#function #body #errors)
}

fn options(attributes: TokenStream, errors: &Errors) -> Options {
    let mut options = Options {
        krate: parse_quote!(::shipsec_core),
        id: None,
        version: None,
        category: None,
        label: None,
        settings: Vec::new(),
    };
    let parser = syn::meta::parser(|meta| option(&mut options, &meta, errors));
    errors.take(parser.parse2(attributes));
    match &options.id {
        None => errors.push(missing("id = \"team.thing.name\"")),
        Some(id) if !is_dotted(&id.value()) => {
            errors.at(id, "a component's id is dotted, in lower-case letters, digits and '-', as in \"core.text.splitter\"");
        }
        Some(_) => {}
    }
    match &options.version {
        None => errors.push(missing("version = \"1.0.0\"")),
        Some(version) if !is_semantic(&version.value()) => {
            errors.at(version, "expected a semantic version, as in \"1.0.0\"");
        }
        Some(_) => {}
    }
    if options.category.is_none() {
        errors.push(missing("category = \"text\""));
    }
    options
}

fn missing(what: &str) -> syn::Error {
    syn::Error::new(Span::call_site(), format!("`component` needs {what}"))
}

fn option(options: &mut Options, meta: &ParseNestedMeta<'_>, errors: &Errors) -> syn::Result<()> {
    let is = |key: &str| meta.path.is_ident(key);
    let krate = options.krate.clone();
    if is("id") {
        options.id = Some(literal(meta)?);
    } else if is("version") {
        options.version = Some(literal(meta)?);
    } else if is("category") {
        options.category = Some(literal(meta)?);
    } else if is("label") {
        options.label = Some(literal(meta)?);
    } else if is("crate") {
        options.krate = path_value(meta)?;
    } else if is("execution") {
        let value = meta.value()?;
        let (text, span) = if value.peek(LitStr) {
            let text: LitStr = value.parse()?;
            (text.value(), text.span())
        } else if value.peek(syn::Token![async]) {
            let token: syn::Token![async] = value.parse()?;
            ("async".to_owned(), token.span())
        } else {
            let ident: Ident = value.parse()?;
            (ident.to_string(), ident.span())
        };
        let variant = match text.as_str() {
            "blocking" => quote!(Blocking),
            "async" => quote!(Async),
            _ => {
                errors.push(syn::Error::new(span, "expected blocking or async"));
                return Ok(());
            }
        };
        options
            .settings
            .push(quote!(.with_execution(#krate::component::Execution::#variant)));
    } else if is("timeout_seconds") {
        let seconds = seconds(meta)?;
        options
            .settings
            .push(quote!(.with_timeout(::core::time::Duration::from_millis(#seconds))));
    } else if is("heartbeat_timeout_seconds") {
        let seconds = seconds(meta)?;
        let limit = quote!(::core::time::Duration::from_millis(#seconds));
        options
            .settings
            .push(quote!(.with_heartbeat_timeout(#limit)));
    } else if is("max_attempts") {
        let attempts: LitInt = meta.value()?.parse()?;
        if attempts.base10_parse::<u32>()? == 0 {
            errors.at(&attempts, "at least 1: the first attempt counts");
        }
        let retry = quote!(#krate::execute::RetrySettings::UNSET.with_max_attempts(#attempts));
        options.settings.push(quote!(.with_retry(#retry)));
    } else {
        return Err(meta.error(format!("unknown key; `component` knows: {KEYS}")));
    }
    Ok(())
}

/// Milliseconds of `key = 30` or `key = 0.5`.
fn seconds(meta: &ParseNestedMeta<'_>) -> syn::Result<u64> {
    let value = meta.value()?;
    if value.peek(LitInt) {
        let literal: LitInt = value.parse()?;
        return match literal.base10_parse::<u64>()?.checked_mul(1000) {
            Some(millis) if millis > 0 => Ok(millis),
            _ => Err(syn::Error::new(
                literal.span(),
                "expected seconds, more than 0",
            )),
        };
    }
    let literal: LitFloat = value.parse()?;
    let millis = literal.base10_parse::<f64>()? * 1000.0;
    if (1.0..1e15).contains(&millis) {
        Ok(millis as u64)
    } else {
        Err(syn::Error::new(
            literal.span(),
            "expected seconds, more than 0",
        ))
    }
}

fn is_dotted(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    id.contains('.')
        && id
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(plain))
}

fn is_semantic(version: &str) -> bool {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<_> = core.split('.').collect();
    numbers.len() == 3 && numbers.iter().all(|part| part.parse::<u64>().is_ok())
}

struct Types {
    input: Type,
    params: Type,
    by_reference: bool,
    output: Type,
}

fn signature(function: &ItemFn, errors: &Errors) -> Option<Types> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        errors.at(signature.fn_token, "a component is an `async fn`; for work that computes or blocks add `execution = blocking`");
    }
    if !signature.generics.params.is_empty() {
        errors.at(&signature.generics, "a component cannot be generic");
    }
    let mut types = Vec::new();
    for argument in &signature.inputs {
        match argument {
            FnArg::Typed(argument) => types.push((*argument.ty).clone()),
            FnArg::Receiver(receiver) => {
                errors.at(receiver, "a component function has no `self`; for a type with state implement `Component`");
                return None;
            }
        }
    }
    let Ok([input, params, context]) = <[Type; 3]>::try_from(types) else {
        errors.at(&signature.ident, "a component function takes (input, params, &Context); use NoPorts and NoParams where there are none");
        return None;
    };
    if !matches!(context, Type::Reference(_)) {
        errors.at(&context, "the third argument is `&Context`");
    }
    let ReturnType::Type(_, output) = &signature.output else {
        errors.at(
            &signature.ident,
            "a component returns `Result<Output, ComponentError>`",
        );
        return None;
    };
    let output = crate::fields::wrapped(output, "Result").flatten().cloned();
    let Some(output) = output else {
        errors.at(
            &signature.output,
            "a component returns `Result<Output, ComponentError>`",
        );
        return None;
    };
    let (params, by_reference) = match params {
        Type::Reference(reference) => (*reference.elem, true),
        other => (other, false),
    };
    Some(Types {
        input,
        params,
        by_reference,
        output,
    })
}

fn implement(
    function: &ItemFn,
    options: &Options,
    description: &str,
    types: &Types,
) -> TokenStream {
    let Options {
        krate,
        id,
        version,
        category,
        settings,
        ..
    } = options;
    let name = &function.sig.ident;
    let visibility = &function.vis;
    let text = name.to_string();
    let component = format_ident!(
        "{}",
        camel(text.trim_start_matches("r#"), true),
        span = name.span()
    );
    let label = options
        .label
        .as_ref()
        .map_or_else(|| label(description), LitStr::value);
    let Types {
        input,
        params,
        output,
        ..
    } = types;
    let given = if types.by_reference {
        quote!(params)
    } else {
        quote!(::core::clone::Clone::clone(params))
    };
    quote! {
        #[doc = #description]
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy, ::core::default::Default)]
        #visibility struct #component;

        #[automatically_derived]
        impl #krate::component::Component for #component {
            type Input = #input;
            type Params = #params;
            type Output = #output;

            fn info(&self) -> #krate::component::ComponentInfo {
                #krate::component::ComponentInfo::new(#id, #version)
                    .described(#label, #description, #category)
                    #(#settings)*
            }

            async fn run(
                &self,
                input: Self::Input,
                params: &Self::Params,
                cx: &#krate::context::Context,
            ) -> ::core::result::Result<Self::Output, #krate::ComponentError> {
                #name(input, #given, cx).await
            }
        }
    }
}

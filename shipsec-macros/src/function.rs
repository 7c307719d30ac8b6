//! `#[component(…)]`: an async function becomes a component.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Attribute, FnArg, Ident, LitStr, Path, ReturnType, Signature, Type, Visibility, ext::IdentExt,
    parse::ParseStream, parse_quote, spanned::Spanned,
};

use crate::{
    diagnose::{Errors, stop},
    parse::{
        Docs, Key, argument_of, default_crate, each_key_in, each_key_of, millis, number, path,
        some_text, unknown, word,
    },
    serde::camel,
};

/// Writes the function, and beside it the component that calls it.
pub(crate) fn component(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let errors = Errors::default();
    let options = Options::read(attributes, &errors);
    let component = match Function::read(item.clone()) {
        Some(function) => {
            let docs = Docs::read(&function.attributes);
            if docs.is_empty() {
                errors.at(
                    &function.signature.ident,
                    "a component needs a doc comment: it is what people see of it",
                );
            }
            let types = Types::read(&function.signature, &errors);
            Some(implement(
                &function,
                &options,
                &docs,
                &types,
                errors.is_empty(),
            ))
        }
        None => {
            errors.push(syn::Error::new(
                Span::call_site(),
                "a component is an async function; for a type with state implement `Component`",
            ));
            None
        }
    };
    let errors = errors.into_tokens();
    quote!(#item #component #errors)
}

/// What stands in the attribute's parentheses.
struct Options {
    krate: Path,
    id: Option<LitStr>,
    version: Option<LitStr>,
    category: Option<LitStr>,
    label: Option<LitStr>,
    blocking: bool,
    volatile: bool,
    timeout: Option<u64>,
    heartbeat_timeout: Option<u64>,
    /// Fields of the retry settings, with their values.
    retry: Vec<(Ident, TokenStream)>,
}

impl Options {
    fn read(attributes: TokenStream, errors: &Errors) -> Self {
        let mut options = Self {
            krate: default_crate(),
            id: None,
            version: None,
            category: None,
            label: None,
            blocking: false,
            volatile: false,
            timeout: None,
            heartbeat_timeout: None,
            retry: Vec::new(),
        };
        let mut said: Vec<String> = Vec::new();
        each_key_of(attributes, errors, |key| {
            said.extend(key.path.get_ident().map(ToString::to_string));
            options.read_key(key, errors)
        });
        for (name, example) in [
            ("id", "id = \"core.text.splitter\""),
            ("version", "version = \"1.0.0\""),
            ("category", "category = \"text\""),
        ] {
            if !said.iter().any(|said| said == name) {
                errors.push(syn::Error::new(
                    Span::call_site(),
                    format!("a component needs {example}"),
                ));
            }
        }
        options
    }

    fn read_key(&mut self, key: &Key<'_>, errors: &Errors) -> syn::Result<()> {
        let is = |name: &str| key.path.is_ident(name);
        if is("id") {
            let id = some_text(key)?;
            if !is_dotted(&id.value()) {
                return Err(syn::Error::new(
                    id.span(),
                    "a component's id has a '.' between its parts, and else lower-case letters, digits and '-' alone, as in \"core.text.splitter\"",
                ));
            }
            self.id = Some(id);
        } else if is("version") {
            let version = some_text(key)?;
            if let Err(error) = semver::Version::parse(&version.value()) {
                return Err(syn::Error::new(
                    version.span(),
                    format!("expected a semantic version such as \"1.0.0\": {error}"),
                ));
            }
            self.version = Some(version);
        } else if is("category") {
            self.category = Some(some_text(key)?);
        } else if is("label") {
            self.label = Some(some_text(key)?);
        } else if is("execution") {
            let (text, span) = word(key)?;
            self.blocking = match text.as_str() {
                "blocking" => true,
                "async" => false,
                _ => return Err(syn::Error::new(span, "expected blocking or async")),
            };
        } else if is("volatile") {
            self.volatile = true;
        } else if is("timeout") {
            self.timeout = Some(millis(key)?);
        } else if is("heartbeat_timeout") {
            self.heartbeat_timeout = Some(millis(key)?);
        } else if is("retry") {
            return each_key_in(key, errors, |key| self.read_retry(key));
        } else if is("crate") {
            self.krate = path(key)?;
        } else {
            return Err(unknown(
                key,
                "component",
                "id, version, category, label, execution, volatile, timeout, heartbeat_timeout, retry, crate",
            ));
        }
        Ok(())
    }

    fn read_retry(&mut self, key: &Key<'_>) -> syn::Result<()> {
        let least = match key.path.get_ident().map(ToString::to_string).as_deref() {
            Some("max_attempts" | "backoff_coefficient") => 1.0,
            Some("initial_interval_seconds" | "maximum_interval_seconds") => 0.0,
            _ => {
                return Err(unknown(
                    key,
                    "retry",
                    "max_attempts, initial_interval_seconds, backoff_coefficient, maximum_interval_seconds",
                ));
            }
        };
        let field = key.path.require_ident()?.clone();
        let (value, span) = number(key)?;
        let error = |message: String| Err(syn::Error::new(span, message));
        if value < least {
            return error(format!("expected at least {least}"));
        }
        let value = if field == "max_attempts" {
            if value.fract() != 0.0 || value > f64::from(u32::MAX) {
                return error("expected a whole number of attempts".to_owned());
            }
            let attempts = value as u32;
            quote!(#attempts)
        } else {
            quote!(#value)
        };
        self.retry.push((field, value));
        Ok(())
    }

    /// The expression of the component's info.
    fn info(&self, docs: &Docs) -> TokenStream {
        let Self {
            krate,
            id,
            version,
            category,
            ..
        } = self;
        let description = &docs.description;
        let label = match &self.label {
            Some(label) => label.value(),
            None => docs.label.clone(),
        };
        let blocking = self
            .blocking
            .then(|| quote!(.with_execution(#krate::component::Execution::Blocking)));
        let volatile = self.volatile.then(|| quote!(.volatile()));
        let length = |millis| quote!(::core::time::Duration::from_millis(#millis));
        let timeout = self.timeout.map(|millis| {
            let length = length(millis);
            quote!(.with_timeout(#length))
        });
        let heartbeat = self.heartbeat_timeout.map(|millis| {
            let length = length(millis);
            quote!(.with_heartbeat_timeout(#length))
        });
        let retry = (!self.retry.is_empty()).then(|| {
            let settings = self
                .retry
                .iter()
                .map(|(field, value)| quote!(retry.#field = ::core::option::Option::Some(#value);));
            quote! {
                .with_retry({
                    let mut retry = #krate::execute::RetrySettings::UNSET;
                    #(#settings)*
                    retry
                })
            }
        });
        quote! {
            #krate::component::ComponentInfo::new(#id, #version)
                .described(#label, #description, #category)
                #blocking #volatile #timeout #heartbeat #retry
        }
    }
}

fn is_dotted(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    id.contains('.')
        && id
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(plain))
}

/// A function, its body unread: what is inside is the compiler's to judge.
struct Function {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
}

impl Function {
    fn read(item: TokenStream) -> Option<Self> {
        let parser = |input: ParseStream<'_>| {
            let function = Self {
                attributes: input.call(Attribute::parse_outer)?,
                visibility: input.parse()?,
                signature: input.parse()?,
            };
            input.parse::<TokenStream>()?;
            Ok(function)
        };
        syn::parse::Parser::parse2(parser, item).ok()
    }
}

/// The types that the function names; none where it names none that will do.
#[derive(Default)]
struct Types {
    input: Option<Type>,
    params: Option<Type>,
    /// Whether the function borrows its parameters.
    borrows: bool,
    context: Option<Type>,
    output: Option<Type>,
    /// Where the whole return type stands.
    returned: Option<Span>,
}

impl Types {
    fn read(signature: &Signature, errors: &Errors) -> Self {
        let mut types = Self::default();
        if signature.asyncness.is_none() {
            errors.at(
                signature.fn_token,
                "a component is an `async fn`; where it computes or blocks, say `execution = blocking`",
            );
        }
        if let Some(token) = &signature.unsafety {
            errors.at(token, "a component is safe to call");
        }
        if !signature.generics.params.is_empty() {
            errors.at(&signature.generics, "a component cannot be generic");
        }
        types.read_arguments(signature, errors);
        let ReturnType::Type(_, returned) = &signature.output else {
            errors.at(
                &signature.ident,
                "a component returns `Result<Output, ComponentError>`",
            );
            return types;
        };
        types.returned = Some(returned.span());
        types.output = argument_of(returned, "Result").cloned();
        if types.output.is_none() {
            errors.at(
                returned,
                "a component returns `Result<Output, ComponentError>`",
            );
        }
        types
    }

    fn read_arguments(&mut self, signature: &Signature, errors: &Errors) {
        let mut arguments = Vec::new();
        for argument in &signature.inputs {
            match argument {
                FnArg::Typed(argument) => arguments.push(&*argument.ty),
                FnArg::Receiver(receiver) => errors.at(
                    receiver,
                    "a component function has no `self`; for a type with state implement `Component`",
                ),
            }
        }
        for argument in &arguments {
            if let Type::ImplTrait(_) = argument {
                errors.at(argument, "a component cannot be generic");
            }
        }
        let &[input, params, context] = arguments.as_slice() else {
            if arguments.len() == signature.inputs.len() {
                let arguments = &signature.inputs;
                let place = if arguments.is_empty() {
                    signature.ident.to_token_stream()
                } else {
                    arguments.to_token_stream()
                };
                errors.at(
                    place,
                    "a component takes (input, params, &Context), with `NoPorts` and `NoParams` where there are none",
                );
            }
            return;
        };
        if let Type::Reference(_) = input {
            errors.at(input, "a component owns its input: take it by value");
        }
        if !matches!(context, Type::Reference(reference) if reference.mutability.is_none()) {
            errors.at(context, "the third argument is `&Context`");
        }
        self.input = Some(input.clone());
        self.context = Some(context.clone());
        match params {
            Type::Reference(reference) => {
                if let Some(token) = &reference.mutability {
                    errors.at(token, "the parameters of a node do not change");
                }
                self.borrows = true;
                self.params = Some((*reference.elem).clone());
            }
            params => self.params = Some(params.clone()),
        }
    }
}

fn implement(
    function: &Function,
    options: &Options,
    docs: &Docs,
    types: &Types,
    sound: bool,
) -> TokenStream {
    let krate = &options.krate;
    let name = &function.signature.ident;
    let visibility = &function.visibility;
    let component = format_ident!(
        "{}",
        camel(&name.unraw().to_string(), true),
        span = name.span()
    );
    let shared = function.attributes.iter().filter(|attribute| {
        ["doc", "cfg"]
            .iter()
            .any(|name| attribute.path().is_ident(name))
    });
    let conditions = function
        .attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"));
    let (info, run) = if sound {
        (options.info(docs), call(name, types))
    } else {
        (stop(), stop())
    };
    // Where the function names no type that will do, another stands in, so that those who use
    // the component see no error of their own.
    let or = |ty: &Option<Type>, other: Type| match ty {
        Some(ty) if sound => ty.clone(),
        _ => other,
    };
    let input = or(&types.input, parse_quote!(#krate::component::NoPorts));
    let params = or(&types.params, parse_quote!(#krate::component::NoParams));
    let output = or(&types.output, parse_quote!(#krate::component::NoPorts));
    quote! {
        #(#shared)*
        #[derive(
            ::core::fmt::Debug,
            ::core::clone::Clone,
            ::core::marker::Copy,
            ::core::default::Default,
        )]
        #visibility struct #component;

        #(#conditions)*
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, clippy::nursery, unused_variables)]
        impl #krate::component::Component for #component {
            type Input = #input;
            type Params = #params;
            type Output = #output;

            fn info(&self) -> #krate::component::ComponentInfo {
                #info
            }

            async fn run(
                &self,
                input: Self::Input,
                params: &Self::Params,
                cx: &#krate::context::Context,
            ) -> ::core::result::Result<Self::Output, #krate::ComponentError> {
                #run
            }
        }
    }
}

/// The call of the function, placed so that a type that does not fit is an error at that type.
fn call(name: &Ident, types: &Types) -> TokenStream {
    let here = |span: Option<Span>| span.unwrap_or_else(Span::call_site);
    let context = here(types.context.as_ref().map(Spanned::span));
    let cx = quote_spanned!(context=> cx);
    let params = if types.borrows {
        quote!(params)
    } else {
        quote!(::core::clone::Clone::clone(params))
    };
    quote_spanned!(here(types.returned)=> #name(input, #params, #cx).await)
}

//! The routes and their description (OpenAPI 3.1), said in one place so that they cannot disagree.
//!
//! Schemas are those of `schemars`, whose dialect (JSON Schema 2020-12) is OpenAPI 3.1's.

use axum::{Router, handler::Handler, routing::MethodRouter};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value as Json, json};

use crate::{problem, studio::Studio};

/// Routes, and what describes them.
pub(crate) struct Api {
    /// Routes that show or change something.
    router: Router<Studio>,
    /// Routes that anybody may ask.
    open: Router<Studio>,
    schemas: SchemaGenerator,
    paths: Map<String, Json>,
}

/// The methods that the API uses.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }

    fn route<H: Handler<T, Studio>, T: 'static>(self, handler: H) -> MethodRouter<Studio> {
        match self {
            Self::Get => axum::routing::get(handler),
            Self::Post => axum::routing::post(handler),
            Self::Put => axum::routing::put(handler),
            Self::Delete => axum::routing::delete(handler),
        }
    }
}

/// Describes one operation.
pub(crate) struct Operation<'a> {
    schemas: &'a mut SchemaGenerator,
    parameters: Vec<Json>,
    said: Map<String, Json>,
    responses: Map<String, Json>,
    is_open: bool,
}

impl Api {
    pub(crate) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            router: Router::new(),
            open: Router::new(),
            schemas: settings.into_generator(),
            paths: Map::new(),
        }
    }

    /// Adds an operation: its id, a line about it, and what describes the rest.
    pub(crate) fn on<H: Handler<T, Studio>, T: 'static>(
        mut self,
        (method, path): (Method, &str),
        (id, summary): (&str, &str),
        handler: H,
        describe: impl for<'a> FnOnce(Operation<'a>) -> Operation<'a>,
    ) -> Self {
        // A segment that takes the rest of the path is an ordinary parameter to OpenAPI.
        let described = path.replace("{*", "{");
        let mut parameters = Vec::new();
        for name in described
            .split('/')
            .filter_map(|part| part.strip_prefix('{'))
        {
            let name = name.trim_end_matches('}');
            parameters.push(json!({
                "name": name, "in": "path", "required": true, "schema": { "type": "string" },
            }));
        }
        let failed = self.schemas.subschema_for::<problem::Document>();
        let mut responses = Map::new();
        responses.insert(
            "default".to_owned(),
            json!({
                "description": "The request could not be followed.",
                "content": { problem::MEDIA_TYPE: { "schema": failed } },
            }),
        );
        let mut said = Map::new();
        said.insert("operationId".to_owned(), id.into());
        said.insert("summary".to_owned(), summary.into());
        let operation = describe(Operation {
            schemas: &mut self.schemas,
            parameters,
            said,
            responses,
            is_open: false,
        });
        let Operation {
            parameters,
            mut said,
            responses,
            is_open,
            ..
        } = operation;
        if !parameters.is_empty() {
            said.insert("parameters".to_owned(), parameters.into());
        }
        said.insert("responses".to_owned(), responses.into());
        let methods = self.paths.entry(described).or_insert_with(|| json!({}));
        methods[method.name()] = said.into();
        let routes = match is_open {
            true => &mut self.open,
            false => &mut self.router,
        };
        *routes = std::mem::take(routes).route(path, method.route(handler));
        self
    }

    /// The routes, and those that anybody may ask.
    pub(crate) fn routers(self) -> (Router<Studio>, Router<Studio>) {
        (self.router, self.open)
    }

    /// What describes them all.
    pub(crate) fn document(mut self) -> Json {
        let schemas = self.schemas.take_definitions(true);
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "ShipSec Studio",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Workflows and their runs: start them, follow them live, look at any \
                    moment of them, and compare them. Errors are problem documents (RFC 9457).",
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            // Wherever the host mounts it.
            "servers": [{ "url": "./" }],
            "security": [{}, { "token": [] }],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            },
        })
    }
}

impl Operation<'_> {
    /// Lets anybody ask: it shows nothing of any run.
    pub(crate) fn for_anybody(mut self) -> Self {
        self.said.insert("security".to_owned(), json!([]));
        self.is_open = true;
        self
    }

    /// Takes parameters from the query: the fields of `T`.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        // The fields are listed by themselves, so that the whole needs no name.
        let schema = T::json_schema(self.schemas);
        let required = schema.get("required").and_then(Json::as_array);
        let required = required.cloned().unwrap_or_default();
        let fields = schema.get("properties").and_then(Json::as_object);
        for (name, schema) in fields.into_iter().flatten() {
            let mut schema = schema.clone();
            let description = schema
                .as_object_mut()
                .and_then(|schema| schema.remove("description"));
            let mut parameter = json!({
                "name": name, "in": "query", "schema": schema,
                "required": required.iter().any(|field| field == name),
            });
            if let Some(description) = description {
                parameter["description"] = description;
            }
            self.parameters.push(parameter);
        }
        self
    }

    /// Takes a header.
    pub(crate) fn header(mut self, name: &str, description: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "header", "required": false, "description": description,
            "schema": { "type": "string" },
        }));
        self
    }

    /// Takes a JSON body.
    pub(crate) fn takes<T: JsonSchema>(self) -> Self {
        self.body::<T>(true)
    }

    /// Takes a JSON body, which may be left out.
    pub(crate) fn may_take<T: JsonSchema>(self) -> Self {
        self.body::<T>(false)
    }

    fn body<T: JsonSchema>(mut self, required: bool) -> Self {
        let schema = self.schemas.subschema_for::<T>();
        let body = json!({
            "required": required, "content": { "application/json": { "schema": schema } },
        });
        self.said.insert("requestBody".to_owned(), body);
        self
    }

    /// Replies with JSON.
    pub(crate) fn gives<T: JsonSchema>(self, status: u16, description: &str) -> Self {
        let schema = self.schemas.subschema_for::<T>();
        let content = json!({ "application/json": { "schema": schema } });
        self.reply(status, description, Some(content))
    }

    /// Replies with something else.
    pub(crate) fn gives_media(self, status: u16, description: &str, media: &str) -> Self {
        self.reply(status, description, Some(json!({ media: {} })))
    }

    /// Replies without a body.
    pub(crate) fn gives_nothing(self, status: u16, description: &str) -> Self {
        self.reply(status, description, None)
    }

    /// Says more with a reply that is described already: in a header.
    ///
    /// # Panics
    /// Nothing describes a reply with this status.
    pub(crate) fn with_header(mut self, status: u16, name: &str, description: &str) -> Self {
        self.described(status)["headers"][name] = json!({
            "description": description, "schema": { "type": "string" },
        });
        self
    }

    /// Says which operations take what a reply names, described before it: their parameter, and where in
    /// the reply it stands (a JSON Pointer).
    ///
    /// # Panics
    /// Nothing describes a reply with this status.
    pub(crate) fn leads_to(
        mut self,
        status: u16,
        (parameter, pointer): (&str, &str),
        operations: &[&str],
    ) -> Self {
        let reply = self.described(status);
        for id in operations {
            reply["links"][id] = json!({
                "operationId": id,
                "parameters": { parameter: format!("$response.body#{pointer}") },
            });
        }
        self
    }

    fn described(&mut self, status: u16) -> &mut Json {
        let reply = self.responses.get_mut(&status.to_string());
        reply.expect("what belongs to a reply is said after the reply")
    }

    fn reply(mut self, status: u16, description: &str, content: Option<Json>) -> Self {
        let mut reply = json!({ "description": description });
        if let Some(content) = content {
            reply["content"] = content;
        }
        self.responses.insert(status.to_string(), reply);
        self
    }
}

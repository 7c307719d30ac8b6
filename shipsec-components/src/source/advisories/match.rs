//! `source.advisories.match`.

use std::path::Path;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Method, RequestBuilder, Url};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, Params, Ports, Shared, component, context::Progress};

use super::{Matcher, Record, read_database, service::Queries};
use crate::{
    contract::{Finding, Package},
    source::files::one_line,
    support::{check_cancelled, read_limited, status_error, web_url, within},
};

/// The largest answer that the service is believed to mean.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;

/// What `source.advisories.match` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct MatchInput {
    /// Packages. What lock files name.
    pub packages: Shared<Vec<Package>>,
    /// Database. A folder or zip archive of OSV records; goes before the service.
    pub database: Option<String>,
    /// Service. The base URL of an OSV service, such as `https://api.osv.dev`; it is told the
    /// names and versions of the packages.
    pub service: Option<String>,
}

/// How `source.advisories.match` asks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MatchParams {
    /// Requests at once. Of the service.
    #[schemars(range(min = 1, max = 64))]
    pub requests_at_once: usize,
    /// Seconds for an answer. Of the service, for each request.
    #[schemars(range(min = 1, max = 600))]
    pub request_seconds: u64,
}

impl Default for MatchParams {
    fn default() -> Self {
        Self {
            requests_at_once: 8,
            request_seconds: 30,
        }
    }
}

/// What `source.advisories.match` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct MatchOutput {
    /// Findings. One for each place that names an affected package.
    pub findings: Shared<Vec<Finding>>,
    /// Count. How many findings there are.
    pub count: u64,
    /// Records. How many advisories were weighed.
    pub records: u64,
    /// Warnings. What could not be read or compared.
    pub warnings: Vec<String>,
}

/// Match advisories. Finds the known vulnerabilities of packages, by OSV records from a folder,
/// a zip archive, or an OSV service.
#[component(
    id = "source.advisories.match",
    version = "1.0.0",
    category = "source",
    execution = blocking,
    volatile
)]
pub async fn advisories_match(
    input: MatchInput,
    params: &MatchParams,
    cx: &Context,
) -> Result<MatchOutput, ComponentError> {
    let packages = &input.packages;
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let (database, service) = (filled(&input.database), filled(&input.service));
    let mut matcher = Matcher::new(packages);
    let mut warnings = Vec::new();
    let records = match (database, service) {
        _ if packages.is_empty() => 0,
        (None, None) => {
            return Err(ComponentError::configuration(
                "no source of advisories was given: give a folder or zip archive of OSV records, \
                 or the URL of an OSV service, such as https://api.osv.dev",
            ));
        }
        (Some(path), None) => from_database(&path, &mut matcher, &mut warnings, cx)?,
        (None, Some(url)) => from_service(&url, packages, &mut matcher, params, cx).await?,
        (Some(path), Some(url)) => match from_database(&path, &mut matcher, &mut warnings, cx) {
            Ok(records) => records,
            Err(error) => {
                check_cancelled(cx)?;
                cx.warn(format!("{}; asking the service instead", error.message()));
                matcher = Matcher::new(packages);
                from_service(&url, packages, &mut matcher, params, cx).await?
            }
        },
    };
    if matcher.undecided() > 0 {
        warnings.push(format!(
            "{} advisories name one of the packages with versions that cannot be compared",
            matcher.undecided()
        ));
    }
    for warning in &warnings {
        cx.warn(warning);
    }
    let findings = matcher.findings();
    cx.info(format!(
        "{} findings in {records} advisories",
        findings.len()
    ));
    Ok(MatchOutput {
        count: findings.len() as u64,
        findings: findings.into(),
        records,
        warnings,
    })
}

fn from_database(
    path: &str,
    matcher: &mut Matcher<'_>,
    warnings: &mut Vec<String>,
    cx: &Context,
) -> Result<u64, ComponentError> {
    let mut done = 0;
    let stats = read_database(Path::new(path), &mut |record| {
        matcher.add(record);
        done += 1;
        cx.progress(Progress::count(done).unit("advisories"));
        !cx.is_cancelled()
    })
    .map_err(|error| {
        ComponentError::configuration(error.to_string()).with_field("database", "not usable")
    })?;
    check_cancelled(cx)?;
    let named = stats.warnings.len() as u64;
    warnings.extend(stats.warnings);
    if stats.unreadable > named {
        warnings.push(format!(
            "{} more records could not be read",
            stats.unreadable - named
        ));
    }
    Ok(stats.records)
}

async fn from_service(
    base: &str,
    packages: &[Package],
    matcher: &mut Matcher<'_>,
    params: &MatchParams,
    cx: &Context,
) -> Result<u64, ComponentError> {
    let service = Service {
        base: web_url("service", base)?,
        params,
        cx,
    };
    let mut queries = Queries::new(packages);
    while let Some((body, asked)) = queries.next() {
        let reply = service.post("v1/querybatch", &body).await?;
        queries
            .take(&asked, &reply)
            .map_err(|reason| service.odd("v1/querybatch", &reason))?;
        let (done, total) = queries.done();
        cx.progress(Progress::counted(done, total).unit("packages"));
    }
    let ids = queries.into_ids();
    let total = ids.len() as u64;
    let answers: Vec<(String, Record)> = stream::iter(ids)
        .map(|id| {
            let service = &service;
            async move {
                let path = format!("v1/vulns/{id}");
                let bytes = service.get(&path).await?;
                let record = Record::from_json(&bytes)
                    .map_err(|error| service.odd(&path, &error.to_string()))?;
                Ok::<_, ComponentError>((id, record))
            }
        })
        .buffer_unordered(params.requests_at_once.max(1))
        .inspect_ok({
            let mut done = 0;
            move |_| {
                done += 1;
                cx.progress(Progress::counted(done, total).unit("advisories"));
            }
        })
        .try_collect()
        .await?;
    let mut answers = answers;
    // The order of the answers is the network's; that of the findings is not.
    answers.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (_, record) in answers {
        matcher.add(record);
    }
    Ok(total)
}

struct Service<'a> {
    base: Url,
    params: &'a MatchParams,
    cx: &'a Context,
}

impl Service<'_> {
    fn url(&self, path: &str) -> Result<Url, ComponentError> {
        let text = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        web_url("service", &text)
    }

    async fn post(&self, path: &str, body: &serde_json::Value) -> Result<Vec<u8>, ComponentError> {
        let url = self.url(path)?;
        let request = self
            .cx
            .http()
            .request(Method::POST, url.clone())?
            .json(body);
        self.send(Method::POST, url, request).await
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, ComponentError> {
        let url = self.url(path)?;
        let request = self.cx.http().request(Method::GET, url.clone())?;
        self.send(Method::GET, url, request).await
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        request: RequestBuilder,
    ) -> Result<Vec<u8>, ComponentError> {
        let what = format!("{method} {}", crate::support::shown(&url));
        let limit = Duration::from_secs(self.params.request_seconds.max(1));
        within(limit, &what, async {
            let response = self.cx.http().send(request).await?;
            if !response.status().is_success() {
                return Err(status_error(&method, &url, response).await);
            }
            Ok(read_limited(&what, response, MAX_ANSWER, self.cx)
                .await?
                .to_vec())
        })
        .await
    }

    /// An answer that is not the service's.
    fn odd(&self, path: &str, reason: &str) -> ComponentError {
        ComponentError::new(
            shipsec_core::ErrorKind::Service,
            format!(
                "the answer to {path} is not an OSV service's: {}",
                one_line(reason)
            ),
        )
    }
}

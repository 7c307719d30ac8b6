//! The OSV service: `POST /v1/querybatch` for ids, `GET /v1/vulns/{id}` for records.
//!
//! Only the shape of requests and replies is here; the component sends them.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::{Value, json};

use super::record::is_id;
use crate::contract::Package;

/// What the service takes in one request.
pub(super) const BATCH: usize = 1000;
/// Pages that are asked for, for one package.
const MAX_PAGES: u32 = 50;

/// One query: the index of its package, and the page where it is not the first.
pub(super) type Query = (usize, Option<String>);

/// The queries that are still to be asked.
#[derive(Debug)]
pub(super) struct Queries<'a> {
    packages: &'a [Package],
    open: Vec<Query>,
    pages: HashMap<usize, u32>,
    ids: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Reply {
    results: Vec<Option<Answer>>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    vulns: Option<Vec<Named>>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

impl<'a> Queries<'a> {
    pub(super) fn new(packages: &'a [Package]) -> Self {
        let open = (0..packages.len())
            .rev()
            .map(|index| (index, None))
            .collect();
        Self {
            packages,
            open,
            pages: HashMap::new(),
            ids: BTreeSet::new(),
        }
    }

    /// How many packages have been asked for in full, of how many.
    pub(super) fn done(&self) -> (u64, u64) {
        let total = self.packages.len();
        ((total - self.open.len().min(total)) as u64, total as u64)
    }

    /// The next request's body, and the queries in it; `None` when all is asked.
    pub(super) fn next(&mut self) -> Option<(Value, Vec<Query>)> {
        let asked = self.open.split_off(self.open.len().saturating_sub(BATCH));
        if asked.is_empty() {
            return None;
        }
        let queries: Vec<Value> = asked
            .iter()
            .map(|(index, page)| {
                let package = &self.packages[*index];
                let mut query = json!({
                    "package": {"ecosystem": package.ecosystem, "name": package.name},
                    "version": package.version,
                });
                if let (Some(page), Some(query)) = (page, query.as_object_mut()) {
                    query.insert("page_token".to_owned(), json!(page));
                }
                query
            })
            .collect();
        Some((json!({ "queries": queries }), asked))
    }

    /// Takes the reply to those queries.
    ///
    /// # Errors
    /// When the reply is not what the service's documentation says.
    pub(super) fn take(&mut self, asked: &[Query], reply: &[u8]) -> Result<(), String> {
        let reply: Reply = serde_json::from_slice(reply).map_err(|error| error.to_string())?;
        if reply.results.len() != asked.len() {
            return Err(format!(
                "{} results for {} queries",
                reply.results.len(),
                asked.len()
            ));
        }
        for ((index, _), answer) in asked.iter().zip(reply.results) {
            let Some(answer) = answer else { continue };
            let named = answer.vulns.into_iter().flatten().map(|named| named.id);
            self.ids.extend(named.filter(|id| is_id(id)));
            if let Some(page) = answer.next_page_token.filter(|page| !page.is_empty()) {
                let pages = self.pages.entry(*index).or_insert(0);
                *pages += 1;
                if *pages < MAX_PAGES {
                    self.open.push((*index, Some(page)));
                }
            }
        }
        Ok(())
    }

    /// The ids of the records to be fetched.
    pub(super) fn into_ids(self) -> Vec<String> {
        self.ids.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(n: usize) -> Vec<Package> {
        (0..n)
            .map(|i| Package {
                ecosystem: "npm".into(),
                name: format!("p{i}"),
                version: "1.0.0".into(),
                purl: String::new(),
                locations: Vec::new(),
            })
            .collect()
    }

    #[test]
    fn batches_pages_and_odd_ids() {
        let packages = packages(BATCH + 1);
        let mut queries = Queries::new(&packages);
        let (body, asked) = queries.next().unwrap();
        assert_eq!(body["queries"].as_array().unwrap().len(), BATCH);
        let mut results = vec![json!({}); BATCH];
        results[0] = json!({"vulns": [{"id": "GHSA-1"}, {"id": "../x"}], "next_page_token": "t"});
        results[1] = Value::Null;
        let reply = json!({ "results": results }).to_string();
        queries.take(&asked, reply.as_bytes()).unwrap();
        let (body, asked) = queries.next().unwrap();
        let paged: Vec<_> = body["queries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|q| q["page_token"] == "t")
            .collect();
        assert_eq!((asked.len(), paged.len()), (2, 1));
        assert!(
            queries
                .take(&asked, b"{\"results\":[]}")
                .unwrap_err()
                .contains("0 results for 2")
        );
        assert!(queries.take(&asked, b"<html>").is_err());
        assert!(queries.next().is_none());
        assert_eq!(queries.into_ids(), ["GHSA-1"]);
    }

    #[test]
    fn a_service_that_never_ends_its_pages_is_left() {
        let packages = packages(1);
        let mut queries = Queries::new(&packages);
        let mut rounds = 0;
        while let Some((_, asked)) = queries.next() {
            queries
                .take(&asked, br#"{"results":[{"next_page_token":"again"}]}"#)
                .unwrap();
            rounds += 1;
        }
        assert_eq!(rounds, MAX_PAGES);
    }
}

//! Artifacts and their bytes. They come from components, so no browser may take them for a page.

use std::ops::Range;

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::run::ArtifactView;

use super::inspect::{latest, run_id};
use crate::{
    Problem,
    extract::{InPath, InQuery, Reply},
    studio::Studio,
};

/// Artifacts of a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ArtifactList {
    /// In the order in which they were stored.
    artifacts: Vec<ArtifactView>,
}

pub(crate) async fn list(
    State(studio): State<Studio>,
    InPath(run): InPath<String>,
) -> Result<Reply<ArtifactList>, Problem> {
    let view = latest(&studio, &run_id(&run)?).await?;
    Ok(Reply(ArtifactList {
        artifacts: view.artifacts().cloned().collect(),
    }))
}

/// How to send the bytes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArtifactQuery {
    /// To be shown instead of saved, where its media type can do no harm.
    #[serde(default)]
    inline: bool,
}

/// Types that a browser shows without running anything.
const HARMLESS: [&str; 7] = [
    "text/plain",
    "text/csv",
    "application/json",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
];

pub(crate) async fn get(
    State(studio): State<Studio>,
    InPath((run, artifact)): InPath<(String, String)>,
    InQuery(query): InQuery<ArtifactQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = run_id(&run)?;
    let view = latest(&studio, &run).await?;
    let found = view
        .artifacts()
        .find(|found| found.artifact.artifact_id.as_str() == artifact);
    let found = found.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-artifact",
            "No such artifact",
            format!("run {run} has no artifact {artifact:?}"),
        )
    })?;
    let found = &found.artifact;
    let stored = Stored {
        location: &found.location,
        size: found.size,
        sha256: &found.sha256,
        media_type: &found.media_type,
        name: &found.name,
    };
    send(&studio, &stored, query.inline, &headers).await
}

/// Bytes in artifact storage.
pub(super) struct Stored<'a> {
    pub(super) location: &'a str,
    pub(super) size: u64,
    pub(super) sha256: &'a str,
    pub(super) media_type: &'a str,
    pub(super) name: &'a str,
}

/// Sends them, or the part that is asked for, so that no browser takes them for a page.
pub(super) async fn send(
    studio: &Studio,
    found: &Stored<'_>,
    inline: bool,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let tag = format!("\"{}\"", found.sha256);
    let names_it = |name| {
        let value = headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok());
        value.map(|value| {
            value
                .split(',')
                .any(|one| [tag.as_str(), "*"].contains(&one.trim().trim_start_matches("W/")))
        })
    };
    let mut response = if names_it(header::IF_NONE_MATCH) == Some(true) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        // A part of something else would make no whole.
        // A weak tag, or any, does not say that it is the same (RFC 9110, section 13.1.5).
        let part = match headers.get(header::IF_RANGE) {
            Some(wanted) if *wanted != *tag => Part::All,
            _ => part(headers, found.size),
        };
        let range = match part {
            Part::All => None,
            Part::Some(range) => Some(range),
            Part::None => return Ok(not_there(found.size)),
        };
        let store = &studio.host.artifacts;
        let length = range
            .as_ref()
            .map_or(found.size, |range| range.end - range.start);
        let bytes = match &range {
            Some(range) => store.get_range(found.location, range.clone()).await?,
            None => store.get(found.location).await?,
        };
        let mut response = Body::from_stream(bytes).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length.into());
        if let Some(range) = range {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let of = format!("bytes {}-{}/{}", range.start, range.end - 1, found.size);
            response
                .headers_mut()
                .insert(header::CONTENT_RANGE, text(&of));
        }
        response
    };
    let media = found
        .media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let harmless = HARMLESS.iter().find(|harmless| **harmless == media);
    let headers = response.headers_mut();
    let mut say = |name, value: &str| headers.insert(name, text(value));
    say(
        header::CONTENT_TYPE,
        match harmless {
            Some(media) if media.starts_with("text/") => "text/plain; charset=utf-8",
            Some(media) => media,
            None => "application/octet-stream",
        },
    );
    let inline = inline && harmless.is_some();
    say(
        header::CONTENT_DISPOSITION,
        &disposition(inline, found.name),
    );
    say(header::ETAG, &tag);
    say(header::ACCEPT_RANGES, "bytes");
    // They never change; whoever may see them is asked each time.
    say(header::CACHE_CONTROL, "private, no-cache");
    say(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; sandbox",
    );
    Ok(response)
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

/// What of the bytes is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    All,
    Some(Range<u64>),
    /// Nothing of it is there.
    None,
}

/// Reads a range (RFC 9110, section 14). What is none is ignored; of several the whole is given, which
/// the section allows.
fn part(headers: &HeaderMap, size: u64) -> Part {
    let asked = headers.get(header::RANGE);
    let asked = asked.and_then(|value| value.to_str().ok());
    let Some((unit, ranges)) = asked.and_then(|asked| asked.split_once('=')) else {
        return Part::All;
    };
    let Some((first, last)) = ranges.trim().split_once('-') else {
        return Part::All;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // What is larger than any artifact is as good as the largest number.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::All;
    }
    let range = match (first, number(first), last, number(last)) {
        ("", _, _, Some(length)) => size.saturating_sub(length)..size,
        (_, Some(start), "", _) => start..size,
        (_, Some(start), _, Some(end)) if start <= end => start..size.min(end.saturating_add(1)),
        _ => return Part::All,
    };
    match range.start < range.end {
        true => Part::Some(range),
        false => Part::None,
    }
}

fn not_there(size: u64) -> Response {
    let problem = Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "range-not-satisfiable",
        "The range does not lie inside",
        format!("the artifact has {size} bytes"),
    );
    let mut response = problem.with("size", size).into_response();
    let of = text(&format!("bytes */{size}"));
    response.headers_mut().insert(header::CONTENT_RANGE, of);
    response
}

/// Characters that stand for themselves in an extended parameter: `attr-char` of RFC 8187.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The name to save it under (RFC 6266): without a path, and never a hidden file.
fn disposition(inline: bool, name: &str) -> String {
    let kind = if inline { "inline" } else { "attachment" };
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = last.chars().filter(|c| !misleads(*c)).take(200).collect();
    let shown = match shown.trim_start_matches('.') {
        "" => "artifact",
        shown => shown,
    };
    let plain: String = shown
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || " ._-+()".contains(c) => c,
            _ => '_',
        })
        .collect();
    let encoded = utf8_percent_encode(shown, ENCODED);
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// Whether it makes a text look like another one: controls, line ends, and what turns its direction.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_a_name() {
        let shown = |name: &str| disposition(false, name);
        assert_eq!(
            shown("report.json"),
            "attachment; filename=\"report.json\"; filename*=UTF-8''report.json"
        );
        assert_eq!(
            shown("../../.ssh/ä\"\r\nx: y"),
            "attachment; filename=\"__x_ y\"; filename*=UTF-8''%C3%A4%22x%3A%20y"
        );
        assert!(shown("\u{202e}gpj.exe").ends_with("''gpj.exe"));
        for empty in ["", "...", "a/", "\u{7}", "\u{202e}"] {
            assert!(shown(empty).contains("\"artifact\""), "{empty:?}");
        }
    }

    #[test]
    fn one_range_is_given_and_several_are_the_whole() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, value.parse().unwrap());
            part(&headers, 100)
        };
        for (asked, given) in [
            ("bytes=0-9", 0..10),
            ("BYTES=90-", 90..100),
            ("bytes=-10", 90..100),
            ("bytes=-1000", 0..100),
            ("bytes=50-1000", 50..100),
            ("bytes=99-99999999999999999999999", 99..100),
        ] {
            assert_eq!(of(asked), Part::Some(given), "{asked}");
        }
        let all = [
            "bytes=0-1,5-6",
            "lines=1-2",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=-",
            "bytes",
            "bytes=1",
        ];
        for all in all {
            assert_eq!(of(all), Part::All, "{all}");
        }
        for none in ["bytes=100-", "bytes=-0", "bytes=200-300"] {
            assert_eq!(of(none), Part::None, "{none}");
        }
        assert_eq!(part(&HeaderMap::new(), 0), Part::All);
    }
}

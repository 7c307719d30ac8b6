//! What several components share.

mod cancel;
mod files;
mod http;
mod text;

pub(crate) use cancel::{cancelled, check_cancelled};
pub(crate) use files::{Root, file_error};
pub(crate) use http::{
    client, header_map, json_body, origin, read_limited, seconds, shown, status_error, web_url,
    within,
};
pub(crate) use text::{shape, unescape};

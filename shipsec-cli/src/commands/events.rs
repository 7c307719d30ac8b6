//! `shipsec events`.

use std::io::{BufWriter, Write as _};

use futures::StreamExt as _;
use shipsec_core::trace::TraceStoreExt as _;

use crate::{
    args::RunArg,
    failure::Failure,
    json,
    runs::{Found, PAGE},
};

pub(crate) async fn events(run: &RunArg, after: u64, follow: bool) -> Result<(), Failure> {
    let Found { id, store, .. } = Found::by(run).await?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    if follow {
        // Whatever is there at once is written at once.
        let mut events = store.subscribe(id, after).ready_chunks(PAGE);
        while let Some(some) = events.next().await {
            for event in some {
                json::line(&mut out, &event.map_err(Failure::failed)?)?;
            }
            out.flush().map_err(Failure::writing)?;
        }
        return Ok(());
    }
    let mut after = after;
    loop {
        let page = store
            .read(&id, after, PAGE)
            .await
            .map_err(Failure::failed)?;
        let Some(last) = page.last() else {
            return out.flush().map_err(Failure::writing);
        };
        after = last.sequence;
        for event in &page {
            json::line(&mut out, event)?;
        }
    }
}

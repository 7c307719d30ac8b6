//! Large outputs go to artifact storage, streamed; the event gets a reference.

use std::{io::Write, sync::Arc};

use bytes::Bytes;
use futures::stream;
use tokio::sync::mpsc;

use crate::{
    ComponentError, PortId,
    component::PortValues,
    event::{Outputs, ValueRef},
    storage::ArtifactStore,
    value::{Shallow, TooDeep, Value},
};

/// The longest JSON text of an output port that an event carries inline, in bytes.
pub(crate) const INLINE_LIMIT: usize = 64 * 1024;

const CHUNK: usize = 64 * 1024;

/// The ports whose values are too large for an event.
///
/// # Errors
///
/// A `ValidationError` where a value is nested deeper than a log holds.
pub(crate) fn large_ports(outputs: &Outputs) -> Result<Vec<usize>, ComponentError> {
    let mut large = Vec::new();
    for (index, value) in outputs.values.iter().enumerate() {
        let Some(value) = value else { continue };
        match value.is_large(INLINE_LIMIT) {
            Ok(true) => large.push(index),
            Ok(false) => {}
            Err(error) => return Err(too_deep(&outputs.ports[index], error)),
        }
    }
    Ok(large)
}

fn too_deep(port: &PortId, error: TooDeep) -> ComponentError {
    ComponentError::validation(format!("output {port} is {error}"))
}

/// Stores the values of these ports, and gives the outputs with references in their place.
///
/// # Errors
///
/// A `ResourceUnavailableError` when the storage fails, an `InternalError` when a value has no
/// JSON.
pub(crate) async fn spill(
    outputs: &Outputs,
    large: &[usize],
    artifacts: &ArtifactStore,
) -> Result<Arc<Outputs>, ComponentError> {
    let mut notes = outputs.notes.as_deref().cloned().unwrap_or_default();
    let mut values = PortValues::with_len(outputs.values.len());
    for (index, value) in outputs.values.iter().enumerate() {
        let Some(value) = value else { continue };
        if !large.contains(&index) {
            values.set(index, value.clone());
            continue;
        }
        let port = &outputs.ports[index];
        let stored = store(port, value.clone(), artifacts)
            .await
            .map_err(|error| {
                let message = format!("output {port} could not be stored: {}", error.message());
                ComponentError::new(error.kind(), message).with_source(error)
            })?;
        notes.refs.insert(port.clone(), stored);
    }
    Ok(Arc::new(Outputs {
        ports: outputs.ports.clone(),
        values,
        notes: Some(Box::new(notes)),
    }))
}

async fn store(
    port: &PortId,
    value: Value,
    artifacts: &ArtifactStore,
) -> Result<ValueRef, ComponentError> {
    let (send, receive) = mpsc::channel::<Bytes>(4);
    let writing = tokio::task::spawn_blocking(move || {
        let mut chunks = std::io::BufWriter::with_capacity(CHUNK, Chunks(send));
        value
            .write_json(Shallow::new(&mut chunks))
            .map_err(std::io::Error::from)?;
        chunks.flush()
    });
    let chunks = stream::unfold(receive, |mut receive| async move {
        let chunk = receive.recv().await?;
        Some((Ok(chunk), receive))
    });
    let stored = artifacts.put_stream(chunks).await;
    match writing.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) if TooDeep::is(&error) => return Err(too_deep(port, TooDeep)),
        Ok(Err(error)) if stored.is_ok() => {
            return Err(ComponentError::internal(format!(
                "the value has no JSON: {error}"
            )));
        }
        Ok(Err(_)) => {}
        Err(error) => return Err(ComponentError::internal(error.to_string())),
    }
    let stored = stored.map_err(|error| {
        ComponentError::resource_unavailable(error.to_string()).with_source(error)
    })?;
    Ok(ValueRef {
        location: stored.location,
        size: stored.size,
        sha256: stored.sha256,
    })
}

struct Chunks(mpsc::Sender<Bytes>);

impl Write for Chunks {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0
            .blocking_send(Bytes::copy_from_slice(buf))
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

//! `dev.emit`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{
    ComponentError, Context, FileRef, NoPorts, Params, Ports, Shared, component, context::Progress,
};

use crate::support::{cancelled, check_cancelled};

/// How often `dev.emit` looks whether it should stop, in lines.
const BREATH: u64 = 256;

/// The size of the pieces that the artifact is written in, in bytes.
const PIECE: usize = 64 * 1024;

/// How much `dev.emit` emits.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct EmitParams {
    /// Log lines. So many.
    #[serde(default)]
    pub logs: u64,
    /// Progress calls. So many.
    #[serde(default)]
    pub progress: u64,
    /// Artifact bytes. An artifact of that size; none for 0.
    #[serde(default)]
    pub artifact_bytes: u64,
    /// Output bytes. A text of that size at the output; none for 0.
    #[serde(default)]
    #[schemars(range(max = 1_073_741_824))]
    pub output_bytes: u64,
}

/// What `dev.emit` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct EmitOutput {
    /// Text. As long as was asked for.
    pub text: Option<Shared<String>>,
    /// Artifact. As large as was asked for.
    pub artifact: Option<FileRef>,
}

/// Emit. Writes log lines, progress, an artifact and an output, as much of each as it is told.
#[component(id = "dev.emit", version = "1.0.0", category = "dev")]
pub async fn dev_emit(
    _: NoPorts,
    params: &EmitParams,
    cx: &Context,
) -> Result<EmitOutput, ComponentError> {
    for n in 1..=params.logs {
        cx.info(format!("line {n} of {}", params.logs));
        breathe(n, cx).await?;
    }
    for n in 1..=params.progress {
        cx.progress(Progress::counted(n, params.progress).unit("steps"));
        breathe(n, cx).await?;
    }
    let artifact = match params.artifact_bytes {
        0 => None,
        size => Some(emit(size, cx).await?),
    };
    let text = match usize::try_from(params.output_bytes) {
        Ok(0) => None,
        Ok(size) => Some(filler(size).into()),
        Err(_) => {
            return Err(ComponentError::validation(
                "outputBytes: more than memory has",
            ));
        }
    };
    Ok(EmitOutput { text, artifact })
}

async fn breathe(n: u64, cx: &Context) -> Result<(), ComponentError> {
    if n.is_multiple_of(BREATH) {
        tokio::task::yield_now().await;
        check_cancelled(cx)?;
    }
    Ok(())
}

async fn emit(size: u64, cx: &Context) -> Result<FileRef, ComponentError> {
    let piece = filler(PIECE);
    let mut artifact = cx.artifact("emitted.txt", "text/plain")?;
    let mut left = size;
    while left > 0 {
        if cx.is_cancelled() {
            artifact.abort().await;
            return Err(cancelled());
        }
        let take = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        artifact.write(&piece[..take]).await?;
        left -= take as u64;
    }
    artifact.finish().await
}

/// Text of exactly `size` bytes, in lines.
fn filler(size: usize) -> String {
    const LINE: &str = "the quick brown fox jumps over the lazy dog 0123456789 and so on\n";
    let mut text = LINE.repeat(size / LINE.len() + 1);
    text.truncate(size);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filler_has_the_size_asked_for() {
        for size in [0, 1, 65, 66, 100_000] {
            assert_eq!(filler(size).len(), size);
        }
    }
}

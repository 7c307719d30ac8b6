//! The list of the components that this crate ships.

use std::sync::Arc;

use shipsec_core::{Registry, component::RegistryError, workflow::EntryPoint};

use crate::{
    core::{
        approval::Approval,
        array::{pack::ArrayPack, pick::ArrayPick},
        artifact::write::ArtifactWrite,
        file::{read::FileRead, write::FileWrite},
        form::Form,
        http::request::HttpRequest,
        json::query::JsonQuery,
        logic::branch::LogicBranch,
        notify::webhook::NotifyWebhook,
        secret::fetch::SecretFetch,
        text::{joiner::TextJoiner, splitter::TextSplitter},
        workflow::call::WorkflowCall,
    },
    dev::{branch::DevBranch, echo::DevEcho, emit::DevEmit, fail::DevFail, sleep::DevSleep},
    report::{markdown::ReportMarkdown, sarif::ReportSarif},
    source::{
        advisories::r#match::AdvisoriesMatch, files::walk::FilesWalk, sbom::SourceSbom,
        secrets::scan::SecretsScan,
    },
};

/// A registry with every component of this crate.
///
/// ```
/// let registry = shipsec_components::registry();
/// assert!(registry.get("core.text.splitter", None).is_some());
/// ```
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    register_all(&mut registry).expect("the list has each id once, which a test holds to");
    registry
}

/// Adds every component of this crate to a registry of the host's.
///
/// # Errors
///
/// [`RegistryError`] when the host has registered one of the ids in the same version already.
pub fn register_all(registry: &mut Registry) -> Result<(), RegistryError> {
    registry
        .register_dyn(Arc::new(EntryPoint::new()))?
        .register_dyn(Arc::new(ArrayPack::new()))?
        .register(Approval)?
        .register(ArrayPick)?
        .register(ArtifactWrite)?
        .register(FileRead)?
        .register(FileWrite)?
        .register(Form)?
        .register(HttpRequest)?
        .register(JsonQuery)?
        .register(LogicBranch)?
        .register(NotifyWebhook)?
        .register(SecretFetch)?
        .register(TextJoiner)?
        .register(TextSplitter)?
        .register(WorkflowCall)?;
    registry
        .register(DevBranch)?
        .register(DevEcho)?
        .register(DevEmit)?
        .register(DevFail)?
        .register(DevSleep)?;
    registry
        .register(FilesWalk)?
        .register(SecretsScan)?
        .register(SourceSbom)?
        .register(AdvisoriesMatch)?
        .register(ReportMarkdown)?
        .register(ReportSarif)?;
    Ok(())
}

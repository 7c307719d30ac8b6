//! The bill of materials as CycloneDX 1.5, by the crate `cyclonedx-bom`.

use cyclonedx_bom::external_models::uri::Purl;
use cyclonedx_bom::models::component::{
    Classification, Component, ComponentEvidence, Components, Occurrence, Occurrences,
};
use cyclonedx_bom::models::metadata::Metadata;
use cyclonedx_bom::models::tool::{Tool, Tools};
use cyclonedx_bom::prelude::{Bom, NormalizedString, SpecVersion, UrnUuid};
use sha2::{Digest, Sha256};

use crate::contract::Package;

/// Why no bill of materials could be written.
#[derive(Debug, thiserror::Error)]
#[error("the bill of materials cannot be written as CycloneDX: {0}")]
pub struct SbomError(String);

/// The packages as a CycloneDX 1.5 document in JSON.
///
/// `subject` names the source tree. The same packages give the same bytes: the serial
/// number is derived from them and no time is written.
///
/// # Errors
/// When a value cannot be written in the format.
pub fn cyclonedx(subject: &str, packages: &[Package]) -> Result<Vec<u8>, SbomError> {
    let fail = |error: &dyn std::fmt::Display| SbomError(error.to_string());
    let mut hasher = Sha256::new();
    hasher.update(subject);
    let mut components = Vec::with_capacity(packages.len());
    for package in packages {
        hasher.update([0]);
        hasher.update(&package.purl);
        components.push(component(package));
    }
    let mut root = Component::new(Classification::Application, &plain(subject), "", None);
    root.version = None;
    let bom = Bom {
        version: 1,
        spec_version: SpecVersion::V1_5,
        serial_number: Some(serial(&hasher.finalize())?),
        metadata: Some(Metadata {
            tools: Some(Tools::List(vec![Tool::new(
                "ShipSec",
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
            )])),
            component: Some(root),
            ..Metadata::default()
        }),
        components: Some(Components(components)),
        ..Bom::default()
    };
    let mut bytes = Vec::new();
    bom.output_as_json_v1_5(&mut bytes)
        .map_err(|error| fail(&error))?;
    Ok(bytes)
}

fn component(package: &Package) -> Component {
    let (group, name) = match package.name.rsplit_once('/') {
        Some((group, name)) => (Some(group), name),
        None => (None, package.name.as_str()),
    };
    let mut component = Component::new(
        Classification::Library,
        &plain(name),
        &plain(&package.version),
        Some(package.purl.clone()),
    );
    component.group = group.map(|group| NormalizedString::new(&plain(group)));
    component.purl = package.purl.parse::<Purl>().ok();
    let occurrences = package.locations.iter().map(|location| {
        let path = plain(&location.path);
        Occurrence::new(&match location.line {
            Some(line) => format!("{path}#L{line}"),
            None => path,
        })
    });
    component.evidence = Some(ComponentEvidence {
        occurrences: Some(Occurrences(occurrences.collect())),
        licenses: None,
        copyright: None,
        callstack: None,
        identity: None,
    });
    component
}

/// Without control characters, which the format forbids.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// A UUID made of a digest (version 8 of RFC 9562).
fn serial(digest: &[u8]) -> Result<UrnUuid, SbomError> {
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    UrnUuid::new(format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    ))
    .map_err(|_| SbomError("the serial number is not a UUID".to_owned()))
}

//! When a node with several incoming edges starts.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// When a node starts, told by its incoming edges. A node without incoming edges starts with the
/// run, whatever its join. On the wire it is `all`, `any`, `first`, `quorum:n` or `settled`.
///
/// ```
/// use shipsec_core::schedule::Join;
///
/// assert_eq!("quorum:2".parse(), Ok(Join::Quorum(2)));
/// assert!("most".parse::<Join>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Join {
    /// Starts when every incoming edge fired; is skipped as soon as one is dead.
    #[default]
    All,
    /// Starts when the first edge fires, and the rest go on; is skipped when all are dead.
    Any,
    /// Starts when the first edge fires, and ends what now serves nothing else; is skipped when
    /// all are dead.
    First,
    /// Starts when so many edges fired; is skipped when so many can no longer fire. From 1 to the
    /// number of incoming edges.
    Quorum(u32),
    /// Starts when every edge is resolved, fired or dead; is never skipped.
    Settled,
}

impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Any => f.write_str("any"),
            Self::First => f.write_str("first"),
            Self::Quorum(n) => write!(f, "quorum:{n}"),
            Self::Settled => f.write_str("settled"),
        }
    }
}

impl FromStr for Join {
    type Err = InvalidJoin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "all" => Self::All,
            "any" => Self::Any,
            "first" => Self::First,
            "settled" => Self::Settled,
            _ => {
                let n = text.strip_prefix("quorum:").and_then(|n| n.parse().ok());
                Self::Quorum(n.ok_or_else(|| InvalidJoin(text.chars().take(40).collect()))?)
            }
        })
    }
}

/// Text that is no join strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid join strategy {0:?}: expected all, any, first, quorum:<n> or settled")]
pub struct InvalidJoin(String);

impl Serialize for Join {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            other => serializer.collect_str(other),
        }
    }
}

impl<'de> Deserialize<'de> for Join {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl JsonSchema for Join {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Join".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(all|any|first|settled|quorum:[1-9][0-9]*)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_join_survives_its_text() {
        let joins = [
            Join::All,
            Join::Any,
            Join::First,
            Join::Settled,
            Join::Quorum(3),
        ];
        for join in joins {
            assert_eq!(join.to_string().parse(), Ok(join));
            let json = serde_json::to_string(&join).unwrap();
            assert_eq!(json, format!("\"{join}\""));
            assert_eq!(serde_json::from_str::<Join>(&json).unwrap(), join);
        }
        for bad in [
            "",
            "All",
            "quorum",
            "quorum:",
            "quorum:-1",
            "quorum:4294967296",
        ] {
            assert!(bad.parse::<Join>().is_err(), "{bad:?}");
        }
    }
}

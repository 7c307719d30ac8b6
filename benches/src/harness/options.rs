use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt as _};

use crate::Failure;
use crate::graph::Shape;

const HELP: &str = "\
usage: cargo bench -p PACKAGE --bench TARGET -- [OPTIONS] [FILTER]

  FILTER               run only contenders whose name contains this (the baseline always runs)
  --shapes LIST        chain,fan,layered
  --sizes LIST         for example 1k,10k,100k,1m
  --rounds N           rounds per contest [default: as many as fit into --seconds, at least 5]
  --seconds S          time to spend on each contest [default: 2]
  --json               one JSON object per line instead of tables
";

/// What a bench target runs when the command line says nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The sizes that are measured.
    pub sizes: &'static [usize],
    /// The size that is run once without `--bench`, to prove that the target works.
    pub proof: usize,
}

/// What the command line asks for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The shapes to run.
    pub shapes: Vec<Shape>,
    /// The sizes to run, in nodes or rows.
    pub sizes: Vec<usize>,
    /// Run only contenders whose name contains this.
    pub filter: Option<String>,
    /// The number of measured rounds, when fixed.
    pub rounds: Option<usize>,
    /// The time to spend on each contest when the number of rounds is not fixed.
    pub time: Duration,
    /// JSON lines instead of tables.
    pub json: bool,
}

impl Options {
    /// Reads this process's arguments; `None` when there is nothing to run (`--help`, or a test
    /// runner that asks for a list of tests).
    ///
    /// # Errors
    ///
    /// Names the argument that was not understood.
    pub fn from_env(limits: Limits) -> Result<Option<Self>, Failure> {
        Self::parse(Parser::from_env(), limits)
    }

    /// One round of the smallest case, with every contender.
    #[must_use]
    pub fn proof(limits: Limits) -> Self {
        Self {
            shapes: Shape::ALL.to_vec(),
            sizes: vec![limits.proof],
            filter: None,
            rounds: Some(1),
            time: Duration::ZERO,
            json: false,
        }
    }

    /// Whether `contender` is to run.
    #[must_use]
    pub fn wants(&self, contender: &str) -> bool {
        self.filter
            .as_deref()
            .is_none_or(|filter| contender.contains(filter))
    }

    fn parse(mut arguments: Parser, limits: Limits) -> Result<Option<Self>, Failure> {
        let mut options = Self {
            sizes: limits.sizes.to_vec(),
            rounds: None,
            time: Duration::from_secs(2),
            ..Self::proof(limits)
        };
        let mut bench = false;
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("bench") => bench = true,
                Arg::Long("shapes") => {
                    options.shapes = list(&arguments.value()?.string()?, str::parse)?;
                }
                Arg::Long("sizes") => options.sizes = list(&arguments.value()?.string()?, size)?,
                Arg::Long("rounds") => {
                    options.rounds = Some(arguments.value()?.parse::<usize>()?.max(1));
                }
                Arg::Long("seconds") => {
                    options.time = Duration::try_from_secs_f64(arguments.value()?.parse()?)?;
                }
                Arg::Long("json") => options.json = true,
                Arg::Long("list") => return Ok(None),
                Arg::Long("help") => {
                    print!("{HELP}");
                    return Ok(None);
                }
                Arg::Value(filter) => options.filter = Some(filter.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        if !bench {
            options = Self {
                filter: options.filter,
                ..Self::proof(limits)
            };
        }
        Ok(Some(options))
    }
}

fn list<T>(text: &str, item: impl Fn(&str) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
    text.split(',').map(|text| item(text.trim())).collect()
}

fn size(text: &str) -> Result<usize, Failure> {
    let lower = text.to_ascii_lowercase();
    let (digits, unit) = match lower.strip_suffix(['k', 'm']) {
        Some(digits) if lower.ends_with('k') => (digits, 1_000),
        Some(digits) => (digits, 1_000_000),
        None => (lower.as_str(), 1),
    };
    digits
        .parse::<usize>()
        .ok()
        .and_then(|count| count.checked_mul(unit))
        .filter(|&size| size > 0)
        .ok_or_else(|| {
            format!("`{text}` is not a size: use a number such as 500, 10k or 1m").into()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        sizes: &[1_000, 10_000],
        proof: 50,
    };

    fn parse(arguments: &[&str]) -> Result<Option<Options>, String> {
        Options::parse(Parser::from_args(arguments), LIMITS).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_are_read_in_any_order() {
        let arguments = [
            "floor", "--sizes", "10k,1M,7", "--shapes", "fan", "--bench", "--json",
        ];
        let options = parse(&arguments).unwrap().unwrap();
        assert_eq!(options.sizes, [10_000, 1_000_000, 7]);
        assert_eq!(options.shapes, [Shape::Fan]);
        assert!(options.json && options.wants("floor") && !options.wants("other"));
    }

    #[test]
    fn without_bench_only_the_proof_runs() {
        let options = parse(&["--sizes", "1m"]).unwrap().unwrap();
        assert_eq!((options.sizes, options.rounds), (vec![50], Some(1)));
        assert!(parse(&["--list"]).unwrap().is_none());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (arguments, name) in [
            (["--sizes", "10x"], "10x"),
            (["--sizes", "0"], "0"),
            (["--shapes", "ring"], "ring"),
            (["--rounds", "many"], "many"),
            (["--unknown", "1"], "unknown"),
        ] {
            let error = parse(&arguments).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }
}

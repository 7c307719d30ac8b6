use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Options;
use crate::Failure;

const FEWEST_ROUNDS: usize = 5;
const MOST_ROUNDS: usize = 1_000;

/// One timed piece of work.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// What was made ready before: building, compiling, opening.
    pub setup: Duration,
    /// The work itself.
    pub run: Duration,
}

impl Sample {
    /// Times `setup` and then `run` on what it made. What `run` returns is dropped (or verified)
    /// by the caller, outside the time.
    ///
    /// # Errors
    ///
    /// Passes on the failure of either.
    pub fn take<S, R>(
        setup: impl FnOnce() -> Result<S, Failure>,
        run: impl FnOnce(&mut S) -> Result<R, Failure>,
    ) -> Result<(Self, S, R), Failure> {
        let start = Instant::now();
        let mut ready = setup()?;
        let middle = Instant::now();
        let result = run(&mut ready)?;
        let sample = Self {
            setup: middle - start,
            run: middle.elapsed(),
        };
        Ok((sample, ready, result))
    }
}

type Work<'a> = Box<dyn FnMut() -> Result<Sample, Failure> + 'a>;

/// Contenders that do the same work.
pub struct Contest<'a> {
    name: String,
    unit: &'static str,
    units: usize,
    contenders: Vec<(String, Work<'a>)>,
}

impl<'a> Contest<'a> {
    /// A contest whose times are given per `unit` (say, `node`), of which each run does `units`.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: &'static str, units: usize) -> Self {
        Self {
            name: name.into(),
            unit,
            units,
            contenders: Vec::new(),
        }
    }

    /// Adds a contender. It does its work once per call, verifies it, and says how long it took.
    /// The first contender is the baseline.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        work: impl FnMut() -> Result<Sample, Failure> + 'a,
    ) {
        self.contenders.push((name.into(), Box::new(work)));
    }

    /// Runs all contenders that `options` wants, prints the result and returns it: first a
    /// warm-up round, then the measured rounds, each with every contender and each in the
    /// opposite order of the one before.
    ///
    /// # Errors
    ///
    /// A contender that did not do its work, by name.
    pub fn run(mut self, options: &Options) -> Result<Vec<Measurement>, Failure> {
        let mut place = 0;
        self.contenders.retain(|(name, _)| {
            place += 1;
            place == 1 || options.wants(name)
        });
        let start = Instant::now();
        let mut samples = vec![Vec::new(); self.contenders.len()];
        self.round(false, |_, _| ())?;
        let rounds = options.rounds.unwrap_or_else(|| {
            let fitting = options.time.as_secs_f64() / start.elapsed().as_secs_f64().max(1e-6);
            (fitting as usize).clamp(FEWEST_ROUNDS, MOST_ROUNDS)
        });
        for round in 0..rounds {
            self.round(round % 2 == 1, |contender, sample| {
                samples[contender].push(sample)
            })?;
        }
        let measurements: Vec<Measurement> = self
            .contenders
            .iter()
            .zip(&samples)
            .map(|((name, _), taken)| Measurement::new(name, taken, &samples[0], self.units))
            .collect();
        self.print(&measurements, options.json);
        Ok(measurements)
    }

    fn round(
        &mut self,
        backwards: bool,
        mut taken: impl FnMut(usize, Sample),
    ) -> Result<(), Failure> {
        let count = self.contenders.len();
        for place in 0..count {
            let contender = if backwards { count - 1 - place } else { place };
            let (name, work) = &mut self.contenders[contender];
            let sample = work().map_err(|error| format!("{}: {name}: {error}", self.name))?;
            taken(contender, sample);
        }
        Ok(())
    }

    fn print(&self, measurements: &[Measurement], as_json: bool) {
        if as_json {
            for measured in measurements {
                println!("{}", measured.json(&self.name, self.unit, self.units));
            }
            return;
        }
        let rounds = measurements.first().map_or(0, |measured| measured.rounds);
        println!("{} ({rounds} rounds, per {})", self.name, self.unit);
        println!(
            "  {:<24}{:>12}{:>12}{:>12}{:>10}{:>10}{:>12}{:>12}",
            "contender", "min", "median", "max", "x min", "x median", "setup", "with setup"
        );
        for measured in measurements {
            println!(
                "  {:<24}{:>12}{:>12}{:>12}{:>10.2}{:>10.2}{:>12}{:>12}",
                measured.contender,
                nanoseconds(measured.min),
                nanoseconds(measured.median),
                nanoseconds(measured.max),
                measured.ratio_of_minima,
                measured.ratio,
                nanoseconds(measured.setup),
                nanoseconds(measured.total),
            );
        }
        println!();
    }
}

impl fmt::Debug for Contest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self
            .contenders
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        f.debug_struct("Contest")
            .field("name", &self.name)
            .field("contenders", &names)
            .finish()
    }
}

/// What a contender reached; times are nanoseconds per unit.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Measurement {
    /// The contender's name.
    pub contender: String,
    /// The number of measured rounds.
    pub rounds: usize,
    /// The fastest round.
    pub min: f64,
    /// The round in the middle.
    pub median: f64,
    /// The slowest round.
    pub max: f64,
    /// The fastest set-up.
    pub setup: f64,
    /// The fastest round with its set-up: what a run costs whose graph is used up by it.
    pub total: f64,
    /// The median over the rounds of this contender's time by the baseline's in the same round.
    pub ratio: f64,
    /// This contender's fastest round by the baseline's.
    pub ratio_of_minima: f64,
}

impl Measurement {
    fn new(contender: &str, samples: &[Sample], baseline: &[Sample], units: usize) -> Self {
        let per_unit = |time: Duration| time.as_secs_f64() * 1e9 / units.max(1) as f64;
        let runs = sorted(samples.iter().map(|sample| per_unit(sample.run)));
        let setups = sorted(samples.iter().map(|sample| per_unit(sample.setup)));
        let totals = sorted(
            samples
                .iter()
                .map(|sample| per_unit(sample.setup + sample.run)),
        );
        let fastest = baseline
            .iter()
            .map(|sample| per_unit(sample.run))
            .fold(f64::MAX, f64::min);
        let ratios = sorted(
            samples
                .iter()
                .zip(baseline)
                .map(|(sample, base)| sample.run.as_secs_f64() / base.run.as_secs_f64()),
        );
        Self {
            contender: contender.to_owned(),
            rounds: samples.len(),
            min: runs[0],
            median: middle(&runs),
            max: runs[runs.len() - 1],
            setup: setups[0],
            total: totals[0],
            ratio: middle(&ratios),
            ratio_of_minima: runs[0] / fastest,
        }
    }

    fn json(&self, contest: &str, unit: &str, units: usize) -> serde_json::Value {
        json!({
            "contest": contest,
            "contender": self.contender,
            "unit": unit,
            "units": units,
            "rounds": self.rounds,
            "minNs": self.min,
            "medianNs": self.median,
            "maxNs": self.max,
            "setupNs": self.setup,
            "totalNs": self.total,
            "ratio": self.ratio,
            "ratioOfMinima": self.ratio_of_minima,
        })
    }
}

/// Ends a bench target: prints the failure, if any, and says so in the exit code.
#[must_use]
pub fn finish(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn middle(sorted: &[f64]) -> f64 {
    let upper = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[upper]
    } else {
        (sorted[upper - 1] + sorted[upper]) / 2.0
    }
}

fn nanoseconds(time: f64) -> String {
    match time {
        ..1e4 => format!("{time:.1} ns"),
        1e4..1e7 => format!("{:.1} µs", time / 1e3),
        1e7..1e10 => format!("{:.1} ms", time / 1e6),
        _ => format!("{:.2} s", time / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(milliseconds: &[u64]) -> Vec<Sample> {
        let sample = |&ms: &u64| Sample {
            setup: Duration::ZERO,
            run: Duration::from_millis(ms),
        };
        milliseconds.iter().map(sample).collect()
    }

    #[test]
    fn ratios_compare_rounds_with_each_other() {
        let (mine, base) = (samples(&[20, 400, 60]), samples(&[10, 100, 30]));
        let measured = Measurement::new("mine", &mine, &base, 1_000);
        assert_eq!(
            (measured.min, measured.median, measured.max),
            (20e3, 60e3, 400e3)
        );
        assert_eq!((measured.ratio, measured.ratio_of_minima), (2.0, 2.0));
    }

    #[test]
    fn a_failing_contender_is_named() {
        let limits = super::super::Limits {
            sizes: &[1],
            proof: 1,
        };
        let mut contest = Contest::new("contest", "node", 1);
        contest.add("idler", || Err("ran 0 of 1 nodes".into()));
        let error = contest
            .run(&Options::proof(limits))
            .unwrap_err()
            .to_string();
        assert_eq!(error, "contest: idler: ran 0 of 1 nodes");
    }
}

//! What the command line says.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum, ValueHint};
use shipsec_core::run::replay::{Position, Speed};

/// Heading of the options that limit what others may ask for.
const LIMITS: &str = "Limits";

/// Builds, checks, runs and inspects workflows of typed components.
#[derive(Debug, Parser)]
#[command(name = "shipsec", version, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a workflow and follow it to its end.
    ///
    /// Exit codes: 0 completed, 1 failed, 2 unusable graph or arguments, 130 interrupted. Ctrl-C
    /// cancels the run with its clean-up; a second one kills it.
    Run(RunArgs),
    /// Go on with a run whose process died: nodes that have ended do not run again.
    ///
    /// What is shown begins where it goes on. Exit codes are those of `run`.
    Resume(ResumeArgs),
    /// Run a run again, as a new run that may take over what has not changed.
    ///
    /// Exit codes are those of `run`.
    Rerun(RerunArgs),
    /// Answer what a node of a run waits for, and go on with the run where no process runs it.
    ///
    /// Exit codes: 0 answered (and completed, where it went on), 1 the run failed, 2 nobody asked or
    /// the answer does not fit.
    Answer(AnswerArgs),
    /// Tell what is different between two runs.
    ///
    /// Exit codes: 0 compared, 1 something of a class in --fail-on is different, 2 unusable
    /// arguments.
    Diff(DiffArgs),
    /// Write a run, with the runs that it called, into one file.
    Export(ExportArgs),
    /// Read the runs of a file that `export` wrote.
    Import(ImportArgs),
    /// Remove old runs, and artifacts that no run refers to any more.
    ///
    /// Artifacts go by the store that they belong to: whoever names --artifacts names --store too. The
    /// file of the store shrinks by what the runs took; one that cannot shrink uses the room again.
    Prune(PruneArgs),
    /// Check a graph and report every problem at once. Exit codes: 0 valid, 2 not.
    Validate {
        #[command(flatten)]
        graph: GraphArg,
        /// How to report.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the compiled definition of a graph, as JSON.
    Compile {
        #[command(flatten)]
        graph: GraphArg,
    },
    /// List the components, or show one.
    Components {
        /// The component to show, for example core.text.splitter.
        id: Option<String>,
        /// How to show it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// List runs, the newest first.
    Runs {
        #[command(flatten)]
        place: Place,
        /// Only runs of this workflow.
        #[arg(long, value_name = "ID")]
        workflow: Option<String>,
        /// Only runs with this status, for example FAILED.
        #[arg(long, value_name = "STATUS")]
        status: Option<String>,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        /// How to show them.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the status of a run, as JSON.
    Status {
        #[command(flatten)]
        run: RunArg,
    },
    /// Print the event log of a run, one JSON object a line.
    Events {
        #[command(flatten)]
        run: RunArg,
        /// Only events after this sequence number.
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u64,
        /// Go on with the events to come, until the run ends.
        #[arg(long)]
        follow: bool,
    },
    /// Print the outputs of a run, as JSON.
    Outputs {
        #[command(flatten)]
        run: RunArg,
    },
    /// List the artifacts of a run, or get one.
    Artifacts {
        #[command(flatten)]
        run: RunArg,
        /// The artifact to get: its id, or its name.
        #[arg(long, value_name = "ID", requires = "output")]
        get: Option<String>,
        /// The file to write it to; `-` for standard output.
        #[arg(short, long, value_name = "FILE", requires = "get", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
        /// How to list them.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Play a run back, or show it at one moment.
    ///
    /// On a terminal it plays, also a run that goes on: space plays and pauses, left and right step
    /// by an event, up and down choose a node, n and p go to its next and previous change, + and -
    /// change the speed, g shortens gaps, home and end jump, q quits. Elsewhere, and with --format
    /// json, the state at the moment is printed: at the end of the log, or --at.
    Replay(ReplayArgs),
    /// Serve the HTTP API and the live view, for a browser on this machine.
    ///
    /// It runs the workflows that it is given over the API, and shows the runs of every process on
    /// the same store. Ctrl-C ends it; runs that have not ended can be resumed.
    Serve(ServeArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) graph: GraphArg,
    /// An input of the run; `k=@file` takes its value from a file. May be repeated.
    ///
    /// The type that the workflow declares decides how the text is read: text as it is, numbers and
    /// booleans by their value, everything else as JSON. A secret is given as the NAME of a
    /// `--secret`.
    #[arg(short, long, value_name = "K=V")]
    pub(crate) input: Vec<String>,
    /// A JSON file with inputs; `--input` overrides what it says.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) inputs: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

/// Which run to go on with.
#[derive(Debug, clap::Args)]
pub(crate) struct ResumeArgs {
    /// The run: its id, the beginning of its id, or `last`.
    #[arg(value_name = "RUN", required_unless_present = "all")]
    pub(crate) name: Option<String>,
    /// Every run here that has not ended and that no process runs.
    #[arg(long, conflicts_with = "name")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

/// Which run to run again, and what of it.
#[derive(Debug, clap::Args)]
pub(crate) struct RerunArgs {
    /// The run: its id, the beginning of its id, or `last`.
    #[arg(value_name = "RUN")]
    pub(crate) name: String,
    /// The node to run again, with all nodes after it; those before it are taken over from RUN where
    /// they have not changed.
    #[arg(long, value_name = "NODE")]
    pub(crate) from: Option<String>,
    /// Take over everything that has not changed: the same component and version, parameters and
    /// inputs. Nodes that read files or ask servers run again, unless they come before `--from`.
    #[arg(long)]
    pub(crate) cached: bool,
    /// Another graph than RUN's, for example a newer version of it.
    #[arg(long, value_name = "GRAPH", value_hint = ValueHint::FilePath)]
    pub(crate) graph: Option<PathBuf>,
    /// An input that differs from RUN's; `k=@file` takes its value from a file. May be repeated.
    #[arg(short, long, value_name = "K=V")]
    pub(crate) input: Vec<String>,
    /// A JSON file with inputs that differ from RUN's; `--input` overrides what it says.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) inputs: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

/// What to answer.
#[derive(Debug, clap::Args)]
pub(crate) struct AnswerArgs {
    /// The run: its id, the beginning of its id, or `last`.
    #[arg(value_name = "RUN")]
    pub(crate) name: String,
    /// The node that waits; an item of a node as `node[3]`. It may be left out where one waits.
    #[arg(value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// The answer as JSON.
    #[arg(long, value_name = "JSON", conflicts_with_all = ["approve", "reject", "set"])]
    pub(crate) json: Option<String>,
    /// Say yes to an approval.
    #[arg(long, conflicts_with = "reject")]
    pub(crate) approve: bool,
    /// Say no to an approval.
    #[arg(long)]
    pub(crate) reject: bool,
    /// A field of the answer: text as it is, numbers and booleans by their value, everything else as
    /// JSON, by what the question asks. May be repeated.
    #[arg(long, value_name = "K=V")]
    pub(crate) set: Vec<String>,
    /// Why, for the log.
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// Who answers, for the log. Default: the name of the user.
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Only record the answer, also where no process runs the run.
    #[arg(long)]
    pub(crate) no_resume: bool,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

/// Which runs to compare, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The first run: its id, the beginning of its id, or `last`.
    #[arg(value_name = "A")]
    pub(crate) a: String,
    /// The second run.
    #[arg(value_name = "B")]
    pub(crate) b: String,
    /// Does not compare this: NODE/PORT/…, with * for one token and ** for any number, such as
    /// `**/timestamp`. May be repeated.
    #[arg(long, value_name = "PATH")]
    pub(crate) ignore: Vec<String>,
    /// Exit with 1 where something of this class is different: status, added, removed, rewired,
    /// component-version, parameter, input, output, artifact, logs, duration (which needs
    /// --duration-threshold). May be repeated.
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    pub(crate) fail_on: Vec<String>,
    /// Tell nodes whose duration differs by more than so many percent.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) duration_threshold: Option<u16>,
    /// Compare also what components declare to differ from run to run, such as times and random ids.
    #[arg(long)]
    pub(crate) volatile: bool,
    /// How to tell it.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: DiffFormat,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What to write where.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) run: RunArg,
    /// The file to write.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
    /// What comes along beside the log.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) with: Kept,
    /// Replace the file where it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// What comes along with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Kept {
    /// All artifacts.
    #[default]
    All,
    /// Outputs that are too large for the log.
    Outputs,
    /// Nothing.
    None,
}

/// What to read.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// A file that `shipsec export` wrote.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What to remove.
#[derive(Debug, clap::Args)]
pub(crate) struct PruneArgs {
    /// Runs that ended longer ago than this, for example 30d or 12h.
    #[arg(long, value_name = "AGE")]
    pub(crate) older_than: String,
    /// Only runs that ended so, for example COMPLETED. May be repeated.
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Vec<String>,
    /// So many of the newest ended runs stay in any case.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) keep: usize,
    /// Also runs that did not end and whose process is gone.
    #[arg(long)]
    pub(crate) interrupted: bool,
    /// Only tell what would be removed.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to tell it.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// How a diff is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum DiffFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For a pull request.
    Markdown,
}

/// How runs are run and shown.
#[derive(Debug, clap::Args)]
pub(crate) struct HostArgs {
    /// Lets the workflow use a secret, taken from an environment variable. May be repeated.
    #[arg(long, value_name = "NAME=ENV")]
    pub(crate) secret: Vec<String>,
    /// The folder of the workflows that others call by their id, each as `<id>.json`. Default: the
    /// folder of the graph, or this one.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) workflows: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// How long the store may be away before the run gives up, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) store_patience: u32,
    /// What to show: a live view on a terminal, plain lines elsewhere, or the event log itself.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// What to serve, and to whom.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The address to serve on. Any other than a loopback address needs a token. Whoever may ask can
    /// run workflows, which read and write files, and ask other hosts, as you can.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3211")]
    pub(crate) bind: SocketAddr,
    /// A file with the bearer token that every request must bring, of 16 characters or more.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
    /// The same token, from the environment: an argument would show it to other users.
    #[arg(long, env = "SHIPSEC_TOKEN", hide = true, hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Another host name that requests may ask for, such as that of a proxy. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,
    /// The folder where workflows are kept, with their versions. Default: .shipsec/workflows
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) workflows: Option<PathBuf>,
    /// Lets workflows use a secret, taken from an environment variable. May be repeated.
    #[arg(long, value_name = "NAME=ENV")]
    pub(crate) secret: Vec<String>,
    /// Go on with the runs here that have not ended and that no process runs.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Bytes that the body of a request may have. Default: 8388608
    #[arg(long, value_name = "BYTES", help_heading = LIMITS)]
    pub(crate) max_body: Option<usize>,
    /// Requests a second from one address; twice as many may come at once. Default: 1000
    #[arg(long, value_name = "N", help_heading = LIMITS)]
    pub(crate) max_rate: Option<NonZeroU32>,
    /// Event streams at once. Default: 4096
    #[arg(long, value_name = "N", help_heading = LIMITS)]
    pub(crate) max_streams: Option<usize>,
    /// Connections at once. Default: 8192, and 2048 from one address
    #[arg(long, value_name = "N", help_heading = LIMITS)]
    pub(crate) max_connections: Option<usize>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) run: RunArg,
    /// The moment: the sequence number of an event, a time (RFC 3339), or a length of time since
    /// the start such as 1m30s or +12.5s.
    #[arg(long, value_name = "N|TIME")]
    pub(crate) at: Option<Position>,
    /// Seconds of the run for each second, from 0.01 to 10000.
    #[arg(long, value_name = "X", default_value_t)]
    pub(crate) speed: Speed,
    /// Play gaps between events that are longer than this as if they were as long, in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) max_gap: Option<Duration>,
    /// How to print the state.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().map(Duration::try_from_secs_f64);
    match seconds {
        Some(Ok(seconds)) => Ok(seconds),
        _ => Err("expected a number of seconds such as 2 or 0.5".to_owned()),
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct GraphArg {
    /// The workflow's graph, a JSON file; `-` for standard input.
    #[arg(value_name = "GRAPH", value_hint = ValueHint::FilePath)]
    pub(crate) path: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArg {
    /// The run: its id, the beginning of its id, `last`, or a file that `shipsec export` wrote.
    #[arg(value_name = "RUN")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Where runs are kept.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Place {
    /// Where event logs are kept: `sqlite:FILE` or `memory:`. Default: sqlite:.shipsec/shipsec.db
    #[arg(long, value_name = "URL", env = "SHIPSEC_STORE")]
    pub(crate) store: Option<String>,
    /// Where artifacts are kept: `file:FOLDER` or `memory:`. Default: the folder of the store, which
    /// is FILE.artifacts beside a FILE that --store names, and else .shipsec/artifacts
    #[arg(long, value_name = "URL", env = "SHIPSEC_ARTIFACTS")]
    pub(crate) artifacts: Option<String>,
}

/// For whom something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// What `run` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Output {
    /// A live view on a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// A line for each event.
    Plain,
    /// The event log, one JSON object a line, and nothing else on standard output.
    Jsonl,
}

//! Child processes: cargo, its subcommands, and the programs that it builds.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// The cargo that runs this task, with the given arguments.
pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Whether cargo has this subcommand.
pub(crate) fn has_subcommand(name: &str) -> bool {
    cargo([name, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a command that speaks to the terminal itself.
///
/// # Errors
/// It cannot be started, or does not succeed.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    announce(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", name(command)))?;
    expect_success(command, status)
}

/// Runs a command, passes its lines on as they come, and gives back those that `keep` wants.
///
/// # Errors
/// It cannot be started, or does not succeed.
pub(crate) fn run_keeping(
    command: &mut Command,
    keep: fn(&str) -> bool,
) -> anyhow::Result<Vec<String>> {
    announce(command);
    // What is kept is parsed, so it must come without colours.
    command
        .env("CARGO_TERM_COLOR", "never")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", name(command)))?;
    let (sender, lines) = mpsc::channel();
    let outputs: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as _),
        child.stderr.take().map(|pipe| Box::new(pipe) as _),
    ];
    for output in outputs.into_iter().flatten() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while output
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                if sender.send(text).is_err() {
                    break;
                }
                line.clear();
            }
        });
    }
    drop(sender);
    let mut kept = Vec::new();
    for line in lines {
        println!("{line}");
        if keep(&line) {
            kept.push(line);
        }
    }
    let status = child.wait()?;
    expect_success(command, status)?;
    Ok(kept)
}

/// What a program that ran to its end left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it printed, with anything that is not UTF-8 replaced.
    pub(crate) stdout: String,
    /// What it complained about, likewise.
    pub(crate) stderr: String,
}

/// Runs a built program in a folder and collects what it prints.
///
/// # Errors
/// It cannot be started, or has not ended when the limit is reached; it is killed then.
pub(crate) fn collect(
    program: &Path,
    arguments: &[&OsStr],
    folder: &Path,
    limit: Duration,
) -> anyhow::Result<Ran> {
    let scratch = tempfile::tempdir()?;
    let (stdout, stderr) = (scratch.path().join("stdout"), scratch.path().join("stderr"));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        // Files, not pipes: a full pipe would block the program while the limit is watched.
        .stdout(std::fs::File::create(&stdout)?)
        .stderr(std::fs::File::create(&stderr)?);
    announce(&command);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", name(&command)))?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!(
                "{} had not ended after {} s and was killed",
                name(&command),
                limit.as_secs()
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let text = |path: &Path| -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())
    };
    Ok(Ran {
        status,
        stdout: text(&stdout)?,
        stderr: text(&stderr)?,
    })
}

fn expect_success(command: &Command, status: ExitStatus) -> anyhow::Result<()> {
    if !status.success() {
        bail!("{} ended with {status}", name(command));
    }
    Ok(())
}

fn announce(command: &Command) {
    println!("$ {}", name(command));
}

/// The command line as a person would type it.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_stem()
        .unwrap_or_default();
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

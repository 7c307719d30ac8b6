//! Why a command ends early, and with which exit code.

use std::{fmt, process::ExitCode};

use crate::text::visible;

/// A command that could not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The graph, an argument, or what an argument names cannot be used. Exit code 2.
    Unusable(String),
    /// It was tried, and failed. Exit code 1.
    Failed(String),
    /// Whoever was reading went away; there is nobody to tell. Exit code 0.
    NobodyReads,
}

impl Failure {
    /// Says why, on standard error.
    pub(crate) fn tell(&self) {
        use anstyle::{AnsiColor, Style};
        let (Self::Unusable(message) | Self::Failed(message)) = self else {
            return;
        };
        let red = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
        let mut lines = message.lines();
        let first = lines.next().unwrap_or_default();
        anstream::eprintln!("{red}error{red:#}: {}", visible(first));
        for line in lines {
            anstream::eprintln!("{}", visible(line));
        }
    }

    /// The exit code that it stands for.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Unusable(_) => 2,
            Self::Failed(_) => 1,
            Self::NobodyReads => 0,
        })
    }

    /// Of an argument that cannot be used.
    pub(crate) fn unusable(message: impl fmt::Display) -> Self {
        Self::Unusable(message.to_string())
    }

    /// Of something that was tried and failed.
    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self::Failed(message.to_string())
    }

    /// Of writing to standard output.
    pub(crate) fn writing(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::Failed(format!("standard output: {error}")),
        }
    }
}

//! The three ways in which a run is shown while it goes on.

use std::io::{self, IsTerminal as _, Write};

use shipsec_core::{event::Event, run::RunView};

use super::{
    live::{self, Live, TICK},
    plain::Plain,
};
use crate::{args::Output, failure::Failure, json, text::visible};

/// How a run is shown while it goes on. Once nobody reads, it says nothing more: the run goes on.
#[derive(Debug)]
pub(crate) struct View {
    way: Way,
    gone: bool,
}

#[derive(Debug)]
enum Way {
    Live(Live),
    Plain(Plain),
    Jsonl,
}

impl View {
    /// What the arguments ask for; a live view only where there is a terminal that can show it.
    pub(crate) fn new(
        output: Output,
        title: &str,
        run: &str,
        place: &str,
    ) -> Result<Self, Failure> {
        let able = || {
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            io::stdout().is_terminal() && !dumb
        };
        let mut view = Self {
            way: match output {
                Output::Jsonl => Way::Jsonl,
                Output::Auto if able() => Way::Live(Live::new(title, place)),
                _ => Way::Plain(Plain::new(place)),
            },
            gone: false,
        };
        if let Way::Plain(_) = view.way {
            view.write(|_, out| writeln!(out, "{}: run {run}", visible(title)))?;
        }
        Ok(view)
    }

    /// Shows what a run that is gone on with waits for.
    pub(crate) fn begin(&mut self, view: &RunView) -> Result<(), Failure> {
        self.write(|way, out| match way {
            Way::Live(live) => {
                live.waits(view);
                Ok(())
            }
            Way::Plain(plain) => plain.begin(out, view),
            Way::Jsonl => Ok(()),
        })
    }

    /// Shows what a run that was called has come to wait for; `view` has the events already.
    pub(crate) fn called(&mut self, view: &RunView, events: &[Event]) -> Result<(), Failure> {
        self.write(|way, out| match way {
            Way::Live(live) => {
                live.waits(view);
                Ok(())
            }
            Way::Plain(plain) => {
                let waits = |event: &&Event| {
                    let node = event.node_id().and_then(|id| view.node(id.as_str()));
                    node.is_some_and(|node| node.awaiting.is_some())
                };
                let mut events = events.iter().filter(waits);
                events.try_for_each(|event| plain.called(out, view, event))
            }
            Way::Jsonl => Ok(()),
        })
    }

    /// Whether it moves by itself, and how often.
    pub(crate) fn tick(&self) -> Option<std::time::Duration> {
        matches!(self.way, Way::Live(_)).then_some(TICK)
    }

    /// Whether standard output is for programs.
    pub(crate) fn is_log(&self) -> bool {
        matches!(self.way, Way::Jsonl)
    }

    /// Shows an event; `view` has it already.
    pub(crate) fn event(&mut self, view: &RunView, event: &Event) -> Result<(), Failure> {
        if self.gone {
            return Ok(());
        }
        match &mut self.way {
            Way::Live(live) => {
                live.event(view, event);
                Ok(())
            }
            Way::Jsonl => {
                let line = json::line(&mut io::stdout().lock(), event);
                self.heard(line)
            }
            Way::Plain(_) => self.write(|way, out| match way {
                Way::Plain(plain) => plain.event(out, view, event),
                _ => Ok(()),
            }),
        }
    }

    /// Shows what a burst of events led to.
    pub(crate) fn refresh(&mut self, view: &RunView) -> Result<(), Failure> {
        self.write(|way, out| match way {
            Way::Live(live) => live.refresh(out, view),
            _ => out.flush(),
        })
    }

    /// Shows that time has passed.
    pub(crate) fn pass(&mut self, view: &RunView) -> Result<(), Failure> {
        self.write(|way, out| match way {
            Way::Live(live) => live.tick(out, view),
            _ => Ok(()),
        })
    }

    /// Says something about the command itself.
    pub(crate) fn note(&mut self, note: &str) {
        match &mut self.way {
            Way::Live(live) => live.note(note),
            _ => anstream::eprintln!("{}", visible(note)),
        }
    }

    /// Ends the view: a live one gives its place to what comes after it.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        self.write(|way, out| match way {
            Way::Live(live) => live.clear(out),
            _ => out.flush(),
        })
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut Way, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.gone {
            return Ok(());
        }
        let written = match &self.way {
            Way::Live(_) => write(&mut self.way, &mut live::stdout()),
            _ => write(&mut self.way, &mut anstream::stdout()),
        };
        self.heard(written.map_err(Failure::writing))
    }

    /// Nobody to read is no reason to end a run.
    fn heard(&mut self, written: Result<(), Failure>) -> Result<(), Failure> {
        match written {
            Err(Failure::NobodyReads) => {
                self.gone = true;
                Ok(())
            }
            other => other,
        }
    }
}

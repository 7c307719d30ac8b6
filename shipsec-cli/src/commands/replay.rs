//! `shipsec replay`: a run at any moment of its log, or played on a terminal.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use crossterm::event::{self, Event as Input};
use shipsec_core::{
    event::Event,
    run::{
        RunView,
        replay::{Playback, Position},
    },
    trace::Replay,
};
use tokio::sync::mpsc;

use super::host::{INTERRUPTED, Interrupts};
use crate::{
    args::{Format, ReplayArgs},
    failure::Failure,
    json,
    render::{Key, Scene, Screen, Viewer, state},
    runs::Found,
    text::visible,
};

/// Events among which the last lines of logs are looked for.
const RECENT: usize = 256;

/// The longest and the shortest time between two pictures while it plays.
const TICKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(30));

pub(crate) fn replay(args: &ReplayArgs) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(Failure::failed)?;
    let code = runtime.block_on(start(args));
    // A store that waits for a log to grow must not keep the command from ending.
    runtime.shutdown_background();
    code
}

async fn start(args: &ReplayArgs) -> Result<ExitCode, Failure> {
    let Found { id, store, .. } = Found::by(&args.run).await?;
    let replay = Replay::open(store, id).await.map_err(Failure::failed)?;
    let last = replay.last();
    if let Some(Position::Sequence(sequence)) = args.at
        && sequence > last
    {
        return Err(Failure::unusable(format!(
            "--at {sequence}: the log of run {} ends with event {last}",
            replay.run_id()
        )));
    }
    let at = args
        .at
        .map(|at| replay.timeline(|timeline| timeline.sequence_at(&at)));
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let able = io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb;
    if able && args.format == Format::Text {
        return Player::new(args, replay, at)?.play().await;
    }
    print(args.format, &replay, at.unwrap_or(last)).await?;
    Ok(ExitCode::SUCCESS)
}

async fn print(format: Format, replay: &Replay, at: u64) -> Result<(), Failure> {
    let view = replay.at(at).await.map_err(Failure::failed)?;
    if format == Format::Json {
        return json::print(&view);
    }
    let events = replay.events_before(at, RECENT).await;
    let scene = Scene {
        view: &view,
        title: &title(replay),
        events: &events.map_err(Failure::failed)?,
        last: replay.last(),
        times: replay.timeline(|timeline| timeline.time_of(1).zip(timeline.time_of(at))),
        chosen: None,
        tick: 0,
    };
    let mut text = Vec::new();
    state(&mut text, &scene).map_err(Failure::failed)?;
    let written = anstream::stdout().write_all(&text);
    written.map_err(Failure::writing)
}

/// Of the workflow.
fn title(replay: &Replay) -> String {
    let said = replay.timeline(|timeline| {
        let view = timeline.view();
        let title = view.definition().map(|definition| definition.title.clone());
        let workflow = || view.workflow_id.as_ref().map(ToString::to_string);
        title.filter(|title| !title.is_empty()).or_else(workflow)
    });
    let title = said.unwrap_or_else(|| "?".to_owned());
    visible(&title).into_owned()
}

/// A replay on a terminal.
struct Player {
    // Given back before anything else is.
    screen: Screen,
    replay: Replay,
    viewer: Viewer,
    keys: mpsc::Receiver<io::Result<Input>>,
    interrupts: Interrupts,
    /// The state that is shown, and the last events before it.
    shown: Option<(RunView, Vec<Event>)>,
    tick: usize,
}

impl Player {
    fn new(args: &ReplayArgs, replay: Replay, at: Option<u64>) -> Result<Self, Failure> {
        let mut playback = Playback::new()
            .with_speed(args.speed)
            .with_longest_gap(args.max_gap);
        match at {
            Some(at) => replay.timeline(|timeline| playback.jump(timeline, at)),
            None => playback.play(),
        }
        let interrupts = Interrupts::new()?;
        let screen =
            Screen::take().map_err(|error| Failure::failed(format!("terminal: {error}")))?;
        Ok(Self {
            screen,
            replay,
            viewer: Viewer {
                playback,
                chosen: None,
            },
            keys: keys(),
            interrupts,
            shown: None,
            tick: 0,
        })
    }

    async fn play(mut self) -> Result<ExitCode, Failure> {
        let mut last: Option<Instant> = None;
        loop {
            let now = Instant::now();
            let passed = last.map_or(Duration::ZERO, |last| now.duration_since(last));
            last = Some(now);
            let playback = &mut self.viewer.playback;
            let (next, over) = self.replay.timeline(|timeline| {
                let sequence = playback.advance(timeline, passed);
                let over = timeline.view().status.is_final();
                if over && sequence == timeline.last() {
                    playback.pause();
                }
                (playback.until_next(timeline), over)
            });
            let playing = playback.is_playing();
            self.draw().await?;
            self.tick += usize::from(playing);
            let (longest, shortest) = TICKS;
            let wait = next.unwrap_or(longest).clamp(shortest, longest);
            tokio::select! {
                input = self.keys.recv() => match input {
                    Some(Ok(Input::Key(key))) => match Key::of(key) {
                        Some(Key::Quit) => return Ok(ExitCode::SUCCESS),
                        Some(Key::Interrupt) => return Ok(ExitCode::from(INTERRUPTED)),
                        Some(key) => self.replay.timeline(|timeline| self.viewer.by(key, timeline)),
                        None => {}
                    },
                    // Of another size: it is drawn anew.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(Failure::failed(format!("terminal: {error}"))),
                    None => return Ok(ExitCode::SUCCESS),
                },
                () = self.interrupts.next() => return Ok(ExitCode::from(INTERRUPTED)),
                grown = self.replay.grown(), if !over => drop(grown.map_err(Failure::failed)?),
                () = tokio::time::sleep(wait), if playing => {}
            }
        }
    }

    async fn draw(&mut self) -> Result<(), Failure> {
        let at = self.viewer.playback.sequence();
        let (view, events) = match self.shown.take().filter(|(view, _)| view.sequence == at) {
            Some(shown) => shown,
            None => {
                let view = self.replay.at(at).await.map_err(Failure::failed)?;
                let events = self.replay.events_before(at, RECENT).await;
                (view, events.map_err(Failure::failed)?)
            }
        };
        let playback = &self.viewer.playback;
        let (times, last) = self.replay.timeline(|timeline| {
            let clock = playback.clock(timeline);
            (timeline.time_of(1).zip(clock), timeline.last())
        });
        let scene = Scene {
            view: &view,
            title: &title(&self.replay),
            events: &events,
            last,
            times,
            chosen: self.viewer.chosen.as_ref(),
            tick: self.tick,
        };
        let (columns, rows) = Screen::size();
        let picture = scene.picture(playback, columns, rows);
        self.screen.draw(&picture).map_err(Failure::writing)?;
        self.shown = Some((view, events));
        Ok(())
    }
}

/// What is pressed, until nobody listens any more.
fn keys() -> mpsc::Receiver<io::Result<Input>> {
    let (send, keys) = mpsc::channel(64);
    std::thread::spawn(move || {
        while !send.is_closed() {
            let input = match event::poll(Duration::from_millis(100)) {
                Ok(false) => continue,
                Ok(true) => event::read(),
                Err(error) => Err(error),
            };
            let failed = input.is_err();
            if send.blocking_send(input).is_err() || failed {
                break;
            }
        }
    });
    keys
}

//! Any moment of any log, and moving along it.

use std::time::Duration;

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use serde_json::json;

use super::{
    log::{Log, definition, event, run, started},
    properties::{events, text},
};
use crate::{
    event::{Event, Timestamp},
    run::{
        Applied, NodeState, RunView,
        replay::{FrameOptions, Playback, Position, Speed, Timeline},
    },
};

fn timeline(events: &[Event], options: FrameOptions) -> Timeline {
    let mut timeline = Timeline::with_options(run(), options);
    for event in events {
        assert_eq!(timeline.push(event), Applied::Taken);
    }
    timeline
}

/// The state at `to` by the nearest frame.
fn at(timeline: &Timeline, events: &[Event], to: u64) -> RunView {
    let mut view = timeline.frame(to).clone();
    for event in &events[view.sequence as usize..to as usize] {
        assert_eq!(view.apply(event), Applied::Taken);
    }
    view
}

proptest! {
    #[test]
    fn a_state_by_its_frame_is_the_state_from_the_start(
        events in events(), spacing in 0_usize..40, budget in 0_usize..40_000,
    ) {
        let options = FrameOptions::default().with_spacing(spacing).with_budget(budget);
        let mut grown = Timeline::with_options(run(), options);
        let mut live = RunView::new(run());
        let mut texts = vec![text(&live)];
        for event in &events {
            grown.push(event);
            live.apply(event);
            texts.push(text(&live));
            // Looking back in a log that grows.
            let middle = live.sequence / 2;
            prop_assert_eq!(&text(&at(&grown, &events, middle)), &texts[middle as usize]);
            prop_assert_eq!(text(grown.view()), text(&live));
        }
        for (to, expected) in texts.iter().enumerate() {
            let view = at(&grown, &events, to as u64);
            prop_assert_eq!(view.sequence, to as u64);
            prop_assert_eq!(&text(&view), expected);
        }
        // What is beyond the last event is the last event.
        prop_assert_eq!(grown.frame(u64::MAX), &live);
    }

    #[test]
    fn changes_are_where_states_and_attempts_differ(events in events()) {
        let timeline = timeline(&events, FrameOptions::default());
        let mut view = RunView::new(run());
        let mut expected: std::collections::BTreeMap<String, Vec<u64>> = Default::default();
        for event in &events {
            let before = view.clone();
            view.apply(event);
            for (id, node) in view.nodes() {
                let was = before.node(id.as_str());
                let was = was.map_or((NodeState::Pending, 0), |node| (node.state, node.attempt));
                if was != (node.state, node.attempt) {
                    expected.entry(id.to_string()).or_default().push(event.sequence);
                }
            }
        }
        for node in ["a", "b", "c", "ghost", "nobody"] {
            let changes = expected.remove(node).unwrap_or_default();
            prop_assert_eq!(timeline.changes(node), &changes[..]);
            for from in 0..events.len() as u64 + 2 {
                let next = changes.iter().copied().find(|change| *change > from);
                prop_assert_eq!(timeline.next_change(node, from), next);
                let previous = changes.iter().rev().copied().find(|change| *change < from);
                prop_assert_eq!(timeline.previous_change(node, from), previous);
            }
        }
        prop_assert!(expected.is_empty(), "{expected:?}");
    }

    #[test]
    fn playing_passes_every_event_once_and_in_time(
        events in events(), ticks in proptest::collection::vec(0_u64..3_000, 1..60),
        longest in proptest::option::of(0_u64..5_000),
    ) {
        let timeline = timeline(&events, FrameOptions::default());
        let longest = longest.map(Duration::from_micros);
        let mut playback = Playback::new().with_longest_gap(longest);
        playback.play();
        let mut passed = Duration::ZERO;
        let mut clock = None;
        for tick in ticks {
            passed += Duration::from_micros(tick);
            let before = playback.sequence();
            let now = playback.advance(&timeline, Duration::from_micros(tick));
            prop_assert!(now >= before && now <= timeline.last());
            // Added up from the start, it is the last event that is due by now.
            let mut due = Duration::ZERO;
            let mut expected = 0;
            for sequence in 1..=timeline.last() {
                if let (Some(to), Some(from)) =
                    (timeline.time_of(sequence), timeline.time_of(sequence - 1))
                {
                    let gap = to.since(from);
                    due += longest.map_or(gap, |longest| gap.min(longest));
                }
                if due > passed {
                    break;
                }
                expected = sequence;
            }
            prop_assert_eq!(now, expected);
            let shown = playback.clock(&timeline);
            prop_assert!(shown >= clock);
            prop_assert!(shown >= timeline.time_of(now));
            if let Some(next) = timeline.time_of(now + 1) {
                prop_assert!(shown.is_none_or(|shown| shown <= next));
            }
            clock = shown;
        }
    }
}

#[test]
fn the_first_frame_is_behind_the_definition_and_stays() {
    let log = Log::of(&["a", "b"], &[]);
    let options = FrameOptions::default().with_budget(0);
    let mut timeline = timeline(&log.events, options);
    for sequence in 2..20_000 {
        timeline.push(&event(sequence, 0, "NODE_LOG", "a", 1, json!({})));
    }
    assert_eq!(timeline.frame(2).sequence, 1);
    assert_eq!(timeline.frame(0).sequence, 0);
    // There was no room for more, and some are kept all the same.
    assert!(
        (2..=8).contains(&timeline.frames()),
        "{}",
        timeline.frames()
    );
}

#[test]
fn frames_stay_within_their_budget_and_stay_even() {
    let names: Vec<String> = (0..600).map(|n| format!("n{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut log = Log::of(&names, &[]);
    // Each event changes another node, so that frames have little in common.
    for turn in 1..8 {
        for node in 0..600 {
            log.add("NODE_STARTED", names[(node * 7) % 600], turn, started());
        }
    }
    let budget = 2 << 20;
    let options = FrameOptions::default().with_spacing(10).with_budget(budget);
    let timeline = timeline(&log.events, options);
    assert!(
        timeline.bytes() < budget + 128 * 1024,
        "{}",
        timeline.bytes()
    );
    let longest = (1..timeline.last())
        .map(|sequence| sequence - timeline.frame(sequence).sequence)
        .max();
    let even = timeline.last() / (timeline.frames() as u64 - 2);
    assert!(
        longest.is_some_and(|longest| longest < 3 * even),
        "{longest:?} by {even}"
    );
}

#[test]
fn what_is_large_brings_frames_closer() {
    let small = Log::of(&["a"], &[]);
    let mut large = Log::of(&["a"], &[]);
    let outputs: Vec<_> = (0..8 * 64).collect();
    for attempt in 1..=10 {
        large.add(
            "NODE_COMPLETED",
            "a",
            attempt,
            json!({"outputs": {"list": outputs}, "durationMs": 1.0}),
        );
    }
    let options = FrameOptions::default().with_spacing(64);
    assert_eq!(timeline(&small.events, options).frames(), 2);
    assert_eq!(timeline(&large.events, options).frames(), 12);
}

#[test]
fn what_is_not_the_next_event_changes_nothing() {
    let mut log = Log::of(&["a"], &[]);
    log.start("a", 1).complete("a", 1);
    let mut timeline = timeline(&log.events[..2], FrameOptions::default());
    let before = format!("{timeline:?}");
    assert_eq!(timeline.push(&log.events[0]), Applied::Duplicate);
    let mut beyond = log.events[2].clone();
    beyond.sequence = 4;
    assert_eq!(timeline.push(&beyond), Applied::Gap { expected: 3 });
    beyond.run_id = "s".parse().unwrap();
    assert_eq!(timeline.push(&beyond), Applied::OtherRun);
    assert_eq!(format!("{timeline:?}"), before);
}

#[test]
fn a_run_that_ends_changes_the_nodes_that_had_not() {
    let mut log = Log::of(&["a", "b"], &[]);
    log.start("a", 1).complete("a", 1).status("CANCELLED");
    let timeline = timeline(&log.events, FrameOptions::default());
    assert_eq!(timeline.changes("a"), [2, 3]);
    assert_eq!(timeline.changes("b"), [4]);
    // A log that is nothing but an end.
    let status = json!({"status": "FAILED", "definition": definition(&["a"], &[])});
    let only = [event(1, 0, "WORKFLOW_STATUS", "", 0, status)];
    let timeline = self::timeline(&only, FrameOptions::default());
    assert_eq!(timeline.changes("a"), [1]);
}

/// Events at 0, 1 s, 0.5 s (a clock that ran backwards), 1 s, 61 s, 61 s and 62 s.
fn uneven() -> Vec<Event> {
    let seconds = [0.0, 1.0, 0.5, 1.0, 61.0, 61.0, 62.0];
    let log = |(sequence, seconds): (u64, f64)| {
        let micros = (seconds * 1e6) as i64;
        event(sequence, micros, "NODE_LOG", "a", 1, json!({}))
    };
    (1..).zip(seconds).map(log).collect()
}

#[test]
fn a_time_is_the_last_event_that_is_not_later() {
    let events = uneven();
    let timeline = timeline(&events, FrameOptions::default());
    let sequence = |text: &str| timeline.sequence_at(&text.parse::<Position>().unwrap());
    for (text, expected) in [
        ("0", 0),
        ("3", 3),
        ("99", 7),
        ("+0s", 1),
        ("+0.9s", 1),
        ("+1s", 4),
        ("59 seconds", 4),
        ("1m1s", 6),
        ("1h", 7),
        ("2025-10-16T09:12:02Z", 0),
        ("2025-10-16T09:12:03Z", 1),
        ("2025-10-16T11:12:04+02:00", 4),
        ("2025-10-16T09:13:04.5Z", 6),
        ("9999-01-01T00:00:00Z", 7),
    ] {
        assert_eq!(sequence(text), expected, "{text}");
    }
    // What is not shown before another event is not earlier than it either.
    assert_eq!(timeline.time_of(3), timeline.time_of(2));
    let nothing = Timeline::new(run());
    assert_eq!(nothing.sequence_at(&Position::AfterStart(Duration::MAX)), 0);
    assert_eq!(nothing.sequence_at(&Position::Time(Timestamp::now())), 0);
}

#[test]
fn what_names_no_moment_says_what_would() {
    for text in [
        "",
        " ",
        "soon",
        "-5s",
        "1x",
        "2025-13-01",
        "5s ago",
        "99999999999999999999",
    ] {
        let error = text.parse::<Position>().unwrap_err().to_string();
        assert!(error.contains("expected a sequence number"), "{error}");
    }
    for position in ["120", "2025-10-16T09:12:03.000000Z", "+90s", "+0.25s"] {
        assert_eq!(position.parse::<Position>().unwrap().to_string(), position);
    }
}

#[test]
fn long_gaps_are_shortened_and_their_clock_runs_faster() {
    let events = uneven();
    let timeline = timeline(&events, FrameOptions::default());
    let longest = Some(Duration::from_secs(2));
    let mut playback = Playback::new().with_longest_gap(longest);
    assert_eq!(
        playback.advance(&timeline, Duration::MAX),
        0,
        "it does not play"
    );
    assert_eq!(playback.until_next(&timeline), None);
    playback.play();
    assert_eq!(playback.advance(&timeline, Duration::ZERO), 1);
    assert_eq!(playback.until_next(&timeline), Some(Duration::from_secs(1)));
    assert_eq!(playback.advance(&timeline, Duration::from_secs(2)), 4);
    // Half of the two seconds for which a minute stands.
    let start = timeline.time_of(1).unwrap();
    let into = playback.clock(&timeline).unwrap().since(start);
    assert_eq!(into, Duration::from_secs(31));
    assert_eq!(playback.advance(&timeline, Duration::from_secs(1)), 6);
    playback.set_speed("4x".parse().unwrap());
    assert_eq!(
        playback.until_next(&timeline),
        Some(Duration::from_millis(250))
    );
    assert_eq!(playback.advance(&timeline, Duration::from_millis(250)), 7);
    assert_eq!(playback.until_next(&timeline), None);
    playback.step(&timeline, -2);
    assert_eq!(playback.sequence(), 5);
    playback.step(&timeline, i64::MIN);
    assert_eq!((playback.sequence(), playback.clock(&timeline)), (0, None));
    playback.step(&timeline, i64::MAX);
    assert_eq!(playback.sequence(), 7);
    playback.set_longest_gap(Some(Duration::ZERO));
    playback.jump(&timeline, 0);
    assert_eq!(playback.advance(&timeline, Duration::ZERO), 7);
}

#[test]
fn it_stays_with_a_run_that_goes_on() {
    let events = uneven();
    let mut timeline = timeline(&events[..1], FrameOptions::default());
    let mut playback = Playback::new();
    playback.play();
    // The viewer sees the first event when it happens, and the second a second later.
    assert_eq!(playback.advance(&timeline, Duration::from_millis(900)), 1);
    timeline.push(&events[1]);
    assert_eq!(playback.advance(&timeline, Duration::from_millis(99)), 1);
    assert_eq!(playback.advance(&timeline, Duration::from_millis(1)), 2);
}

#[test]
fn speeds_have_bounds() {
    assert_eq!(Speed::MAX.faster(), Speed::MAX);
    assert_eq!(Speed::MIN.slower(), Speed::MIN);
    assert_eq!(Speed::default().slower().slower().to_string(), "0.25x");
    for text in ["", "x", "0", "-1", "nan", "inf", "10001", "fast"] {
        let error = text.parse::<Speed>().unwrap_err().to_string();
        assert!(error.contains("from 0.01 to 10000"), "{error}");
    }
    assert_eq!("10000".parse(), Ok(Speed::MAX));
}

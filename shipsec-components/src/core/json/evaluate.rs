//! JSONPath (RFC 9535) under a budget.
//!
//! The query is read by `jsonpath-rust`; what its crate, like every other, cannot do is stop: a
//! query such as `$..*..*..*` makes more of a document than any memory holds. So the syntax tree
//! is walked here, each step counted.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    cmp::Ordering,
    collections::{HashMap, hash_map::Entry},
};

use jsonpath_rust::parser::{
    model::{
        Comparable, Comparison, Filter, FilterAtom, FnArg, JpQuery, Literal, Segment, Selector,
        SingularQuery, SingularQuerySegment, Test, TestFunction,
    },
    parse_json_path,
};
use regex::{Regex, RegexBuilder};
use serde_json::{Number, Value as Json};

/// The longest query, in bytes.
const LONGEST: usize = 4096;
/// The deepest nesting of brackets and parentheses in a query: reading it takes time that grows
/// by a factor with each level.
const DEEPEST: usize = 6;
/// How large the program of a regular expression may be, in bytes, and what a byte of text then
/// costs in steps: where the fast way is not open, each state is looked at for each byte.
const REGEX_SIZES: [(usize, u64); 4] =
    [(4 << 10, 1), (16 << 10, 2), (64 << 10, 8), (256 << 10, 32)];
/// The most regular expressions of one evaluation: they may come from the document.
const MOST_REGEXES: usize = 64;
/// How many steps pass between two looks at whether to stop.
const LOOK: u64 = 4096;

/// How much an evaluation may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Values that are looked at, and bytes that regular expressions read.
    pub(super) steps: u64,
    /// Values that are held at one time.
    pub(super) nodes: usize,
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stop {
    #[error("not a JSONPath query: {0}")]
    Syntax(String),
    #[error(
        "the function {0} is not one of RFC 9535: expected length, count, value, match or search"
    )]
    Function(String),
    #[error(
        "it looked at more than {0} values: name the way to what you need instead of `..` or nested filters"
    )]
    Steps(u64),
    #[error(
        "it holds more than {0} values at one time: name the way to what you need instead of `..`"
    )]
    Nodes(usize),
    #[error("the regular expression {pattern:?} cannot be used: {reason}")]
    Regex { pattern: String, reason: String },
    #[error("it uses more than {0} regular expressions")]
    Regexes(usize),
    #[error("cancelled")]
    Cancelled,
}

/// Reads a query.
pub(super) fn parse(query: &str) -> Result<JpQuery, Stop> {
    let syntax = |message: String| Stop::Syntax(message);
    if query.len() > LONGEST {
        return Err(syntax(format!("longer than {LONGEST} bytes")));
    }
    if nesting(query) > DEEPEST {
        return Err(syntax(format!("nested deeper than {DEEPEST} levels")));
    }
    parse_json_path(query).map_err(|error| syntax(error.to_string()))
}

/// The deepest nesting of what is not quoted.
fn nesting(query: &str) -> usize {
    let (mut depth, mut deepest, mut quote, mut escaped) = (0_usize, 0, None, false);
    for c in query.chars() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    deepest
}

/// The values that a query selects, in the order of RFC 9535.
pub(super) fn evaluate<'a>(
    query: &JpQuery,
    root: &'a Json,
    budget: Budget,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Vec<&'a Json>, Stop> {
    let evaluation = Evaluation {
        root,
        budget,
        steps: Cell::new(0),
        is_cancelled,
        regexes: RefCell::default(),
    };
    evaluation.segments(&query.segments, root)
}

struct Evaluation<'a, 'c> {
    root: &'a Json,
    budget: Budget,
    steps: Cell<u64>,
    is_cancelled: &'c dyn Fn() -> bool,
    regexes: RefCell<HashMap<(String, bool), (Regex, u64)>>,
}

/// What a comparison compares: a value, or nothing.
type Operand<'a> = Option<Cow<'a, Json>>;

impl<'a> Evaluation<'a, '_> {
    fn step(&self, n: u64) -> Result<(), Stop> {
        let before = self.steps.get();
        let after = before.saturating_add(n);
        self.steps.set(after);
        if after > self.budget.steps {
            return Err(Stop::Steps(self.budget.steps));
        }
        if before / LOOK != after / LOOK && (self.is_cancelled)() {
            return Err(Stop::Cancelled);
        }
        Ok(())
    }

    fn hold(&self, out: &mut Vec<&'a Json>, node: &'a Json) -> Result<(), Stop> {
        self.step(1)?;
        if out.len() >= self.budget.nodes {
            return Err(Stop::Nodes(self.budget.nodes));
        }
        out.push(node);
        Ok(())
    }

    fn segments(&self, segments: &[Segment], start: &'a Json) -> Result<Vec<&'a Json>, Stop> {
        let mut nodes = vec![start];
        for segment in segments {
            let mut next = Vec::new();
            for node in nodes {
                self.segment(segment, node, &mut next)?;
            }
            nodes = next;
        }
        Ok(nodes)
    }

    fn segment(
        &self,
        segment: &Segment,
        node: &'a Json,
        out: &mut Vec<&'a Json>,
    ) -> Result<(), Stop> {
        self.step(1)?;
        match segment {
            Segment::Selector(selector) => self.select(selector, node, out),
            Segment::Selectors(selectors) => selectors
                .iter()
                .try_for_each(|selector| self.select(selector, node, out)),
            Segment::Descendant(inner) => {
                // The node, then its children from first to last, each with all below it.
                let mut open = vec![node];
                while let Some(node) = open.pop() {
                    self.segment(inner, node, out)?;
                    match node {
                        Json::Array(items) => open.extend(items.iter().rev()),
                        Json::Object(fields) => open.extend(fields.values().rev()),
                        _ => {}
                    }
                }
                Ok(())
            }
        }
    }

    fn select(
        &self,
        selector: &Selector,
        node: &'a Json,
        out: &mut Vec<&'a Json>,
    ) -> Result<(), Stop> {
        match (selector, node) {
            (Selector::Name(name), Json::Object(fields)) => match fields.get(name) {
                Some(value) => self.hold(out, value),
                None => Ok(()),
            },
            (Selector::Index(index), Json::Array(items)) => match at(items, *index) {
                Some(item) => self.hold(out, item),
                None => Ok(()),
            },
            (Selector::Slice(start, end, step), Json::Array(items)) => {
                slice(items.len(), *start, *end, step.unwrap_or(1))
                    .try_for_each(|index| self.hold(out, &items[index]))
            }
            (Selector::Wildcard, _) => children(node).try_for_each(|child| self.hold(out, child)),
            (Selector::Filter(filter), _) => children(node).try_for_each(|child| {
                self.step(1)?;
                if self.holds(filter, child)? {
                    self.hold(out, child)?;
                }
                Ok(())
            }),
            _ => Ok(()),
        }
    }

    fn holds(&self, filter: &Filter, node: &'a Json) -> Result<bool, Stop> {
        self.step(1)?;
        match filter {
            Filter::Or(filters) => {
                for filter in filters {
                    if self.holds(filter, node)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::And(filters) => {
                for filter in filters {
                    if !self.holds(filter, node)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Atom(FilterAtom::Filter { expr, not }) => Ok(self.holds(expr, node)? != *not),
            Filter::Atom(FilterAtom::Test { expr, not }) => Ok(self.test(expr, node)? != *not),
            Filter::Atom(FilterAtom::Comparison(comparison)) => self.compare(comparison, node),
        }
    }

    fn test(&self, test: &Test, node: &'a Json) -> Result<bool, Stop> {
        match test {
            Test::RelQuery(_) | Test::AbsQuery(_) => Ok(!self.nodes(test, node)?.is_empty()),
            Test::Function(function) => match &**function {
                TestFunction::Match(text, pattern) => self.regex(text, pattern, true, node),
                TestFunction::Search(text, pattern) => self.regex(text, pattern, false, node),
                other => Err(Stop::Function(format!("{other} as a test"))),
            },
        }
    }

    /// The nodes of a query inside a filter.
    fn nodes(&self, test: &Test, node: &'a Json) -> Result<Vec<&'a Json>, Stop> {
        match test {
            Test::RelQuery(segments) => self.segments(segments, node),
            Test::AbsQuery(query) => self.segments(&query.segments, self.root),
            Test::Function(function) => Err(Stop::Function(format!("{function} as a query"))),
        }
    }

    fn compare(&self, comparison: &Comparison, node: &'a Json) -> Result<bool, Stop> {
        let (left, right) = comparison.vals();
        let (left, right) = (self.operand(left, node)?, self.operand(right, node)?);
        let (left, right) = (left.as_deref(), right.as_deref());
        let less = |a: Option<&Json>, b: Option<&Json>| a.zip(b).is_some_and(|(a, b)| less(a, b));
        Ok(match comparison {
            Comparison::Eq(..) => self.equal(left, right)?,
            Comparison::Ne(..) => !self.equal(left, right)?,
            Comparison::Lt(..) => less(left, right),
            Comparison::Gt(..) => less(right, left),
            Comparison::Lte(..) => less(left, right) || self.equal(left, right)?,
            Comparison::Gte(..) => less(right, left) || self.equal(left, right)?,
        })
    }

    fn operand(&self, comparable: &Comparable, node: &'a Json) -> Result<Operand<'a>, Stop> {
        match comparable {
            Comparable::Literal(literal) => Ok(Some(Cow::Owned(constant(literal)))),
            Comparable::Function(function) => self.function(function, node),
            Comparable::SingularQuery(query) => {
                let (start, segments) = match query {
                    SingularQuery::Current(segments) => (node, segments),
                    SingularQuery::Root(segments) => (self.root, segments),
                };
                let mut found = Some(start);
                for segment in segments {
                    self.step(1)?;
                    found = found.and_then(|node| match (segment, node) {
                        (SingularQuerySegment::Name(name), Json::Object(fields)) => {
                            fields.get(name)
                        }
                        (SingularQuerySegment::Index(index), Json::Array(items)) => {
                            at(items, *index)
                        }
                        _ => None,
                    });
                }
                Ok(found.map(Cow::Borrowed))
            }
        }
    }

    fn function(&self, function: &TestFunction, node: &'a Json) -> Result<Operand<'a>, Stop> {
        let number = |n: usize| Some(Cow::Owned(Json::from(n)));
        match function {
            TestFunction::Length(argument) => {
                let value = self.argument(argument, node)?;
                Ok(match value.as_deref() {
                    Some(Json::String(text)) => {
                        self.step(text.len() as u64 / 16)?;
                        number(text.chars().count())
                    }
                    Some(Json::Array(items)) => number(items.len()),
                    Some(Json::Object(fields)) => number(fields.len()),
                    _ => None,
                })
            }
            TestFunction::Count(FnArg::Test(query)) => Ok(number(self.nodes(query, node)?.len())),
            TestFunction::Value(argument) => self.argument(argument, node),
            other => Err(Stop::Function(format!("{other} as a value"))),
        }
    }

    /// An argument that is a value: a literal, another function, or the only node of a query.
    fn argument(&self, argument: &FnArg, node: &'a Json) -> Result<Operand<'a>, Stop> {
        match argument {
            FnArg::Literal(literal) => Ok(Some(Cow::Owned(constant(literal)))),
            FnArg::Test(test) => match &**test {
                Test::Function(function) => self.function(function, node),
                query => {
                    let nodes = self.nodes(query, node)?;
                    Ok(match nodes[..] {
                        [only] => Some(Cow::Borrowed(only)),
                        _ => None,
                    })
                }
            },
            FnArg::Filter(filter) => Err(Stop::Function(format!("{filter} as a value"))),
        }
    }

    fn regex(
        &self,
        text: &FnArg,
        pattern: &FnArg,
        whole: bool,
        node: &'a Json,
    ) -> Result<bool, Stop> {
        let (text, pattern) = (self.argument(text, node)?, self.argument(pattern, node)?);
        let (Some(Json::String(text)), Some(Json::String(pattern))) =
            (text.as_deref(), pattern.as_deref())
        else {
            return Ok(false);
        };
        let mut regexes = self.regexes.borrow_mut();
        let known = regexes.len();
        let (expression, cost) = match regexes.entry((pattern.clone(), whole)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if known >= MOST_REGEXES => return Err(Stop::Regexes(MOST_REGEXES)),
            Entry::Vacant(entry) => entry.insert(expression(pattern, whole)?),
        };
        self.step((text.len() as u64 + 1).saturating_mul(*cost))?;
        Ok(expression.is_match(text))
    }

    fn equal(&self, a: Option<&Json>, b: Option<&Json>) -> Result<bool, Stop> {
        let (Some(a), Some(b)) = (a, b) else {
            return Ok(a.is_none() && b.is_none());
        };
        let mut open = vec![(a, b)];
        while let Some(pair) = open.pop() {
            self.step(1)?;
            let same = match pair {
                (Json::Number(a), Json::Number(b)) => order(a, b) == Some(Ordering::Equal),
                (Json::String(a), Json::String(b)) => {
                    self.step(a.len().min(b.len()) as u64 / 16)?;
                    a == b
                }
                (Json::Array(a), Json::Array(b)) => {
                    open.extend(a.iter().zip(b));
                    a.len() == b.len()
                }
                (Json::Object(a), Json::Object(b)) => {
                    let mut keys = true;
                    for (key, value) in a {
                        match b.get(key) {
                            Some(other) => open.push((value, other)),
                            None => keys = false,
                        }
                    }
                    keys && a.len() == b.len()
                }
                (a, b) => a == b,
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn children(node: &Json) -> Box<dyn Iterator<Item = &Json> + '_> {
    match node {
        Json::Array(items) => Box::new(items.iter()),
        Json::Object(fields) => Box::new(fields.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn at(items: &[Json], index: i64) -> Option<&Json> {
    let from = usize::try_from(index.unsigned_abs()).ok()?;
    items.get(if index < 0 {
        items.len().checked_sub(from)?
    } else {
        from
    })
}

/// The indices of a slice, as RFC 9535 §2.3.4.2 has them.
fn slice(
    len: usize,
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
) -> Box<dyn Iterator<Item = usize>> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let placed = |index: i64| {
        if index < 0 {
            len.saturating_add(index)
        } else {
            index
        }
    };
    let stride = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
    let index = |index: i64| usize::try_from(index).ok();
    match step {
        0 => Box::new(std::iter::empty()),
        1.. => {
            let lower = placed(start.unwrap_or(0)).clamp(0, len);
            let upper = placed(end.unwrap_or(len)).clamp(0, len);
            Box::new((lower..upper).step_by(stride).filter_map(index))
        }
        _ => {
            let upper = start.map_or(len - 1, placed).clamp(-1, len - 1);
            let lower = end.map_or(-1, placed).clamp(-1, len - 1);
            Box::new((lower + 1..=upper).rev().step_by(stride).filter_map(index))
        }
    }
}

fn constant(literal: &Literal) -> Json {
    match literal {
        Literal::Int(number) => Json::from(*number),
        Literal::Float(number) => Json::from(*number),
        Literal::String(text) => Json::from(text.as_str()),
        Literal::Bool(flag) => Json::from(*flag),
        Literal::Null => Json::Null,
    }
}

fn less(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => order(a, b) == Some(Ordering::Less),
        (Json::String(a), Json::String(b)) => a < b,
        _ => false,
    }
}

fn order(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// A regular expression of I-Regexp (RFC 9485), and what a byte of text costs.
fn expression(pattern: &str, whole: bool) -> Result<(Regex, u64), Stop> {
    let translated = translated(pattern, whole);
    let mut reason = String::new();
    for (size, cost) in REGEX_SIZES {
        let made = RegexBuilder::new(&translated).size_limit(size).build();
        match made {
            Ok(expression) => return Ok((expression, cost)),
            Err(error) => reason = error.to_string(),
        }
    }
    let pattern = pattern.chars().take(80).collect();
    Err(Stop::Regex { pattern, reason })
}

/// An I-Regexp as this crate's regular expression: its `.` leaves out both line ends.
fn translated(pattern: &str, whole: bool) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let (mut in_class, mut chars) = (false, pattern.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(chars.next());
            }
            '.' if !in_class => out.push_str(r"[^\n\r]"),
            _ => {
                in_class = match c {
                    '[' => true,
                    ']' => false,
                    _ => in_class,
                };
                out.push(c);
            }
        }
    }
    if whole {
        format!(r"\A(?:{out})\z")
    } else {
        out
    }
}

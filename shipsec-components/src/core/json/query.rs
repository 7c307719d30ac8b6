//! `core.json.query`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use shipsec_core::{ComponentError, Context, Params, Ports, Value, component};

use super::evaluate::{Budget, Stop, evaluate, parse};
use crate::support::cancelled;

/// How much one query may do: some seconds of work, some tens of megabytes of memory.
const BUDGET: Budget = Budget {
    steps: 100_000_000,
    nodes: 4_000_000,
};

/// The most values, all those inside counted, that a result may have.
const LARGEST_RESULT: usize = 4_000_000;

/// What `core.json.query` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct QueryInput {
    /// Data. What is asked.
    pub data: Value,
}

/// What `core.json.query` makes of what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Take {
    /// A list of all.
    #[default]
    All,
    /// The first; null where there is none.
    First,
    /// The only one; none or several are an error.
    One,
}

/// What `core.json.query` asks.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct QueryParams {
    /// Query. JSONPath (RFC 9535), such as `$.findings[?@.severity == "high"].path`.
    #[param(editor = "text")]
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,
    /// Take. All that was found, the first, or the only one.
    #[serde(default)]
    #[param(editor = "select")]
    pub take: Take,
}

impl QueryParams {
    /// All that this query finds.
    pub fn new(query: impl Into<String>) -> Self {
        Self {
            query: query.into(),
            take: Take::All,
        }
    }
}

/// What `core.json.query` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct QueryOutput {
    /// Result. A list, or one value, as the parameter `take` has it.
    pub result: Value,
    /// Count. How many values were found.
    pub count: u64,
}

/// Query JSON. Finds parts of a value by a JSONPath query (RFC 9535). What a query may do is
/// limited, whatever it and the value are.
#[component(
    id = "core.json.query",
    version = "1.0.0",
    category = "json",
    execution = blocking
)]
pub async fn json_query(
    input: QueryInput,
    params: &QueryParams,
    cx: &Context,
) -> Result<QueryOutput, ComponentError> {
    let data = input.data.json().map_err(|error| {
        ComponentError::validation(format!("data: {error}")).with_field("data", error.to_string())
    })?;
    let output = ask(data, params, BUDGET, &|| cx.is_cancelled())?;
    cx.info(format!("{:?} found {} values", params.query, output.count));
    Ok(output)
}

fn ask(
    data: &Json,
    params: &QueryParams,
    budget: Budget,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<QueryOutput, ComponentError> {
    let wrong = |message: String| {
        let query: String = params.query.chars().take(200).collect();
        ComponentError::validation(format!("query {query:?}: {message}"))
            .with_field("query", message)
    };
    let stopped = |stop: Stop| match stop {
        Stop::Cancelled => cancelled(),
        other => wrong(other.to_string()),
    };
    let query = parse(&params.query).map_err(stopped)?;
    let found = evaluate(&query, data, budget, is_cancelled).map_err(stopped)?;
    let count = found.len() as u64;
    let taken = match (params.take, found.as_slice()) {
        (Take::All, all) => all,
        (Take::First, found) => &found[..found.len().min(1)],
        (Take::One, [_]) => found.as_slice(),
        (Take::One, _) => return Err(wrong(format!("expected one value, found {count}"))),
    };
    if size(taken, LARGEST_RESULT) > LARGEST_RESULT {
        return Err(wrong(format!(
            "the result has more than {LARGEST_RESULT} values: ask for less"
        )));
    }
    let result = match params.take {
        Take::All => Json::Array(taken.iter().map(|&value| value.clone()).collect()),
        _ => taken.first().map_or(Json::Null, |&value| value.clone()),
    };
    Ok(QueryOutput {
        result: result.into(),
        count,
    })
}

/// How many values these are, those inside counted; counting stops behind `limit`.
fn size(values: &[&Json], limit: usize) -> usize {
    let (mut open, mut count) = (values.to_vec(), 0);
    while let Some(value) = open.pop() {
        count += 1;
        if count > limit {
            break;
        }
        match value {
            Json::Array(items) => open.extend(items),
            Json::Object(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shipsec_core::ErrorKind;

    use super::*;

    fn all(query: &str, data: &Json) -> Json {
        let found = ask(data, &QueryParams::new(query), BUDGET, &|| false);
        found
            .unwrap_or_else(|error| panic!("{query}: {error}"))
            .result
            .json()
            .unwrap()
            .clone()
    }

    fn refusal(query: &str, data: &Json, budget: Budget) -> ComponentError {
        ask(data, &QueryParams::new(query), budget, &|| false).unwrap_err()
    }

    /// The examples of RFC 9535 §1.5 and §2.3, as far as they have one answer.
    #[test]
    fn the_examples_of_the_standard_hold() {
        let store = json!({ "store": {
            "book": [
                { "category": "reference", "author": "Rees", "title": "Sayings", "price": 8.95 },
                { "category": "fiction", "author": "Waugh", "title": "Honour", "price": 12.99 },
                { "category": "fiction", "author": "Melville", "title": "Moby", "isbn": "0-553", "price": 8.99 },
                { "category": "fiction", "author": "Tolkien", "title": "Rings", "isbn": "0-395", "price": 22.99 }
            ],
            "bicycle": { "color": "red", "price": 399 }
        }});
        for (query, expected) in [
            (
                "$.store.book[*].author",
                json!(["Rees", "Waugh", "Melville", "Tolkien"]),
            ),
            ("$..author", json!(["Rees", "Waugh", "Melville", "Tolkien"])),
            ("$..book[2].title", json!(["Moby"])),
            ("$..book[-1].title", json!(["Rings"])),
            ("$..book[0,1].title", json!(["Sayings", "Honour"])),
            ("$..book[:2].title", json!(["Sayings", "Honour"])),
            ("$..book[?@.isbn].title", json!(["Moby", "Rings"])),
            ("$..book[?@.price<10].title", json!(["Sayings", "Moby"])),
            ("$.store.bicycle['color']", json!(["red"])),
            ("$.store.missing", json!([])),
        ] {
            assert_eq!(all(query, &store), expected, "{query}");
        }
        assert_eq!(all("$..*", &store).as_array().unwrap().len(), 27);
        // Several selectors behind `..`: node by node.
        let nested = json!({ "a": [5] });
        assert_eq!(all("$..['a', 0]", &nested), json!([[5], 5]));
        assert_eq!(all("$..[0, 'a', 'a']", &nested), json!([[5], [5], 5]));
        let list = json!(["a", "b", "c", "d", "e", "f", "g"]);
        for (query, expected) in [
            ("$[1:3]", json!(["b", "c"])),
            ("$[5:]", json!(["f", "g"])),
            ("$[1:5:2]", json!(["b", "d"])),
            ("$[5:1:-2]", json!(["f", "d"])),
            ("$[::-1]", json!(["g", "f", "e", "d", "c", "b", "a"])),
            ("$[::0]", json!([])),
            ("$[-2:]", json!(["f", "g"])),
            ("$[0:9007199254740991:9007199254740991]", json!(["a"])),
            ("$[9:0:-9007199254740991]", json!(["g"])),
            ("$[0, 0, -9]", json!(["a", "a"])),
        ] {
            assert_eq!(all(query, &list), expected, "{query}");
        }
    }

    #[test]
    fn filters_compare_count_and_match() {
        let data = json!({ "max": 2, "items": [
            { "n": 1, "tag": "ab", "sub": [1, 2] },
            { "n": 2.0, "tag": "abc", "sub": [] },
            { "n": 3, "tag": "b\nc" },
            { "n": "2" }
        ]});
        for (query, expected) in [
            ("$.items[?@.n == 2].tag", json!(["abc"])),
            ("$.items[?@.n >= $.max].n", json!([2.0, 3])),
            ("$.items[?@.n != 2 && @.n <= 3].n", json!([1, 3])),
            ("$.items[?@.n == 1 || !@.tag].n", json!([1, "2"])),
            ("$.items[?length(@.tag) == 3].n", json!([2.0, 3])),
            ("$.items[?count(@.sub[*]) == 2].n", json!([1])),
            ("$.items[?count(@.sub[*]) == 0].n", json!([2.0, 3, "2"])),
            ("$.items[?value(@..sub[1]) == 2].n", json!([1])),
            ("$.items[?match(@.tag, 'a.')].n", json!([1])),
            ("$.items[?search(@.tag, 'b.')].n", json!([2.0])),
            ("$.items[?@.sub == [1]]", json!(null)),
            ("$.items[?@.none == @.nothing].n", json!([1, 2.0, 3, "2"])),
        ] {
            if expected.is_null() {
                assert_eq!(refusal(query, &data, BUDGET).kind(), ErrorKind::Validation);
            } else {
                assert_eq!(all(query, &data), expected, "{query}");
            }
        }
        let big = json!([9_007_199_254_740_993_i64]);
        assert_eq!(all("$[?@ == 9007199254740991]", &big), json!([]));
    }

    #[test]
    fn the_first_or_the_only_one_is_taken() {
        let data = json!([1, 2]);
        let take = |query: &str, take: Take| {
            let mut params = QueryParams::new(query);
            params.take = take;
            ask(&data, &params, BUDGET, &|| false)
        };
        assert_eq!(take("$[*]", Take::First).unwrap().result.json().unwrap(), 1);
        assert!(
            take("$[9]", Take::First)
                .unwrap()
                .result
                .json()
                .unwrap()
                .is_null()
        );
        assert_eq!(take("$[1]", Take::One).unwrap().result.json().unwrap(), 2);
        let error = take("$[*]", Take::One).unwrap_err();
        assert!(
            error.message().contains("expected one value, found 2"),
            "{error}"
        );
    }

    #[test]
    fn a_query_that_is_none_is_an_error_that_shows_it() {
        for bad in [
            "",
            "items",
            "$.",
            "$[",
            "$[?foo(@)]",
            "$[?@.a == ]",
            "$[?length(@) ]",
        ] {
            let error = refusal(bad, &json!([1]), BUDGET);
            assert_eq!(error.kind(), ErrorKind::Validation, "{bad}");
            assert!(error.fields().contains_key("query"), "{error:?}");
        }
        let deep = format!("$[?{}@.a{}]", "(".repeat(100), ")".repeat(100));
        assert!(
            refusal(&deep, &json!([1]), BUDGET)
                .message()
                .contains("nested")
        );
        let long = format!("$.{}", "a".repeat(5000));
        assert!(
            refusal(&long, &json!([1]), BUDGET)
                .message()
                .contains("longer than")
        );
    }

    #[test]
    fn a_hostile_query_ends_soon() {
        let small = Budget {
            steps: 200_000,
            nodes: 20_000,
        };
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!([deep, 1]);
        }
        let wide = json!(vec![json!({"a": "x".repeat(1000)}); 1000]);
        for (query, data) in [
            ("$..*..*..*..*..*..*", &deep),
            ("$..[?@..*]..[?@..*]..*", &deep),
            ("$[*,*,*,*,*,*,*,*][*,*,*,*]..*", &wide),
            ("$[?$[?$[?@.a == 'y']]]", &wide),
            ("$[?search(@.a, '(x+x+)+y')]", &wide),
        ] {
            let error = refusal(query, data, small);
            assert!(error.message().contains("more than"), "{query}: {error}");
        }
        let many = json!((0..100).map(|n| format!("a{n}")).collect::<Vec<_>>());
        let error = refusal("$[?search('a', @)]", &many, BUDGET);
        assert!(
            error.message().contains("more than 64 regular expressions"),
            "{error}"
        );
        let large = refusal("$[?search(@.a, '(\\\\w{200}){200}')]", &wide, BUDGET);
        assert!(large.message().contains("cannot be used"), "{large}");
    }

    #[test]
    fn a_query_stops_when_its_node_is_cancelled() {
        let wide = json!(vec![1; 10_000]);
        let error = ask(&wide, &QueryParams::new("$..*"), BUDGET, &|| true).unwrap_err();
        assert!(error.message().contains("cancelled"), "{error}");
    }

    /// Values that have the keys `a` to `c` at some depth, so that queries find something.
    fn documents() -> impl proptest::strategy::Strategy<Value = Json> {
        use proptest::prelude::{Just, Strategy, any, prop_oneof};
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            (-3_i64..3).prop_map(Json::from),
            "[ab]{0,2}".prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                proptest::collection::btree_map("[abc]", inner, 0..4)
                    .prop_map(|fields| Json::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest::proptest! {
        /// Where no budget is at stake, the parser's crate finds the same. (But not for several
        /// selectors behind `..`: it orders by selector, the standard by node.)
        #[test]
        fn another_evaluation_finds_the_same(data in documents()) {
            use jsonpath_rust::JsonPath;
            for query in [
                "$", "$.a", "$[0]", "$[-1]", "$.*", "$..a", "$..*", "$..[0]", "$.a..b", "$[1:]",
                "$..[::2]", "$..[::-1]", "$['a','b']", "$[?@.a]", "$..[?@.a]",
                "$..[?@ == 1]", "$..[?@ < 'b']", "$..[?@.a == $.b]", "$..[?@.a && !@.b]",
                "$..[?@.a > 0 || @[0] == true]", "$..[?length(@) == 2]",
            ] {
                let found = data.query(query).unwrap();
                let found = Json::Array(found.into_iter().cloned().collect());
                proptest::prop_assert_eq!(all(query, &data), found, "{}", query);
            }
        }
    }
}

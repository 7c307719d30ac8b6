// What others wrote can hide nothing, and stays readable in each script.

import assert from "node:assert/strict";
import { test } from "node:test";
import { visible } from "../src/ui/text.ts";

test("what joins stands between letters that need it, and joins emoji", () => {
  for (const text of ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0915\u094d\u200d\u0937", "\u{1f469}\u200d\u{1f4bb}", "\u{1f469}\u{1f3fd}\u200d\u{1f52c}", "\u2764\ufe0f\u200d\u{1f525}"]) assert.equal(visible(text), text);
});

test("what joins nothing is shown", () => {
  assert.equal(visible("\u200dab"), "\\u200dab");
  assert.equal(visible("ad\u200cmin"), "ad\\u200cmin");
  assert.equal(visible("\u0645\u200c"), "\u0645\\u200c");
  assert.equal(visible("\u0645\u200c\u200c\u062e"), "\u0645\\u200c\\u200c\u062e");
  assert.equal(visible("a\u200bb\u200e"), "a\\u200bb\\u200e");
});

// SARIF results as a table.

import { button, h } from "./dom.ts";
import { longText } from "./long.ts";
import { cut, field, many, text } from "./text.ts";

/** So many rows are shown at once. */
const STEP = 200;

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Whether a JSON value is a SARIF log. */
export function isSarif(value: unknown): boolean {
  return Array.isArray(field(value, "runs")) && (text(field(value, "version")).startsWith("2.") || text(field(value, "$schema")).includes("sarif"));
}

/** The results of a SARIF log, the worst first. */
export function sarifTable(log: unknown): HTMLElement {
  const rank: Record<string, number> = { error: 0, warning: 1, note: 2, none: 3 };
  const results = list(field(log, "runs")).flatMap((run) => {
    const driver = field(field(run, "tool"), "driver");
    const rules = list(field(driver, "rules"));
    const byId = new Map(rules.toReversed().map((rule) => [field(rule, "id"), rule]));
    return list(field(run, "results")).map((result) => {
      const rule = byId.get(field(result, "ruleId")) ?? rules[Number(field(result, "ruleIndex"))];
      const place = field(list(field(result, "locations"))[0], "physicalLocation");
      const line = field(field(place, "region"), "startLine");
      return {
        level: text(field(result, "level")) || text(field(field(rule, "defaultConfiguration"), "level")) || "warning",
        rule: text(field(result, "ruleId")) || text(field(rule, "id")),
        tool: text(field(driver, "name")),
        message: text(field(field(result, "message"), "text")) || text(field(field(rule, "shortDescription"), "text")),
        place: `${text(field(field(place, "artifactLocation"), "uri"))}${line === undefined ? "" : `:${text(line)}`}`,
      };
    });
  });
  results.sort((a, b) => (rank[a.level] ?? 4) - (rank[b.level] ?? 4));
  const body = h("tbody");
  let shown = 0;
  const more = button("Show more", () => grow(), { class: "small" });
  const grow = () => {
    for (const one of results.slice(shown, shown + STEP)) {
      body.append(h("tr", { class: `sarif-${["error", "warning", "note"].includes(one.level) ? one.level : "none"}` },
        h("td", { class: "sarif-level" }, cut(one.level, 20)), h("td", null, cut(one.rule, 80)), h("td", null, longText(one.message, 300)),
        h("td", { class: "mono" }, cut(one.place, 160)), h("td", { class: "muted" }, cut(one.tool, 40))));
    }
    shown += STEP;
    more.hidden = shown >= results.length;
  };
  grow();
  return h("div", null, h("p", { class: "muted" }, many(results.length, "result")),
    h("div", { class: "scroll" }, h("table", { class: "sarif" }, h("thead", null, h("tr", null, ...["Level", "Rule", "Message", "Where", "Tool"].map((name) => h("th", null, name)))), body)), more);
}

// What people need who see little, or work with keys and a screen reader: no rule of WCAG 2.1 A and AA
// that axe can judge is broken, in light and in dark.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { by, graph, scene, showsStatus } from "./harness.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];

/** What axe finds in a page, and texts in pictures that stand out too little from what is behind them. */
async function faults(page) {
  await page.evaluate(AXE);
  return page.evaluate(async (tags) => {
    // What a node is called begins with its name; what else stands on its card may be cut short.
    const rules = { "label-content-name-mismatch": { enabled: false } };
    const { violations } = await window.axe.run(document, { runOnly: { type: "tag", values: tags }, rules, resultTypes: ["violations"] });
    const found = violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary.replaceAll(/\s+/g, " ")}`));
    for (const node of document.querySelectorAll(".node")) {
      const name = node.querySelector(".node-label")?.textContent;
      if (name && !node.getAttribute("aria-label").startsWith(name)) found.push(`${name} is called ${node.getAttribute("aria-label")}`);
    }

    // The text of pictures, which axe leaves out: against what is painted behind it.
    const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    const painted = (...colours) => {
      for (const colour of colours) {
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
      }
      return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    // WCAG 2.1, "relative luminance" and "contrast ratio".
    const luminance = (rgb) => {
      const [r, g, b] = rgb.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = getComputedStyle(document.body).backgroundColor;
    const seen = new Set();
    for (const text of document.querySelectorAll("svg text")) {
      const style = getComputedStyle(text);
      if (!text.textContent || !text.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      let [opacity, behind] = [1, []];
      for (let at = text; at; at = at.parentElement) {
        opacity *= Number(getComputedStyle(at).opacity);
        const card = at.matches?.("g") ? at.querySelector(":scope > rect, :scope > .body > rect") : at.tagName === "svg" ? null : at;
        const colour = card && (card.tagName === "rect" ? getComputedStyle(card).fill : getComputedStyle(card).backgroundColor);
        if (colour && colour !== "none" && at !== text) behind.unshift(colour);
      }
      const back = painted("#fff", ground, ...behind);
      const fore = painted(`rgb(${back})`, style.fill);
      const mixed = fore.map((part, at) => part * opacity + back[at] * (1 - opacity));
      const [light, dark] = [luminance(mixed), luminance(back)].sort((a, b) => b - a);
      const ratio = (light + 0.05) / (dark + 0.05);
      const what = `${text.getAttribute("class") ?? text.parentElement.getAttribute("class")} of ${text.closest(".node")?.getAttribute("class") ?? text.closest("svg").getAttribute("class")}`;
      if (ratio < 4.5 && !seen.has(what)) {
        seen.add(what);
        found.push(`contrast ${ratio.toFixed(2)}: ${what}: rgb(${mixed.map(Math.round)}) on rgb(${back}): ${text.textContent}`);
      }
    }
    return found;
  }, TAGS);
}

scene("access", "every page can be read and worked with, in light and dark", async (own) => {
  const server = await own.serve();
  const logs = ["dev.emit", { logs: 3, artifactBytes: 20, progress: 2 }];
  await server.store(graph("pair", { say: logs, break: ["dev.fail"], never: ["dev.sleep"] }, ["start > say", "say > break", "break > never"]));
  const failed = await server.again("pair");
  await server.ended(failed);
  const again = await server.run(graph("pair", { say: logs, wait: ["dev.sleep", { ms: 1 }] }, ["start > say", "say > wait"]));
  await server.ended(again);
  const waits = await server.run(graph("asking", { slow: ["dev.sleep", { ms: 60_000 }], gate: ["core.approval", { title: "Open the gate?" }] }, ["start > slow", "start > gate"]));
  const all = [];
  for (const colorScheme of ["light", "dark"]) {
    const context = await own.context(server, { colorScheme, reducedMotion: "reduce" });
    const page = await own.open(server, "", { context });
    const judge = async (what) => {
      all.push(...(await faults(page)).map((fault) => `${what}, ${colorScheme}: ${fault}`));
    };
    await page.waitForSelector(by(`pick-${failed}`));
    await judge("the list of runs");
    await page.goto(`${server.origin}/?run=${failed}&node=break`);
    await showsStatus(page, "FAILED");
    await page.waitForSelector(`${by("node-break")}[data-selected]`);
    await own.shot(`failed-${colorScheme}`);
    await judge("a run that failed");
    await page.goto(`${server.origin}/?run=${waits}&node=gate`);
    await page.waitForSelector(by("answer-form"));
    await own.shot(`waiting-${colorScheme}`);
    await judge("a run that waits");
    await page.click("button[aria-label='Keys']");
    await page.waitForSelector("dialog[open]");
    await judge("the keys");
    await page.goto(`${server.origin}/?diff=${failed},${again}`);
    await page.waitForSelector(by("diff-list"));
    await own.shot(`diff-${colorScheme}`);
    await judge("two runs");
  }
  assert.deepEqual(all, []);
});

// Edges say what became of them, whatever is selected.

import assert from "node:assert/strict";
import { by, goTo, graph, scene, showsStatus } from "./harness.mjs";

/** One edge of each fate: fired, dead, and both again as an error edge. */
const FATES = graph("fates",
  { work: ["dev.sleep", { ms: 1 }], boom: ["dev.fail", { kind: "ValidationError", message: "on purpose" }], next: ["dev.sleep", { ms: 1 }], never: ["dev.sleep"], rescue: ["dev.sleep", { ms: 1 }], idle: ["dev.sleep"] },
  ["start > work", "start > boom", "work > next", "work > idle : error", "boom > never", "boom > rescue : error"]);
const WORK = ["e1", "e3", "e4"];
const BOOM = ["e2", "e5", "e6"];

/** How edges are drawn, and what data that passes is drawn like. */
const drawn = (page) => page.evaluate(() => {
  const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    return [...pixel.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const of = (one) => {
    const { stroke, strokeWidth, strokeDasharray: dash, animationName } = getComputedStyle(one);
    return { stroke, rgb: rgb(stroke), width: parseFloat(strokeWidth), dash, animationName };
  };
  return {
    flow: of(document.querySelector("path.flow")),
    edges: Object.fromEntries([...document.querySelectorAll(".edges path[data-testid]")].map((one) => [one.dataset.testid.slice("edge-".length), { ...of(one), state: one.dataset.state, near: one.matches("[data-near]") }])),
  };
});

for (const colorScheme of ["light", "dark"]) {
  scene(`edges ${colorScheme}`, "those of a selected node do not look as if data passed", async (own) => {
    const server = await own.serve();
    const run = await server.run(FATES);
    await server.ended(run);
    const page = await own.open(server, `?run=${run}`, { colorScheme });
    await showsStatus(page, "COMPLETED");
    await page.waitForSelector(`${by("edge-e6")}[data-state=fired]`);
    const before = await drawn(page);
    for (const [node, edges] of [["work", WORK], ["boom", BOOM]]) {
      await page.click(by(`node-${node}`));
      await page.waitForFunction((edges) => edges.every((edge) => document.querySelector(`[data-testid=edge-${edge}][data-near]`)), edges);
      const { flow, edges: after } = await drawn(page);
      for (const [id, edge] of Object.entries(after)) {
        const was = before.edges[id];
        assert.equal(edge.near, edges.includes(id), `whether ${id} is marked`);
        // It stands out by its weight, keeps its dashes, and stays far from the colour of what passes.
        if (edge.near) {
          assert.ok(edge.width > was.width && edge.stroke !== was.stroke, `${id} stands out`);
          const off = Math.hypot(...edge.rgb.map((part, at) => part - flow.rgb[at]));
          assert.ok(off > 60, `${id} of ${node} is ${edge.stroke}, and what passes ${flow.stroke}`);
        } else assert.deepEqual(edge, was, `${id} stays as it was`);
        assert.equal(edge.dash, was.dash, `the dashes of ${id}`);
        assert.equal(edge.animationName, "none");
      }
      // What became of them can be told apart as before.
      assert.equal(new Set(edges.map((id) => after[id].stroke)).size, new Set(edges.map((id) => before.edges[id].stroke)).size, `the edges of ${node} tell their states`);
      await own.shot(node);
    }
  });
}

scene("edges", "dead ones lie below all others, at every moment", async (own) => {
  const server = await own.serve();
  const run = await server.run(FATES);
  await server.ended(run);
  const page = await own.open(server, `?run=${run}`);
  await showsStatus(page, "COMPLETED");
  /** States from the lowest edge to the uppermost. */
  const order = async (dead) => {
    await page.waitForFunction((dead) => document.querySelectorAll(".edges path[data-testid][data-state=dead]").length === dead, dead);
    return page.evaluate(() => [...document.querySelectorAll(".edges path[data-testid]")].map((one) => one.dataset.state));
  };
  const below = (states) => assert.ok(states.lastIndexOf("dead") < states.filter((state) => state === "dead").length, states.join(" "));
  const both = await order(2);
  assert.equal(both.length, 6);
  below(both);
  await own.shot("order");
  const died = (await server.events(run)).filter((event) => ["work", "boom"].includes(event.nodeId) && /COMPLETED|FAILED/.test(event.type)).map((event) => event.sequence);
  // Back to where one of them is dead, to where none is, and to the end again.
  for (const [at, dead] of [[died[0], 1], [1, 0], [died[1], 2]]) {
    await goTo(page, at);
    below(await order(dead));
  }
});

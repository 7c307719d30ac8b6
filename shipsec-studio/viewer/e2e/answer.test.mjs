// Questions that a run puts to people are answered in the browser.

import assert from "node:assert/strict";
import { by, graph, scene, showsStatus } from "./harness.mjs";

scene("answer", "an approval leads where the answer says", async (own) => {
  const server = await own.serve();
  const run = await server.run(graph("ask", { gate: ["core.approval", { title: "Open the gate?" }], open: ["dev.sleep"], shut: ["dev.sleep"] },
    ["start > gate", "gate.approved > open.value", "gate.rejected > shut.value"]));
  const page = await own.open(server, `?run=${run}`);
  await showsStatus(page, "AWAITING_INPUT");
  await page.click(`${by("node-gate")}[data-state=awaiting-input]`);
  await page.waitForSelector(`${by("answer-form")}:has-text("Open the gate?")`);
  await own.shot("approval");
  await page.fill(by("field-comment"), "mind the step");
  await page.click(by("approve"));
  await showsStatus(page, "COMPLETED");
  await page.waitForSelector(`${by("node-open")}[data-state=success]`);
  await page.waitForSelector(`${by("node-shut")}[data-state=skipped]`);
  await page.waitForSelector(by("answer-form"), { state: "detached" });
  const state = await server.state(run, (await server.events(run)).length);
  assert.equal(state.nodes.find((node) => node.nodeId === "gate").outputs.comment.value, "mind the step");
});

scene("answer", "what the server says against an answer stands at its field", async (own) => {
  const server = await own.serve();
  const fields = [{ id: "name", label: "Name", type: "text", required: true }, { id: "count", label: "How many", type: "number" }, { id: "colour", label: "Colour", type: "select", options: ["red", "blue"] }];
  const run = await server.run(graph("form", { form: ["core.form", { title: "Tell us", fields }], next: ["dev.echo"] }, ["start > form", "form.submitted > next.value"]));
  const page = await own.open(server, `?run=${run}&node=form`);
  await page.waitForSelector(by("answer-form"));
  const shown = await page.$$eval(`${by("answer-form")} [data-testid^=field-]`, (all) => all.map((one) => one.dataset.testid));
  assert.deepEqual(shown, ["field-name", "field-count", "field-colour"], "as the form has them");
  // What the page knows by itself.
  await page.click(by("submit-answer"));
  await page.waitForSelector(`${by("field-name")}[aria-invalid=true]`);
  await page.fill(by("field-name"), "Ada");
  await page.fill(by("field-count"), "3");
  await page.selectOption(by("field-colour"), { label: "blue" });
  // What only the server finds: on its way the number becomes a word.
  let refused;
  await page.route("**/answer", async (route) => {
    const body = route.request().postDataJSON();
    body.answer.count = "many";
    const response = await route.fetch({ postData: JSON.stringify(body) });
    refused = response.status();
    await route.fulfill({ response });
  }, { times: 1 });
  await page.click(by("submit-answer"));
  await page.waitForSelector(`${by("field-count")}[aria-invalid=true]`);
  assert.ok(refused >= 400 && refused < 500, String(refused));
  const problem = await page.textContent(`#${await page.getAttribute(by("field-count"), "id")}-problem`);
  assert.match(problem, /many|number/);
  await own.shot("problem");
  assert.equal(await page.inputValue(by("field-name")), "Ada", "what was filled in stays");
  await page.click(by("submit-answer"));
  await showsStatus(page, "COMPLETED");
  const state = await server.state(run, (await server.events(run)).length);
  assert.deepEqual(state.nodes.find((node) => node.nodeId === "form").outputs.submitted.value, { name: "Ada", count: 3, colour: "blue" });
});

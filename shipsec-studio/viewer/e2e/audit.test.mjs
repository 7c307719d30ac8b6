// A run of the source audit from its start to its end, as somebody sees it who starts it by hand.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { by, goTo, isLike, picture, scene, seen, showsStatus, watch } from "./harness.mjs";

const workflow = JSON.parse(readFileSync(new URL("../../../examples/workflows/source-audit.json", import.meta.url), "utf8"));

/** A made-up tree with two secrets and a package that has an advisory. Secrets are split, so that a scanner finds none here. */
function tree(folder) {
  const root = join(folder, "tree");
  for (const name of ["src", "config"]) mkdirSync(join(root, name), { recursive: true });
  for (let at = 0; at < 400; at += 1) writeFileSync(join(root, "src", `part${at}.js`), `export const part${at} = ${at};\n`.repeat(60));
  writeFileSync(join(root, "config", "cloud.env"), `AWS_ACCESS_KEY_ID=${"AKIA"}${"QYLPMN5HHHFPZAM2"}\nAWS_SECRET_ACCESS_KEY=${"wJalrXUtnFEMI/K7MDENG"}${"/bPxRfiCYzQm3k8TnV2w"}\n`);
  writeFileSync(join(root, "config", "deploy.key"), `-----BEGIN ${"RSA PRIVATE"} KEY-----\n${"MIIEpAIBAAKCAQEA7bq0Qm1x".repeat(8)}\n-----END ${"RSA PRIVATE"} KEY-----\n`);
  writeFileSync(join(root, "Cargo.lock"), 'version = 4\n\n[[package]]\nname = "brittle"\nversion = "1.2.3"\nsource = "registry+https://github.com/rust-lang/crates.io-index"\n');
  const records = join(folder, "advisories");
  mkdirSync(records);
  writeFileSync(join(records, "RUSTSEC-2026-9999.json"), JSON.stringify({
    schema_version: "1.6.0", id: "RUSTSEC-2026-9999", modified: "2026-01-01T00:00:00Z", summary: "Brittle breaks",
    affected: [{ package: { ecosystem: "crates.io", name: "brittle" }, ranges: [{ type: "SEMVER", events: [{ introduced: "0" }, { fixed: "2.0.0" }] }] }],
  }));
  return { path: root, advisories: records };
}

scene("audit", "a run from its start to its end", async (own) => {
  const inputs = tree(own.folder);
  const server = await own.serve();
  await server.store(workflow);
  const context = await own.context(server);
  await watch(context);
  const page = await own.open(server, "", { context });
  await page.waitForSelector(by("start-source-audit"));
  await own.shot("home");
  await page.click(by("start-source-audit"));
  await page.fill(by("field-path"), inputs.path);
  await page.fill(by("field-advisories"), inputs.advisories);
  await own.shot("start");
  await page.click(by("start-run"));

  await showsStatus(page, "COMPLETED");
  await page.waitForSelector(`${by("live-button")}:has-text("End")`);
  const run = new URL(page.url()).searchParams.get("run");
  const nodes = workflow.nodes.map((node) => node.id).sort();
  assert.deepEqual((await page.evaluate(() => window.e2eFirst)).sort(), nodes, "every planned node is there from the first moment");
  await own.shot("end");
  const end = await picture(page);
  assert.deepEqual(end.states, Object.fromEntries(nodes.map((node) => [node, "success"])));
  assert.equal(await page.textContent(by("run-progress")), `${nodes.length}/${nodes.length} nodes`);
  assert.match(await page.textContent(by("progress-secrets")), /^\d+\/\d+/, "progress is counted at the node");

  // What was seen while it ran, and every moment afterwards, is what the server's own fold says.
  const joins = { sarif: "settled", markdown: "settled" };
  for (const shown of await seen(page)) isLike(shown, await server.state(run, shown.at), joins);
  await goTo(page, 1);
  let flowed = 0;
  for (let at = 1; at <= end.last; at += 1) {
    if (at > 1) await page.keyboard.press("ArrowRight");
    await page.waitForSelector(`${by("scrubber")}[aria-valuenow="${at}"]`);
    const shown = await picture(page);
    isLike(shown, await server.state(run, at), joins);
    flowed += shown.flow.length > 0 ? 1 : 0;
    if (flowed === 8) await own.shot("passing");
  }
  assert.ok(flowed > 0, "some edges pass data at some moment");
  assert.ok(flowed < end.last, "no edge passes data for ever");
  assert.equal((await picture(page)).flow.length, 0, "at the end nothing passes");

  // The console.
  const lines = await page.locator(by("console-line")).allTextContents();
  assert.ok(lines.length > 3 && lines.some((line) => line.includes("Completed")), "the console lists lines");
  await page.click(by("stream-log"));
  await page.waitForFunction(() => [...document.querySelectorAll("[data-testid=console-line]")].every((line) => !line.classList.contains("fact")));
  assert.ok((await page.locator(by("console-line")).count()) >= 3);

  // Artifacts: SARIF is a table, Markdown is rendered.
  await page.click(by("tab-artifacts"));
  const { artifacts } = await server.get(`/workflows/runs/${run}/artifacts`);
  const named = (name) => artifacts.find((artifact) => artifact.name === name).artifactId;
  await page.click(`[data-artifact="${named("source-audit.sarif")}"]`);
  await page.waitForSelector(`${by("artifact-preview")} table.sarif tbody tr`);
  const rows = await page.locator(`${by("artifact-preview")} table.sarif tbody tr`).allTextContents();
  assert.ok(rows.some((row) => row.includes("config/cloud.env")) && rows.some((row) => row.includes("RUSTSEC-2026-9999")), rows.join("\n"));
  await own.shot("sarif");
  await page.click(`[data-artifact="${named("source-audit.md")}"]`);
  await page.waitForSelector(`${by("artifact-preview")} h3, ${by("artifact-preview")} h4`);
  await page.waitForSelector(`${by("artifact-preview")} :is(h1,h2,h3,h4,h5,h6):has-text("ource")`);
  await own.shot("markdown");
  await page.click(by("node-secrets"));
  await page.waitForSelector(by("node-panel"));
  await own.shot("panel");
});

// Tests the viewer in a real browser against a real server, one file after the other:
// `node e2e/run.mjs --shipsec PATH [--only NAME]… [--shots FOLDER] [--dist FOLDER]`.
// PATH is the `shipsec` program. `--shots` keeps pictures. `--dist` serves the viewer from a folder
// instead of the program's own bytes, to try one that is built into no program yet.

import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    shipsec: { type: "string" },
    only: { type: "string", multiple: true, default: [] },
    shots: { type: "string" },
    dist: { type: "string" },
  },
});
const names = readdirSync(here).filter((file) => file.endsWith(".test.mjs")).map((file) => file.slice(0, -".test.mjs".length));
const unknown = values.only.filter((name) => !names.includes(name));
if (!values.shipsec || !existsSync(values.shipsec) || unknown.length > 0) {
  console.error(unknown.length > 0 ? `no test is called ${unknown.join(", ")}: there are ${names.join(", ")}` : "give the program to test: --shipsec PATH");
  process.exit(2);
}
const files = names.filter((name) => values.only.length === 0 || values.only.includes(name)).map((name) => join(here, `${name}.test.mjs`));
// Two browsers at once would wait for each other on a small machine.
const tests = spawn(process.execPath, ["--test", "--test-concurrency=1", "--test-reporter=spec", ...files], {
  stdio: "inherit",
  env: {
    ...process.env,
    E2E_SHIPSEC: resolve(values.shipsec),
    ...(values.shots && { E2E_SHOTS: resolve(values.shots) }),
    ...(values.dist && { E2E_DIST: resolve(values.dist) }),
  },
});
tests.on("exit", (code) => {
  process.exitCode = code ?? 1;
});

// Builds each test with esbuild, and gives them to node's own runner: `node test/run.mjs [name…]`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const names = process.argv.slice(2);
const tests = readdirSync(here)
  .filter((file) => file.endsWith(".test.ts"))
  .filter((file) => names.length === 0 || names.includes(file.slice(0, -".test.ts".length)));
const folder = mkdtempSync(join(tmpdir(), "viewer-test-"));
try {
  buildSync({
    entryPoints: tests.map((file) => join(here, file)),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "es2022",
    sourcemap: "inline",
    logLevel: "warning",
  });
  const built = tests.map((file) => join(folder, file.replace(/\.ts$/, ".mjs")));
  // One after the other, for the sake of what is measured.
  const options = ["--enable-source-maps", "--test", "--test-concurrency=1", "--test-reporter=spec"];
  const run = spawnSync(process.execPath, [...options, ...built], {
    stdio: "inherit",
    env: { ...process.env, VIEWER_TEST_FOLDER: here },
  });
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

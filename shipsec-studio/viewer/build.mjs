// Builds ../dist from the sources: the same bytes for the same sources, so that CI can build it
// again and compare. `--check` writes nothing and fails where dist differs.

import { build } from "esbuild";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

/** Everything that a browser loads, compressed, in bytes. */
const MOST = 60 * 1024;

const here = new URL("./", import.meta.url);
const dist = new URL("../dist/", here);
const check = process.argv.includes("--check");

const result = await build({
  absWorkingDir: new URL(".", here).pathname,
  entryPoints: { main: "src/main.ts", style: "style.css" },
  outdir: "../dist/assets",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022", "chrome111", "firefox115", "safari16.4"],
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  write: false,
});

const files = new Map(result.outputFiles.map((file) => {
  return [`assets/${file.path.split(/[\\/]/).at(-1)}`, Buffer.from(file.contents)];
}));
files.set("index.html", await readFile(new URL("index.html", here)));

let total = 0;
for (const [name, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
  const small = gzipSync(bytes, { level: 9 }).length;
  total += small;
  console.log(`${name.padEnd(20)} ${String(bytes.length).padStart(7)} bytes, ${String(small).padStart(6)} compressed`);
}
console.log(`${"all".padEnd(20)} ${String(total).padStart(30)} compressed, of ${MOST}`);
if (total > MOST) {
  console.error(`dist takes ${total} bytes compressed, and ${MOST} are the most that it may take`);
  process.exitCode = 1;
}

if (check) {
  for (const [name, bytes] of files) {
    const there = await readFile(new URL(name, dist)).catch(() => null);
    if (!there?.equals(bytes)) {
      console.error(`dist/${name} is not what the sources give: run \`npm run build\` and commit it`);
      process.exitCode = 1;
    }
  }
  for (const name of await readdir(dist, { recursive: true })) {
    if (name !== "assets" && !files.has(name.replaceAll("\\", "/"))) {
      console.error(`dist/${name} comes from no source`);
      process.exitCode = 1;
    }
  }
} else {
  await rm(dist, { recursive: true, force: true });
  await mkdir(new URL("assets/", dist), { recursive: true });
  for (const [name, bytes] of files) await writeFile(new URL(name, dist), bytes);
}

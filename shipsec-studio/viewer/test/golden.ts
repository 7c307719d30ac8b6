// The logs that shipsec-testkit/tests/golden_folds.rs writes.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Event } from "../src/model.ts";

export interface Golden {
  readonly events: readonly Event[];
  /** Of the state after each event, the first before any. */
  readonly digests: readonly string[];
  readonly states: Readonly<Record<string, unknown>>;
}

export const folder = process.env["VIEWER_TEST_FOLDER"] ?? ".";

export const golden: readonly (readonly [string, Golden])[] = readdirSync(join(folder, "golden"))
  .sort()
  .map((file) => [file.replace(".json", ""), JSON.parse(readFileSync(join(folder, "golden", file), "utf8")) as Golden]);

/** JSON with sorted keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    const sorted: Record<string, unknown> = Object.create(null);
    for (const key of Object.keys(inner).sort()) sorted[key] = (inner as Record<string, unknown>)[key];
    return sorted;
  });
}

/** FNV-1a, 32 bits. */
export function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** Numbers that look like chance and are the same each time, from 0 to below 1. */
export function dice(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let z = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

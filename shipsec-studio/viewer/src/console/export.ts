// The lines that the filters leave, as a file or on the clipboard.

import type { RunLog } from "../model.ts";
import { sentence } from "../ui/message.ts";
import { oneLine } from "../ui/text.ts";

/** So many lines are written before the page may draw again. */
const STEP = 5000;

/** How the lines are written. */
export type Format = "jsonl" | "txt";

/** The lines as parts of a file. As text, hidden characters are written as escapes, so that no
 * terminal obeys them; as JSON, every event is as it came. */
export async function lines(log: RunLog, length: number, sequence: (index: number) => number, format: Format): Promise<Blob> {
  const parts: BlobPart[] = [];
  for (let from = 0; from < length; from += STEP) {
    let part = "";
    for (let index = from; index < Math.min(length, from + STEP); index += 1) {
      const event = log.event(sequence(index));
      if (!event) continue;
      part += format === "jsonl" ? `${JSON.stringify(event)}\n`
        : `${oneLine(event.timestamp)} ${event.level.padEnd(5)} ${oneLine(event.nodeId ?? "run")}${event.attempt ? `#${event.attempt}` : ""} ${oneLine(sentence(event))}\n`;
    }
    parts.push(part);
    await new Promise((resume) => setTimeout(resume));
  }
  return new Blob(parts, { type: format === "jsonl" ? "application/x-ndjson" : "text/plain" });
}

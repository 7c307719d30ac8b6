// Text that others wrote, shown so that it can neither hide nor reorder anything; and numbers,
// times and sizes for people.

/** Controls, terminal escapes, marks that reorder or hide text, lone halves of characters. What joins
 * letters (U+200C, U+200D) stands between those that need it, as in Persian, and joins emoji; within
 * ASCII it would only make two words out of what looks like one. */
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|(?<!(?!\p{ASCII})[\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}])[\u200c\u200d]|[\u200c\u200d](?!(?!\p{ASCII})[\p{L}\p{M}\p{Extended_Pictographic}])/gu;
const LINES = /[\t\n]/g;

function escaped(hidden: string): string {
  let text = "";
  for (const char of hidden) {
    const code = char.codePointAt(0) ?? 0;
    text += code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`;
  }
  return text;
}

/** Shows what would be invisible or would reorder the text as escapes; keeps tabs and line ends. */
export function visible(text: string): string {
  return text.replace(HIDDEN, escaped);
}

/** The same, on one line. */
export function oneLine(text: string): string {
  return visible(text).replace(LINES, (char) => (char === "\n" ? "\\n" : "\\t"));
}

/** The beginning of a text, which cuts no character, on one line. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return oneLine(text);
  const end = /[\ud800-\udbff]/.test(text[most - 1] ?? "") ? most - 1 : most;
  return `${oneLine(text.slice(0, end))}…`;
}

/** A value that came as JSON, as text: what is no text is written as JSON. */
export function text(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "";
  return JSON.stringify(value) ?? "";
}

/** A field of an object that came as JSON, where it is one. */
export function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** `1,234`. */
export function count(number: number): string {
  return number.toLocaleString("en-GB");
}

/** `1 line`, `2 lines`. */
export function many(number: number, one: string, more = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : more}`;
}

/** A time span for people: `350 ms`, `4.2 s`, `3 min 05 s`, `2 h 07 min`. */
export function span(millis: number): string {
  if (!Number.isFinite(millis)) return "–";
  const abs = Math.max(0, millis);
  if (abs < 1000) return `${abs < 10 && abs % 1 ? abs.toFixed(1) : Math.round(abs)} ms`;
  if (abs < 59_950) return `${(abs / 1000).toFixed(1)} s`;
  const seconds = Math.round(abs / 1000);
  const two = (part: number) => String(part).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
  return `${Math.floor(seconds / 86_400)} d ${two(Math.floor((seconds % 86_400) / 3600))} h`;
}

/** A size for people: `812 B`, `3.4 KiB`. */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let scaled = bytes;
  let unit = "";
  for (unit of units) {
    scaled /= 1024;
    if (scaled < 1024) break;
  }
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)} ${unit}`;
}

/** The time of day with milliseconds, in the zone of whoever looks. */
export function clock(millis: number): string {
  const time = new Date(millis);
  if (Number.isNaN(time.getTime())) return "";
  const two = (part: number, digits = 2) => String(part).padStart(digits, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${two(time.getMilliseconds(), 3)}`;
}

/** Day and time, in the zone of whoever looks. */
export function day(time: unknown): string {
  const date = new Date(typeof time === "number" ? time : text(time));
  if (Number.isNaN(date.getTime())) return "–";
  return date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

/** Milliseconds since 1970 of a time on the wire; NaN where it is none. */
export function millis(time: unknown): number {
  return typeof time === "string" ? Date.parse(time) : NaN;
}

/** A file name that no system stumbles over. */
export function fileName(text: string): string {
  return text.replace(/[^\w.-]+/g, "-").replace(/^[.-]+/, "").slice(0, 100) || "file";
}

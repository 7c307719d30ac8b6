// Where two texts differ: each is shown around that place, with what differs marked.

import { h } from "../ui/dom.ts";
import { wholeText } from "../ui/long.ts";
import { oneLine, visible } from "../ui/text.ts";

/** So much of what differs is shown, and so much of what is the same on each side of it, in characters. */
const MOST = 400;
const AROUND = 160;

/** A place in a text, or the one beside it where it would part the halves of a character. */
function whole(text: string, at: number, by = -1): number {
  return /[\ud800-\udbff][\udc00-\udfff]/.test(text.slice(Math.max(0, at - 1), at + 1)) ? at + by : at;
}

/** Both texts, with what is between the beginning and the end that they have in common marked. */
export function textPair(before: string, after: string): HTMLElement[] {
  const least = Math.min(before.length, after.length);
  let start = 0;
  while (start < least && before[start] === after[start]) start += 1;
  let same = 0;
  while (same < least - start && before[before.length - 1 - same] === after[after.length - 1 - same]) same += 1;
  return [before, after].map((text) => {
    const begin = whole(text, start);
    const end = whole(text, text.length - same, 1);
    const to = Math.min(end, whole(text, begin + MOST));
    const last = to < end ? to : whole(text, end + AROUND);
    let from = whole(text, Math.max(0, begin - AROUND));
    // Of many lines, it begins with one.
    if (from > 0) from += text.slice(from, begin).indexOf("\n") + 1;
    // What differs may be a line end or a tab, so in there they can be seen.
    const marked = text.slice(begin, to).split("\n").map(oneLine).join("\\n\n");
    return h("span", { class: "json-text" }, '"', from > 0 && "…", visible(text.slice(from, begin)),
      marked && (start + same > 0 ? h("mark", null, marked) : marked), visible(text.slice(to, last)), last < text.length && "…", '"',
      (from > 0 || last < text.length) && wholeText(text));
  });
}

// Where two texts differ: each is shown around that place, with what differs marked.

import { h, type Child } from "../ui/dom.ts";
import { wholeText } from "../ui/long.ts";
import { oneLine, visible } from "../ui/text.ts";

/** Of a text that is longer than this, so much of what differs is shown, and so much of what is the same beside it. */
const MOST = 400;
const AROUND = 120;

/** A place in a text, or the one before it where it would part the halves of a character. */
function whole(text: string, at: number): number {
  return at > 0 && /[\udc00-\udfff]/.test(text[at] ?? "") ? at - 1 : at;
}

/** Both texts, the same at their beginnings and ends as far as nothing is marked. */
export function textPair(before: string, after: string): [HTMLElement, HTMLElement] {
  const least = Math.min(before.length, after.length);
  let start = 0;
  while (start < least && before[start] === after[start]) start += 1;
  start = Math.min(whole(before, start), whole(after, start));
  let same = 0;
  while (same < least - start && before[before.length - 1 - same] === after[after.length - 1 - same]) same += 1;
  // The end must not begin with the second half of a character either.
  if (whole(before, before.length - same) < before.length - same) same -= 1;
  return [shown(before, start, same), shown(after, start, same)];
}

function shown(text: string, start: number, same: number): HTMLElement {
  const long = text.length > MOST;
  const end = text.length - same;
  let from = long ? whole(text, Math.max(0, start - AROUND)) : 0;
  // Of many lines, it begins with one.
  const line = text.lastIndexOf("\n", Math.max(0, start - 1));
  if (from > 0 && line >= from) from = line + 1;
  const to = long ? whole(text, Math.min(end, start + MOST)) : end;
  const last = to < end ? to : long ? whole(text, end + AROUND) : text.length;
  // What differs may be a line end or a tab, so in there they can be seen.
  const marked = text.slice(start, to).split("\n").map(oneLine).join("\\n\n");
  const parts: Child[] = [from > 0 && "…", visible(text.slice(from, start)), marked && (same + start > 0 ? h("mark", null, marked) : marked),
    visible(text.slice(to, last)), last < text.length && "…"];
  return h("span", { class: "json-text" }, '"', ...parts, '"', long && " ", long && wholeText(text));
}

// Markdown as elements: headings, lists, quotes, code, tables, emphasis and links that are shown but
// not followed by themselves. There is no way through for markup: what is not Markdown is text.

import { h, type Child } from "./dom.ts";
import { visible } from "./text.ts";

/** Each part is bounded: what begins and never ends is looked for so far, and no further. */
const INLINE = /`([^`]{1,500})`|\*\*(.{1,500}?)\*\*|__(.{1,500}?)__|\*([^*\s][^*]{0,500}?)\*|\b_([^_]{1,500}?)_\b|~~(.{1,500}?)~~|!?\[([^\][]{0,300})\]\(([^()\s]{1,500})[^()]{0,200}\)|<(https?:[^\s<>]{1,500})>/;
/** What is longer is text: nobody writes so, save to keep a reader busy. */
const LONGEST = 2000;
/** Deeper emphasis than this is text. */
const DEEPEST = 6;

/** A text in Markdown as elements. */
export function markdown(source: string): HTMLElement {
  return h("div", { class: "markdown" }, ...blocks(visible(source).split(/\r?\n/), 0));
}

function inline(text: string, depth = 0): Child[] {
  if (text.length > 2 * LONGEST) return [text];
  const parts: Child[] = [];
  let rest = text;
  while (rest) {
    const found = depth < DEEPEST ? INLINE.exec(rest) : null;
    if (!found) break;
    if (found.index > 0) parts.push(rest.slice(0, found.index));
    const [all, code, bold, bold2, em, em2, struck, label, target, bare] = found;
    if (code !== undefined) parts.push(h("code", null, code));
    else if (bold ?? bold2) parts.push(h("strong", null, ...inline(bold ?? bold2 ?? "", depth + 1)));
    else if (em ?? em2) parts.push(h("em", null, ...inline(em ?? em2 ?? "", depth + 1)));
    else if (struck !== undefined) parts.push(h("s", null, ...inline(struck, depth + 1)));
    else parts.push(link(label ?? bare ?? "", target ?? bare ?? "", depth));
    rest = rest.slice(found.index + all.length);
  }
  parts.push(rest);
  return parts;
}

function link(label: string, target: string, depth: number): Node {
  // A report may lie about where its links lead, so the address stands beside them.
  if (!/^https?:\/\//i.test(target)) return h("span", null, ...inline(label, depth + 1), h("span", { class: "muted" }, ` (${target})`));
  const shown = label === target ? [target] : [...inline(label, depth + 1), h("span", { class: "muted" }, ` (${target})`)];
  return h("a", { href: target, rel: "noopener noreferrer nofollow", target: "_blank" }, ...shown);
}

function blocks(lines: readonly string[], depth: number): Node[] {
  const out: Node[] = [];
  let at = 0;
  const take = (fits: (line: string) => boolean) => {
    const from = at;
    while (at < lines.length && fits(lines[at] ?? "")) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at] ?? "";
    const fence = /^\s*(```+|~~~+)/.exec(line);
    const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (line.length > LONGEST) {
      at += 1;
      out.push(h("p", null, line));
    } else if (!line.trim()) at += 1;
    else if (fence) {
      at += 1;
      const code = take((line) => !line.trim().startsWith(fence[1] ?? "```"));
      at += 1;
      out.push(h("pre", null, h("code", null, code.join("\n"))));
    } else if (heading) {
      at += 1;
      // The page has headings above these.
      out.push(h(`h${Math.min(6, (heading[1]?.length ?? 1) + 2)}` as "h3", null, ...inline(heading[2] ?? "")));
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) {
      at += 1;
      out.push(h("hr"));
    } else if (/^\s*>/.test(line) && depth < DEEPEST) {
      out.push(h("blockquote", null, ...blocks(take((line) => /^\s*>/.test(line)).map((line) => line.replace(/^\s*>\s?/, "")), depth + 1)));
    } else if (isRow(line) && /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(lines[at + 1] ?? "")) {
      const [head, , ...rows] = take(isRow);
      out.push(h("div", { class: "scroll" }, h("table", null,
        h("thead", null, h("tr", null, ...cells(head ?? "").map((cell) => h("th", null, ...inline(cell))))),
        h("tbody", null, ...rows.map((row) => h("tr", null, ...cells(row).map((cell) => h("td", null, ...inline(cell)))))))));
    } else if (item(line) && depth < DEEPEST) out.push(list(take((line) => item(line) !== null || /^\s{2,}\S/.test(line)), depth));
    else out.push(h("p", null, ...inline(take((line) => line.trim() !== "" && !/^(#{1,6}\s|\s*>|\s*```|\s*~~~)/.test(line) && !item(line)).join(" ") || (lines[at++] ?? ""))));
  }
  return out;
}

function isRow(line: string): boolean {
  return line.includes("|") && line.trim() !== "";
}

function cells(row: string): string[] {
  return row.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
}

function item(line: string): RegExpExecArray | null {
  return /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/.exec(line);
}

function list(lines: readonly string[], depth: number): Node {
  const first = item(lines[0] ?? "");
  const indent = first?.[1]?.length ?? 0;
  const items: string[][] = [];
  for (const line of lines) {
    const found = item(line);
    if (found && (found[1]?.length ?? 0) <= indent) items.push([found[3] ?? ""]);
    else items.at(-1)?.push(line.slice(Math.min(indent + 2, line.length - line.trimStart().length)));
  }
  const made = items.map(([head = "", ...rest]) => {
    const task = /^\[([ xX])\]\s+(.*)$/.exec(head);
    return h("li", null, task && h("input", { type: "checkbox", disabled: true, checked: task[1] !== " " }), ...inline(task ? ` ${task[2] ?? ""}` : head), ...blocks(rest, depth + 1));
  });
  return /\d/.test(first?.[2] ?? "") ? h("ol", null, ...made) : h("ul", null, ...made);
}

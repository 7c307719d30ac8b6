// The element of one box: a card with icon, name, component, state and progress; far away a plain
// rectangle in the colour of its state.

import { s, say, set } from "../ui/dom.ts";
import { iconPath, word } from "../ui/states.ts";
import { fit } from "../ui/fit.ts";
import { cut, oneLine } from "../ui/text.ts";
import type { Box } from "./graph.ts";
import { progressText, type BoxLook } from "./looks.ts";

/** A box on the screen. */
export interface BoxElement {
  readonly element: SVGElement;
  show(look: BoxLook): void;
  select(selected: boolean): void;
}

/** The id that tests find a box by. */
function testId(box: Box): string {
  return box.members ? `group-${box.label}` : `node-${box.key}`;
}

function told(box: Box, look: BoxLook): string {
  const progress = progressText(look);
  return [box.label, look.note, look.badge, progress && `${progress} ${look.unit ?? ""}`].filter(Boolean).map((part) => oneLine(part || "")).join(", ");
}

/** What one can point at and go to: how it looks is drawn with the others, as a thousand looks would each be computed. */
export function farBox(box: Box): BoxElement {
  const element = s("rect", {
    class: "node far", role: "button", tabindex: -1, "data-testid": testId(box), "data-key": box.key, x: box.x, y: box.y, width: box.w, height: box.h, rx: 10,
  });
  return {
    element,
    show(look) {
      set(element, "class", `node far${look.mark && look.badge ? ` mark-${look.mark}` : ""}`);
      set(element, "data-state", look.look);
      set(element, "aria-label", told(box, look));
    },
    select: (selected) => element.toggleAttribute("data-selected", selected),
  };
}

/** A card. */
export function nearBox(box: Box): BoxElement {
  const icon = s("path", { class: "node-icon", transform: "translate(14 12) scale(1.25)" });
  const label = s("text", { class: "node-label", x: 44, y: 27 }, fit(box.label, 182, "600 13px"));
  const big = s("text", { class: "node-big", x: 52, y: 36 }, fit(box.label, 178, "600 21px"));
  const brief = s("text", { class: "node-brief", x: 16, y: 63 });
  const sub = s("text", { class: "node-sub", x: 44, y: 43 }, cut(box.component || box.node, 27));
  const note = s("text", { class: "node-note", x: 14, y: 64 });
  const number = s("text", { class: "node-count", x: box.w - 12, y: 64, "data-testid": `progress-${box.key}` });
  const track = s("rect", { class: "track", x: 14, y: 70, width: box.w - 26, height: 3, rx: 1.5 });
  const bar = s("rect", { class: "bar", x: 14, y: 70, width: 0, height: 3, rx: 1.5 });
  const title = s("title");
  const badge = s("g", { class: "badge" });
  const body = s("g", { class: "body" },
    s("rect", { class: "card", width: box.w, height: box.h, rx: 10 }),
    s("path", { class: "stripe", d: `M10 0A10 10 0 0 0 0 10V${box.h - 10}A10 10 0 0 0 10 ${box.h}A6 10 0 0 1 4 ${box.h - 10}V10A6 10 0 0 1 10 0z` }),
    icon, label, big, brief, sub, note, number, track, bar, badge, title);
  const element = s("g", {
    class: "node", role: "button", tabindex: -1, "data-testid": testId(box), "data-key": box.key, transform: `translate(${box.x} ${box.y})`,
  }, body);
  let badged = "";
  return {
    element,
    show(look) {
      const aims = `node is-${look.look}${look.dim ? " dim" : ""}${look.mark && look.badge ? ` mark-${look.mark}` : ""}${box.members ? " folded" : ""}`;
      set(element, "class", aims);
      set(element, "data-state", look.look);
      set(element, "aria-label", told(box, look));
      set(icon, "d", iconPath(look.look));
      say(title, oneLine(`${box.label} (${box.node})\n${look.note}`));
      const wide = look.badge ? look.badge.length * 6 + 14 : 0;
      const progress = progressText(look);
      say(number, progress && (look.unit && progress.length + look.unit.length < 18 ? `${progress} ${oneLine(look.unit)}` : progress));
      say(note, fit(look.note, box.w - 36 - (number.textContent?.length ?? 0) * 6.4, "600 11px"));
      say(brief, word(look.look));
      const part = look.total ? Math.min(1, Math.max(0, (look.done ?? 0) / look.total)) : 0;
      set(track, "class", look.total ? "track" : "track none");
      set(bar, "width", (part * (box.w - 26)).toFixed(1));
      if (look.total) {
        set(number, "role", "progressbar");
        set(number, "aria-valuemin", 0);
        set(number, "aria-valuemax", look.total);
        set(number, "aria-valuenow", look.done);
        set(number, "aria-label", `Progress of ${oneLine(box.label)}`);
      } else for (const name of ["role", "aria-valuemin", "aria-valuemax", "aria-valuenow", "aria-label"]) number.removeAttribute(name);
      if (badged !== (look.badge ?? "")) {
        badged = look.badge ?? "";
        badge.replaceChildren();
        if (badged) {
          badge.append(s("rect", { x: box.w - wide - 8, y: -8, width: wide, height: 16, rx: 8 }),
            s("text", { x: box.w - 8 - wide / 2, y: 3.5 }, oneLine(badged)));
        }
      }
    },
    select(selected) {
      element.toggleAttribute("data-selected", selected);
      set(element, "aria-pressed", String(selected));
    },
  };
}

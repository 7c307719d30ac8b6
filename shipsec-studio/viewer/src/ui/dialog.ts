// Dialogs and notices.

import { button, h, put, type Child } from "./dom.ts";
import { visible } from "./text.ts";
import { icon } from "./states.ts";

let region: HTMLElement | undefined;

/** Tells something in passing; read out by screen readers. */
export function notice(text: string, kind: "info" | "error" = "info"): void {
  region ??= document.body.appendChild(h("div", { class: "notices", role: "status", "aria-live": "polite" }));
  const shut = () => one.remove();
  const one = h("div", { class: `notice ${kind}` }, h("span", null, visible(text).slice(0, 2000)),
    button("", shut, { class: "quiet", "aria-label": "Dismiss" }, icon("close")));
  region.append(one);
  while (region.childElementCount > 4) region.firstElementChild?.remove();
  setTimeout(shut, kind === "error" ? 12_000 : 5_000);
}

/** What an error tells people. */
export function reason(error: unknown): string {
  if (error instanceof Error) return error.message;
  return String(error);
}

/** Opens a dialog with these contents. Gives what it was closed with; an empty text where it was dismissed. */
export function ask(title: string, build: (close: (value: string) => void) => Child[]): Promise<string> {
  return new Promise((resolve) => {
    const id = `dialog-${Math.random().toString(36).slice(2)}`;
    const dialog = h("dialog", { "aria-labelledby": id });
    const close = (value: string) => dialog.close(value);
    dialog.append(h("h2", { id }, visible(title)));
    const body = h("div", { class: "dialog-body" });
    put(body, ...build(close));
    dialog.append(body);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Asks before something is done that cannot be undone. */
export async function confirm(title: string, text: string, yes: string, danger = false): Promise<boolean> {
  const answer = await ask(title, (close) => [
    h("p", null, visible(text)),
    h("div", { class: "buttons" },
      button("No, go back", () => close(""), { autofocus: true }),
      button(yes, () => close("yes"), { class: danger ? "danger" : "primary", "data-testid": "confirm" })),
  ]);
  return answer === "yes";
}

/** Asks for the token that the server wants; empty where none is given. */
export function askToken(wrong: boolean): Promise<string> {
  return ask("This server asks for a token", (close) => {
    const input = h("input", { type: "password", autocomplete: "off", required: true, autofocus: true, "aria-label": "Token", "data-testid": "token" });
    const submit = (event: Event) => {
      event.preventDefault();
      if (input.value) close(input.value.trim());
    };
    return [
      h("form", { onsubmit: submit },
        h("p", null, wrong ? "It did not take that one. " : "", "The token is kept until this tab is closed."),
        input,
        h("div", { class: "buttons" }, button("Cancel", () => close("")), h("button", { class: "primary", type: "submit" }, "Go on"))),
    ];
  });
}

/** Puts text on the clipboard. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    notice(`Copied ${what}`);
  } catch {
    // Without https there is no clipboard to write to; the old way still works there.
    const area = h("textarea", { class: "offscreen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    notice(done ? `Copied ${what}` : "The browser does not let this page copy", done ? "info" : "error");
  }
}

/** Gives a file to the browser to keep. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

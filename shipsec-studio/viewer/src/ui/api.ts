// The one connection to the server, and what the views do with its errors.

import { Api, Problem } from "../api.ts";
import { askToken } from "./dialog.ts";
import { field, text } from "./text.ts";

/** The server that this page came from. */
export const api = new Api();

let asked = false;
api.askToken = async () => {
  const token = await askToken(asked);
  asked = true;
  return token || undefined;
};

/** A key by which the server knows a request that is sent twice. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What an error tells people. */
export function told(error: unknown): string {
  return error instanceof Problem && error.detail ? error.detail : error instanceof Error ? error.message : String(error);
}

/** What the server says about single fields: by name or pointer. A problem with none is under no name. */
export function fieldProblems(error: unknown): Map<string, string> {
  const found = new Map<string, string>();
  if (error instanceof Problem) {
    const { more } = error;
    const byField = more["fieldErrors"];
    if (typeof byField === "object" && byField !== null) {
      for (const [name, said] of Object.entries(byField)) found.set(name, Array.isArray(said) ? said.map(text).join("; ") : text(said));
    }
    for (const name of ["errors", "problems", "diagnostics"]) {
      const list = more[name];
      if (!Array.isArray(list)) continue;
      for (const one of list) {
        if (typeof one === "string") addNamed(found, one);
        else found.set(text(field(one, "pointer") ?? field(one, "field") ?? field(one, "path")), text(field(one, "detail") ?? field(one, "message")));
      }
    }
    // Else the sentence itself may name fields: `/approved: "no" is not of type "boolean"`.
    if (found.size === 0) for (const part of error.detail.split(/;\s+|\n/)) addNamed(found, part);
  }
  if (found.size === 0) found.set("", told(error));
  return found;
}

function addNamed(found: Map<string, string>, said: string): void {
  const pointer = /(?:^|\s)(\/[^\s:]+): (.+)$/s.exec(said);
  const needed = /"([^"]+)" is a required property/.exec(said);
  if (pointer) found.set(pointer[1] ?? "", pointer[2] ?? said);
  else if (needed) found.set(needed[1] ?? "", "this is needed");
  else found.set("", found.has("") ? `${found.get("")}; ${said}` : said);
}

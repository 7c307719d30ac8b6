// Fields to fill in, made from a JSON schema: texts, numbers, yes or no and choices have fields of
// their own, everything else is written as JSON.

import { h, put } from "./dom.ts";
import { field as of, oneLine, text, visible } from "./text.ts";

/** One value that is asked for. */
export interface Asked {
  readonly id: string;
  readonly label: string;
  readonly help?: string;
  readonly kind: "text" | "number" | "integer" | "boolean" | "choice" | "secret" | "json";
  readonly choices?: readonly unknown[];
  readonly required: boolean;
  readonly value?: unknown;
}

/** Fields on the screen. */
export interface Fields {
  readonly element: HTMLElement;
  /** What was filled in; `undefined` where something is no JSON, which is then shown at the field. */
  read(): Record<string, unknown> | undefined;
  /** Shows problems at their fields; gives those that belong to none. */
  problems(byField: ReadonlyMap<string, string>): string[];
  focus(): void;
}

/** What a JSON schema of an object asks for. */
export function asked(schema: unknown): Asked[] {
  const properties = of(schema, "properties");
  const required = of(schema, "required");
  if (typeof properties !== "object" || properties === null) return [];
  const order = (property: unknown) => {
    const said = of(property, "x-order");
    return typeof said === "number" ? said : Infinity;
  };
  const inOrder = Object.entries(properties).sort(([, a], [, b]) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0));
  return inOrder.map(([id, property]) => {
    const type = of(property, "type");
    const choices = of(property, "enum");
    const kind = Array.isArray(choices) ? "choice"
      : type === "string" ? "text"
      : type === "number" || type === "integer" || type === "boolean" ? type
      : "json";
    return {
      id, kind,
      label: text(of(property, "title")) || id,
      help: text(of(property, "description")) || undefined,
      choices: Array.isArray(choices) ? choices : undefined,
      required: Array.isArray(required) && required.includes(id),
      value: of(property, "default"),
    };
  });
}

/** What a port of this type asks for: the inputs that an entry point names. */
export function askedByPort(input: unknown): Asked {
  const type = text(of(input, "type"));
  const kind = type === "text" || type === "number" || type === "boolean" || type === "secret" ? type : "json";
  return {
    kind,
    id: text(of(input, "id")),
    label: text(of(input, "label")) || text(of(input, "id")),
    help: [text(of(input, "description")), type === "secret" ? "The name of a secret that the host knows." : kind === "json" ? type === "json" || type === "any" ? "JSON." : `JSON of type ${type}.` : ""].filter(Boolean).join(" ") || undefined,
    required: of(input, "required") === true && of(input, "default") === undefined,
    value: of(input, "default"),
  };
}

interface Row {
  readonly ask: Asked;
  readonly input: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
  readonly problem: HTMLElement;
}

let unique = 0;

/** Fields for what is asked. */
export function fields(all: readonly Asked[]): Fields {
  const rows = all.map(row);
  const element = h("div", { class: "fields" });
  for (const { ask, input, problem } of rows) {
    const label = h("label", { for: input.id }, visible(ask.label), ask.required && h("span", { class: "required", title: "required" }, " *"));
    const check = ask.kind === "boolean";
    element.append(h("div", { class: check ? "field check" : "field" }, check ? input : label, check ? label : input,
      ask.help !== undefined && h("div", { class: "help" }, visible(ask.help)), problem));
  }
  const show = (row: Row, text: string) => {
    put(row.problem, visible(text));
    row.input.setAttribute("aria-invalid", text ? "true" : "false");
  };
  return {
    element,
    read() {
      const values: Record<string, unknown> = {};
      let right = true;
      for (const row of rows) {
        show(row, "");
        try {
          const value = read(row);
          if (value !== undefined) Object.defineProperty(values, row.ask.id, { value, enumerable: true });
          else if (row.ask.required) throw new Error("this is needed");
        } catch (error) {
          if (right) row.input.focus();
          right = false;
          show(row, error instanceof Error ? error.message : String(error));
        }
      }
      return right ? values : undefined;
    },
    problems(byField) {
      const left: string[] = [];
      let first: Row | undefined;
      for (const [name, problem] of byField) {
        const top = name.replace(/^[/.]+/, "").split(/[/.[]/)[0];
        const row = rows.find((row) => row.ask.id === name) ?? rows.find((row) => row.ask.id === top);
        if (row) {
          show(row, problem);
          first ??= row;
        } else left.push(name ? `${name}: ${problem}` : problem);
      }
      first?.input.focus();
      return left;
    },
    focus: () => rows[0]?.input.focus(),
  };
}

function row(ask: Asked): Row {
  unique += 1;
  const id = `field-${unique}`;
  const problem = h("div", { class: "problem", id: `${id}-problem`, role: "alert" });
  const props = { id, name: ask.id, "aria-describedby": problem.id, required: ask.required, autocomplete: "off", "data-testid": `field-${ask.id}` };
  const given = ask.value;
  if (ask.kind === "choice") {
    const select = h("select", props, !ask.required && h("option", { value: "" }, "–"));
    for (const [at, choice] of (ask.choices ?? []).entries()) {
      select.append(h("option", { value: String(at), selected: JSON.stringify(choice) === JSON.stringify(given) }, oneLine(text(choice))));
    }
    return { ask, input: select, problem };
  }
  if (ask.kind === "json") {
    const area = h("textarea", { ...props, rows: 4, spellcheck: "false", class: "mono" });
    area.value = given === undefined ? "" : JSON.stringify(given, null, 2);
    return { ask, input: area, problem };
  }
  const input = h("input", { ...props, type: ask.kind === "boolean" ? "checkbox" : "text", inputmode: ask.kind === "number" || ask.kind === "integer" ? "decimal" : null });
  if (ask.kind === "boolean") {
    input.required = false;
    input.checked = given === true;
  } else input.value = given === undefined ? "" : text(given);
  return { ask, input, problem };
}

function read({ ask, input }: Row): unknown {
  if (ask.kind === "boolean") return (input as HTMLInputElement).checked;
  const given = input.value;
  if (given === "") return undefined;
  if (ask.kind === "choice") return ask.choices?.[Number(given)];
  if (ask.kind === "number" || ask.kind === "integer") {
    const number = Number(given.trim());
    if (!Number.isFinite(number) || given.trim() === "") throw new Error("this must be a number");
    if (ask.kind === "integer" && !Number.isInteger(number)) throw new Error("this must be a whole number");
    return number;
  }
  if (ask.kind !== "json") return given;
  try {
    return JSON.parse(given) as unknown;
  } catch (error) {
    throw new Error(`this is no JSON: ${error instanceof Error ? error.message : ""}`);
  }
}

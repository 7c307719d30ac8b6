// Answers what a node waits for: an approval with yes and no, else the fields of its schema.

import type { NodeView } from "../model.ts";
import { api, fieldProblems } from "./api.ts";
import { notice } from "./dialog.ts";
import { button, h, put, type Child } from "./dom.ts";
import { asked, fields, type Asked } from "./fields.ts";
import { longText } from "./long.ts";
import { day, field, text, visible } from "./text.ts";

/** The form for a question; `answered` is called once the server has the answer. */
export function answerForm(run: string, node: NodeView, answered: () => void): HTMLElement {
  const question = node.awaiting as unknown;
  const schema = field(question, "schema");
  const approval = text(field(question, "kind")) === "approval";
  const properties = asked(schema);
  const whole: Asked = { id: "answer", label: "Answer", kind: "json", required: true, help: "JSON." };
  const own = approval ? properties.filter((one) => one.id !== "approved") : properties;
  const comment: Asked = { id: "comment", label: "Comment", kind: "text", required: false };
  const inputs = fields(approval ? (own.length ? own : [comment]) : own.length ? own : [whole]);
  const by = h("input", { type: "text", placeholder: "Your name (optional)", "aria-label": "Your name", autocomplete: "name" });
  const general = h("div", { class: "problem", role: "alert" });
  const buttons: HTMLButtonElement[] = [];
  const send = async (approved?: boolean) => {
    const values = inputs.read();
    if (!values) return;
    const answer = approval ? { ...values, approved } : own.length ? values : values["answer"];
    put(general);
    for (const one of buttons) one.disabled = true;
    try {
      await api.answer(run, node.nodeId, answer, by.value.trim() || undefined);
      notice("Answered");
      answered();
    } catch (error) {
      put(general, visible(inputs.problems(fieldProblems(error)).join("; ")));
      for (const one of buttons) one.disabled = false;
    }
  };
  buttons.push(...(approval
    ? [button("Approve", () => void send(true), { class: "primary", "data-testid": "approve" }), button("Reject", () => void send(false), { class: "danger", "data-testid": "reject" })]
    : [h("button", { type: "submit", class: "primary", "data-testid": "submit-answer" }, "Answer")]));
  const until = field(question, "timeoutAt");
  const about = text(field(schema, "description"));
  const body: Child[] = [
    h("h3", null, visible(text(field(question, "title")) || "This node waits for an answer")),
    about && h("p", { class: "prewrap" }, longText(about, 2000, true)),
    until !== undefined && until !== null && h("p", { class: "muted" }, `It waits until ${day(until)}.`),
    inputs.element, h("div", { class: "field" }, by), general, h("div", { class: "buttons" }, ...buttons),
  ];
  return h("form", {
    class: "answer", "data-testid": "answer-form", "aria-label": "Answer", novalidate: true,
    onsubmit: (event: Event) => {
      event.preventDefault();
      if (!approval) void send();
    },
  }, ...body);
}

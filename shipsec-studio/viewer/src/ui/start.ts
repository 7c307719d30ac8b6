// Starts a workflow: asks for the inputs that its entry point names.

import { api, fieldProblems, newKey, told } from "./api.ts";
import { ask, notice } from "./dialog.ts";
import { button, h, put } from "./dom.ts";
import { askedByPort, fields } from "./fields.ts";
import { field, visible } from "./text.ts";
import { go } from "./url.ts";

/** Asks for the inputs of a workflow, starts it, and goes to its run. */
export async function start(id: string, name: string): Promise<void> {
  let details;
  try {
    details = await api.workflow(id);
  } catch (error) {
    notice(told(error), "error");
    return;
  }
  const { definition } = details;
  const entry = definition.actions.find((action) => action.ref === definition.entrypoint.ref);
  const inputs = field(entry?.params, "runtimeInputs");
  const form = fields((Array.isArray(inputs) ? inputs : []).map(askedByPort));
  // The same key each time this dialog sends: a lost answer starts no second run.
  const key = newKey();
  const run = await ask(`Start ${name}`, (close) => {
    const general = h("div", { class: "problem", role: "alert" });
    const submit = h("button", { type: "submit", class: "primary", "data-testid": "start-run" }, "Start");
    const send = async (event: Event) => {
      event.preventDefault();
      const values = form.read();
      if (!values) return;
      put(general);
      submit.disabled = true;
      try {
        close((await api.run(id, values, key)).runId);
      } catch (error) {
        put(general, visible(form.problems(fieldProblems(error)).join("; ")));
      }
      submit.disabled = false;
    };
    return [h("form", { onsubmit: (event: Event) => void send(event), novalidate: true, "data-testid": "start-form" },
      form.element.childElementCount === 0 ? h("p", { class: "muted" }, "This workflow asks for nothing.") : form.element,
      general, h("div", { class: "buttons" }, button("Cancel", () => close("")), submit))];
  });
  if (run) go({ run });
}

// What can be done to a run, each after a question.

import type { RunState } from "../model.ts";
import { api, told } from "./api.ts";
import { ask, confirm, notice } from "./dialog.ts";
import { button, h, put } from "./dom.ts";
import { statusWord } from "./states.ts";
import { cut, day } from "./text.ts";
import { go } from "./url.ts";

/** Asks a run to stop; kills it where it is stopping already. */
export async function stop(run: string, state: RunState): Promise<void> {
  const kill = state["stopping"] !== undefined;
  const yes = kill
    ? await confirm("Terminate this run?", "It is stopping already, and cleans up. Terminated, it ends at once without the rest of its clean-up.", "Terminate", true)
    : await confirm("Cancel this run?", "What runs is asked to stop, clean-up runs, and everything else ends as cancelled.", "Cancel the run", true);
  if (!yes) return;
  try {
    await (kill ? api.terminate(run) : api.cancel(run));
    notice(kill ? "Terminating" : "Cancelling");
  } catch (error) {
    notice(told(error), "error");
  }
}

/** Runs a run again, whole or from a node on, and goes to the new run. */
export async function rerun(run: string, node?: { id: string; label: string }): Promise<void> {
  const cached = h("input", { type: "checkbox", id: "rerun-cached" });
  const yes = await ask(node ? `Rerun from ${node.label}?` : "Rerun this run?", (close) => [
    h("p", null, node
      ? "A new run takes over what ended before this node, and runs this node and everything behind it again."
      : "A new run of the same workflow with the same inputs."),
    h("div", { class: "field check" }, cached, h("label", { for: cached.id }, "Take over every node of which nothing has changed")),
    h("div", { class: "buttons" }, button("No, go back", () => close("")), button("Rerun", () => close("yes"), { class: "primary", "data-testid": "confirm", autofocus: true })),
  ]);
  if (yes !== "yes") return;
  try {
    const started = await api.rerun(run, { from: node?.id, cached: cached.checked || undefined });
    go({ run: started.runId });
  } catch (error) {
    notice(told(error), "error");
  }
}

/** Lets somebody go on with a run that nobody runs. */
export async function resume(run: string): Promise<void> {
  try {
    await api.resume(run);
    notice("Going on");
  } catch (error) {
    notice(told(error), "error");
  }
}

/** Asks which run to compare with, and goes there. */
export async function compare(run: string, workflow: string | undefined): Promise<void> {
  const other = await ask("Compare with which run?", (close) => {
    const runs = h("ul", { class: "choices" }, h("li", { class: "hint" }, "Loading…"));
    api.runs({ workflow, limit: 50 }).then(({ runs: found }) => {
      const others = found.filter((one) => one.runId !== run);
      put(runs, ...others.map((one) => h("li", null, button("", () => close(one.runId), { class: "choice" },
        h("span", null, h("span", { class: "mono" }, cut(one.runId, 60)), h("small", { class: "muted" }, ` ${statusWord(one.status)} · ${day(one.startedAt)}`))))));
      if (others.length === 0) put(runs, h("li", { class: "hint" }, "There is no other run of this workflow."));
    }, (error: unknown) => put(runs, h("li", { class: "problem" }, told(error))));
    return [runs, h("div", { class: "buttons" }, button("Close", () => close("")))];
  });
  if (other) go({ diff: [other, run] });
}

// What an event says, in a sentence: its own message, else one made of its payload. Every event has
// a sentence, also one of a type that this viewer does not know.

import type { Event } from "../model.ts";
import { statusWord } from "./states.ts";
import { count, field, size, span, text } from "./text.ts";

/** An event as a sentence, in which `name` gives nodes their names. The text is as it came: show it with `visible` or `cut`. */
export function sentence(event: Event, name = (node: string) => node): string {
  if (event.message) return event.message;
  const of = (name: string) => text(field(event.payload, name));
  const number = (name: string) => field(event.payload, name) as number | undefined;
  switch (event.type) {
    case "WORKFLOW_STATUS": {
      const why = field(field(event.payload, "failure"), "reason") ?? field(event.payload, "stopping");
      return `Run: ${statusWord(of("status") || "unknown")}${why ? ` (${text(why)})` : ""}`;
    }
    case "NODE_STARTED":
      return `Started${(event.attempt ?? 1) > 1 ? `, attempt ${event.attempt}` : ""}${of("triggeredBy") && `, after ${name(of("triggeredBy"))}`}`;
    case "NODE_LOG":
      return "";
    case "NODE_PROGRESS": {
      const [done, total] = [number("done"), number("total")];
      if (done === undefined) return "Working";
      return `${count(done)}${total === undefined ? "" : `/${count(total)}`} ${of("unit")}`.trim();
    }
    case "NODE_ARTIFACT":
      return `Stored ${of("name") || of("artifactId")} (${of("mediaType")}, ${size(number("size") ?? 0)})`;
    case "NODE_AWAITING_INPUT":
      return `Waits for an answer: ${of("title") || of("kind")}`;
    case "NODE_INPUT_RECEIVED":
      return `Answered${of("by") && ` by ${of("by")}`}`;
    case "NODE_CHILD_STARTED":
      return `Called ${of("workflowId")} as run ${of("runId")}`;
    case "NODE_COMPLETED":
      return of("reusedFrom") ? `Taken over from run ${of("reusedFrom")}` : `Completed in ${span(number("durationMs") ?? NaN)}`;
    case "NODE_FAILED": {
      const error = field(event.payload, "error");
      const next = field(event.payload, "willRetry") === true ? "; another attempt follows" : of("handledBy") && `; handled by ${name(of("handledBy"))}`;
      return `Failed: ${text(field(error, "kind"))} ${text(field(error, "message"))}${next}`;
    }
    case "NODE_SKIPPED":
      return `Skipped: ${of("reason").replaceAll("-", " ")}${of("cause") && `, because of ${name(of("cause"))}`}`;
    case "NODE_CANCELLED":
      return `Cancelled${of("reason") && `: ${of("reason").replaceAll("-", " ")}`}`;
    default:
      return `${statusWord(event.type)}${event.payload && Object.keys(event.payload).length ? ` ${JSON.stringify(event.payload)}` : ""}`;
  }
}

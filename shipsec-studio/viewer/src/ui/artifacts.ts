// The artifacts of a run, and what is inside them.

import type { ArtifactView } from "../model.ts";
import { api, told } from "./api.ts";
import { notice, save } from "./dialog.ts";
import { button, h, put, say } from "./dom.ts";
import { jsonTree } from "./json.ts";
import { longText } from "./long.ts";
import { markdown } from "./markdown.ts";
import { isSarif, sarifTable } from "./sarif.ts";
import { icon } from "./states.ts";
import { cut, day, fileName, many, oneLine, size, visible } from "./text.ts";

/** So much of a text is loaded to be looked at. */
const TEXT = 1024 * 1024;
/** JSON is useless when cut, so more of it is loaded; and so are images. */
const WHOLE = 16 * 1024 * 1024;
/** Larger ones go to the disk without passing through this page, where the server wants no token. */
const LARGE = 64 * 1024 * 1024;
const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

export class Artifacts {
  readonly element: HTMLElement;
  readonly #run: string;
  readonly #name: (node: string) => string;
  readonly #select: (node: string) => void;
  readonly #list = h("ul", { class: "artifact-list", "data-testid": "artifact-list", "aria-label": "Artifacts" });
  readonly #preview = h("div", { class: "preview", tabindex: 0, role: "region", "aria-label": "Preview", "data-testid": "artifact-preview" });
  #shown = "";
  #length = -1;
  #loading: AbortController | undefined;
  #image = "";

  constructor(run: string, name: (node: string) => string, select: (node: string) => void) {
    this.#run = run;
    this.#name = name;
    this.#select = select;
    this.element = h("div", { class: "artifacts" }, this.#list, this.#preview);
    put(this.#preview, h("p", { class: "hint" }, "Select an artifact to look into it."));
  }

  /** Shows the artifacts of a moment, and what is inside one only where it is there already; there are only ever more of them as time goes on. */
  show(artifacts: readonly ArtifactView[]): void {
    if (artifacts.length === this.#length) return;
    this.#length = artifacts.length;
    this.#preview.hidden = Boolean(this.#shown) && !artifacts.some((one) => one.artifactId === this.#shown);
    if (artifacts.length === 0) return put(this.#list, h("li", { class: "hint" }, "No artifact up to this moment."));
    put(this.#list, ...artifacts.slice(0, 2000).map((one) => this.item(one)));
    if (artifacts.length > 2000) this.#list.append(h("li", { class: "hint" }, `and ${many(artifacts.length - 2000, "further one")}`));
  }

  /** Nodes have got other names: whatever is shown next is drawn anew. */
  rename(): void {
    this.#length = -1;
  }

  /** One entry of the list. */
  item(one: ArtifactView): HTMLElement {
    const open = button("", () => void this.open(one), { class: "artifact", "aria-pressed": String(one.artifactId === this.#shown), "data-artifact": one.artifactId }, icon("file"));
    open.append(h("span", { class: "artifact-name" }, cut(one.name, 120)),
      h("small", null, `${cut(one.mediaType, 60)} · ${size(one.size)}`));
    return h("li", { "data-testid": `artifact-${one.artifactId}` }, open,
      button(cut(this.#name(one.nodeId), 40), () => this.#select(one.nodeId), { class: "link", title: day(one.storedAt) }),
      button("", () => void this.#keep(one), { class: "quiet", "aria-label": `Download ${oneLine(one.name)}`, title: "Download" }, icon("download")));
  }

  /** Looks into an artifact. */
  async open(one: ArtifactView): Promise<void> {
    this.#shown = one.artifactId;
    this.#preview.hidden = false;
    for (const entry of this.#list.querySelectorAll("[data-artifact]")) entry.setAttribute("aria-pressed", String(entry.getAttribute("data-artifact") === this.#shown));
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    this.close();
    const state = h("p", { class: "hint" }, "Loading…");
    const head = h("header", null, h("h3", null, cut(one.name, 200)), h("span", { class: "muted" }, `${cut(one.mediaType, 80)} · ${size(one.size)} · `, h("span", { class: "mono", title: oneLine(one.sha256) }, `sha256 ${cut(one.sha256, 12)}`)));
    put(this.#preview, head, state);
    try {
      const inside = await this.#inside(one, loading.signal);
      if (!loading.signal.aborted) state.replaceWith(inside);
    } catch (error) {
      if (!loading.signal.aborted) say(state, visible(told(error)));
    }
  }

  /** Lets go of what a preview holds. */
  close(): void {
    if (this.#image) URL.revokeObjectURL(this.#image);
    this.#image = "";
  }

  async #inside(one: ArtifactView, signal: AbortSignal): Promise<Node> {
    const [type = ""] = one.mediaType.toLowerCase().split(";");
    const name = one.name.toLowerCase();
    const isJson = type.endsWith("json") || type.endsWith("+json") || /\.(json|sarif)$/.test(name);
    const isText = isJson || type.startsWith("text/") || /\b(xml|yaml|javascript|x-ndjson|toml|csv)\b/.test(type) || /\.(txt|log|md|csv|xml|ya?ml|jsonl|toml|html?)$/.test(name);
    if (IMAGES.includes(type)) {
      if (one.size > WHOLE) return h("p", { class: "hint" }, "This image is too large to be shown here.");
      const blob = await api.artifact(this.#run, one.artifactId, undefined, signal);
      // The type is the one that was checked above, whatever the server says.
      this.#image = URL.createObjectURL(new Blob([blob], { type }));
      return h("img", { src: this.#image, alt: oneLine(one.name) });
    }
    if (!isText) return h("p", { class: "hint" }, "There is no preview of this type. It can be downloaded.");
    const most = isJson ? WHOLE : TEXT;
    const cutOff = one.size > most;
    const blob = await api.artifact(this.#run, one.artifactId, cutOff ? [0, most - 1] : undefined, signal);
    const content = await blob.slice(0, most).text();
    const note = cutOff ? h("p", { class: "warning" }, `Only the first ${size(most)} are shown; download it for the rest.`) : null;
    if (isJson && !cutOff) {
      try {
        const value: unknown = JSON.parse(content);
        return isSarif(value) ? sarifTable(value) : jsonTree(value, 2);
      } catch {
        // Then it is shown as the text that it is.
      }
    }
    if (type === "text/markdown" || name.endsWith(".md")) return h("div", null, note, markdown(content.slice(0, 256 * 1024)));
    return h("div", null, note, h("pre", null, longText(content, 200_000, true)));
  }

  async #keep(one: ArtifactView): Promise<void> {
    try {
      if (one.size > LARGE && !api.token) {
        h("a", { href: api.artifactUrl(this.#run, one.artifactId), download: fileName(one.name) }).click();
        return;
      }
      save(await api.artifact(this.#run, one.artifactId), fileName(one.name));
    } catch (error) {
      notice(told(error), "error");
    }
  }
}

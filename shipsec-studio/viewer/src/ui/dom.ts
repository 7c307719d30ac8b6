// Makes elements. What is put into them is text: nothing here, or anywhere else in the viewer,
// parses markup.

/** What can stand inside an element. */
export type Child = Node | string | number | false | null | undefined;

/** Attributes by name; a function is a listener (`onclick`), `true` an attribute without a value. */
export type Props = Record<string, unknown>;

const SVG = "http://www.w3.org/2000/svg";

function fill(element: Element, props: Props | null | undefined, children: readonly Child[]): void {
  for (const [name, value] of Object.entries(props ?? {})) set(element, name, value);
  for (const child of children) {
    if (child !== false && child !== null && child !== undefined) {
      element.append(child instanceof Node ? child : String(child));
    }
  }
}

/** Sets an attribute or a listener; `false`, `null` and `undefined` remove an attribute. */
export function set(element: Element, name: string, value: unknown): void {
  if (typeof value === "function" && name.startsWith("on")) {
    element.addEventListener(name.slice(2), value as EventListener);
  } else if (value === false || value === null || value === undefined) {
    element.removeAttribute(name);
  } else {
    const text = value === true ? "" : String(value);
    // Writing what is there already would make the browser look at the element again.
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/** An HTML element. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K, props?: Props | null, ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  fill(element, props, children);
  return element;
}

/** An SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K, props?: Props | null, ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  fill(element, props, children);
  return element;
}

/** Replaces what is inside an element. */
export function put(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  fill(element, null, children);
}

/** Sets the text of an element, where it is another one. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Runs what was last given, once, before the next frame. */
export function frame(run: () => void): () => void {
  let asked = 0;
  return () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      run();
    });
  };
}

/** Runs a function once nothing has asked for it for so many milliseconds. */
export function later(run: () => void, millis: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, millis);
  };
}

/** A button with a text, and an icon before it where one is given. */
export function button(text: string, onclick: (event: MouseEvent) => void, props: Props = {}, before?: Child): HTMLButtonElement {
  return h("button", { type: "button", onclick, ...props }, before, text && h("span", null, text));
}

// What is looked at stands in the query of the page's address, so that it survives a reload and can
// be sent to somebody.

/** What the address tells. */
export interface Place {
  /** The run that is looked at; none for the list of runs. */
  readonly run?: string;
  /** The moment, as a sequence number; none for the newest. */
  readonly at?: number;
  /** The selected node. */
  readonly node?: string;
  /** The least level that the console shows. */
  readonly level?: string;
  /** What the console searches. */
  readonly text?: string;
  /** The streams that the console shows, with commas between. */
  readonly stream?: string;
  /** Whether the console shows the selected node alone. */
  readonly only?: boolean;
  /** The two runs that are compared. */
  readonly diff?: readonly [string, string];
  /** What is not compared. */
  readonly ignore?: readonly string[];
  /** In which of the two runs the node is selected: `a` or `b`. */
  readonly side?: string;
  /** The classes of changes that are not shown, with commas between. */
  readonly hide?: string;
  /** Whether what is the same in both runs is shown too. */
  readonly same?: boolean;
  /** What the list of runs is filtered by. */
  readonly q?: string;
  readonly status?: string;
}

function read(): Place {
  const query = new URLSearchParams(location.search);
  const get = (name: string) => query.get(name) || undefined;
  const at = Number(query.get("at"));
  const [a, b] = (query.get("diff") ?? "").split(",");
  return {
    run: get("run"),
    at: Number.isSafeInteger(at) && at > 0 ? at : undefined,
    node: get("node"),
    level: get("level"),
    text: get("text"),
    stream: get("stream"),
    only: query.get("only") === "1" || undefined,
    diff: a && b ? [a, b] : undefined,
    ignore: query.getAll("ignore").filter(Boolean),
    side: get("side"),
    hide: get("hide"),
    same: query.get("same") === "1" || undefined,
    q: get("q"),
    status: get("status"),
  };
}

/** In this order, whichever was noted first: the same place has one address. */
const NAMES = ["run", "diff", "at", "node", "level", "text", "stream", "only", "ignore", "side", "hide", "same", "q", "status"] as const satisfies readonly (keyof Place)[];

function written(place: Place): string {
  const query = new URLSearchParams();
  for (const name of NAMES) {
    const value = place[name];
    if (value === undefined || value === "" || value === false) continue;
    if (name === "ignore") for (const path of value as string[]) query.append(name, path);
    else query.set(name, value === true ? "1" : Array.isArray(value) ? value.join(",") : String(value));
  }
  // Names of runs need no escape for what is no separator.
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%2F", "/");
  return text && `?${text}`;
}

let current = read();
let pending: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<(place: Place, before: Place) => void>();

/** What the address tells now. */
export function place(): Place {
  return current;
}

function write(): void {
  clearTimeout(pending);
  pending = undefined;
  history.replaceState(null, "", location.pathname + written(current));
}

/** Changes parts of the address. Browsers refuse too many changes in short time, so it waits a bit. */
export function note(change: Partial<Place>): void {
  current = { ...current, ...change };
  pending ??= setTimeout(write, 250);
}

/** The address of another page of the viewer. */
export function address(to: Place): string {
  return written(to) || location.pathname;
}

/** Goes to another page of the viewer; back leads here again. */
export function go(to: Place): void {
  if (pending) write();
  const before = current;
  current = to;
  history.pushState(null, "", location.pathname + written(to));
  for (const listener of listeners) listener(current, before);
}

/** Tells of every page that is gone to, also by back and forward. */
export function onGo(listener: (place: Place, before: Place) => void): void {
  listeners.add(listener);
}

/** A click that a link should take by itself: in a new tab, for example. */
export function isPlain(event: MouseEvent): boolean {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}

addEventListener("popstate", () => {
  clearTimeout(pending);
  pending = undefined;
  const before = current;
  current = read();
  for (const listener of listeners) listener(current, before);
});
addEventListener("pagehide", () => {
  if (pending) write();
});

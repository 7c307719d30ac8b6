// The HTTP client: one function for each endpoint, errors as `Problem`, and the token where the
// server wants one. All addresses are relative to the page, as a host may nest the viewer.

import type { Source } from "./follow.ts";
import { openLog } from "./log.ts";
import type { ArtifactView, EdgeView, Event, NodeView, RunLog, RunState, RunStatus } from "./model.ts";

const TOKEN = "shipsec-studio-token";

/** What went wrong, as the server says it (RFC 9457), or why there is no answer (`status` 0). */
export class Problem extends Error {
  override name = "Problem";

  constructor(
    readonly status: number,
    readonly title: string,
    /** A sentence for people. */
    readonly detail: string,
    readonly code?: string,
    /** Whatever else the server says, for example the diagnostics of a graph. */
    readonly more: Readonly<Record<string, unknown>> = {},
  ) {
    super(detail);
  }
}

export interface Progress { readonly completedActions: number; readonly totalActions: number }
export interface Trigger { readonly type: string; readonly label?: string }
export interface Failure { readonly reason: string; readonly nodeId?: string; readonly error?: NonNullable<NodeView["error"]> }
export interface ParentRun {
  readonly runId: string; readonly relation: "rerun" | "call"; readonly nodeId?: string; readonly cached?: boolean;
}

export interface RunReport {
  readonly runId: string;
  readonly workflowId: string | null;
  /** Hash of the definition. */
  readonly workflowVersion: string | null;
  readonly status: RunStatus;
  readonly startedAt: string | null;
  readonly updatedAt: string | null;
  readonly completedAt?: string;
  readonly progress: Progress;
  readonly failure?: Failure;
  readonly trigger: Trigger;
  readonly parent?: ParentRun;
  readonly executor: string | null;
  readonly taskQueue?: string;
  /** Nobody runs it, and it has not ended. */
  readonly interrupted?: boolean;
}

export interface RunSummary {
  readonly runId: string; readonly workflowId: string | null; readonly status: RunStatus;
  readonly startedAt: string | null; readonly updatedAt: string | null; readonly lastSequence: number;
  readonly holder?: unknown; readonly interrupted: boolean;
}

export interface Definition {
  readonly workflowId: string;
  readonly title: string;
  readonly entrypoint: { readonly ref: string };
  readonly nodes: Readonly<Record<string, { readonly ref: string; readonly label?: string; readonly [field: string]: unknown }>>;
  readonly edges: readonly Omit<EdgeView, "state">[];
  readonly actions: readonly { readonly ref: string; readonly componentId: string; readonly componentVersion: string; readonly params: Readonly<Record<string, unknown>>; readonly [field: string]: unknown }[];
  readonly [field: string]: unknown;
}

/** Whole pixels, from 0, 0 at the upper left. */
export interface Layout {
  readonly nodes: readonly { readonly node: string; readonly layer: number; readonly order: number; readonly x: number; readonly y: number }[];
  /** Edges that turn on their way; all others go straight. */
  readonly bends?: readonly { readonly source: string; readonly target: string; readonly points: readonly { readonly x: number; readonly y: number }[] }[];
  readonly layers: number;
  readonly width: number;
  readonly height: number;
}

export interface RunDetails {
  readonly run: RunReport;
  readonly lastSequence: number;
  readonly definition: Definition | null;
  readonly layout: Layout | null;
  readonly inputs: Readonly<Record<string, unknown>> | null;
  readonly lineage: { readonly parent?: unknown; readonly rerunOf?: unknown };
}

export interface Diagnostic {
  readonly code: string; readonly severity: "error" | "warning"; readonly path: string; readonly message: string;
  readonly suggestion?: string | null;
}

export interface WorkflowSummary { readonly id: string; readonly name: string; readonly version: number; readonly updatedAt: string }
export interface SavedWorkflow extends WorkflowSummary { readonly hash: string; readonly warnings: readonly Diagnostic[] }
export interface WorkflowDetails extends WorkflowSummary {
  readonly hash: string;
  readonly versions: readonly { readonly version: number; readonly hash: string; readonly updatedAt: string }[];
  readonly graph: Readonly<Record<string, unknown>>;
  readonly definition: Definition;
  readonly layout: Layout;
}

export interface Component {
  readonly id: string; readonly version: string; readonly label: string; readonly category: string; readonly description: string;
  readonly [field: string]: unknown;
}

export interface Trace { readonly events: readonly Event[]; readonly cursor: number; readonly lastSequence: number; readonly done: boolean }
export interface TraceQuery { after?: number; limit?: number; types?: readonly string[]; node?: string; level?: string; text?: string }
export interface RunOutputs {
  readonly runId: string; readonly status: RunStatus;
  readonly outputs: Readonly<Record<string, NonNullable<NodeView["outputs"]>>>;
  readonly nodes: Readonly<Record<string, NonNullable<NodeView["outputs"]>>>;
}
export interface Started { readonly runId: string; readonly workflowId?: string; readonly status?: RunStatus }
export interface RunSide {
  readonly runId: string; readonly workflowId: string | null; readonly workflowVersion: string | null; readonly status: RunStatus;
  readonly startedAt: string | null;
}
export interface Change {
  readonly class: string; readonly nodeId?: string; readonly path?: readonly string[]; readonly before?: unknown; readonly after?: unknown;
}
export interface RunDiff {
  readonly a: RunSide; readonly b: RunSide;
  /** By class; also those that are not listed. */
  readonly counts: Readonly<Record<string, number>>;
  readonly changes: readonly Change[];
  readonly omitted?: number;
  readonly unchangedNodes: number;
}

type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
interface Options { query?: Query; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal | undefined }

export class Api {
  /** Asks for a token; `undefined` where nobody gives one. Without it a 401 is a `Problem` as any other. */
  askToken: ((problem: Problem) => Promise<string | undefined>) | undefined;
  private asking: Promise<boolean> | undefined;
  private kept: string | undefined;
  /** Milliseconds by which this clock is ahead of the server's. */
  private ahead = 0;

  constructor(private readonly base: string = document.baseURI) {}

  get token(): string | undefined {
    return this.kept ?? storage()?.getItem(TOKEN) ?? undefined;
  }

  set token(token: string | undefined) {
    this.kept = token;
    if (token) storage()?.setItem(TOKEN, token);
    else storage()?.removeItem(TOKEN);
  }

  /** What the server's clock says, in milliseconds since 1970 and to a second or so. */
  now = (): number => Date.now() - this.ahead;

  health = (): Promise<{ status: string; version: string }> => this.json("GET", ["health"]);
  components = (): Promise<{ components: readonly Component[] }> => this.json("GET", ["components"]);

  workflows = (query: { limit?: number; cursor?: string } = {}): Promise<{ workflows: readonly WorkflowSummary[]; nextCursor?: string }> =>
    this.json("GET", ["workflows"], { query });
  workflow = (id: string, version?: number): Promise<WorkflowDetails> => this.json("GET", ["workflows", id], { query: { version } });
  createWorkflow = (graph: unknown, id?: string): Promise<SavedWorkflow> => this.json("POST", ["workflows"], { query: { id }, body: graph });
  /** `hash`: only where this is still the newest version. */
  saveWorkflow = (id: string, graph: unknown, hash?: string): Promise<SavedWorkflow> =>
    this.json("PUT", ["workflows", id], { body: graph, headers: hash === undefined ? {} : { "If-Match": `"${hash}"` } });
  deleteWorkflow = (id: string): Promise<void> => this.json("DELETE", ["workflows", id]);
  validate = (graph: unknown): Promise<{ valid: boolean; diagnostics: readonly Diagnostic[] }> =>
    this.json("POST", ["workflows", "validate"], { body: graph });
  /** The same `key` twice starts one run. */
  run = (id: string, inputs: unknown, key: string, version?: number): Promise<Started> =>
    this.json("POST", ["workflows", id, "run"], { body: { inputs, version }, headers: { "Idempotency-Key": key } });

  runs = (query: { workflow?: string; status?: string; limit?: number; cursor?: string } = {}, signal?: AbortSignal):
    Promise<{ runs: readonly RunSummary[]; nextCursor?: string }> => this.json("GET", ["workflows", "runs"], { query, signal });
  runDetails = (id: string): Promise<RunDetails> => this.ofRun("GET", id, []);
  status = (id: string): Promise<RunReport> => this.ofRun("GET", id, ["status"]);
  trace = (id: string, { types, ...query }: TraceQuery = {}, signal?: AbortSignal): Promise<Trace> =>
    this.ofRun("GET", id, ["trace"], { query: { ...query, types: types?.join(",") }, signal });
  /** The server's own state after an event: what `RunLog.stateAt` gives too. */
  state = (id: string, at?: number): Promise<RunState> => this.ofRun("GET", id, ["state"], { query: { at } });
  outputs = (id: string): Promise<RunOutputs> => this.ofRun("GET", id, ["outputs"]);
  node = (id: string, node: string): Promise<NodeView & { items?: unknown }> => this.ofRun("GET", id, ["nodes", node]);
  artifacts = (id: string): Promise<{ artifacts: readonly ArtifactView[] }> => this.ofRun("GET", id, ["artifacts"]);
  /** The bytes; a range of them where `bytes` says which, the last one included. */
  artifact = async (id: string, artifact: string, bytes?: readonly [number, number], signal?: AbortSignal): Promise<Blob> => {
    const headers: Record<string, string> = bytes === undefined ? {} : { Range: `bytes=${bytes[0]}-${bytes[1]}` };
    return (await this.send("GET", ["workflows", "runs", id, "artifacts", artifact], { headers, signal })).blob();
  };
  /** The JSON of an output, also where it is too large for the log. */
  output = async (id: string, node: string, port: string): Promise<Blob> =>
    (await this.send("GET", ["workflows", "runs", id, "nodes", node, "outputs", port])).blob();
  /** For a link, where the server wants no token. */
  artifactUrl = (id: string, artifact: string, inline = false): string =>
    this.url(["workflows", "runs", id, "artifacts", artifact], { inline: inline ? "true" : undefined });

  cancel = (id: string, reason?: string): Promise<void> => this.ofRun("POST", id, ["cancel"], { body: { reason } });
  terminate = (id: string, reason?: string): Promise<void> => this.ofRun("POST", id, ["terminate"], { body: { reason } });
  rerun = (id: string, options: { from?: string; cached?: boolean; inputs?: unknown } = {}): Promise<Started> =>
    this.ofRun("POST", id, ["rerun"], { body: options });
  resume = (id: string): Promise<Started> => this.ofRun("POST", id, ["resume"], { body: {} });
  answer = (id: string, node: string, answer: unknown, by?: string): Promise<void> =>
    this.ofRun("POST", id, ["answer"], { body: { node, answer, by } });
  diff = (a: string, b: string, ignore: readonly string[] = [], signal?: AbortSignal): Promise<RunDiff> =>
    this.json("GET", ["runs", "diff"], { query: { a, b, ignore }, signal });

  /** The log of a run, from its first event on and as it grows. */
  log = (id: string): RunLog => openLog((id) => this.source(id), id);

  /** Where the events of a run come from. */
  source = (id: string): Source => ({
    trace: (after, limit, signal) => this.trace(id, { after, limit }, signal),
    stream: async (after, signal) => {
      const headers = { Accept: "text/event-stream", "Last-Event-ID": String(after) };
      const { body } = await this.send("GET", ["workflows", "runs", id, "events"], { query: { after }, headers, signal });
      if (body === null) throw new Problem(0, "No stream", "the server's answer has no body");
      return body;
    },
  });

  private ofRun<T>(method: string, id: string, path: readonly string[], options?: Options): Promise<T> {
    return this.json(method, ["workflows", "runs", id, ...path], options);
  }

  private async json<T>(method: string, path: readonly string[], options?: Options): Promise<T> {
    const text = await (await this.send(method, path, options)).text();
    if (text === "") return undefined as T;
    try {
      return JSON.parse(text) as T;
    } catch {
      throw new Problem(0, "No JSON", `the answer to ${method} ${path.join("/")} is no JSON: is it from ShipSec Studio?`);
    }
  }

  private url(path: readonly string[], query: Query = {}): string {
    // A browser takes these for a way up, however they are written.
    const up = path.find((part) => part === "." || part === "..");
    if (up !== undefined) throw new Problem(0, "No such thing", `nothing is called ${up}`);
    const url = new URL(path.map(encodeURIComponent).join("/"), this.base);
    for (const [key, value] of Object.entries(query)) {
      for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) url.searchParams.append(key, String(one));
    }
    return url.href;
  }

  private async send(method: string, path: readonly string[], options: Options = {}): Promise<Response> {
    const { token } = this;
    const headers = new Headers(options.headers);
    if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
    const request: RequestInit = { method, headers, cache: "no-store" };
    if (options.signal) request.signal = options.signal;
    if (options.body !== undefined) {
      headers.set("Content-Type", "application/json");
      request.body = JSON.stringify(options.body);
    }
    const url = this.url(path, options.query);
    let response: Response;
    try {
      response = await fetch(url, request);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new Problem(0, "No connection", "the server does not answer");
    }
    // It tells whole seconds, and was on its way for some time: less than that is no difference.
    const ahead = Date.now() - Date.parse(response.headers.get("Date") ?? "") - 500;
    this.ahead = Math.abs(ahead) > 2000 ? ahead : 0;
    if (response.ok) return response;
    const problem = await problemOf(response);
    // With another token than the one that was refused it is worth another try.
    if (response.status === 401 && (this.token !== token || (await this.askOnce(problem)))) return this.send(method, path, options);
    throw problem;
  }

  /** Many requests fail at once where a token is missing; the question is put once. */
  private askOnce(problem: Problem): Promise<boolean> {
    if (this.askToken === undefined) return Promise.resolve(false);
    this.asking ??= this.askToken(problem)
      .then((token) => {
        if (token) this.token = token;
        return Boolean(token);
      })
      .finally(() => (this.asking = undefined));
    return this.asking;
  }
}

/** None where the browser is told to keep nothing. */
function storage(): Storage | undefined {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const title = response.statusText || `HTTP ${response.status}`;
  const said: unknown = await response.json().catch(() => undefined);
  if (typeof said !== "object" || said === null) {
    return new Problem(response.status, title, `the server answers ${response.status} ${response.statusText}`.trim());
  }
  const { title: own, detail, code, ...more } = said as Record<string, unknown>;
  const name = typeof own === "string" ? own : title;
  return new Problem(response.status, name, typeof detail === "string" ? detail : name, typeof code === "string" ? code : undefined, more);
}

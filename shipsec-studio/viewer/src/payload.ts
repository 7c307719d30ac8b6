// What the reducer reads of each payload. A payload of a known type that does not fit makes the
// event one of an unknown type, and unknown fields are left out, as serde does in Rust: the fold
// can only be the reducer's twin where both agree on what an event says.

/** Reads a value, or throws `MISFIT`. Where `missing` is there, it stands for a missing field. */
interface Read<T> {
  (value: unknown): T;
  missing?: T;
  /** Whether only a named field may be missing, and not the end of a list. */
  named?: true;
}

/** One object for all, as nobody looks at its stack. */
const MISFIT = new Error("does not fit");

const text: Read<string> = (value) => {
  if (typeof value !== "string") throw MISFIT;
  return value;
};

const flag: Read<boolean> = (value) => {
  if (typeof value !== "boolean") throw MISFIT;
  return value;
};

const float: Read<number> = (value) => {
  if (typeof value !== "number") throw MISFIT;
  return value;
};

/** A whole number. Above 2⁵³ JavaScript has lost its last digits already. */
const whole = (most: number): Read<number> => (value) => {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > most) throw MISFIT;
  return value as number;
};

const u32 = whole(2 ** 32 - 1);
const u64 = whole(2 ** 64 - 1);
const any: Read<unknown> = (value) => value;

const matching = (pattern: RegExp): Read<string> => (value) => {
  if (!pattern.test(text(value))) throw MISFIT;
  return value as string;
};

const runId = matching(/^(?!\.)[A-Za-z0-9._-]{1,128}$/);

const oneOf = <T extends string>(...names: T[]): Read<T> => (value) => {
  if (!names.includes(value as T)) throw MISFIT;
  return value as T;
};

const time: Read<string> = (value) => {
  const written = normalTime(text(value));
  if (written === undefined) throw MISFIT;
  return written;
};

const list = <T>(read: Read<T>): Read<T[]> => (value) => {
  if (!Array.isArray(value)) throw MISFIT;
  return value.map((item) => read(item));
};

export type Fields<T> = Readonly<Record<string, T>>;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const map = <T>(read: Read<T>, key: Read<string> = text): Read<Fields<T>> => (value) => {
  if (!isObject(value)) throw MISFIT;
  // Without a prototype, as a node may be called `__proto__`.
  const fields: Record<string, T> = Object.create(null);
  for (const name of Object.keys(value)) fields[key(name)] = read(value[name]);
  return fields;
};

/** As it is: nobody writes to it. */
const object: Read<Fields<unknown>> = (value) => {
  if (!isObject(value)) throw MISFIT;
  return value;
};

const nullable = <T>(read: Read<T>): Read<T | null> => (value) => (value === null ? null : read(value));

/** A field that may be missing or null. */
const maybe = <T>(read: Read<T>): Read<T | undefined> => {
  const reading: Read<T | undefined> = (value) => (value === null ? undefined : read(value));
  reading.missing = undefined;
  return reading;
};

/** The same, but for a struct that is written as a list. */
const named = <T>(read: Read<T>): Read<T> => {
  read.named = true;
  return read;
};

/** A field that has this value where it is missing. */
const or = <T>(read: Read<T>, missing: T): Read<T> => {
  const reading: Read<T> = (value) => read(value);
  reading.missing = missing;
  return reading;
};

/** A field that is not written where it is empty. */
const unlessEmpty = <T extends object>(read: Read<T>): Read<T | undefined> => or((value: unknown) => {
  const has = read(value);
  return Object.keys(has).length === 0 ? undefined : has;
}, undefined);

type Shape = Record<string, Read<unknown>>;
type Struct<S extends Shape> = { readonly [K in keyof S]: ReturnType<S[K]> };

/** An object with these fields, or a list of them in this order, which serde takes too. */
const struct = <S extends Shape>(shape: S): Read<Struct<S>> => {
  const names = Object.keys(shape);
  const reads = Object.values(shape);
  return (value) => {
    if (typeof value !== "object" || value === null) throw MISFIT;
    const listed = Array.isArray(value);
    if (listed && value.length > names.length) throw MISFIT;
    const out: Record<string, unknown> = {};
    for (let at = 0; at < names.length; at++) {
      const [name, read] = [names[at]!, reads[at]!];
      const given: unknown = listed ? value[at] : (value as Record<string, unknown>)[name];
      if (given !== undefined) out[name] = read(given);
      else if (!("missing" in read) || (listed && read.named)) throw MISFIT;
      else out[name] = read.missing;
    }
    return out as Struct<S>;
  };
};

const join = matching(/^(all|any|first|settled|quorum:\+?0*([0-3]?\d{1,9}|4[01]\d{8}|42[0-8]\d{7}|429[0-3]\d{6}|4294[0-8]\d{5}|42949[0-5]\d{4}|429496[0-6]\d{3}|4294967[01]\d\d|42949672[0-8]\d|429496729[0-5]))$/);

const errorKind = oneOf("NetworkError", "RateLimitError", "ServiceError", "TimeoutError", "ResourceUnavailableError",
  "AuthenticationError", "PermissionError", "NotFoundError", "ValidationError", "ConfigurationError", "ContainerError",
  "InternalError");

const error = struct({
  kind: errorKind,
  message: text,
  retryable: flag,
  fieldErrors: unlessEmpty(map(list(text))),
  details: maybe(any),
});

const reference = struct({ location: text, size: u64, sha256: text });

const maskNote = struct({
  port: text,
  pointer: text,
  offset: u64,
  encoding: text,
  secret: named(or(nullable(text), null)),
});

const outputs = {
  outputs: or(object, {}),
  outputRefs: or(map(reference), {}),
  secretOutputs: or(map(nullable(text)), {}),
  masked: or(list(maskNote), []),
};

const retry = struct({
  maxAttempts: maybe(u32),
  initialIntervalSeconds: maybe(float),
  backoffCoefficient: maybe(float),
  maximumIntervalSeconds: maybe(float),
  nonRetryableErrorTypes: maybe(list(errorKind)),
  perKind: or(map(struct({ maxAttempts: maybe(u32), initialIntervalSeconds: maybe(float) }), errorKind), {}),
});

const action = struct({
  ref: text,
  componentId: text,
  componentVersion: text,
  params: object,
  inputOverrides: or(object, {}),
  dependsOn: list(text),
  inputMappings: or(map(struct({ sourceRef: text, sourceHandle: maybe(text) })), {}),
  retry: maybe(retry),
  timeoutSeconds: maybe(float),
  forEach: maybe(struct({ input: text, concurrency: maybe(u32), onFailure: or(oneOf("fail", "collect"), "fail") })),
});

const edge = struct({
  id: text,
  sourceRef: text,
  targetRef: text,
  sourceHandle: maybe(text),
  targetHandle: maybe(text),
  kind: oneOf("success", "error", "finally"),
});

const definition = struct({
  version: u32,
  workflowId: text,
  title: text,
  description: maybe(text),
  entrypoint: struct({ ref: text }),
  nodes: map(struct({
    ref: text,
    label: maybe(text),
    joinStrategy: or(join, "all"),
    maxConcurrency: maybe(u32),
    groupId: maybe(text),
    streamId: maybe(text),
    position: maybe(struct({ x: float, y: float })),
  })),
  edges: list(edge),
  dependencyCounts: map(u32),
  actions: list(action),
  config: struct({
    timeoutSeconds: maybe(float),
    maxConcurrency: maybe(u32),
    failurePolicy: or(oneOf("finish", "failFast"), "finish"),
  }),
});

const PAYLOADS = {
  WORKFLOW_STATUS: struct({
    status: oneOf("QUEUED", "RUNNING", "AWAITING_INPUT", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT", "TERMINATED", "STALE"),
    workflowId: maybe(text),
    definition: maybe(definition),
    definitionHash: maybe(text),
    inputs: maybe(object),
    trigger: maybe(struct({ type: text, label: maybe(text) })),
    parent: maybe(struct({
      runId,
      relation: oneOf("rerun", "call"),
      nodeId: maybe(text),
      callers: unlessEmpty(list(struct({ workflowId: text, definitionHash: text }))),
      cached: or((value: unknown) => flag(value) || undefined, undefined),
    })),
    executor: maybe(text),
    taskQueue: maybe(text),
    stopping: maybe(oneOf("cancelled", "timed-out", "clean-up-too-long", "terminated", "defect")),
    failure: maybe(struct({ reason: text, nodeId: maybe(text), error: maybe(error) })),
    outputs: maybe(map(struct(outputs))),
  }),
  NODE_STARTED: struct({ componentId: text, componentVersion: text, triggeredBy: maybe(text), joinStrategy: join }),
  NODE_LOG: struct({ stream: or(oneOf("log", "stdout", "stderr"), "log"), fields: or(object, {}) }),
  NODE_PROGRESS: struct({
    done: maybe(u64),
    total: maybe(u64),
    unit: maybe(text),
    source: or(oneOf("component", "tool", "derived"), "component"),
  }),
  NODE_ARTIFACT: struct({ artifactId: text, name: text, mediaType: text, size: u64, sha256: text, location: text }),
  NODE_AWAITING_INPUT: struct({ requestId: text, kind: text, title: text, schema: maybe(any), timeoutAt: maybe(time) }),
  NODE_INPUT_RECEIVED: struct({ requestId: text, answer: any, by: maybe(text) }),
  NODE_CHILD_STARTED: struct({ runId, workflowId: text }),
  NODE_COMPLETED: struct({
    ...outputs,
    activePorts: named(maybe(list(text))),
    reusedFrom: maybe(runId),
    durationMs: float,
  }),
  NODE_FAILED: struct({
    error,
    willRetry: flag,
    interrupted: or(flag, false),
    retryAt: maybe(time),
    handledBy: maybe(text),
    durationMs: maybe(float),
  }),
  NODE_SKIPPED: struct({
    reason: oneOf("branch-not-taken", "upstream-skipped", "upstream-failed", "no-failure-to-handle", "lost-race"),
    cause: text,
  }),
  NODE_CANCELLED: struct({ reason: text }),
};

type Payloads = { [K in keyof typeof PAYLOADS]: ReturnType<(typeof PAYLOADS)[K]> };
export type Definition = ReturnType<typeof definition>;
export type EdgeDefinition = ReturnType<typeof edge>;
export type ErrorPayload = ReturnType<typeof error>;
export type Status = Payloads["WORKFLOW_STATUS"];
export type Outputs = Payloads["NODE_COMPLETED"];
export type Question = Payloads["NODE_AWAITING_INPUT"];
/** What an event of a known type says. */
export type Known = { [K in keyof Payloads]: { readonly type: K; readonly payload: Payloads[K] } }[keyof Payloads];

/** `undefined` where the reducer has an event of an unknown type. */
export function readPayload(type: string, payload: unknown): Known | undefined {
  if (!Object.hasOwn(PAYLOADS, type)) return undefined;
  try {
    return { type, payload: PAYLOADS[type as keyof Payloads](payload) } as Known;
  } catch {
    return undefined;
  }
}

const RFC3339 = /^([+-]\d{6}|\d{4})(-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?([Zz]|[+-]\d\d(?::?\d\d)?)$/;

const WRITTEN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

/** Whether it is a time as the reducer writes it. The day may be one that no calendar has. */
export const isWritten = (time: string): boolean => WRITTEN.test(time);

/** Microseconds since 1970; `NaN` for text that is no time. */
export function microsOf(written: string): number {
  if (isWritten(written)) return Date.parse(`${written.slice(0, 23)}Z`) * 1000 + Number(written.slice(23, 26));
  const [, year, day, clock, fraction = "", zone = "Z"] = RFC3339.exec(written) ?? [];
  if (year === undefined) return NaN;
  const offset = /^[Zz]$/.test(zone) ? 0 : (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)) * Number(zone.length > 3)) * Number(`${zone[0]}6e7`);
  return Date.parse(`${year}${day}T${clock}Z`) * 1000 + Number(fraction.padEnd(6, "0").slice(0, 6)) - offset;
}

/** A time as the reducer writes it: UTC with six decimals. */
export function normalTime(written: string): string | undefined {
  const micros = microsOf(written);
  if (Number.isNaN(micros)) return undefined;
  const millis = Math.floor(micros / 1000);
  const rest = String(micros - millis * 1000).padStart(3, "0");
  return `${new Date(millis).toISOString().slice(0, -1)}${rest}Z`;
}

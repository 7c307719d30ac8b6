import assert from "node:assert/strict";
import { test } from "node:test";
import { Api } from "../src/api.ts";
import { Fold } from "../src/fold.ts";
import { follow, type Sink } from "../src/follow.ts";
import { Log } from "../src/log.ts";
import type { Connection, Event } from "../src/model.ts";
import { canonical, dice } from "./golden.ts";
import { largeLog } from "./logs.ts";
import { browser, json, serve, type Answer } from "./server.ts";

browser();

const QUICK = { firstWait: 1, longestWait: 4, silence: 5000 };

const frame = (event: Event, data = JSON.stringify(event)) => `id: ${event.sequence}\nevent: ${event.type}\ndata: ${data}\n\n`;

/** Writes text in pieces that are cut anywhere, also inside a character. */
async function writeCut(response: { write(bytes: Uint8Array, done: () => void): unknown; destroyed: boolean }, text: string, random: () => number): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let from = 0; from < bytes.length && !response.destroyed; ) {
    const to = from + 1 + Math.floor(random() ** 3 * 4000);
    await new Promise<void>((resolve) => response.write(bytes.slice(from, to), () => resolve()));
    from = to;
  }
}

/** A sink that holds every event to its place. */
class Strict implements Sink {
  readonly seen: Event[] = [];
  readonly connections: Connection[] = [];
  trouble: (string | undefined)[] = [];
  constructor(readonly runId: string, private readonly on: (sink: Strict) => void = () => {}) {}

  get last(): number {
    return this.seen.length;
  }

  async take(events: readonly Event[]): Promise<void> {
    for (const event of events) {
      assert.equal(event.sequence, this.last + 1);
      this.seen.push(event);
    }
  }

  connect(connection: Connection, trouble?: string): void {
    this.connections.push(connection);
    this.trouble.push(trouble);
    this.on(this);
  }
}

for (const seed of [1, 2, 3]) {
  test(`a connection that breaks 50 times leaves no gap and nothing twice (${seed})`, async (t) => {
    const events = largeLog(60, 4000, "r");
    const random = dice(seed);
    const count = { drops: 0, streams: 0, pages: 0, broken: 0, missing: 0, twice: 0 };
    // What has happened by now: the run goes on while the connection breaks.
    let happened = 700;
    const breaks = () => count.drops < 50 && random() < 0.8 && ++count.drops > 0;
    const answer: Answer = async (request, response) => {
      const after = Number(request.address.searchParams.get("after"));
      const path = request.address.pathname;
      if (path === "/nested/workflows/runs/r/trace") {
        count.pages++;
        const page = events.slice(after, Math.min(happened, after + 1 + Math.floor(random() * 600)));
        const body = JSON.stringify({ events: page, cursor: after + page.length, lastSequence: happened, done: after + page.length >= happened });
        if (random() < 0.1) return json(response, 503, { title: "Busy", detail: "the store is away" }, "application/problem+json");
        response.writeHead(200, { "Content-Type": "application/json" });
        if (random() < 0.3 && breaks()) {
          await writeCut(response, body.slice(0, body.length * random()), random);
          return void response.destroy();
        }
        await writeCut(response, body, random);
        return void response.end();
      }
      assert.equal(path, "/nested/workflows/runs/r/events");
      assert.equal(request.headers["last-event-id"], String(after));
      count.streams++;
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      const drop = breaks();
      if (count.drops < 50) happened = Math.min(events.length - 1, happened + Math.floor(random() * 100));
      else happened = events.length;
      let text = ": hello\n\n";
      for (const event of events.slice(after, happened)) {
        const chance = random();
        if (chance < 0.02) {
          // Cut in the middle, as a proxy might do; or something else altogether.
          text += frame(event, chance < 0.01 ? JSON.stringify(event).slice(0, -5) : "[1]");
          count.broken++;
        } else if (chance < 0.04) {
          count.missing++;
        } else {
          text += frame(event);
        }
        if (chance > 0.97 && ++count.twice) text += frame(events[Math.floor(random() * event.sequence)]!);
      }
      if (drop) {
        await writeCut(response, text.slice(0, text.length * random()), random);
        return void response.destroy();
      }
      if (happened === events.length) text += `event: end\ndata: {"sequence":${events.length}}\n\n`;
      await writeCut(response, text, random);
      response.end();
    };
    const server = await serve(answer);
    try {
      const log = new Log("r");
      const strict = new Strict("r");
      const both: Sink = {
        runId: "r",
        get last() {
          return strict.last;
        },
        take: async (events) => {
          await strict.take(events);
          await log.take(events);
        },
        connect: (connection, trouble) => {
          strict.connect(connection, trouble);
          log.connect(connection, trouble);
        },
      };
      await follow(new Api(server.base).source("r"), both, log.signal, QUICK);
      assert.equal(count.drops, 50);
      assert.deepEqual(strict.seen, events);
      assert.equal(log.connection, "ended");
      const fold = new Fold("r");
      for (const event of events) fold.apply(event);
      assert.equal(canonical(log.stateAt(events.length)), canonical(fold.state()));
      t.diagnostic(JSON.stringify(count));
    } finally {
      await server.stop();
    }
  });
}

/** Follows a server until the sink has seen `until`. */
async function followed(answer: Answer, until: (sink: Strict) => boolean, silence = 5000): Promise<Strict> {
  const server = await serve(answer);
  const stop = new AbortController();
  try {
    const sink = new Strict("r", (sink) => until(sink) && stop.abort());
    await follow(new Api(server.base).source("r"), sink, stop.signal, { ...QUICK, silence });
    return sink;
  } finally {
    await server.stop();
  }
}

const nothing = { events: [], cursor: 0, lastSequence: 0, done: true };

test("a stream that falls silent is given up", async () => {
  const sink = await followed((request, response) => {
    if (request.address.pathname.endsWith("/trace")) return json(response, 200, nothing);
    response.writeHead(200).write(": hello\n\n");
  }, ({ connections }) => connections.length === 4, 40);
  assert.deepEqual(sink.connections, ["live", "lost", "live", "lost"]);
  assert.match(sink.trouble[1] ?? "", /silent/);
});

test("a hole that stays is told, and not stepped over", async () => {
  const [first, , third] = largeLog(2, 9, "r");
  const sink = await followed(
    (_, response) => json(response, 200, { ...nothing, events: [first, third] }),
    ({ connections }) => connections.length === 2,
  );
  assert.deepEqual([sink.last, sink.trouble[0]], [1, "the server did not give event 2"]);
});

test("events of another run, and what is no event, are not taken", async () => {
  const [first] = largeLog(2, 9, "r");
  for (const wrong of [{ ...first, runId: "s" }, { ...first, timestamp: "noon" }, null, 7, { ...first, level: 3 }]) {
    const sink = await followed(
      (_, response) => json(response, 200, { ...nothing, events: [wrong] }),
      ({ connections }) => connections.length === 1,
    );
    assert.equal(sink.last, 0);
  }
});

test("who is refused does not ask again", async () => {
  let asked = 0;
  const sink = await followed((_, response) => {
    asked++;
    json(response, 403, { title: "Forbidden", detail: "not for you" }, "application/problem+json");
  }, () => false);
  assert.deepEqual([asked, sink.connections, sink.trouble], [1, ["lost"], ["not for you"]]);
});

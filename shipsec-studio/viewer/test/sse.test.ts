import assert from "node:assert/strict";
import { test } from "node:test";
import { messages, SseParser, type Message } from "../src/sse.ts";
import { dice } from "./golden.ts";

const TEXT = [
  "\u{feff}: a comment\r\n",
  "id: 7\nevent: NODE_LOG\ndata: {\"message\":\"grüße, 世界 \u{1f600}\"}\n\n",
  "data:one\rdata: two\r\rdata\n\n",
  ": alive\n\nevent: unsent\n\nid: 8\r\ndata:  three\r\n\r\n",
  "retry: 10\nunknown: x\nid: bad\0id\ndata: four\n\ndata: never ended\n",
].join("");

const EXPECTED: readonly Message[] = [
  { event: "NODE_LOG", data: "{\"message\":\"grüße, 世界 \u{1f600}\"}", id: "7" },
  { event: "message", data: "one\ntwo", id: "7" },
  { event: "message", data: "", id: "7" },
  { event: "message", data: " three", id: "8" },
  { event: "message", data: "four", id: "8" },
];

function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(stream) {
      for (const piece of pieces) stream.enqueue(piece);
      stream.close();
    },
  });
}

async function read(pieces: readonly Uint8Array[]): Promise<Message[]> {
  const all: Message[] = [];
  for await (const batch of messages(streamOf(pieces))) all.push(...batch);
  return all;
}

test("a cut at any byte changes nothing, also inside a character or a line's end", async () => {
  const bytes = new TextEncoder().encode(TEXT);
  for (let cut = 0; cut <= bytes.length; cut++) {
    assert.deepEqual(await read([bytes.slice(0, cut), bytes.slice(cut)]), EXPECTED, `cut at ${cut}`);
  }
  assert.deepEqual(await read(Array.from(bytes, (byte) => Uint8Array.of(byte))), EXPECTED);
});

test("cuts at many places change nothing", async () => {
  const random = dice(7);
  const bytes = new TextEncoder().encode(TEXT);
  for (let round = 0; round < 300; round++) {
    const cuts = Array.from({ length: 6 }, () => Math.floor(random() * bytes.length)).sort((a, b) => a - b);
    const pieces = [0, ...cuts].map((from, at) => bytes.slice(from, cuts[at] ?? bytes.length));
    assert.deepEqual(await read(pieces), EXPECTED, cuts.join());
  }
});

test("bytes that are no text break the stream instead of changing it", async () => {
  await assert.rejects(read([Uint8Array.of(0x64, 0xff, 0x0a)]), TypeError);
});

test("an empty piece is no end of a line's end", () => {
  const parser = new SseParser();
  assert.deepEqual(parser.push("data: a\r"), []);
  assert.deepEqual(parser.push(""), []);
  assert.deepEqual(parser.push("\ndata: b\r"), []);
  assert.deepEqual(parser.push("\n\r\n"), [{ event: "message", data: "a\nb", id: "" }]);
});

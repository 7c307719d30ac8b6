import assert from "node:assert/strict";
import { test } from "node:test";
import { Api, Problem } from "../src/api.ts";
import { browser, json, serve, type Answer } from "./server.ts";

browser();

async function withApi(answer: Answer, use: (api: Api) => Promise<void>): Promise<void> {
  const server = await serve(answer);
  try {
    await use(new Api(server.base));
  } finally {
    await server.stop();
  }
}

const caught = async (promise: Promise<unknown>): Promise<Problem> => {
  const error: unknown = await promise.then(() => assert.fail("it did not fail"), (error: unknown) => error);
  assert.ok(error instanceof Problem);
  return error;
};

test("every endpoint has its address, relative to the page", async () => {
  const seen: string[] = [];
  const answer: Answer = (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    json(response, 200, {});
  };
  await withApi(answer, async (api) => {
    await api.health();
    await api.workflow("a/b c", 3);
    await api.createWorkflow({}, "w");
    await api.saveWorkflow("w", {}, "h");
    await api.deleteWorkflow("w");
    await api.run("w", {}, "key");
    await api.runs({ status: "FAILED" });
    await api.trace("r", { after: 5, types: ["NODE_LOG", "NODE_FAILED"], text: "ü&" });
    await api.state("r", 7);
    await api.node("r", "each[2]");
    await api.artifact("r", "n/1/2");
    await api.answer("r", "n", true);
    await api.diff("a", "b", ["/x", "/y"]);
    assert.match(api.artifactUrl("r", "n/1/2", true), /\/nested\/workflows\/runs\/r\/artifacts\/n%2F1%2F2\?inline=true$/);
  });
  assert.deepEqual(seen, [
    "GET /nested/health",
    "GET /nested/workflows/a%2Fb%20c?version=3",
    "POST /nested/workflows?id=w",
    "PUT /nested/workflows/w",
    "DELETE /nested/workflows/w",
    "POST /nested/workflows/w/run",
    "GET /nested/workflows/runs?status=FAILED",
    "GET /nested/workflows/runs/r/trace?after=5&text=%C3%BC%26&types=NODE_LOG%2CNODE_FAILED",
    "GET /nested/workflows/runs/r/state?at=7",
    "GET /nested/workflows/runs/r/nodes/each%5B2%5D",
    "GET /nested/workflows/runs/r/artifacts/n%2F1%2F2",
    "POST /nested/workflows/runs/r/answer",
    "GET /nested/runs/diff?a=a&b=b&ignore=%2Fx&ignore=%2Fy",
  ]);
});

test("an error is what the server says", async () => {
  const problem = { type: "about:blank", title: "Invalid graph", status: 422, detail: "node a is there twice", code: "invalid-graph", diagnostics: [1] };
  await withApi((_, response) => json(response, 422, problem, "application/problem+json"), async (api) => {
    const error = await caught(api.validate({}));
    assert.deepEqual([error.status, error.title, error.message, error.code], [422, "Invalid graph", "node a is there twice", "invalid-graph"]);
    assert.deepEqual(error.more["diagnostics"], [1]);
  });
});

test("an answer that is not from the server says so", async () => {
  await withApi((_, response) => void response.writeHead(502).end("<html>"), async (api) => {
    const error = await caught(api.health());
    assert.deepEqual([error.status, error.detail], [502, "the server answers 502 Bad Gateway"]);
  });
  await withApi((_, response) => void response.end("<html>"), async (api) => assert.match((await caught(api.health())).detail, /no JSON/));
  const server = await serve(() => {});
  await server.stop();
  assert.equal((await caught(new Api(server.base).health())).status, 0);
});

test("a token is asked for once, kept, and sent", async () => {
  const answer: Answer = ({ headers }, response) =>
    headers.authorization === "Bearer open" ? json(response, 200, { runs: [] }) : json(response, 401, { detail: "who are you?" }, "application/problem+json");
  await withApi(answer, async (api) => {
    assert.equal((await caught(api.runs())).status, 401);
    const given = ["wrong", "open"];
    let asked = 0;
    api.askToken = async () => given[asked++];
    await Promise.all([api.runs(), api.runs(), api.components()]);
    assert.equal(asked, 2);
    assert.equal(sessionStorage.getItem("shipsec-studio-token"), "open");
    await api.runs();
    assert.equal(asked, 2);
    api.token = undefined;
    assert.equal((await caught(api.runs())).detail, "who are you?");
  });
});

test("the server's clock is what it says it is, where this one is another", async () => {
  let date: string | undefined;
  const answer: Answer = (_, response) => {
    if (date === undefined) response.sendDate = false;
    else response.setHeader("Date", date);
    json(response, 200, {});
  };
  await withApi(answer, async (api) => {
    for (const hours of [1, -1]) {
      const there = Date.now() + hours * 3_600_000;
      date = new Date(there).toUTCString();
      await api.health();
      assert.ok(Math.abs(api.now() - there) < 60_000, `${hours} h`);
    }
    // A server that does not tell is taken to have the same.
    date = undefined;
    await api.health();
    const [before, now, after] = [Date.now(), api.now(), Date.now()];
    assert.ok(before <= now && now <= after);
  });
});

test("no name leads out of its place", async () => {
  const asked: string[] = [];
  await withApi((request, response) => {
    asked.push(request.url ?? "");
    json(response, 200, {});
  }, async (api) => {
    for (const name of [".", ".."]) assert.match((await caught(api.status(name))).detail, /nothing is called/);
    await api.status("a/../b");
  });
  assert.deepEqual(asked, ["/nested/workflows/runs/a%2F..%2Fb/status"]);
});

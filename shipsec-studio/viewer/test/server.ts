// A server for the tests, on a port of this machine.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Server {
  /** Where it is, as a page nested in it would say. */
  readonly base: string;
  stop(): Promise<void>;
}

export type Answer = (request: IncomingMessage & { readonly address: URL }, response: ServerResponse) => void | Promise<void>;

export async function serve(answer: Answer): Promise<Server> {
  const server = createServer((request, response) => {
    const address = new URL(request.url ?? "/", "http://localhost");
    void answer(Object.assign(request, { address }), response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    base: `http://127.0.0.1:${port}/nested/`,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export function json(response: ServerResponse, status: number, body: unknown, type = "application/json"): void {
  response.writeHead(status, { "Content-Type": type });
  response.end(JSON.stringify(body));
}

/** What a browser has and node has not. */
export function browser(): void {
  const kept = new Map<string, string>();
  Object.assign(globalThis, {
    sessionStorage: {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    },
  });
}

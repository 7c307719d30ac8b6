// Server-sent events over fetch: unlike `EventSource` it can send a token.

export interface Message {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
  readonly id: string;
}

/** Takes a stream's text in pieces of any size, as the HTML standard reads it. */
export class SseParser {
  private rest = "";
  /** How much of the rest has no end of a line. */
  private looked = 0;
  private afterReturn = false;
  private event = "";
  private id = "";
  private data: string[] = [];

  /** The messages that this piece completes. */
  push(piece: string): Message[] {
    const messages: Message[] = [];
    let text = this.rest + piece;
    // The second half of a line's end, whose first half ended the piece before.
    if (this.afterReturn && text.startsWith("\n")) text = text.slice(1);
    if (piece !== "") this.afterReturn = text.endsWith("\r");
    const ends = /\r\n|\n|\r/g;
    let from = 0;
    ends.lastIndex = this.looked;
    for (let end = ends.exec(text); end !== null; end = ends.exec(text)) {
      this.line(text.slice(from, end.index), messages);
      from = ends.lastIndex;
    }
    this.rest = text.slice(from);
    this.looked = this.rest.length;
    return messages;
  }

  private line(line: string, messages: Message[]): void {
    if (line === "") {
      if (this.data.length > 0) messages.push({ event: this.event || "message", data: this.data.join("\n"), id: this.id });
      this.event = "";
      this.data = [];
      return;
    }
    const colon = line.indexOf(":");
    // A comment: it keeps the connection alive.
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.data.push(value);
    else if (field === "event") this.event = value;
    else if (field === "id" && !value.includes("\0")) this.id = value;
  }
}

/**
 * The messages of a stream, piece by piece as they arrive; a piece may hold none. Ends with the
 * stream; throws where it breaks, or is not UTF-8.
 */
export async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<readonly Message[], void> {
  const reader = body.getReader();
  // A character may be cut by the end of a piece. One that is broken must not become another.
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const parser = new SseParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

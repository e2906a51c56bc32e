// One TCP connection: frames out, frames in, and one reason why it ended. The side that dials reads straight into the
// places that its handler gives (net's `onread`, which only a dialling socket has); the other copies. So each rank dials
// every other for the bulk that it receives, and uses the way back for what is short.

import net from "node:net";
import { messageOf } from "@atoll/core";
import type { HashBlocks } from "./checksum.ts";
import { encodeHeader, type FrameFields, hashOfRun } from "./frame.ts";
import { type FrameHandler, FrameReader } from "./frameReader.ts";

export interface ConnectionOptions {
  readonly runId: string;
  readonly handler: FrameHandler;
  /** Default: plain loops. */
  readonly hashBlocks?: HashBlocks | undefined;
  /** The connection has ended, once: why, as the end of a sentence about the peer, and whether that is what it sent. */
  readonly onEnd: (cause: string, isFault: boolean) => void;
}

/** How long what was written last may take to go out. */
const PARTING_MS = 1000;
const NOTHING = new Uint8Array(0);

export class Connection implements AsyncDisposable {
  readonly socket: net.Socket;
  readonly #run: bigint;
  readonly #reader: FrameReader;
  readonly #hashBlocks: HashBlocks | undefined;
  readonly #onEnd: ConnectionOptions["onEnd"];
  #sequence = 0;
  #cause: string | undefined;
  /** Whether anything has come since this was last set to false. */
  heard = true;

  private constructor(makeSocket: (connection: () => Connection) => net.Socket, options: ConnectionOptions) {
    this.#run = hashOfRun(options.runId);
    this.#reader = new FrameReader(this.#run, options.handler, options.hashBlocks);
    this.#hashBlocks = options.hashBlocks;
    this.#onEnd = options.onEnd;
    this.socket = makeSocket(() => this);
    this.socket.setNoDelay(true);
    this.socket.on("error", (error) => this.end(socketFault(error)));
    this.socket.on("end", () => this.end("it closed the connection"));
    this.socket.on("close", () => this.end("its connection closed"));
  }

  /** Begins to connect; `error` events end it. */
  static dial(
    target: { readonly host: string; readonly port: number },
    options: ConnectionOptions,
  ): Connection {
    return new Connection(
      (self) =>
        net.connect({
          ...target,
          onread: {
            buffer: () => self().#reader.space as Buffer,
            callback: (count) => self().#received(() => self().#reader.advance(count)),
          },
        }),
      options,
    );
  }

  static accept(socket: net.Socket, options: ConnectionOptions): Connection {
    const connection = new Connection(() => socket, options);
    socket.on("data", (chunk: Buffer) => connection.#received(() => connection.#reader.push(chunk)));
    return connection;
  }

  #received(read: () => void): boolean {
    if (this.#cause !== undefined) return false;
    this.heard = true;
    try {
      read();
    } catch (error) {
      this.end(messageOf(error), true);
    }
    return this.#cause === undefined;
  }

  admit(handler: FrameHandler): void {
    this.#reader.admit(handler);
  }

  get isOpen(): boolean {
    return this.#cause === undefined;
  }

  /**
   * Sends a frame. The payload must not change until `flushed` is called: when the system has taken all of it, or the
   * connection has ended before, which it is told.
   * @param digest the payload's, where it is known (checksum.ts)
   */
  write(
    fields: FrameFields,
    payload: Uint8Array = NOTHING,
    flushed?: (isLost: boolean) => void,
    digest?: Uint8Array,
  ): void {
    if (this.#cause !== undefined) {
      flushed?.(true);
      return;
    }
    const header = encodeHeader(fields, {
      run: this.#run,
      sequence: this.#sequence++,
      payload,
      hashBlocks: this.#hashBlocks,
      digest,
    });
    const done = flushed && ((error?: Error | null) => flushed(error != null));
    if (payload.length === 0) this.socket.write(header, done);
    else {
      this.socket.cork();
      this.socket.write(header);
      this.socket.write(payload, done);
      this.socket.uncork();
    }
  }

  writeJson(fields: FrameFields, value: unknown): void {
    this.write(fields, new TextEncoder().encode(JSON.stringify(value)));
  }

  /** Ends the connection at once. Only the first cause counts. */
  end(cause: string, isFault = false): void {
    if (this.#cause !== undefined) return;
    this.#cause = cause;
    this.socket.destroy();
    this.#onEnd(cause, isFault);
  }

  /** Lets what was written go out, then ends. */
  finish(cause: string): void {
    if (this.#cause !== undefined) return;
    this.#cause = cause;
    this.socket.destroySoon();
    this.#onEnd(cause, false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return;
    const closed = new Promise((resolve) => this.socket.once("close", resolve));
    this.finish("this process closed the connection");
    // Whoever does not read any more is not waited for.
    const timer = setTimeout(() => this.socket.destroy(), PARTING_MS);
    await closed;
    clearTimeout(timer);
  }
}

function socketFault(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ECONNREFUSED") return "nobody listens there";
  if (code === "ECONNRESET" || code === "EPIPE") return "it broke the connection off";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "its name cannot be resolved";
  if (code === "ETIMEDOUT" || code === "EHOSTUNREACH" || code === "ENETUNREACH")
    return "it cannot be reached";
  return error.message;
}

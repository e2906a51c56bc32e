// Where a rank is dialled. Until a stranger has shown who it is, it has little time and few bytes, and only so many are
// listened to at once: others are hung up on.

import net from "node:net";
import { ConfigError } from "@atoll/core";
import type { HashBlocks } from "./checksum.ts";
import { Connection } from "./connection.ts";
import { awaitIntroduction, type Introduction, type Refusal } from "./greeting.ts";

export interface ListenerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly runId: string;
  readonly token: string;
  readonly hashBlocks?: HashBlocks | undefined;
  /** Strangers that are listened to at once. */
  readonly mostStrangers: number;
  readonly greetingTimeoutMs: number;
  /**
   * Somebody of the run has dialled, and proved it. Undefined: it is welcome, and the connection is the callee's, which has
   * admitted a handler to it; it says through `onEnd` when it ends.
   */
  readonly onIntroduction: (
    connection: Connection,
    introduction: Introduction,
    setOnEnd: (onEnd: (cause: string) => void) => void,
  ) => Refusal | undefined;
}

export class Listener implements AsyncDisposable {
  readonly #options: ListenerOptions;
  readonly #server: net.Server;
  readonly #connections = new Set<Connection>();
  #strangers = 0;

  private constructor(options: ListenerOptions) {
    this.#options = options;
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** @throws ConfigError if the address is taken or not one of this machine */
  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    listener.#server.once("error", reject);
    listener.#server.listen({ host: options.host, port: options.port, exclusive: true }, resolve);
    try {
      await promise;
    } catch (error) {
      throw listenFault(error as NodeJS.ErrnoException, options);
    }
    listener.#server.removeAllListeners("error");
    listener.#server.on("error", () => undefined); // One connection that could not be accepted; its dialler tries again.
    return listener;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  #accept(socket: net.Socket): void {
    const { runId, token, hashBlocks, mostStrangers, greetingTimeoutMs, onIntroduction } = this.#options;
    if (this.#strangers >= mostStrangers) {
      socket.destroy();
      return;
    }
    this.#strangers++;
    let isStranger = true;
    const known = (): void => {
      if (isStranger) this.#strangers--;
      isStranger = false;
      clearTimeout(timer);
    };
    let onEnd: ((cause: string) => void) | undefined;
    const greeting = awaitIntroduction({ runId, token }, (introduction) => {
      const refusal = onIntroduction(connection, introduction, (set) => {
        onEnd = set;
      });
      if (refusal === undefined) known();
      return refusal;
    });
    const connection = Connection.accept(socket, {
      runId,
      handler: greeting.handler,
      hashBlocks,
      onEnd: (cause) => {
        known();
        this.#connections.delete(connection);
        onEnd?.(cause);
      },
    });
    this.#connections.add(connection);
    const timer = setTimeout(() => connection.end("it did not introduce itself in time"), greetingTimeoutMs);
    greeting.begin(connection);
  }

  /** Stops listening and ends the connections that were accepted. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.finish("this process closed the connection");
    await closed;
  }
}

function listenFault(error: NodeJS.ErrnoException, { host, port }: ListenerOptions): ConfigError {
  const at = `${host}:${port}`;
  if (error.code === "EADDRINUSE")
    return new ConfigError(
      `Cannot listen on ${at}: the port is in use, perhaps by another run. Choose another port for this one, such as --master_port P, or --port P of npx atoll launch.`,
      error,
    );
  if (error.code === "EADDRNOTAVAIL")
    return new ConfigError(`Cannot listen on ${at}: this machine has no such address.`, error);
  if (error.code === "EACCES")
    return new ConfigError(`Cannot listen on ${at}: not permitted. Give a port from 1024 up.`, error);
  return new ConfigError(`Cannot listen on ${at}: ${error.message}.`, error);
}

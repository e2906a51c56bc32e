// Messages beside the collectives, for whoever drives the ranks: commands, reports, checkpoints. JSON, and bytes that go with
// it. They are not counted and not shaped, arrive in the order sent, and wait for their listener if it comes later.

import type { ConfigValue, Rank } from "@atoll/core";

export interface ControlMessage {
  readonly from: Rank;
  readonly message: ConfigValue;
  /** The receiver's own. */
  readonly body: Uint8Array;
}

export interface ControlChannel {
  /** To oneself, too. What is sent to a rank that is lost goes nowhere. @param body not to be changed until it has arrived */
  send(to: Rank, message: ConfigValue, body?: Uint8Array): void;
  /** Gets all that comes, from the first message on. One listener at a time. @returns stops it */
  on(listener: (message: ControlMessage) => void): () => void;
}

export class Control implements ControlChannel {
  readonly #rank: Rank;
  readonly #write: (to: Rank, message: ConfigValue, body: Uint8Array) => void;
  #listener: ((message: ControlMessage) => void) | undefined;
  #waiting: ControlMessage[] = [];

  constructor(rank: Rank, write: (to: Rank, message: ConfigValue, body: Uint8Array) => void) {
    this.#rank = rank;
    this.#write = write;
  }

  send(to: Rank, message: ConfigValue, body: Uint8Array = new Uint8Array(0)): void {
    if (to === this.#rank) queueMicrotask(() => this.receive({ from: to, message, body }));
    else this.#write(to, message, body);
  }

  on(listener: (message: ControlMessage) => void): () => void {
    this.#listener = listener;
    for (const message of this.#waiting.splice(0)) listener(message);
    return () => {
      if (this.#listener === listener) this.#listener = undefined;
    };
  }

  receive(message: ControlMessage): void {
    if (this.#listener === undefined) this.#waiting.push(message);
    else this.#listener(message);
  }
}

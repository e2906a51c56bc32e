// Parts that are being read, one a peer at most: each peer's come one after another. A part that has been read and waits for
// the moment at which it counts (shaper.ts) is none any more.

export class Landings {
  /** By peer: what gives the part's cell back, where it is not read into the member's own vectors. */
  readonly #giveBack = new Map<number, (() => void) | undefined>();
  readonly #onEnd: () => void;

  /** @param onEnd called whenever one is over */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  get size(): number {
    return this.#giveBack.size;
  }

  /** @returns to be called when the part has been read; more than once does no harm */
  begin(peer: number, giveBack?: () => void): () => void {
    let isRead = false;
    this.#giveBack.set(peer, giveBack);
    return () => {
      if (isRead) return;
      isRead = true;
      this.#giveBack.delete(peer);
      this.#onEnd();
    };
  }

  /** What is being read of a peer comes no further. */
  lose(peer: number): void {
    this.#giveBack.get(peer)?.();
    this.#giveBack.delete(peer);
    this.#onEnd();
  }
}

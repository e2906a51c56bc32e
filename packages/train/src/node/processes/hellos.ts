// Rank 0 hears from the others as they come, and holds what their options came to against its own.

import { ConfigError, type Rank } from "@atoll/core";
import { differenceOf, type Identity } from "./identity.ts";
import type { LinkOffer } from "./links.ts";

/** Ends when all have come with the same options. */
export class Hellos {
  readonly #identity: Identity;
  readonly #missing: Set<Rank>;
  readonly #offers = new Map<Rank, LinkOffer>();
  readonly #ended = Promise.withResolvers<void>();

  constructor(nodes: number, identity: Identity) {
    this.#identity = identity;
    this.#missing = new Set(Array.from({ length: nodes - 1 }, (_, i) => i + 1));
    this.#ended.promise.catch(() => undefined);
    if (nodes === 1) this.#ended.resolve();
  }

  /** Whether all have come. */
  get areOver(): boolean {
    return this.#missing.size === 0;
  }

  get all(): Promise<void> {
    return this.#ended.promise;
  }

  /** What the ranks that have come say of their links. */
  get offers(): ReadonlyMap<Rank, LinkOffer> {
    return this.#offers;
  }

  came(rank: Rank, identity: Identity, offer: LinkOffer): void {
    const refusal = this.refusalOf(rank, identity);
    if (refusal !== undefined) this.fail(refusal);
    this.#offers.set(rank, offer);
    this.#missing.delete(rank);
    if (this.#missing.size === 0) this.#ended.resolve();
  }

  /** Why a rank cannot be part of the run; undefined if it can. */
  refusalOf(rank: Rank, identity: Identity): ConfigError | undefined {
    const difference = differenceOf(this.#identity, identity);
    if (difference === undefined) return undefined;
    return new ConfigError(
      `Rank ${rank} has other options than rank 0: ${difference}. Start all ranks with the same options, data and version.`,
    );
  }

  fail(error: Error): void {
    this.#ended.reject(error);
  }
}

// Who makes the network's conditions felt: the kernel on all ranks, or the process of each. Whether the kernel can is seen
// when the ranks are connected, by each rank for itself; rank 0 hears of it and decides for all, before the first step.

import {
  type RunCommand,
  type Shaping,
  type SystemShaping,
  shapeBySystem,
  type TcpWorld,
} from "@atoll/comm/node";
import { ConfigError, type ConfigTree, type Rank, RunError } from "@atoll/core";
import type { Network } from "@atoll/network";

/**
 * What the run's options ask for. `system`: the kernel, or the run is refused. `either`: the kernel if it can on all ranks,
 * else the processes.
 */
export type LinkShaping = "none" | "userSpace" | "system" | "either";

/** What one rank has come to. */
export type LinkOffer =
  | { readonly kind: "asAsked" }
  | { readonly kind: "shaped"; readonly shaping: "system" | "delays"; readonly says: string }
  | { readonly kind: "impossible"; readonly reason: string };

/** What rank 0 has decided, with what config.json says of it. */
export interface LinkDecision {
  readonly shaping: Shaping;
  readonly config: ConfigTree;
}

/** What the world is to be joined with. */
export const shapingAtFirst = (asked: LinkShaping): Shaping => (asked === "none" ? "none" : "userSpace");

/** Why a rank cannot come back, whose links are to be as the others'. */
export function refusalOfReturn(
  { shaping }: LinkDecision,
  rank: Rank,
  offer: LinkOffer,
): RunError | undefined {
  if (shaping === "none" || shaping === "userSpace") return undefined;
  if (offer.kind === "shaped" && offer.shaping === shaping) return undefined;
  const reason = offer.kind === "impossible" ? ` ${offer.reason}` : "";
  return new RunError(
    `Rank ${rank} is back, and its links cannot be shaped as the others' are (${shaping}).${reason}`,
  );
}

/** @throws ConfigError if the kernel is asked for and cannot on some rank */
export function decideLinks(asked: LinkShaping, offers: ReadonlyMap<Rank, LinkOffer>): LinkDecision {
  if (asked === "none" || asked === "userSpace") return { shaping: asked, config: { shaping: asked } };
  const obstacle = obstacleOf(offers);
  if (obstacle === undefined) {
    const { shaping, says } = offers.get(0) as Extract<LinkOffer, { kind: "shaped" }>;
    return {
      shaping,
      config: {
        shaping: shaping === "system" ? "tc (htb, netem)" : "tc (htb), delays in user space",
        shapingDetails: says,
      },
    };
  }
  if (asked === "system")
    throw new ConfigError(
      `Option "shaping": tc cannot shape the links. ${obstacle} Use shaping=user, or start each rank in a container or network namespace of its own with CAP_NET_ADMIN and iproute2, as npx atoll sandbox does.`,
    );
  return { shaping: "userSpace", config: { shaping: "userSpace", shapingDetails: `Not tc: ${obstacle}` } };
}

function obstacleOf(offers: ReadonlyMap<Rank, LinkOffer>): string | undefined {
  for (const [rank, offer] of offers) if (offer.kind === "impossible") return `Rank ${rank}: ${offer.reason}`;
  const kinds = new Set([...offers.values()].map((offer) => offer.kind === "shaped" && offer.shaping));
  return kinds.size > 1 ? "Some ranks' kernels have netem and some have not." : undefined;
}

export interface LinksOptions {
  readonly asked: LinkShaping;
  readonly world: TcpWorld;
  readonly network: Network;
  /** Absent: no programs may be run. */
  readonly run: RunCommand | undefined;
  readonly warn: (message: string) => void;
}

/** One rank's links to the others. What the kernel was told is taken back when it is disposed of. */
export class Links implements AsyncDisposable {
  readonly #options: LinksOptions;
  #shaped: SystemShaping | undefined;
  #addresses = "";
  /** What is done after ranks have come back, one after another. */
  #renewals: Promise<void> = Promise.resolve();
  readonly #unlisten: () => void;

  private constructor(options: LinksOptions) {
    this.#options = options;
    // A rank that has come back may be elsewhere.
    this.#unlisten = options.world.onReturned(() => {
      this.#renewals = this.#renewals.then(() => this.#renew());
    });
  }

  /** Tries what the options ask for. */
  static async open(options: LinksOptions): Promise<Links> {
    const links = new Links(options);
    if (options.asked === "system" || options.asked === "either") await links.#shape();
    return links;
  }

  get offer(): LinkOffer {
    const shaped = this.#shaped;
    if (shaped === undefined) return { kind: "asAsked" };
    if (shaped.kind === "impossible") return shaped;
    return { kind: "shaped", shaping: shaped.shaping, says: shaped.says };
  }

  /** Does as rank 0 has decided. */
  async settle(shaping: Shaping): Promise<void> {
    if (shaping === "none") return;
    this.#options.world.shape(shaping);
    if (shaping === "userSpace") await this.#takeBack();
  }

  async #shape(): Promise<void> {
    const { world, network, run } = this.#options;
    const addresses = world.addresses();
    this.#addresses = addresses.join();
    this.#shaped =
      run === undefined
        ? { kind: "impossible", reason: "This process runs no programs." }
        : await shapeBySystem({ network, rank: world.rank, addresses, run });
  }

  async #renew(): Promise<void> {
    const { world, warn } = this.#options;
    if (this.#shaped?.kind !== "shaped" || world.addresses().join() === this.#addresses) return;
    await this.#shape();
    const { offer } = this;
    if (offer.kind === "impossible") warn(`Rank ${world.rank}'s links are no longer shaped. ${offer.reason}`);
  }

  async #takeBack(): Promise<void> {
    const shaped = this.#shaped;
    this.#shaped = undefined;
    if (shaped?.kind === "shaped") await shaped.undo();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unlisten();
    await this.#renewals;
    await this.#takeBack();
  }
}

// How much of a run's time beyond computing is due to latency: the run is timed once more on its network without any.

import type { NetworkOptions } from "@atoll/network";
import { runCosts } from "../runCosts.ts";
import { type RepriceOptions, reprice } from "./reprice.ts";

/** Seconds: too short to matter, but a round-trip time that formulas can divide by. */
const NEXT_TO_NOTHING = 1e-9;

/** A network that differs in its latencies only. */
function withoutLatency(network: NetworkOptions): NetworkOptions {
  const { topology, between, links } = network;
  const latency = NEXT_TO_NOTHING;
  return {
    ...network,
    latency,
    ...(topology === "islands" ? { between: { ...between, latency } } : {}),
    ...(links === undefined ? {} : { links: links.map((link) => ({ ...link, latency })) }),
  };
}

/**
 * The part, from 0 to 1, of the simulated time beyond computing that goes away without latency; what is left is due to
 * bandwidth, and to nodes that wait for slower ones. 0 for a run that did nothing but compute.
 * @throws ConfigError as `reprice`
 */
export async function latencyShare(options: RepriceOptions): Promise<number> {
  const { simulatedSeconds, computeSeconds } = runCosts(options.record);
  const exposed = simulatedSeconds - computeSeconds;
  if (!(exposed > 0)) return 0;
  const without = runCosts(await reprice({ ...options, network: withoutLatency(options.network) }));
  return Math.min(1, Math.max(0, (simulatedSeconds - without.simulatedSeconds) / exposed));
}

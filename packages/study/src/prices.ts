// What nodes and traffic are billed.

/** In dollars. */
export interface Prices {
  /** Of one node for one simulated hour. */
  readonly nodeHour: number;
  /** Of 10⁹ bytes sent, whoever sends them. */
  readonly gigabyte: number;
}

/** What a number of nodes for a time, and what they send, is billed. */
export const dollarsOf = (
  { nodes, seconds, bytes }: { readonly nodes: number; readonly seconds: number; readonly bytes: number },
  { nodeHour, gigabyte }: Prices,
): number => (nodes * seconds * nodeHour) / 3600 + (bytes * gigabyte) / 1e9;

/** "$1.23", "$0.0012". */
export const formatDollars = (dollars: number): string =>
  dollars >= 0.995 || dollars === 0 ? `$${dollars.toFixed(2)}` : `$${Number(dollars.toPrecision(2))}`;

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

/** "$1.23", "$0.40", "$0.0012": cents at least, and of less than a tenth of a dollar two digits. */
export function formatDollars(dollars: number): string {
  const digits = dollars > 0 && dollars < 0.0995 ? 1 - Math.floor(Math.log10(dollars)) : 2;
  return `$${dollars.toFixed(Math.min(100, digits))}`;
}

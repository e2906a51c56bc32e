// Who is compared, and where: of the options that differ between cells, those of nodes, network and machines say where a
// run takes place, all others make the contenders. Where nothing else differs, the places themselves are compared.

import type { CellResult } from "./comparison.ts";

/** Options that say where a run takes place. */
const PLACES = /^(network|nodes|compute|faults|partition)(\.|$)/;

/** The place of all cells, where they do not differ in that. */
export const EVERYWHERE = "everywhere";

/** A cell as one of the contenders of a place. */
export interface Role {
  /** "strategy=ddp". */
  readonly contender: string;
  /** "network.profile=wan nodes=4", or `EVERYWHERE`. */
  readonly place: string;
}

const textOf = (options: readonly (readonly [string, string])[], otherwise: string): string =>
  options.map(([name, value]) => `${name}=${value}`).join(" ") || otherwise;

/** The cells' roles, in their order. */
export function rolesOf(cells: readonly Pick<CellResult, "varied">[]): readonly Role[] {
  const options = cells.map(({ varied }) => Object.entries(varied));
  const isPlaced = options.some((varied) => varied.some(([name]) => !PLACES.test(name)));
  return options.map((varied) => {
    const where = isPlaced ? varied.filter(([name]) => PLACES.test(name)) : [];
    const who = varied.filter((option) => !where.includes(option));
    return { contender: textOf(who, "the run"), place: textOf(where, EVERYWHERE) };
  });
}

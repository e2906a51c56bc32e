// Where the nodes of a run stop next: at the next evaluation or checkpoint, or at the end.

/** Shared by the nodes; an interrupt draws it nearer. */
export interface Horizon {
  /** In steps done. */
  readonly step: number;
  /** Nodes that have not done them. */
  readonly behind: number;
  /** Steps of the whole run. */
  readonly last: number;
}

/** A horizon that is as it is whenever a node looks. */
export const movingHorizon = (
  last: number,
  present: { readonly step: () => number; readonly behind: () => number },
): Horizon => ({
  last,
  get step() {
    return present.step();
  },
  get behind() {
    return present.behind();
  },
});

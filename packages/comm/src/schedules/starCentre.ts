// The member through which a star's collectives go.

import { STAR_HUB } from "@atoll/network";
import type { Members } from "../schedule.ts";

/** The topology's hub if it is a member, otherwise `otherwise`, whose traffic then goes through the hub. */
export function starCentre({ ranks }: Members, otherwise: number): number {
  const hub = ranks.indexOf(STAR_HUB);
  return hub === -1 ? otherwise : hub;
}

/** Every member but the centre, in order. */
export const spokes = (size: number, centre: number): readonly number[] =>
  Array.from({ length: size }, (_, member) => member).filter((member) => member !== centre);

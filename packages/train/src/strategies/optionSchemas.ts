// The kinds of numbers that strategies have as options, as schemas for configs.

import { z } from "zod";

/** A number of steps, at least 1. */
export const steps = (initial: number, description: string): z.ZodDefault<z.ZodInt> =>
  z.int().min(1).default(initial).describe(description);

/** A decay, momentum or weight of a running mean: 0 ≤ x < 1. */
export const decay = (initial: number, description: string): z.ZodDefault<z.ZodNumber> =>
  z.number().min(0).lt(1).default(initial).describe(description);

export const positive = (initial: number, description: string): z.ZodDefault<z.ZodNumber> =>
  z.number().positive().default(initial).describe(description);

/** A part of a whole: 0 ≤ x ≤ 1. */
export const fraction = (initial: number, description: string): z.ZodDefault<z.ZodNumber> =>
  z.number().min(0).max(1).default(initial).describe(description);

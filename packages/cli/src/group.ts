// Options under a common name that are no choice: `network.profile=wan network.nic=1e9`.

import { z } from "zod";

/** @param example an assignment to show to someone who sets the group itself */
export const group = <S extends z.ZodRawShape>(example: string, shape: S): z.ZodObject<S, z.core.$strict> =>
  z.strictObject(shape, {
    error: ({ code }) =>
      code === "invalid_type" ? `expected its options one by one, as ${example}` : undefined,
  });

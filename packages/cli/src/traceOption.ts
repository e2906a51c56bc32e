// The option `trace` of links: how their bandwidth was measured to change, as a CSV file on the command line.

import { z } from "zod";

const CSV_FILE = "expected a CSV file, as network.trace=uplink.csv";

/** What it comes to once the file is read (traceFiles.ts). Without its points no file was given, whatever else was. */
export const trace: z.ZodType = z
  .strictObject(
    {
      name: z.string().optional().describe("what messages call it; the file's name"),
      points: z
        .array(z.tuple([z.number(), z.number()]), { error: CSV_FILE })
        .optional()
        .describe("what the file says: [seconds,bytes/s], the last one being the end"),
      repeat: z.boolean().optional().describe("start over at the end"),
      shift: z.boolean().optional().describe("begin each link elsewhere in it, drawn from the seed"),
    },
    { error: ({ code }) => (code === "invalid_type" ? CSV_FILE : undefined) },
  )
  .refine(({ points }) => points !== undefined, {
    error: ({ input }) =>
      `expected a CSV file beside ${Object.keys(input as object).join(" and ")}, as network.trace=uplink.csv`,
  });

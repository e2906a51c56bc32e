// What help texts and complaints need to know of an option's zod schema: what lies under its wrapping, its default, and
// the branches of a choice.

import { z } from "zod";

/** What lies under defaults, optionals and preprocessing, and the default. */
export function peel(option: z.ZodType): { readonly inner: z.ZodType; readonly fallback: unknown } {
  let inner = option;
  let fallback: unknown;
  for (;;) {
    if (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) {
      fallback ??= inner.def.defaultValue;
      inner = inner.def.innerType as z.ZodType;
    } else if (inner instanceof z.ZodOptional) inner = inner.def.innerType as z.ZodType;
    else if (inner instanceof z.ZodPipe) inner = inner.def.out as z.ZodType;
    else return { inner, fallback };
  }
}

/** One of the things a choice can be. */
export interface Branch {
  readonly name: string;
  readonly summary: string;
  /** Its own options, without `kind`. */
  readonly options: Readonly<Record<string, z.ZodType>>;
}

/** The branches of a choice; undefined for an option that is none. */
export function branchesOf(inner: z.ZodType): readonly Branch[] | undefined {
  if (!(inner instanceof z.ZodDiscriminatedUnion)) return undefined;
  return (inner.def.options as readonly z.ZodObject[]).map((branch) => {
    const { kind, ...options } = branch.shape as Record<string, z.ZodType>;
    return { name: String((kind as z.ZodLiteral).value), summary: branch.description ?? "", options };
  });
}

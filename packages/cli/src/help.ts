// Help texts are made from the commands and from the options' schemas, so they cannot fall behind the program.

import { z } from "zod";
import type { Command } from "./terminal.ts";

export function topHelp(commands: readonly Command[]): string {
  return `Atoll: a wind tunnel for distributed training.

Usage: npx atoll <command> [arguments]

Commands:
${table(commands.map(({ name, summary }) => [name, summary]))}
  help     show this text, or a command's: npx atoll help train

Options:
  --help, --version

Example:
  npx atoll train digits nodes=3 network.profile=wan network.topology=ring
`;
}

/** Rows of two columns, indented, the first one padded. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd()).join("\n");
}

/** One row an option: dotted name, type and default, description. */
export function describeOptions(schema: z.ZodObject, prefix = ""): readonly (readonly [string, string])[] {
  return Object.entries(schema.shape).flatMap(([name, option]) =>
    describeOption(`${prefix}${name}`, option as z.ZodType),
  );
}

function describeOption(path: string, option: z.ZodType): readonly (readonly [string, string])[] {
  const { inner, fallback } = peel(option);
  const text = [
    option.description ?? inner.description ?? "",
    fallback === undefined ? "" : `(default ${shown(fallback)})`,
  ];
  const line: readonly [string, string] = [
    `${path}=${typeName(inner)}`,
    text.filter((part) => part !== "").join(" "),
  ];
  if (inner instanceof z.ZodObject) {
    const own = describeOptions(inner, `${path}.`);
    return text[0] === "" ? own : [[path, text[0]!], ...own];
  }
  if (!(inner instanceof z.ZodDiscriminatedUnion)) return [line];
  const branches = (inner.def.options as readonly z.ZodObject[]).map((branch) => {
    const { kind, ...rest } = branch.shape as Record<string, z.ZodType>;
    const name = String((kind as z.ZodLiteral).value);
    return { name, summary: branch.description ?? "", rows: describeOptions(z.object(rest), `  ${path}.`) };
  });
  return [
    line,
    ...branches.flatMap(({ name, summary, rows }) => [[`  ${path}=${name}`, summary] as const, ...rows]),
  ];
}

/** What lies under defaults, optionals and preprocessing, and the default. */
function peel(option: z.ZodType): { readonly inner: z.ZodType; readonly fallback: unknown } {
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

function typeName(type: z.ZodType): string {
  if (type instanceof z.ZodEnum) return type.options.join("|");
  if (type instanceof z.ZodDiscriminatedUnion)
    return (type.def.options as readonly z.ZodObject[])
      .map((branch) => String((branch.shape.kind as z.ZodLiteral).value))
      .join("|");
  if (type instanceof z.ZodNumber) return type.format === "safeint" ? "integer" : "number";
  if (type instanceof z.ZodBoolean) return "true|false";
  if (type instanceof z.ZodString) return "text";
  if (type instanceof z.ZodUnion) return (type.def.options as readonly z.ZodType[]).map(typeName).join("|");
  return "value";
}

const shown = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

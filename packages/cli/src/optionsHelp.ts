// The help of options is made from their schemas, which also check them, so it cannot fall behind the program.

import { z } from "zod";
import { LEFT, type Row } from "./help.ts";
import { branchesOf, peel } from "./schema.ts";

/** Rows of the options of an object: dotted name and type, then description and default. */
export const describeOptions = (schema: z.ZodObject): readonly Row[] => describeShape(schema.shape, "", "");

const describeShape = (
  shape: Readonly<Record<string, z.core.$ZodType>>,
  indent: string,
  prefix: string,
): readonly Row[] =>
  Object.entries(shape).flatMap(([name, option]) =>
    describeOption(indent, `${prefix}${name}`, option as z.ZodType),
  );

function describeOption(indent: string, path: string, option: z.ZodType): readonly Row[] {
  const { inner, fallback } = peel(option);
  const text = option.description ?? inner.description ?? "";
  if (inner instanceof z.ZodObject) {
    const own = describeShape(inner.shape, text === "" ? indent : `${indent}  `, `${path}.`);
    return text === "" ? own : [[`${indent}${path}`, text], ...own];
  }
  const { type, values } = typeOf(inner, LEFT - indent.length - path.length - 1);
  const described = values === undefined ? text : `${text}: ${values}`;
  const usual = fallback === undefined ? "" : ` (default ${shown(fallback)})`;
  return [[`${indent}${path}=${type}`, described + usual], ...describeBranches(indent, path, inner)];
}

/** A choice's options: first those that all its branches have alike, then each branch with its others. */
function describeBranches(indent: string, path: string, inner: z.ZodType): readonly Row[] {
  const branches = (branchesOf(inner) ?? []).map(({ name, summary, options }) => ({
    head: [`${indent}  ${path}=${name}`, summary] as const,
    rows: describeShape(options, `${indent}    `, `${path}.`),
  }));
  const same = (a: Row, b: Row): boolean => a[0] === b[0] && a[1] === b[1];
  const shared = (row: Row): boolean =>
    branches.length > 1 && branches.every(({ rows }) => rows.some((other) => same(row, other)));
  return [
    ...(branches[0]?.rows ?? []).filter(shared).map(([left, right]): Row => [left.slice(2), right]),
    ...branches.flatMap(({ head, rows }) => [head, ...rows.filter((row) => !shared(row))]),
  ];
}

/** What to write after `=`; names that do not fit into `room` characters are listed in the description instead. */
function typeOf(type: z.ZodType, room: number): { readonly type: string; readonly values?: string } {
  const branches = branchesOf(type)?.map(({ name }) => name);
  const names = type instanceof z.ZodEnum ? type.options.map(String) : branches;
  if (names === undefined) return { type: typeName(type) };
  const joined = names.join("|");
  if (joined.length <= room) return { type: joined };
  return branches === undefined ? { type: "name", values: names.join(", ") } : { type: "name" };
}

function typeName(type: z.ZodType): string {
  if (type instanceof z.ZodNumber) return type.format === "safeint" ? "integer" : "number";
  if (type instanceof z.ZodBoolean) return "true|false";
  if (type instanceof z.ZodString) return "text";
  if (type instanceof z.ZodEnum) return "name";
  if (type instanceof z.ZodTuple) {
    const items = (type.def.items as readonly z.ZodType[]).map(typeName);
    return items.includes("integer") ? `[${items.join(",")}]` : "[low,high]";
  }
  if (type instanceof z.ZodArray) return `[${typeName(peel(type.element as z.ZodType).inner)},…]`;
  if (type instanceof z.ZodUnion) return (type.def.options as readonly z.ZodType[]).map(typeName).join("|");
  return "value";
}

const shown = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

// Trees: nested objects and arrays whose leaves are tensors (parameters, gradients, batches), with a defined order and
// a dotted path for every leaf, as JAX's pytrees. A leaf is whatever is not a plain object or an array, and whatever has a
// `shape`; so host tensors, traced tensors and bare shapes are all leaves without being registered.

import { ConfigError, invariant } from "@atoll/core";

/** A leaf, or branches by name or by number. */
export type Tree<T> = T | readonly Tree<T>[] | { readonly [name: string]: Tree<T> };

/** A leaf and where it is: `blocks.0.attention.qkv.weight`; the path of a lone leaf is "". */
export interface TreeEntry<T> {
  readonly path: string;
  readonly leaf: T;
}

type Branches<T> = Readonly<Record<string, Tree<T>>>;

function isBranch<T>(tree: Tree<T>): tree is readonly Tree<T>[] | Branches<T> {
  if (typeof tree !== "object" || tree === null || "shape" in tree) return false;
  if (Array.isArray(tree)) return true;
  const prototype = Object.getPrototypeOf(tree);
  return prototype === Object.prototype || prototype === null;
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

/**
 * The leaves with their paths: arrays by index, objects in the order in which their properties were made.
 * @throws ConfigError if a name is empty or contains a dot, since paths could not be told apart.
 */
export function flattenTree<T>(tree: Tree<T>): TreeEntry<T>[] {
  const entries: TreeEntry<T>[] = [];
  walk(tree, "", (leaf, path) => entries.push({ path, leaf }));
  return entries;
}

function walk<T>(tree: Tree<T>, path: string, visit: (leaf: T, path: string) => void): void {
  if (!isBranch(tree)) {
    visit(tree, path);
    return;
  }
  for (const [name, branch] of Object.entries(tree)) {
    if (name === "" || name.includes("."))
      throw new ConfigError(
        `Tree at "${path}": expected names without dots, got "${name}"; nest objects instead.`,
      );
    walk(branch, join(path, name), visit);
  }
}

/** The same tree with `f(leaf, path)` in place of each leaf, called in the order of `flattenTree`. */
export function mapTree<T, U>(tree: Tree<T>, f: (leaf: T, path: string) => U, path = ""): Tree<U> {
  if (!isBranch(tree)) return f(tree, path);
  if (Array.isArray(tree)) {
    const items: readonly Tree<T>[] = tree;
    return items.map((branch, index) => mapTree(branch, f, join(path, String(index))));
  }
  return Object.fromEntries(
    Object.entries(tree).map(([name, branch]) => [name, mapTree(branch, f, join(path, name))]),
  );
}

/**
 * The tree that has these leaves at these paths. Branches named 0, 1, 2 … without a gap become an array.
 * @throws ConfigError if two entries have the same path, or one lies below another.
 */
export function unflattenTree<T>(entries: readonly TreeEntry<T>[]): Tree<T> {
  const [first] = entries;
  if (first !== undefined && first.path === "" && entries.length === 1) return first.leaf;
  const groups = new Map<string, TreeEntry<T>[]>();
  for (const { path, leaf } of entries) {
    const dot = path.indexOf(".");
    const name = dot < 0 ? path : path.slice(0, dot);
    if (name === "")
      throw new ConfigError(`Tree: a leaf lies on the way to another one, or two have the same path.`);
    const below = { path: dot < 0 ? "" : path.slice(dot + 1), leaf };
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [below]);
    else group.push(below);
  }
  const branches = [...groups].map(([name, below]) => [name, unflattenTree(below)] as const);
  const numbered = new Map(branches);
  const items = branches.map((_, index) => numbered.get(String(index)));
  if (items.length > 0 && branches.every((_, index) => numbered.has(String(index))))
    return items as readonly Tree<T>[];
  return Object.fromEntries(branches);
}

/** The leaf at a path that `flattenTree` gave. */
export function leafAt<T>(tree: Tree<T>, path: string): T {
  let current: Tree<T> | undefined = tree;
  for (const name of path === "" ? [] : path.split(".")) {
    current = current !== undefined && isBranch(current) ? (current as Branches<T>)[name] : undefined;
  }
  invariant(current !== undefined && !isBranch(current), `no leaf at "${path}" of a tree`);
  return current;
}

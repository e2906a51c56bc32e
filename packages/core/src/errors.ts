// Errors a user can act on. A message says where, what was expected, what came, and what to do; the CLI prints it
// without a stack and exits with `exitCode`. Anything else that is thrown is a bug of Atoll.

/** 1: the run failed; 2: the command line or config is wrong; 130: interrupted. */
export type ExitCode = 1 | 2 | 130;

export class AtollError extends Error {
  override readonly name: string = "AtollError";
  readonly exitCode: ExitCode;

  constructor(message: string, options: { readonly exitCode: ExitCode; readonly cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode;
  }
}

/** Bad input: refused before any work is done (exit code 2). */
export class ConfigError extends AtollError {
  override readonly name = "ConfigError";
  constructor(message: string, cause?: unknown) {
    super(message, { exitCode: 2, cause });
  }
}

/** The run could not go on (exit code 1). */
export class RunError extends AtollError {
  override readonly name = "RunError";
  constructor(message: string, cause?: unknown) {
    super(message, { exitCode: 1, cause });
  }
}

/** The user stopped the run; a checkpoint was written (exit code 130). */
export class InterruptedError extends AtollError {
  override readonly name = "InterruptedError";
  constructor(message: string, cause?: unknown) {
    super(message, { exitCode: 130, cause });
  }
}

/** A broken promise of the program to itself: a bug, not bad input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Invariant violated: ${message}. This is a bug in Atoll.`);
}

/** Closes a discriminated union; reached only if a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`Unexpected value ${JSON.stringify(value)}. This is a bug in Atoll.`);
}

/** Levenshtein distance: insertions, deletions and substitutions between two strings. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}

/** The known name nearest to `name`, if it is near enough to be what was meant. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const scored = known.map((candidate) => ({
    candidate,
    distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
  }));
  scored.sort((a, b) => a.distance - b.distance);
  const best = scored[0];
  // Short names must share something with the guess: every two-letter name is two edits away from any other.
  const most = Math.min(Math.max(2, Math.ceil(name.length / 3)), name.length - 1);
  return best && best.distance <= most ? best.candidate : undefined;
}

/** `Unknown strategy "dilocco". Did you mean "diloco"? Known: ddp, diloco, fedavg.` */
export function unknownName(what: string, name: string, known: readonly string[]): ConfigError {
  const guess = nearest(name, known);
  const hint = guess === undefined ? "" : ` Did you mean "${guess}"?`;
  return new ConfigError(`Unknown ${what} "${name}".${hint} Known: ${[...known].sort().join(", ")}.`);
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

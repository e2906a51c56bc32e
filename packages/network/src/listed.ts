// Ranks in a message: a deadlock among 1,000 ranks has to fit on a screen.

/** "rank 3", "ranks 1, 2", "ranks 0, 1, 2, 3, 4, 5, 6, 7 and 992 more". */
export function listed(what: string, numbers: readonly number[]): string {
  const shown = numbers.slice(0, 8).join(", ");
  const more = numbers.length > 8 ? ` and ${numbers.length - 8} more` : "";
  return `${what}${numbers.length === 1 ? "" : "s"} ${shown}${more}`;
}

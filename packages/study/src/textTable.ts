// Tables for a terminal: plain text in columns, two spaces apart; the first column is set flush left, all others flush right.

/** Lines without trailing spaces. Every row has as many cells as the head. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ""))));
  return all.map((row) =>
    row
      .map((cell, column) => {
        const space = " ".repeat(widths[column]! - widthOf(cell));
        return column === 0 ? cell + space : space + cell;
      })
      .join("  ")
      .trimEnd(),
  );
}

/** By code points, since a cell may hold a name in any script. */
const widthOf = (text: string): number => [...text].length;

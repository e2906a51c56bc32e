// Comma-separated values as RFC 4180 has them. The function also runs in the reader's browser, so it uses nothing from
// outside.

/** Lines end in CR LF; a field that holds a comma, a quote or a line break is quoted. */
export function csvText(rows: readonly (readonly string[])[]): string {
  const field = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

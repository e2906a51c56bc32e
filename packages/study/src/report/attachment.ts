// What a reader can save from a page: each figure as an SVG document of its own, each table as CSV.

/** Made when it is asked for: most pages are looked at and nothing of them is saved. */
export interface Attachment {
  readonly kind: "figure" | "table";
  /** The file's name without its ending; says what it shows. */
  readonly name: string;
  readonly content: () => string;
}

export interface NamedFile {
  readonly name: string;
  readonly content: string;
}

/** Attachments as files, in order; of several with one name, the later ones are numbered. */
export function filesOf(attachments: readonly Attachment[]): readonly NamedFile[] {
  const taken = new Map<string, number>();
  return attachments.map(({ kind, name, content }) => {
    const ending = kind === "figure" ? "svg" : "csv";
    const count = (taken.get(`${name}.${ending}`) ?? 0) + 1;
    taken.set(`${name}.${ending}`, count);
    return { name: `${name}${count > 1 ? `-${count}` : ""}.${ending}`, content: content() };
  });
}

/** A text as part of a file's name: letters, digits, dots and dashes; long ones are cut. */
export const fileStem = (text: string): string =>
  text
    .normalize("NFKD")
    .replace(/[^\w.=-]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "")
    .slice(0, 80) || "unnamed";

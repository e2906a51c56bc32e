// The code blocks of a document, and what comments above them say about how they are tried:
//   <!-- snippet: with maxSteps=20 trainSize=500 -->   these options are added to every run in it, to make it short
//   <!-- snippet: file mine.ts -->                     the block is that file, for blocks after it
//   <!-- snippet: not run: needs MNIST's files -->     with a reason; its commands are checked, and not carried out
// Blocks of other languages than sh, console and ts are text.

export type Directive =
  | { readonly kind: "with"; readonly options: string }
  | { readonly kind: "file"; readonly name: string }
  | { readonly kind: "notRun"; readonly reason: string };

export interface Snippet {
  readonly language: "sh" | "console" | "ts";
  readonly text: string;
  /** Of the document, where its fence begins. */
  readonly line: number;
  readonly directive: Directive | null;
}

const FENCE = /^```(\w*)\s*$/;
const COMMENT = /^<!-- snippet: (.*) -->$/;

/** @throws Error that names the line, for a directive that is none, and for a command in a block without a language */
export function snippetsOf(markdown: string): readonly Snippet[] {
  const lines = markdown.split("\n");
  const snippets: Snippet[] = [];
  for (let at = 0; at < lines.length; at++) {
    const language = FENCE.exec(lines[at]!)?.[1];
    if (language === undefined) continue;
    const start = at;
    do at++;
    while (at < lines.length && !lines[at]!.startsWith("```"));
    const body = lines.slice(start + 1, at);
    const line = start + 1;
    if (language === "" && body.some((text) => text.startsWith("npx atoll")))
      throw new Error(
        `Line ${line}: a block of commands without a language. Call it sh, or console with its output.`,
      );
    if (language !== "sh" && language !== "console" && language !== "ts") continue;
    const above = COMMENT.exec(lines[start - 1] ?? "")?.[1];
    const directive = above === undefined ? null : directiveOf(above, line);
    snippets.push({ language, text: `${body.join("\n")}\n`, line, directive });
  }
  return snippets;
}

function directiveOf(text: string, line: number): Directive {
  const [, kind, rest = ""] = /^(with |file |not run: )(.+)$/.exec(text) ?? [];
  if (kind === "with ") return { kind: "with", options: rest };
  if (kind === "file ") return { kind: "file", name: rest };
  if (kind === "not run: ") return { kind: "notRun", reason: rest };
  throw new Error(
    `Line ${line}: expected "with key=value …", "file NAME" or "not run: REASON" in the comment above it, got "${text}".`,
  );
}

/** What a console block types, and what it shows then: a line "…" stands for any number of lines. */
export interface Typed {
  readonly command: string;
  readonly output: readonly string[];
}

/** Commands begin with "$ ", and go on in the next line after a backslash. */
export function typedIn({ text }: Pick<Snippet, "text">): readonly Typed[] {
  const typed: { command: string; output: string[] }[] = [];
  let isOpen = false;
  for (const line of text.trimEnd().split("\n")) {
    const last = typed.at(-1);
    if (line.startsWith("$ ")) typed.push({ command: line.slice(2), output: [] });
    else if (last === undefined) throw new Error(`A console block begins with a command, got "${line}".`);
    else if (isOpen) last.command += `\n${line}`;
    else last.output.push(line);
    isOpen = line.endsWith("\\") && (line.startsWith("$ ") || isOpen);
  }
  return typed;
}

/** The words of each `npx atoll …` of a script, without "npx atoll": as a shell splits them, as far as documents need it. */
export function commandsIn(script: string): readonly (readonly string[])[] {
  const lines = script.replaceAll(/\\\n\s*/g, " ").split("\n");
  return lines.flatMap((line) => {
    const words = wordsOf(line);
    const at = words.indexOf("npx");
    const isCommand =
      at >= 0 && words[at + 1] === "atoll" && words.slice(0, at).every((w) => w.includes("="));
    if (!isCommand) return [];
    const end = words.findIndex((word) => /^([|&;<>]|\d?>)/.test(word));
    return [words.slice(at + 2, end === -1 ? undefined : end)];
  });
}

/** Words between blanks, quotes taken off; what follows a "#" is left out. */
function wordsOf(line: string): readonly string[] {
  const words: string[] = [];
  for (const [text] of line.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)) {
    if (text.startsWith("#")) break;
    words.push(text.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, double, single) => double ?? single));
  }
  return words;
}

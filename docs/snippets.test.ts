// Every snippet of the documents: commands and programs are run, those that cannot be are checked by the command line, and
// all programs are of the right types. CONTRIBUTING.md says how a block is marked; test/snippets.ts reads the marks.

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { complaintAbout } from "./test/dryRun.ts";
import { Session } from "./test/session.ts";
import { commandsIn, type Snippet, snippetsOf, typedIn } from "./test/snippets.ts";

/** A guard against a command that hangs: on a busy machine a document takes minutes. */
const TIMEOUT_MS = 900_000;

const docs = fileURLToPath(new URL("./", import.meta.url));
const repository = join(docs, "..");
const documents = [
  join(repository, "README.md"),
  join(repository, "CONTRIBUTING.md"),
  ...readdirSync(docs)
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(docs, name)),
];
const read = (path: string): readonly Snippet[] => snippetsOf(readFileSync(path, "utf8"));

const commandsOf = (snippet: Snippet): readonly (readonly string[])[] => {
  if (snippet.language === "ts") return [];
  const scripts = snippet.language === "sh" ? [snippet.text] : typedIn(snippet).map(({ command }) => command);
  return scripts.flatMap(commandsIn);
};

test.each(documents.map((path) => [relative(repository, path), path]))(
  "the snippets of %s run, or are what the command line takes",
  async (_, path) => {
    await using session = await Session.open();
    for (const snippet of read(path)) {
      if (snippet.directive?.kind === "notRun") await check(snippet, session.directory);
      else await session.run(snippet);
    }
  },
  TIMEOUT_MS,
);

async function check(snippet: Snippet, directory: string): Promise<void> {
  for (const argv of commandsOf(snippet))
    expect(
      await complaintAbout(argv, directory),
      `line ${snippet.line}: npx atoll ${argv.join(" ")}`,
    ).toBeUndefined();
}

test("programs in documents are of the right types", async () => {
  const home = join(docs, ".snippets");
  await mkdir(home, { recursive: true });
  const directory = await mkdtemp(join(home, "types-"));
  try {
    const options = { composite: false, incremental: false, declaration: false, emitDeclarationOnly: false };
    const compilerOptions = { ...options, noEmit: true, isolatedDeclarations: false, noUnusedLocals: false };
    const config = { extends: "../../../tsconfig.base.json", compilerOptions, include: ["**/*.ts"] };
    await writeFile(join(directory, "tsconfig.json"), JSON.stringify(config));
    for (const path of documents)
      for (const { language, text, line, directive } of read(path)) {
        if (language !== "ts") continue;
        const folder = join(directory, relative(repository, path).replaceAll(/\W/g, "-"));
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, directive?.kind === "file" ? directive.name : `line-${line}.ts`), text);
      }
    const tsc = join(repository, "node_modules", ".bin", "tsc");
    const result = await promisify(execFile)(tsc, ["-p", directory]).catch(
      (error: { stdout: string }) => error,
    );
    expect(result.stdout).toBe("");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

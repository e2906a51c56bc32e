// Carries out the snippets of one document, in their order and in one directory, as a reader would: commands in a shell in
// which `npx atoll` is this repository's, programs on the Node that runs the tests.

import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Snippet, typedIn } from "./snippets.ts";

const repository = fileURLToPath(new URL("../../", import.meta.url));
/** Inside the repository, so that programs find its packages; Git ignores it. */
const home = join(repository, "docs", ".snippets");

/** A command that goes on for longer is taken to hang. */
const TIMEOUT_MS = 600_000;

export class Session implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<Session> {
    await mkdir(home, { recursive: true });
    const directory = await mkdtemp(join(home, "session-"));
    await symlink(join(repository, "examples"), join(directory, "examples"));
    return new Session(directory);
  }

  /** @throws Error with what the snippet printed, if it fails or prints something else than the document shows */
  async run(snippet: Snippet): Promise<void> {
    const { language, text, directive, line } = snippet;
    if (directive?.kind === "file") return writeFile(join(this.directory, directive.name), text);
    const options = directive?.kind === "with" ? directive.options : "";
    if (language === "ts") return this.#program(`line-${line}.ts`, text);
    if (language === "sh") return void (await this.#shell(text, options));
    for (const { command, output } of typedIn(snippet))
      compare(await this.#shell(command, options), output, line);
  }

  async #program(name: string, text: string): Promise<void> {
    const path = join(this.directory, name);
    await writeFile(path, text);
    await this.#execute(process.execPath, [path], process.env);
  }

  async #shell(script: string, options: string): Promise<string> {
    const bin = join(this.directory, ".bin");
    await mkdir(bin, { recursive: true });
    const npx = join(bin, "npx");
    await writeFile(npx, shim(options));
    await chmod(npx, 0o755);
    return this.#execute("sh", ["-euc", script], { ...process.env, PATH: `${bin}:${process.env.PATH}` });
  }

  #execute(file: string, argv: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    execFile(file, argv, { cwd: this.directory, env, timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stdout}${stderr}`, { cause: error }));
      else resolve(`${stdout}\n${stderr}`);
    });
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Stands for npx: runs this repository's atoll, with more options where it makes runs. */
const shim = (options: string): string => `#!/bin/sh
[ "$1" = atoll ] || { echo "Documents run nothing by npx but atoll." >&2; exit 2; }
shift
case "$1" in train|compare) set -- "$@" ${options} ;; esac
exec "${process.execPath}" "${join(repository, "packages/cli/bin/atoll.mjs")}" "$@"
`;

/** Every line that the document shows has to be printed, in that order; the lines left out are where it says "…". */
function compare(printed: string, shown: readonly string[], line: number): void {
  const lines = printed.split("\n").map((text) => text.trimEnd());
  let at = 0;
  for (const expected of shown) {
    if (expected === "…") continue;
    const found = lines.indexOf(expected.trimEnd(), at);
    if (found === -1)
      throw new Error(`The console block of line ${line} shows "${expected}", which is not in:\n${printed}`);
    at = found + 1;
  }
}

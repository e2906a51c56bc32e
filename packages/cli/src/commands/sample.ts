// atoll sample: writes text with the model that a run has left, token by token.

import { resolve } from "node:path";
import { ConfigError, type ConfigTree, createRandom, InterruptedError } from "@atoll/core";
import { onnx } from "@atoll/tensor/node";
import { createDecoder, createTokenizer, generate, type Tokenizer } from "@atoll/train";
import { readCheckpointModel, readFittedModel, readVocabulary } from "@atoll/train/node";
import { parseArguments } from "../arguments.ts";
import { table } from "../help.ts";
import { numberOf } from "../numberFlag.ts";
import { modelOfRun } from "../runModel.ts";
import { findRun } from "../runPaths.ts";
import type { Command, Terminal } from "../terminal.ts";

const USUAL = { tokens: 300, temperature: 0.8, seed: 0 };

const flags = {
  json: { type: "boolean" },
  "runs-dir": { type: "string" },
  prompt: { type: "string" },
  tokens: { type: "string" },
  temperature: { type: "string" },
  "top-k": { type: "string" },
  seed: { type: "string" },
  step: { type: "string" },
} as const;

interface SampleArguments {
  readonly run: string;
  readonly json: boolean;
  /** Undefined: begin at a line break. */
  readonly prompt: string | undefined;
  readonly tokens: number;
  readonly temperature: number;
  readonly topK: number | undefined;
  readonly seed: number;
  /** Of the checkpoint to take; undefined for the fitted model. */
  readonly step: number | undefined;
}

export const sampleCommand: Command = {
  help: () => Promise.resolve(HELP),
  async run(argv, terminal) {
    const parsed = readArguments(argv, terminal);
    const weights =
      parsed.step === undefined ? readFittedModel(parsed.run) : readCheckpointModel(parsed.run, parsed.step);
    const vocabulary = readVocabulary(parsed.run);
    if (vocabulary === undefined)
      throw new ConfigError(
        `The run ${parsed.run} is of no text: it has no vocabulary.json. Give a run of a text, such as one of npx atoll train nanogpt.`,
      );
    const [tokenizer, model] = await Promise.all([
      createTokenizer(vocabulary),
      modelOfRun(parsed.run, terminal),
    ]);
    const { prompt, tokens: count, temperature, topK, seed } = parsed;
    const start = terminal.now();
    const tokens = generate({
      model,
      ...weights,
      prompt: prompt === undefined ? beginningOf(tokenizer) : tokenizer.encode(prompt),
      count,
      temperature,
      ...(topK === undefined ? {} : { topK }),
      random: createRandom(seed).derive("sample"),
      backend: onnx,
      signal: terminal.interrupted,
    });
    const { text, firstAt } = await write(tokens, tokenizer, parsed, terminal);
    const end = terminal.now();
    const seconds = { start: (firstAt - start) / 1000, rest: (end - firstAt) / 1000 };
    const speed = count > 1 ? (count - 1) / seconds.rest : null;
    if (parsed.json) terminal.output(`${JSON.stringify(jsonOf(parsed, text, speed))}\n`);
    terminal.error(
      `\n${count} tokens${speed === null ? "" : `, ${speed.toPrecision(3)} a second`}; ${seconds.start.toFixed(1)} s to the first\n`,
    );
    return 0;
  },
};

/** Writes the text out as it comes, unless it goes into a JSON object; returns it, and when its first token came. */
async function write(
  tokens: AsyncIterable<number>,
  tokenizer: Tokenizer,
  { prompt, json }: SampleArguments,
  terminal: Terminal,
): Promise<{ readonly text: string; readonly firstAt: number }> {
  const decoder = createDecoder(tokenizer);
  let text = "";
  let firstAt: number | undefined;
  const put = (piece: string): void => {
    text += piece;
    if (!json) terminal.output(piece);
  };
  try {
    for await (const token of tokens) {
      if (firstAt === undefined) {
        firstAt = terminal.now();
        if (!json && prompt !== undefined) terminal.output(prompt);
      }
      put(decoder.push(token));
    }
  } catch (error) {
    if (!terminal.interrupted.aborted) throw error;
    if (!json) terminal.output("\n");
    throw new InterruptedError("Interrupted before the last token.", error);
  }
  put(decoder.end());
  if (!json) terminal.output("\n");
  return { text, firstAt: firstAt ?? terminal.now() };
}

/** Where nobody says how the text begins: a line break, as at the start of a speech; else the vocabulary's first token. */
function beginningOf(tokenizer: Tokenizer): Uint16Array {
  const { vocabulary } = tokenizer;
  const hasLineBreak = vocabulary.kind === "bpe" || vocabulary.symbols.includes("\n");
  return hasLineBreak ? tokenizer.encode("\n") : Uint16Array.of(0);
}

function readArguments(argv: readonly string[], { workingDirectory }: Terminal): SampleArguments {
  const { values, positionals } = parseArguments(argv, flags);
  const [run, ...others] = positionals;
  if (run === undefined)
    throw new ConfigError("Expected a run, got nothing. Example: npx atoll sample nanogpt-diloco-001.");
  if (others.length > 0)
    throw new ConfigError(
      `Expected one run, got "${others[0]}" too. Write a prompt of several words in quotes: --prompt "To be".`,
    );
  const text = (name: keyof typeof flags): string | undefined => values[name] as string | undefined;
  const count = (name: "tokens" | "seed" | "step" | "top-k", least: number): number | undefined =>
    numberOf(`--${name}`, text(name), { least, whole: true });
  const runsDirectory = resolve(workingDirectory, text("runs-dir") ?? "runs");
  return {
    run: findRun(run, { runsDirectory, workingDirectory }),
    json: values.json === true,
    prompt: text("prompt"),
    tokens: count("tokens", 1) ?? USUAL.tokens,
    temperature: numberOf("--temperature", text("temperature"), { least: 0 }) ?? USUAL.temperature,
    topK: count("top-k", 1),
    seed: count("seed", 0) ?? USUAL.seed,
    step: count("step", 0),
  };
}

const jsonOf = (
  { run, prompt, tokens, temperature, topK, seed, step }: SampleArguments,
  text: string,
  speed: number | null,
): ConfigTree => ({
  run,
  step: step ?? null,
  prompt: prompt ?? null,
  text,
  tokens,
  temperature,
  topK: topK ?? null,
  seed,
  tokensPerSecond: speed,
});

const HELP = `Writes text with the model of a run: the fitted one, or the average of the nodes at a checkpoint.

Usage: npx atoll sample <run> [flags]

<run> is the name of a run of a text, or its directory. The text goes to standard output as it is written,
after the prompt; the same flags give the same text. Neither the text that the run was trained on nor a
network is needed, as long as the model is Atoll's own GPT.

Flags:
${table([
  ["--prompt TEXT", "how the text begins, at most the model's blockSize of tokens; a line break if left out"],
  ["--tokens N", `how many tokens to write (default ${USUAL.tokens})`],
  [
    "--temperature T",
    `below 1 likely tokens become likelier; 0 takes the likeliest (default ${USUAL.temperature})`,
  ],
  ["--top-k K", "draw from the K likeliest tokens only; default all"],
  ["--seed S", `seed of the draws (default ${USUAL.seed})`],
  ["--step N", "the checkpoint of this step instead of the fitted model"],
  ["--json", "print one JSON object with prompt, text and settings instead of the text itself"],
  ["--runs-dir DIR", "where run directories are (default runs)"],
])}

Exit codes: 0 done, 1 failed, 2 the command line or config is wrong, 130 interrupted.

Examples:
  npx atoll sample nanogpt-diloco-001 --prompt "ROMEO:" --tokens 500 --top-k 40
  npx atoll sample runs/nanogpt-ddp-001 --step 100 --temperature 0 --json
`;

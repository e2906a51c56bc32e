// A run on disk: config.json, events.jsonl, train.csv, validation.csv, checkpoints, model.safetensors, summary.json; of
// a text model vocabulary.json, of a run that records more than losses records.csv, too.
// events.jsonl is the truth; the CSV files hold the same events in EXO Gym's columns. Events are gathered and written
// in blocks, and always before a checkpoint, so a checkpoint never knows more than the log. What cannot be written ends
// the run with one sentence.

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { encodeSafetensors } from "@atoll/checkpoint";
import {
  latestCheckpoint,
  loadCheckpoint,
  makeDirectories,
  saveCheckpoint,
  writeError,
  writeFileAtomic,
} from "@atoll/checkpoint/node";
import { ConfigError, type ConfigTree, type ConfigValue, messageOf, type RunEvent } from "@atoll/core";
import { flattenTree, type HostTensor, type Tree } from "@atoll/tensor";
import type { Vocabulary } from "../data/index.ts";
import type { FitResult } from "../localTrainer.ts";
import type { CheckpointStore } from "../options.ts";
import type { NodeState, RunSnapshot } from "../snapshot.ts";
import {
  RECORDS_HEADER,
  recordRows,
  TRAIN_HEADER,
  trainRows,
  VALIDATION_HEADER,
  validationRows,
} from "./csv.ts";
import { releaseLock, takeLock } from "./runLock.ts";
import { readVocabulary, VOCABULARY_FILE } from "./vocabularyFile.ts";

/** Events gathered before they are written. */
const BLOCK = 256;

export interface NewRun {
  /** Whether the name is the user's choice; one that is taken is refused then, and numbered otherwise. */
  readonly named: boolean;
  /** What goes into config.json beside what the trainer resolves. */
  readonly config: ConfigTree;
}

/** What a checkpoint's state.json holds of a run. */
interface SavedState {
  readonly nodes: readonly NodeState[];
  readonly world: ConfigValue;
  readonly durations: readonly number[] | null;
  readonly faults?: RunSnapshot["faults"];
}

export class RunDirectory implements CheckpointStore, AsyncDisposable {
  readonly name: string;
  readonly path: string;
  readonly config: ConfigTree;
  readonly #checkpoint: string | undefined;
  #waiting: RunEvent[] = [];
  #history: readonly RunEvent[] = [];
  #started: boolean;

  private constructor(runsDirectory: string, name: string, config: ConfigTree, checkpoint?: string) {
    this.name = name;
    this.path = join(runsDirectory, name);
    this.config = config;
    this.#checkpoint = checkpoint;
    this.#started = checkpoint !== undefined;
  }

  /**
   * Makes the directory of a new run. It goes away again if the run ends before its first event.
   * @throws ConfigError if the name is taken or the directory cannot be made.
   */
  static create(runsDirectory: string, name: string, { named, config }: NewRun): RunDirectory {
    if (!/^\w[\w.-]*$/.test(name))
      throw new ConfigError(
        `Run name "${name}": expected letters, digits, ".", "_" and "-" only, since it names a directory.`,
      );
    makeDirectories(runsDirectory);
    for (let number = 1; ; number++) {
      const candidate = named ? name : `${name}-${String(number).padStart(3, "0")}`;
      if (makeNew(join(runsDirectory, candidate))) {
        takeLock(join(runsDirectory, candidate));
        return new RunDirectory(runsDirectory, candidate, config);
      }
      if (named)
        throw new ConfigError(
          `Run "${name}" exists already in ${runsDirectory}. ${isFinished(join(runsDirectory, name)) ? "It is finished: choose" : "Go on with it by --resume, or choose"} a new name.`,
        );
    }
  }

  /**
   * Opens a run to go on from its last checkpoint.
   * @throws ConfigError if there is no such run, it has no checkpoint, or it is finished.
   */
  static open(runsDirectory: string, name: string): RunDirectory {
    const path = join(runsDirectory, name);
    const configPath = join(path, "config.json");
    if (!existsSync(configPath))
      throw new ConfigError(
        `There is no run "${name}" in ${runsDirectory} to resume. Check the name, or run without --resume.`,
      );
    if (isFinished(path))
      throw new ConfigError(
        `Run "${name}" is finished; there is nothing to resume. Start a new run under another name for more steps.`,
      );
    const checkpoint = latestCheckpoint(path);
    if (checkpoint === undefined)
      throw new ConfigError(
        `Run "${name}" has no checkpoint to resume from. Start it again under a new name; checkpointInterval=… saves on the way.`,
      );
    const { resolved: _, ...config } = readConfig(configPath);
    return new RunDirectory(runsDirectory, name, config, checkpoint);
  }

  /** Whether the run has had its first event. */
  get started(): boolean {
    return this.#started;
  }

  /** Whether there is something to go on from. */
  get hasCheckpoint(): boolean {
    return latestCheckpoint(this.path) !== undefined;
  }

  /** Steps and evaluations of the log as it was cut by `resumeSnapshot`; none for a new run. */
  get history(): readonly RunEvent[] {
    return this.#history;
  }

  /**
   * What the run goes on from, its log cut back to there; nodes' tensors are read when they are asked for.
   * @throws ConfigError if another process is writing to the run, or the log is damaged
   */
  resumeSnapshot(): RunSnapshot | undefined {
    if (this.#checkpoint === undefined) return undefined;
    takeLock(this.path);
    const { step, state, files, read } = loadCheckpoint(this.#checkpoint);
    const { nodes, world, durations, faults = null } = state as unknown as SavedState;
    this.#cutLog(step);
    return {
      step,
      nodes: nodes.map((node, rank) => ({ state: node, tensors: () => read(files[rank]!) })),
      world,
      durations,
      faults,
    };
  }

  /**
   * Keeps what the tokens of a text stand for, so that what the model writes can be read.
   * @throws ConfigError if the run to resume was trained on other tokens
   */
  keepVocabulary(vocabulary: Vocabulary): void {
    const text = `${JSON.stringify(vocabulary)}\n`;
    const saved = this.#checkpoint === undefined ? undefined : readVocabulary(this.path);
    if (saved !== undefined && `${JSON.stringify(saved)}\n` !== text)
      throw new ConfigError(
        `Run "${this.name}" was trained on other tokens than the text has now (${saved.size} then, ${vocabulary.size} now; see ${join(this.path, VOCABULARY_FILE)}). Resume it with the text that it was started with.`,
      );
    this.#write(VOCABULARY_FILE, text);
  }

  /** Takes an event of the run, as its sink. @throws RunError if it cannot be written. */
  record(event: RunEvent): void {
    if (event.type === "runStarted") this.#begin(event.config);
    this.#waiting.push(event);
    // What a reader waits for is written at once; a checkpoint's event, so that the log knows it if the run is killed.
    const urgent = event.type === "checkpoint" || event.type === "runFinished";
    if (this.#waiting.length >= BLOCK || urgent) this.flush();
  }

  /** Writes the events gathered so far. */
  flush(): void {
    const events = this.#waiting;
    this.#waiting = [];
    this.#append("events.jsonl", events.map((event) => `${JSON.stringify(event)}\n`).join(""));
    this.#append("train.csv", trainRows(events));
    this.#append("validation.csv", validationRows(events));
    this.#append("records.csv", recordRows(events));
  }

  /** Saves a checkpoint: a safetensors file a node, and state.json. */
  async save({ step, nodes, world, durations, faults = null }: RunSnapshot): Promise<string> {
    this.flush();
    const state: SavedState = { nodes: nodes.map((node) => node.state), world, durations, faults };
    return saveCheckpoint(this.path, step, {
      tensors: Object.fromEntries(
        nodes.map((node, rank) => [`node-${String(rank).padStart(4, "0")}`, node.tensors()]),
      ),
      state: state as unknown as ConfigValue,
    });
  }

  /** Writes the fitted model as one safetensors file: `parameters.<path>` and `buffers.<path>`, in their shapes. */
  async writeModel({ parameters, buffers }: Pick<FitResult, "parameters" | "buffers">): Promise<string> {
    const path = join(this.path, "model.safetensors");
    const named = (prefix: string, tree: Tree<HostTensor>): [string, HostTensor][] =>
      flattenTree(tree).map((entry) => [`${prefix}.${entry.path}`, entry.leaf]);
    const tensors = Object.fromEntries([...named("parameters", parameters), ...named("buffers", buffers)]);
    await writeFileAtomic(path, encodeSafetensors(tensors, { run: this.name }));
    return path;
  }

  writeSummary(summary: ConfigTree): void {
    this.flush();
    this.#write("summary.json", `${JSON.stringify(summary, null, 2)}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#started) {
      rmSync(this.path, { recursive: true, force: true });
      return;
    }
    this.flush();
    releaseLock(this.path);
  }

  #begin(resolved: ConfigTree): void {
    this.#write("config.json", `${JSON.stringify({ name: this.name, ...this.config, resolved }, null, 2)}\n`);
    if (!this.#started) {
      this.#write("train.csv", TRAIN_HEADER);
      this.#write("validation.csv", VALIDATION_HEADER);
      if (resolved.record !== undefined) this.#write("records.csv", RECORDS_HEADER);
    }
    this.#started = true;
  }

  /** Cuts off what the log holds beyond the checkpoint's step, and writes the CSV files anew from it. */
  #cutLog(step: number): void {
    const path = join(this.path, "events.jsonl");
    const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
    const events = wholeEvents(lines);
    let end = events.findLastIndex((event) => event.type === "step" && event.step === step) + 1;
    if (end === 0 && step > 0)
      throw new ConfigError(
        `Damaged run: ${path}: expected the event of step ${step}, which the checkpoint is of, got ${events.length} events without it. Start the run again under a new name.`,
      );
    while (end < events.length && isAtCut(events[end]!, step)) end++;
    // Nodes may have crashed or recovered between the step and the checkpoint, which knows of it.
    const saved = events.findLastIndex((event) => event.type === "checkpoint" && event.step === step);
    end = Math.max(end, saved + 1);
    const kept = events.slice(0, end);
    this.#history = kept.filter(({ type }) => ["step", "evaluation", "recorded"].includes(type));
    const bytes = lines.slice(0, end).reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    attempt(path, (log) => truncateSync(log, bytes));
    this.#write("train.csv", TRAIN_HEADER + trainRows(kept));
    this.#write("validation.csv", VALIDATION_HEADER + validationRows(kept));
    if (existsSync(join(this.path, "records.csv")))
      this.#write("records.csv", RECORDS_HEADER + recordRows(kept));
  }

  /** A file is there whole or as it was before, even if the process is killed. */
  #write(file: string, text: string): void {
    attempt(join(this.path, file), (path) => {
      writeFileSync(`${path}.part`, text);
      renameSync(`${path}.part`, path);
    });
  }

  #append(file: string, text: string): void {
    if (text !== "") attempt(join(this.path, file), (path) => appendFileSync(path, text));
  }
}

/**
 * Evaluations, records and checkpoints follow the step that they are of. The evaluation of the final model comes after all
 * checkpoints, so a resumed run does it again.
 */
const isAtCut = (event: RunEvent, step: number): boolean =>
  ((event.type === "evaluation" && event.split === "validation") ||
    event.type === "recorded" ||
    event.type === "checkpoint") &&
  event.step === step;

/** The events of a log up to the first line that is none: one was being written when the run was killed or the disk full. */
function wholeEvents(lines: readonly string[]): readonly RunEvent[] {
  const events: RunEvent[] = [];
  for (const line of lines) {
    try {
      events.push(JSON.parse(line) as RunEvent);
    } catch {
      break;
    }
  }
  return events;
}

const isFinished = (path: string): boolean => existsSync(join(path, "summary.json"));

/** Makes a directory; false if it is there already, be it since a moment ago by another process. */
function makeNew(path: string): boolean {
  if (existsSync(path)) return false;
  try {
    mkdirSync(path);
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return false;
    throw writeError(path, cause);
  }
}

function readConfig(path: string): ConfigTree {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ConfigTree;
  } catch (cause) {
    throw new ConfigError(
      `Damaged run: ${path}: expected the run's options as JSON (${messageOf(cause)}). Start the run again under a new name.`,
      cause,
    );
  }
}

/** Does something with a file; a full disk or a missing permission becomes one sentence. */
function attempt(path: string, action: (path: string) => void): void {
  try {
    action(path);
  } catch (cause) {
    throw writeError(path, cause);
  }
}

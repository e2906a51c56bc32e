// Shows a run as it goes: one line that is redrawn on a terminal, a plain line now and then elsewhere.

import {
  type Evaluated,
  type FaultHappened,
  formatBytes,
  formatSeconds,
  type RunEvent,
  type RunStarted,
  type StepDone,
} from "@atoll/core";
import type { DownloadProgress } from "@atoll/train/node";
import { LineBudget } from "./lineBudget.ts";
import type { Terminal } from "./terminal.ts";

const REDRAW_MS = 100;
/** Plain lines are for logs: about this many a run. */
const PLAIN_LINES = 20;
/** The first faults tell what goes on; the report has all of them in a figure. */
const FAULT_LINES = { perSecond: 5, perRun: 20 };
const BAR_WIDTH = 24;
/** A narrower bar shows nothing that the step does not. */
const LEAST_BAR_WIDTH = 6;

/** A reader of events that draws progress on a terminal's standard error. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #faultLines = new LineBudget(FAULT_LINES);
  /** Those that only slow a run: they must not take the place of the others. */
  readonly #slowLines = new LineBudget(FAULT_LINES);
  readonly #warnings = new Set<string>();
  #maxSteps = 0;
  /** What seconds are called. */
  #clock = "simulated";
  // Steps that a roll-back undid are done again: plain lines and evaluations are for those not come to before.
  #furthest = 0;
  #evaluated = 0;
  #drawnAt = 0;
  #open = false;
  #downloading = "";
  #diverged = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(event: RunEvent): void {
    if (event.type === "runStarted") this.#start(event);
    else if (event.type === "step") this.#step(event);
    else if (event.type === "evaluation") this.#evaluation(event);
    else if (event.type === "checkpoint") this.note(`step ${event.step}: checkpoint ${event.path}`);
    else if (event.type === "warning") this.#warn(event.message);
    else if (event.type === "fault") this.#fault(event);
    else if (event.type === "runFinished") this.#close();
  }

  #start(event: RunStarted): void {
    this.#maxSteps = event.maxSteps;
    if (event.config.mode !== "processes") return;
    this.#clock = "trained";
    const links = describeLinks(event);
    if (links !== undefined) this.note(links);
  }

  /** One line a file on a terminal, redrawn; elsewhere the file's name once. */
  download({ url, receivedBytes, totalBytes }: DownloadProgress): void {
    const line = `downloading ${url}`;
    const now = this.#terminal.now();
    if (!this.#terminal.interactive) {
      if (this.#downloading !== url) this.#terminal.error(`${line}\n`);
    } else if (now - this.#drawnAt >= REDRAW_MS) {
      this.#drawnAt = now;
      const total = totalBytes === null ? "" : ` of ${formatBytes(totalBytes)}`;
      this.#redraw(`${line}  ${formatBytes(receivedBytes)}${total}`);
    }
    this.#downloading = url;
  }

  /** A line of its own, above the progress line. */
  note(text: string): void {
    this.#clear();
    this.#terminal.error(`${text}\n`);
  }

  #evaluation({ split, step, loss: { local, global }, accuracy }: Evaluated): void {
    if (split !== "validation" || step <= this.#evaluated) return;
    this.#evaluated = step;
    this.note(
      `step ${step}: validation loss ${formatLoss(local)} local, ${formatLoss(global)} global${accuracies(accuracy)}`,
    );
  }

  #warn(message: string): void {
    if (this.#warnings.has(message)) return;
    this.#warnings.add(message);
    this.note(`warning: ${message}`);
  }

  #fault({ kind, time, message }: FaultHappened): void {
    const lines = kind === "straggler" || kind === "outage" ? this.#slowLines : this.#faultLines;
    if (!lines.admit(this.#terminal.now())) return;
    this.#noteHeldFaults();
    this.note(`at ${formatSeconds(time)}: ${message}`);
  }

  #noteHeldFaults(): void {
    const held = this.#faultLines.takeHeld() + this.#slowLines.takeHeld();
    if (held > 0) this.note(`… and ${held} more ${held === 1 ? "fault" : "faults"}`);
  }

  #step(event: StepDone): void {
    if (!this.#diverged && !Number.isFinite(event.loss)) {
      this.#diverged = true;
      this.note(
        `step ${event.step}: the training loss is ${event.loss}: the run has diverged. A smaller learning rate may help.`,
      );
    }
    if (!this.#terminal.interactive) {
      const every = Math.max(1, Math.ceil(this.#maxSteps / PLAIN_LINES));
      const isDue = event.step % every === 0 || event.step === this.#maxSteps;
      if (!isDue || event.step <= this.#furthest) return;
      this.#furthest = event.step;
      this.#terminal.error(`${facts(event, this.#maxSteps, this.#clock).join("  ")}\n`);
      return;
    }
    const now = this.#terminal.now();
    if (now - this.#drawnAt < REDRAW_MS && event.step < this.#maxSteps) return;
    this.#drawnAt = now;
    this.#redraw(
      barLine(
        facts(event, this.#maxSteps, this.#clock),
        event.step / this.#maxSteps,
        this.#terminal.columns - 1,
      ),
    );
  }

  #redraw(line: string): void {
    this.#terminal.error(`\r\u001b[K${line.slice(0, this.#terminal.columns - 1)}`);
    this.#open = true;
  }

  #clear(): void {
    if (this.#open) this.#terminal.error("\r\u001b[K");
    this.#open = false;
  }

  #close(): void {
    this.#noteHeldFaults();
    if (this.#open) this.#terminal.error("\n");
    this.#open = false;
  }
}

/** In the order of their use to a reader: where there is no room for all, the last ones go. */
const facts = (
  { step, loss, learningRate, time, bytesSent }: StepDone,
  maxSteps: number,
  clock: string,
): readonly string[] => [
  `step ${String(step).padStart(String(maxSteps).length)}/${maxSteps}`,
  `loss ${formatLoss(loss)}`,
  `lr ${learningRate.toPrecision(3)}`,
  `${clock} ${formatSeconds(time)}`,
  `sent ${formatBytes(bytesSent)} a node`,
];

/** A bar and as many facts as fit into `width` columns, each of them whole: half a number is a wrong number. */
function barLine(facts: readonly string[], done: number, width: number): string {
  const shown = [...facts];
  while (shown.length > 1 && shown.join("  ").length > width) shown.pop();
  const text = shown.join("  ");
  const room = Math.min(BAR_WIDTH, width - text.length - 1);
  if (room < LEAST_BAR_WIDTH) return text;
  const filled = Math.round(done * room);
  return `${"█".repeat(filled)}${"░".repeat(room - filled)} ${text}`;
}

/** A loss that has exploded is a matter of its exponent. */
const formatLoss = (loss: number): string => (Math.abs(loss) < 1e4 ? loss.toFixed(4) : loss.toExponential(3));

const accuracies = (accuracy: { readonly local: number; readonly global: number } | null): string =>
  accuracy === null
    ? ""
    : `, accuracy ${(100 * accuracy.local).toFixed(1)} % local, ${(100 * accuracy.global).toFixed(1)} % global`;

/** What the links of a run on processes are like, in a line; undefined on one node, and of simulated machines. */
export function describeLinks({ nodes, config }: RunStarted): string | undefined {
  const { mode, shaping, shapingDetails } = config;
  if (mode !== "processes" || nodes === 1 || typeof shaping !== "string") return undefined;
  const details = shapingDetails === undefined ? "" : `. ${shapingDetails}`;
  if (shaping === "none") return `links not shaped: as fast as they are${details}`;
  return `links shaped ${shaping === "userSpace" ? "in user space" : `by ${shaping}`}${details}`;
}

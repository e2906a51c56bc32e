// Who of a run's ranks is with the others, seen from rank 0, which cannot be lost itself: whether those that are left go on
// when one is gone, by the strategy's policy, and who waits to be given a state.

import { type EventSink, type Rank, RunError } from "@atoll/core";
import { listed } from "@atoll/network";
import { quorumOf } from "../../faults/policy.ts";
import { FaultReport } from "../../faults/report.ts";
import type { MissingPolicy } from "../../strategies/whenMissing.ts";

export interface PresenceOptions {
  readonly worldSize: number;
  readonly policy: MissingPolicy;
  /** Whether the run goes on without ranks that are lost, where the policy lets it. */
  readonly survives: boolean;
  /** How long a lost rank is waited for, in milliseconds; 0 if none can come back. */
  readonly returnMs: number;
  /** Aborted once a rank will not come back. */
  readonly gone?: (rank: Rank) => AbortSignal;
  readonly emit: EventSink;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #present: Set<Rank>;
  /** They run, and wait for a state. */
  readonly #back = new Set<Rank>();
  readonly #report: FaultReport;
  #onReturn = Promise.withResolvers<void>();

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#present = new Set(Array.from({ length: options.worldSize }, (_, rank) => rank));
    this.#report = new FaultReport(options.emit, options.worldSize);
  }

  get survives(): boolean {
    return this.#options.survives;
  }

  /** In ascending order. */
  get present(): readonly Rank[] {
    return [...this.#present].sort((a, b) => a - b);
  }

  get back(): readonly Rank[] {
    return [...this.#back].sort((a, b) => a - b);
  }

  lost(rank: Rank, why: string, time: number): void {
    this.#present.delete(rank);
    this.#back.delete(rank);
    const message = `Rank ${rank} is lost: ${why}.`;
    this.#options.emit({ type: "fault", kind: "crash", time, ranks: [rank], message, until: null });
  }

  /** A rank is there and has not the others' state: it has come anew, or they went on without it. */
  isBack(rank: Rank): void {
    this.#present.delete(rank);
    this.#back.add(rank);
    this.#onReturn.resolve();
    this.#onReturn = Promise.withResolvers();
  }

  recovered(
    rank: Rank,
    from: { readonly from: Rank; readonly step: number; readonly bytes: number },
    time: number,
  ): void {
    this.#back.delete(rank);
    this.#present.add(rank);
    this.#report.recovered(rank, from, time);
  }

  goneOn(step: number, time: number): void {
    this.#report.begun(this.present, step, time);
  }

  /** Whether those that have a state are too few: for a quorum, or where nodes wait for all. */
  get isShort(): boolean {
    const { kind } = this.#options.policy;
    return (kind === "quorum" || kind === "wait") && this.#present.size < this.#needed;
  }

  /** Whether those that are too few can only go on once others have done the round, too. */
  get needsQuorum(): boolean {
    return this.#options.policy.kind === "quorum";
  }

  /** Ends when enough are there to go on, with a state or waiting for one. @throws RunError if they never are */
  async permission(step: number): Promise<void> {
    const { policy, returnMs } = this.#options;
    if (policy.kind === "none") return;
    await this.#untilThere(this.#needed, returnMs);
    if (this.#there < this.#needed) throw this.#refusal(step);
    if (policy.kind === "timeout" || policy.kind === "quorum")
      await this.#untilThere(this.#options.worldSize, Math.min(policy.seconds * 1000, returnMs));
  }

  #refusal(step: number): RunError {
    const { policy, worldSize } = this.#options;
    const are = this.present.length === 1 ? "is" : "are";
    const rule = policy.kind === "quorum" ? `a quorum needs ${this.#needed}` : "all have to be there";
    return new RunError(
      `The run cannot go on after step ${step}: ${listed("rank", this.present)} of ${worldSize} ${are} left, and ${rule}. Go on from its last checkpoint, or use faults.whenMissing=timeout.`,
    );
  }

  get #needed(): number {
    const { policy, worldSize } = this.#options;
    if (policy.kind === "quorum") return quorumOf(policy.fraction, worldSize);
    return policy.kind === "timeout" ? 1 : worldSize;
  }

  get #there(): number {
    return this.#present.size + this.#back.size;
  }

  /** Ends when so many are there, when no more can come back, or when the time has passed. */
  async #untilThere(enough: number, patienceMs: number): Promise<void> {
    const expired = AbortSignal.timeout(patienceMs);
    while (this.#there < enough && !expired.aborted) {
      const gone = this.#absent.flatMap((rank) => this.#options.gone?.(rank) ?? []);
      const left = gone.filter(({ aborted }) => !aborted);
      if (this.#there + this.#absent.length - (gone.length - left.length) < enough) return;
      await this.#someReturn(AbortSignal.any([expired, ...left]));
    }
  }

  get #absent(): readonly Rank[] {
    const ranks = Array.from({ length: this.#options.worldSize }, (_, rank) => rank);
    return ranks.filter((rank) => !this.#present.has(rank) && !this.#back.has(rank));
  }

  /** Ends when a rank is back, or at the signal. */
  async #someReturn(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve(), { once: true });
    await Promise.race([this.#onReturn.promise, promise]);
  }
}

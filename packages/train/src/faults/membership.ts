// Who of a run's nodes is with the others: nodes come to each exchange through `attend`, and the policy decides who takes
// part; a node that was lost gets its state from one that was not, and is with the others again from the next round on.
// Faults are known beforehand as functions of simulated time, so that a node computes only what it will live to see the end
// of, and a call of the communicator that would break off is found when it is timed.
// It is not in the way of runs without faults: those have none.

import type { SimulatedWorld } from "@atoll/comm";
import { type EventSink, type Rank, type Seconds, seconds } from "@atoll/core";
import type { Downtime, Network, VirtualClock } from "@atoll/network";
import { Futility } from "./futility.ts";
import { type Circumstances, Meeting } from "./meeting.ts";
import { Meetings } from "./meetings.ts";
import type { NodeMemories } from "./nodeMemory.ts";
import type { Outlook } from "./outlook.ts";
import type { FaultPlan } from "./policy.ts";
import { FaultReport } from "./report.ts";
import { type Given, Returns } from "./returns.ts";
import { RoundBegins, type RoundBeginsSnapshot } from "./roundBegins.ts";
import { LeftBehind, NodeCrashed, RollBack } from "./signals.ts";

/**
 * `current`: with the others. `behind`: it runs, but the others went on without it. `down`: crashed, and not back.
 */
export type NodeStatus = "current" | "behind" | "down";

export interface MembershipOptions {
  readonly plan: FaultPlan;
  readonly outlook: Outlook;
  readonly world: SimulatedWorld;
  readonly worldSize: number;
  readonly clock: VirtualClock;
  readonly network: Network;
  readonly emit: EventSink;
  readonly memory: NodeMemories;
  /** A node takes part in the steps after this one. */
  readonly onJoin: (rank: Rank, step: number) => void;
  readonly onLeave: (rank: Rank) => void;
}

/** What a checkpoint says of it. JSON. */
export interface MembershipSnapshot {
  readonly statuses: readonly NodeStatus[];
  readonly expected: readonly Rank[];
  readonly decided: number;
  /** When the nodes that were given their state have it all; 0 if none was. */
  readonly latestReturn: number;
  /** Left out by older versions. */
  readonly begins?: RoundBeginsSnapshot;
  readonly missing: readonly Rank[];
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #outlook: Outlook;
  #statuses: NodeStatus[];
  /** Nodes that the others wait for. */
  #expected: Set<Rank>;
  /** Steps of the last meeting that was decided. */
  #decided = -1;
  readonly #meetings: Meetings;
  readonly #returns: Returns;
  readonly #begins: RoundBegins;
  /** Nodes that have come to the end of the segment, or for good to theirs. */
  readonly #ended = new Set<Rank>();
  #latestReturn = 0;
  readonly #futility: Futility;
  /** How many nodes the last exchange began with. */
  #participants = 0;
  readonly #report: FaultReport;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#outlook = options.outlook;
    this.#outlook.follow((rank) => this.#statuses[rank] === "current");
    this.#meetings = new Meetings(options.clock);
    this.#begins = new RoundBegins(options);
    this.#returns = new Returns({ ...options, onGiven: (given) => this.#given(given) });
    this.#futility = new Futility(options.worldSize);
    this.#report = new FaultReport(options.emit, options.worldSize);
    const ranks = Array.from({ length: options.worldSize }, (_, rank) => rank);
    this.#statuses = ranks.map(() => "current");
    this.#expected = new Set(ranks);
  }

  status(rank: Rank): NodeStatus {
    return this.#statuses[rank]!;
  }

  /** A segment begins: the crashes that nodes may meet while they wait are entered on the clock. */
  begin(times: readonly Seconds[]): void {
    this.#ended.clear();
    this.#meetings.clear();
    this.#returns.clear();
    times.forEach((time, rank) => {
      if (this.#statuses[rank] === "current") this.#watch(rank, time);
    });
  }

  /**
   * A node comes to the exchange after a number of steps.
   * @param among the members of the same exchange that broke off, if it is begun again
   * @returns who takes part, this node among them
   * @throws NodeCrashed if it crashes while it waits, LeftBehind if the others went on without it
   */
  attend(rank: Rank, step: number, among?: readonly Rank[]): Promise<readonly Rank[]> {
    const { clock } = this.#options;
    const at = clock.forRank(rank).now();
    const isLate = among === undefined && step <= this.#decided;
    const again = isLate ? this.#beginningAgain(rank, step) : undefined;
    if (isLate && again === undefined) throw new LeftBehind(rank);
    const present = again ?? this.#meetings.find({ step, among });
    // The others have begun it again without the node, at the moment at which it learnt that it broke off.
    if (present === undefined && among !== undefined && !this.#expected.has(rank)) throw new LeftBehind(rank);
    const meeting = present ?? this.#meet(rank, step, among, at);
    this.#meetings.open(meeting);
    const wait = clock.wait<readonly Rank[]>(rank, () => meeting.describe(this.#options.worldSize));
    meeting.arrivals.set(rank, { at, wait });
    this.#consider(meeting, at);
    this.#watchLinks(meeting, at);
    this.#endWithoutCutOff(at);
    return wait.promise;
  }

  /** An exchange that broke off and waits for others, to which a node comes that was given what they began with. */
  #beginningAgain(rank: Rank, step: number): Meeting | undefined {
    const { policy } = this.#options.plan;
    if (!this.#expected.has(rank)) return undefined;
    const awaits = ({ among, isPart }: Meeting): boolean =>
      policy.kind === "wait" ? among?.includes(rank) === true : policy.kind === "quorum" && !isPart;
    return [...this.#meetings].find((meeting) => meeting.step === step && awaits(meeting));
  }

  /** A node has waited for an exchange to begin; no collective of it tells of that. */
  waited(rank: Rank, from: Seconds, end: Seconds): void {
    if (end > from) this.#options.emit({ type: "waited", rank, from, ready: end, end });
  }

  #meet(rank: Rank, step: number, among: readonly Rank[] | undefined, at: number): Meeting {
    // An exchange that broke off has been in vain for all of its members.
    if (among !== undefined) this.#futility.brokeOff(among.length, at);
    const isPart = among !== undefined && among.length < this.#participants;
    return new Meeting({ step, begun: this.#begins.step(rank)!, among, isPart });
  }

  /** What an exchange that broke off has lost; the others do not count on it any more, unless they wait for all. */
  lose(ranks: readonly Rank[]): void {
    if (this.#options.plan.policy.kind !== "wait") for (const rank of ranks) this.#expected.delete(rank);
  }

  /** A node has done so many steps. */
  came(step: number): void {
    this.#futility.progress(step);
  }

  /** A node begins a round, which is when it can give its state to others. */
  beginRound(rank: Rank, step: number): void {
    const { clock } = this.#options;
    const now = clock.forRank(rank).now();
    for (const to of this.#returns.ranks)
      if (!this.#isAwaited(to)) this.#returns.give({ from: rank, to }, { step, state: "present" }, now);
    this.#begins.keep(rank, step);
  }

  /** Whether an exchange that broke off begins again once a node is back, which is then given what that began with. */
  #isAwaited(rank: Rank): boolean {
    if (this.#options.plan.policy.kind !== "wait") return false;
    return [...this.#meetings].some(
      (meeting) =>
        meeting.among?.includes(rank) &&
        meeting.among.some((member) => meeting.awaits(this.#begins.step(member))),
    );
  }

  /** A node has crashed; it calls this when its time has come. */
  crashed(rank: Rank, downtime: Downtime, at: Seconds): void {
    this.#leave(rank, "down");
    this.#options.world.drop(rank);
    this.#report.crashed(rank, downtime, at);
    this.#checkSurvivors(at);
  }

  leftBehind(rank: Rank): void {
    this.#leave(rank, "behind");
    this.#options.world.drop(rank);
    this.#checkSurvivors(this.#options.clock.forRank(rank).now());
  }

  /**
   * A node that is not with the others waits until it is again.
   * @returns the steps that it has done then; undefined if it is not before the segment ends
   * @throws RollBack if all nodes have to go back to the last checkpoint
   */
  async recover(rank: Rank): Promise<number | undefined> {
    const { clock, plan } = this.#options;
    const own = clock.forRank(rank);
    for (;;) {
      const downtime = this.#outlook.crashBefore(rank, own.now(), own.now());
      if (downtime !== undefined) {
        if (downtime.until === Number.POSITIVE_INFINITY) return undefined;
        await own.sleep(seconds(downtime.until - own.now()));
        if (plan.recovery === "checkpoint")
          throw new RollBack(own.now(), `Node ${rank} is back: all nodes go back to the last checkpoint.`);
        continue;
      }
      if (this.#isOver()) return undefined;
      this.#statuses[rank] = "behind";
      const given = this.#returns.wait(rank);
      this.#watch(rank, own.now());
      this.#checkSurvivors(own.now());
      for (const meeting of this.#meetings) this.#consider(meeting, own.now());
      try {
        return await given;
      } catch (error) {
        if (!(error instanceof NodeCrashed)) throw error;
        this.crashed(rank, error.downtime, own.now());
      }
    }
  }

  /** A node has nothing more to do in this segment. */
  ended(rank: Rank): void {
    this.#ended.add(rank);
    this.#endWithoutCutOff(this.#options.clock.forRank(rank).now());
    if (!this.#isOver()) return;
    this.#returns.end();
    this.#meetings.end();
  }

  /**
   * A segment ends without those that are cut off and wait for an exchange, once all others have come to its end. Whoever learns
   * of that last, its time may be before that of the others.
   */
  #endWithoutCutOff(at: Seconds): void {
    const { policy } = this.#options.plan;
    if (policy.kind !== "timeout" && policy.kind !== "quorum") return;
    const [ended, left] = [true, false].map((has) =>
      this.#current().filter((r) => this.#ended.has(r) === has),
    );
    const came = left!.map((rank) => this.#meetings.cameAt(rank) ?? Number.POSITIVE_INFINITY);
    const moment = Math.max(at, ...came);
    if (moment === Number.POSITIVE_INFINITY) return;
    const reachable = this.#outlook.reachable(moment);
    if (ended!.some(reachable) && !left!.some(reachable)) this.#meetings.leaveBehind(at);
  }

  /** Whether what a node had when it began its round is kept. */
  keepsBegin(rank: Rank): boolean {
    return this.#begins.keeps(rank);
  }

  snapshot(): MembershipSnapshot {
    return {
      statuses: [...this.#statuses],
      expected: [...this.#expected],
      decided: this.#decided,
      latestReturn: this.#latestReturn,
      begins: this.#begins.snapshot(this.#options.worldSize),
      missing: this.#report.missing,
    };
  }

  /** What nodes remember is theirs again by then. */
  restore({ statuses, expected, decided, latestReturn, begins = [], missing }: MembershipSnapshot): void {
    this.#statuses = [...statuses];
    this.#expected = new Set(expected);
    this.#decided = decided;
    this.#latestReturn = latestReturn;
    this.#begins.restore(begins);
    this.#report.restore(missing);
  }

  /** All nodes begin anew at a moment: those that run then are together. What went wrong since the last step still counts. */
  rolledBack(at: number): void {
    const { worldSize, plan } = this.#options;
    this.#statuses = this.#statuses.map((_, rank) =>
      plan.schedule.isRunning(rank, at) ? "current" : "down",
    );
    this.#expected = new Set(Array.from({ length: worldSize }, (_, rank) => rank));
    this.#decided = -1;
    this.#latestReturn = 0;
  }

  #circumstances(now: number): Circumstances {
    const { plan, worldSize } = this.#options;
    return {
      now,
      worldSize,
      expected: this.#expected,
      current: this.#current(),
      returned: new Set(this.#returns.ranks),
      canHandOn: (rank) => this.#begins.canHandOn(rank),
      begunAt: (rank) => this.#begins.step(rank),
      reachable: this.#outlook.reachable(now),
      isRunning: (rank) => plan.schedule.isRunning(rank, now),
      latestReturn: this.#latestReturn,
    };
  }

  #consider(meeting: Meeting, now: Seconds): void {
    const { policy } = this.#options.plan;
    this.#fetchOthers(meeting, now);
    const decision = meeting.decide(policy, this.#circumstances(now));
    if (decision === undefined) return;
    if (decision.kind === "begin") this.#hold(meeting, decision.participants, decision.at);
    else this.#meetings.alarm(meeting, decision.at, () => this.#consider(meeting, seconds(decision.at)));
  }

  /** Those that are back do the round, too, from its beginning on: an exchange is one of nodes that have done it. */
  #fetchOthers(meeting: Meeting, now: Seconds): void {
    const { policy } = this.#options.plan;
    const lacking = meeting.lacking(policy, this.#circumstances(now));
    if (lacking.length === 0) return;
    const givers = [...meeting.arrivals]
      .filter(([rank]) => this.#begins.canHandOn(rank))
      .sort(([a], [b]) => a - b);
    for (const to of lacking) {
      // Nodes run ahead of each other: one may be back later than now. A quorum may need another, and asks again then.
      const back = policy.kind === "wait" ? this.#options.clock.forRank(to).now() : now;
      for (const [from, { at }] of givers)
        this.#returns.give(
          { from, to },
          { step: this.#begins.step(from)!, state: "kept" },
          seconds(Math.max(now, at, back)),
        );
    }
  }

  #hold(meeting: Meeting, participants: readonly Rank[], at: number | undefined): void {
    const { among, step, arrivals } = meeting;
    const isWaiting = this.#options.plan.policy.kind === "wait";
    this.#meetings.close(meeting);
    if (among === undefined) this.#decided = step;
    if (!meeting.isPart) this.#participants = participants.length;
    const moment = at ?? Math.max(...arrivals.values().map((own) => own.at));
    if (!isWaiting) {
      if (among === undefined) this.#meetings.leaveBehind(moment, { before: step, except: participants });
      const dropped = among ?? [...this.#expected];
      for (const rank of dropped) if (!participants.includes(rank)) this.#expected.delete(rank);
    }
    if (among === undefined || among.length >= this.#expected.size)
      this.#report.begun(participants, step, moment);
    for (const [rank, { at: came, wait }] of arrivals) {
      const time = seconds(Math.max(came, at ?? came));
      if (participants.includes(rank)) wait.resolveAt(time, participants);
      else wait.rejectAt(time, new LeftBehind(rank));
    }
  }

  /** Looks at a meeting again whenever links change, as long as it is not decided. */
  #watchLinks(meeting: Meeting, at: number): void {
    const { plan } = this.#options;
    if (plan.policy.kind === "wait" || !this.#meetings.isOpen(meeting)) return;
    const next = plan.schedule.nextChange(at);
    if (next === Number.POSITIVE_INFINITY) return;
    this.#meetings.alarm(meeting, next, () => {
      this.#futility.linksChanged(next);
      this.#consider(meeting, seconds(next));
      this.#watchLinks(meeting, next);
    });
  }

  /** Enters a node's next crash on the clock: if it waits then, it does no more. */
  #watch(rank: Rank, from: number): void {
    const downtime = this.#options.plan.schedule.nextDowntime(rank, from);
    if (downtime === undefined || downtime.from <= from) return;
    this.#options.clock.at(seconds(downtime.from), rank, () => {
      const error = new NodeCrashed(rank, downtime);
      this.#returns.lose(rank, seconds(downtime.from), error);
      this.#meetings.lose(rank, seconds(downtime.from), error);
    });
  }

  /** A node has a state again. */
  #given({ from, to, step, bytes, arrived }: Given): void {
    const { plan, onJoin } = this.#options;
    this.#statuses[to] = "current";
    this.#begins.willBegin(to, step);
    if (plan.policy.kind !== "none") this.#expected.add(to);
    this.#latestReturn = Math.max(this.#latestReturn, arrived);
    onJoin(to, step);
    this.#report.recovered(to, { from, step, bytes }, arrived);
  }

  #leave(rank: Rank, status: NodeStatus): void {
    this.#statuses[rank] = status;
    this.#begins.forget(rank);
    this.#options.onLeave(rank);
  }

  /** If no node is left that remembers the run, those that are back begin again at the last checkpoint. */
  #checkSurvivors(at: Seconds): void {
    this.#futility.lost(at);
    for (const meeting of this.#meetings) this.#fetchOthers(meeting, at);
    if (this.#statuses.includes("current")) return;
    this.#returns.giveUp(
      at,
      new RollBack(at, "No node is left that has the model: all go back to the last checkpoint."),
    );
  }

  #current(): readonly Rank[] {
    return this.#statuses.flatMap((status, rank) => (status === "current" ? [rank] : []));
  }

  /** Every node that is with the others has come to the end of the segment. */
  #isOver(): boolean {
    const current = this.#current();
    return current.length > 0 && current.every((rank) => this.#ended.has(rank));
  }
}

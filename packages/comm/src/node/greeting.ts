// How two processes of a run come to know each other. Both prove that they have the run's token without sending it: each
// answers the other's random challenge by an HMAC over both challenges and all that it says of itself (the pattern of ISO/IEC
// 9798-4, mutual three-pass authentication). Frames after that are not signed: it keeps out strangers and wrong runs, and
// does not protect from someone who rewrites packets on the way; for that a network of one's own or a tunnel is needed.

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { type Rank, RunError } from "@atoll/core";
import type { Connection } from "./connection.ts";
import { type Frame, Kind } from "./frame.ts";
import type { FrameHandler } from "./frameReader.ts";

/** What a process says of itself. `join`: to rank 0, to be told the others' addresses. `peer`: to exchange. */
export interface Introduction {
  readonly purpose: "join" | "peer";
  readonly rank: Rank;
  readonly worldSize: number;
  readonly runId: string;
  /** Tells one life of a rank from its next. */
  readonly life: string;
  /** Where it listens. */
  readonly host: string;
  readonly port: number;
}

/** Why an introduction was not accepted. */
export interface Refusal {
  /** A sentence. */
  readonly reason: string;
  /** Whether it may be accepted later. */
  readonly mayRetry: boolean;
}

export class RefusedError extends RunError {
  readonly mayRetry: boolean;

  constructor(message: string, mayRetry: boolean) {
    super(message);
    this.mayRetry = mayRetry;
  }
}

interface Challenge {
  readonly nonce: string;
}

interface Hello extends Introduction {
  readonly nonce: string;
  readonly proof: string;
}

type Answer = { readonly proof: string } | Refusal;

const NONCE_BYTES = 32;

const newNonce = (): string => randomBytes(NONCE_BYTES).toString("hex");

/** @param role so that one side's proof cannot be sent back as the other's */
const proofOf = (role: string, token: string, parts: readonly unknown[]): string =>
  createHmac("sha256", token)
    .update(JSON.stringify([role, ...parts]))
    .digest("hex");

function sameProof(given: unknown, expected: string): boolean {
  const a = Buffer.from(typeof given === "string" ? given : "");
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}

const introductionParts = (hello: Introduction): readonly unknown[] => [
  hello.purpose,
  hello.rank,
  hello.worldSize,
  hello.runId,
  hello.life,
  hello.host,
  hello.port,
];

const send = (connection: Connection, value: Challenge | Hello | Answer): void =>
  connection.writeJson({ kind: Kind.greeting }, value);

/** A handler that takes one greeting after another. */
const greetings = (onGreeting: (value: unknown) => void): FrameHandler => ({
  place: (frame: Frame) => new Uint8Array(frame.length),
  complete: (_, payload) => onGreeting(parsed(payload)),
});

function parsed(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(payload));
  } catch {
    throw new RunError("it sent a greeting that is not JSON");
  }
}

const text = (value: unknown): value is string => typeof value === "string" && value.length <= 512;
const count = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function asHello(value: unknown): Hello {
  const given = (typeof value === "object" && value !== null ? value : {}) as Partial<Hello>;
  const { purpose, rank, worldSize, runId, life, host, port, nonce, proof } = given;
  const whole = count(rank) && count(worldSize) && count(port);
  const named = text(runId) && text(life) && text(host) && text(nonce) && text(proof);
  if ((purpose !== "join" && purpose !== "peer") || !whole || !named)
    throw new RunError("it sent a greeting without the fields that belong in it");
  return { purpose, rank, worldSize, runId, life, host, port, nonce, proof };
}

/**
 * The accepting side's greetings: challenges, and asks `decide` once the peer has proved that it has the token.
 * @param decide undefined if the peer is welcome, which it has taken the connection over by then
 */
export function awaitIntroduction(
  own: Pick<Introduction, "runId"> & { readonly token: string },
  decide: (introduction: Introduction) => Refusal | undefined,
): { readonly handler: FrameHandler; begin(connection: Connection): void } {
  const nonce = newNonce();
  let connection: Connection | undefined;
  const refuse = (refusal: Refusal): void => {
    send(connection!, refusal);
    connection!.finish(refusal.reason);
  };
  return {
    begin(begun) {
      connection = begun;
      send(connection, { nonce });
    },
    handler: greetings((value) => {
      const hello = asHello(value);
      if (hello.runId !== own.runId)
        return refuse({ reason: `This is run ${own.runId}, not ${hello.runId}.`, mayRetry: false });
      const parts = [nonce, hello.nonce, ...introductionParts(hello)];
      if (!sameProof(hello.proof, proofOf("dials", own.token, parts)))
        return refuse({ reason: `The token is not that of run ${own.runId}.`, mayRetry: false });
      const proof = proofOf("accepts", own.token, parts);
      const refusal = decide(hello);
      if (refusal !== undefined) return refuse(refusal);
      send(connection!, { proof });
    }),
  };
}

export interface IntroduceOptions {
  readonly introduction: Introduction;
  readonly token: string;
  /** Words for the other side: "rank 0 at 10.0.0.1:29500". */
  readonly whom: string;
}

/** The dialling side's greetings. `welcomed` ends when the peer has proved that it, too, has the token. */
export function introduce({ introduction, token, whom }: IntroduceOptions): {
  readonly handler: FrameHandler;
  begin(connection: Connection): void;
  readonly welcomed: Promise<void>;
  fail(cause: string, isFault: boolean): void;
} {
  const own = newNonce();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let connection: Connection | undefined;
  let parts: readonly unknown[] | undefined;
  return {
    welcomed: promise,
    begin(begun) {
      connection = begun;
    },
    fail(cause, isFault) {
      const message = `Cannot connect to ${whom}: ${cause}.`;
      reject(isFault ? new RefusedError(message, false) : new RunError(message));
    },
    handler: greetings((value) => {
      const { nonce, proof, reason, mayRetry } = (value ?? {}) as Partial<
        Challenge & { proof: string } & Refusal
      >;
      if (text(reason)) reject(new RefusedError(`Refused by ${whom}: ${reason}`, mayRetry === true));
      else if (parts === undefined && text(nonce)) {
        parts = [nonce, own, ...introductionParts(introduction)];
        send(connection!, { ...introduction, nonce: own, proof: proofOf("dials", token, parts) });
      } else if (parts !== undefined && sameProof(proof, proofOf("accepts", token, parts))) resolve();
      else throw new RunError("it cannot prove that it has the run's token");
    }),
  };
}

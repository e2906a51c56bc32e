// What OpenSSH's complaints mean and what to do about them, as the end of a sentence. Each was seen from OpenSSH 9.2, or is
// in its source.

import { describeOutcome } from "../exec/describeOutcome.ts";
import type { ExecOutcome } from "../exec/exec.ts";
import { findingOf, type Program, remediesOf } from "../exec/probe.ts";
import { destination, type HostLine } from "./hostsFile.ts";

/** How doctor asks for it. */
export const SSH: Program = {
  name: "ssh",
  argv: ["-V"],
  howToGet: "on Debian and Ubuntu: apt-get install openssh-client",
  howToRepair: "run ssh -V, which says what it lacks",
};

interface KnownProblem {
  readonly seen: RegExp;
  meaning(line: HostLine, words: RegExpExecArray): string;
}

const portOf = ({ port }: HostLine): number => port ?? 22;
const byHand = (line: HostLine): string =>
  `ssh ${line.port === undefined ? "" : `-p ${line.port} `}${line.user === undefined ? "" : `${line.user}@`}${line.host}`;
/** As known_hosts has it. */
const pinnedName = ({ host, port }: HostLine): string =>
  port === undefined || port === 22 ? host : `"[${host}]:${port}"`;

const KNOWN: readonly KnownProblem[] = [
  {
    seen: /Could not resolve hostname/i,
    meaning: (line) => `the name ${line.host} does not resolve; check the spelling, or write its address`,
  },
  {
    seen: /Connection refused/i,
    meaning: (line) =>
      `nothing listens on port ${portOf(line)}; start sshd there, or ${line.port === undefined ? `write its port: ${line.host}:2222` : "correct the port"}`,
  },
  {
    seen: /(Connection|Operation) timed out|No route to host|(Network|Host) is unreachable/i,
    meaning: (line) =>
      `${line.host} cannot be reached on port ${portOf(line)}; check that it is up, and the network and firewall between`,
  },
  {
    seen: /REMOTE HOST IDENTIFICATION HAS CHANGED/,
    meaning: (line) =>
      `its host key is not the pinned one: another machine answers, or it was set up anew; if that is so, run ssh-keygen -R ${pinnedName(line)}${line.knownHosts === undefined ? "" : ` -f ${line.knownHosts}`}, then ${byHand(line)}, and compare the fingerprint`,
  },
  {
    seen: /No .*host key is known|Host key verification failed/i,
    meaning: (line) =>
      `its host key is not known here; run ${byHand(line)} once and compare the fingerprint, or name the file that has it with knownHosts=FILE`,
  },
  {
    seen: /UNPROTECTED PRIVATE KEY FILE/,
    meaning: (line) =>
      `others may read the private key, so ssh does not use it; chmod 600 ${line.identity ?? "the key's file"}`,
  },
  {
    seen: /Permission denied \(([^)]*)\)/,
    meaning: (line, [, methods]) =>
      `it refused the key (it accepts: ${methods}); put the public key into ~/.ssh/authorized_keys there, add the private one with ssh-add, or name it with identity=FILE${line.user === undefined ? "; another login is user=NAME" : ""}`,
  },
  {
    seen: /Bad configuration option: (\S+)/i,
    meaning: (_, [, option]) => `this ssh does not know the option ${option}; OpenSSH 8.0 or newer is needed`,
  },
  {
    seen: /kex_exchange_identification|Connection (?:closed|reset) by/i,
    meaning: () =>
      "it closed the connection before the login; look into its sshd's log: often MaxStartups, or no sshd on that port",
  },
];

/** Why a rank was lost, from how ssh ended and the last lines that came before. */
export function explainSsh(line: HostLine, outcome: ExecOutcome, words: readonly string[]): string {
  const where = `${line.where}: `;
  if (outcome.kind === "missing" || outcome.kind === "failed")
    return remediesOf([findingOf(SSH, { outcome, stdout: "", stderr: "" })]).join();
  // Code 255 is ssh's own; any other says that the connection was made and the keeper did not end as it should.
  if (outcome.kind !== "exited" || outcome.code !== 255)
    return `${where}the shell that kept it ${describeOutcome(outcome)}${lastWords(words)}`;
  for (const { seen, meaning } of KNOWN) {
    const match = seen.exec(words.join("\n"));
    if (match) return where + meaning(line, match);
  }
  return `${where}the connection to ${destination(line)} broke, or nothing came over it for 30 s${lastWords(words)}`;
}

const lastWords = (words: readonly string[]): string =>
  words.length === 0 ? "" : `; its last words: ${words.at(-1)!.trim()}`;

// Hosts files, and what is wrong with them by line.

import { ConfigError } from "@atoll/core";
import { expect, test } from "vitest";
import { destination, parseHosts } from "./hostsFile.ts";

test("hosts with all that can be said of them, comments and empty lines", () => {
  const text = `# two machines and a guest
node1.example.com

alice@node2:2222  slots=2  identity=~/.ssh/key#1  address=10.0.0.2  # the big one
[2001:db8::7]:2200 4 user=bob knownHosts=hosts
`;
  expect(parseHosts(text, "hosts.txt")).toEqual([
    { host: "node1.example.com", slots: 1, address: "node1.example.com", where: "hosts.txt:2" },
    {
      host: "node2",
      port: 2222,
      user: "alice",
      slots: 2,
      address: "10.0.0.2",
      identity: "~/.ssh/key#1",
      where: "hosts.txt:4",
    },
    {
      host: "2001:db8::7",
      port: 2200,
      user: "bob",
      slots: 4,
      address: "2001:db8::7",
      knownHosts: "hosts",
      where: "hosts.txt:5",
    },
  ]);
  expect(parseHosts(text, "hosts.txt").map(destination)).toEqual([
    "node1.example.com",
    "alice@node2:2222",
    "bob@[2001:db8::7]:2200",
  ]);
});

test.each([
  ["", /^hosts\.txt: expected at least one host, and it is empty/],
  ["# none\n\n", /^hosts\.txt: expected at least one host, and it has only comments/],
  ["a\nb c\n", /key at hosts\.txt:2: "c"/],
  ["a slot=2", /key at hosts\.txt:1: "slot"\. Did you mean "slots"\?/],
  ["a slots=0", /^hosts\.txt:1: expected slots from 1 to 1024, got "0"/],
  ["a slots=", /^hosts\.txt:1: expected slots=VALUE, got "slots="/],
  ["a 2 slots=3", /^hosts\.txt:1: expected slots once, got it twice/],
  ["a:0", /^hosts\.txt:1: expected a port from 1 to 65535, got 0/],
  ["a:99999", /^hosts\.txt:1: expected a port/],
  ["2001:db8::7", /^hosts\.txt:1: expected \[user@\]host\[:port\], with an IPv6 address in brackets/],
  ["-oProxyCommand=x", /^hosts\.txt:1: expected \[user@\]host/],
  ["a user=-l", /^hosts\.txt:1: expected user=VALUE/],
  ["a@b user=c", /^hosts\.txt:1: expected one user, got "a" and "c"/],
  ["a\nb\na slots=2", /^hosts\.txt:3: a is on line 1 already\. .* slots=2/],
])("%j is refused", (text, message) => {
  expect(() => parseHosts(text, "hosts.txt")).toThrow(ConfigError);
  expect(() => parseHosts(text, "hosts.txt")).toThrow(message);
});

// A world over sockets by itself: what every communicator does, and what only this one has.

import { describeCommunicator } from "../test/conformance.ts";
import { onTcp } from "./test/tcpFixture.ts";

describeCommunicator("over TCP", (worldSize, body, options = {}) => onTcp(worldSize, body, { options }));
describeCommunicator("over TCP with the network's conditions", (worldSize, body, options = {}) =>
  onTcp(worldSize, body, { options: { profile: "local", ...options }, shaping: "userSpace" }),
);
